"""``report.html``: what a run did, on one self-contained page, at any moment of the run.

:mod:`run` reads the run folder, :mod:`charts` draws, :mod:`sections` and :mod:`apps` say what the page shows,
:mod:`markup` makes sure that nothing an LLM wrote is ever more than text.
"""

from cetd.evaluation.report.page import write_report

__all__ = ["write_report"]
