"""What a judge's runners have in common. Runs inside the sandbox: standard library only."""

from __future__ import annotations

Result = tuple[str, str, float, str]  # test id, passed | failed | error, seconds, message


class BrokenTestsError(Exception):
    """The app's tests cannot be run, whatever the program is."""
