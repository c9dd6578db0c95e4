"""``report.html``: what a run did, on one self-contained page, at any moment of the run.

:mod:`run` reads the run folder, :mod:`charts` draws, :mod:`sections` and :mod:`apps` say what the page shows,
:mod:`layout` has the blocks, :mod:`training` the pages of training jobs, :mod:`corpus` that of training data, and
:mod:`markup` makes sure that nothing an LLM wrote is ever more than text.
"""

from cetd.evaluation.report.corpus import write_corpus_report
from cetd.evaluation.report.page import write_report
from cetd.evaluation.report.training import write_rate_report, write_training_report

__all__ = ["write_corpus_report", "write_rate_report", "write_report", "write_training_report"]
