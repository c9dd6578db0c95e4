"""The sandbox of one slot and the bench that the sandbox's own tests use."""

from tests.cetd.sandbox.conftest import bench, sandbox

__all__ = ["bench", "sandbox"]

collect_ignore = ["attacks"]  # programs, whatever their names
