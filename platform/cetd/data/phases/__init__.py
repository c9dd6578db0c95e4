"""Rows of phases 1 and 2 out of documents of Python code, one repository at a time.

Pure functions: nothing is executed, a document that cannot be parsed gives no rows, and the same documents,
configuration and seed give the same rows.
"""

from cetd.data.phases.phase1 import phase1_rows, phase1_schema
from cetd.data.phases.phase2 import phase2_rows, phase2_schema

__all__ = ["phase1_rows", "phase1_schema", "phase2_rows", "phase2_schema"]
