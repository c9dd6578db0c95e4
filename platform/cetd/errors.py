"""The two kinds of failure that a job reports as one line.

``ValueError`` and its subclasses are for what a user can get wrong. :class:`InfrastructureError` is for what broke or
is missing on the machine: never the model's fault, never a score, and the same command resumes once it is mended.
"""


class InfrastructureError(RuntimeError):
    """Something that a run needs is missing, or broke beyond its retries; the message names it and the remedy."""
