"""Which processor each slot's run is on.

The processes of a run take turns more than they work at once: on one processor they find each other's pages in its
caches, and wake each other without an interrupt. Runs inside the sandbox: standard library only.
"""

from __future__ import annotations

import mmap
import os

from cetd.sandbox.process import LIBC

_NONE = 0xFFFF


class Processors:
    """A table that the slots of a server share, and what they fork does not: a processor's number for each slot."""

    def __init__(self, slots: int) -> None:
        self._all = os.sched_getaffinity(0)
        self._memory = mmap.mmap(-1, 2 * slots)
        self._table = memoryview(self._memory).cast("H")
        for slot in range(slots):
            self._table[slot] = _NONE
        self._slot = 0

    def serve(self, slot: int) -> None:
        """Be the process of ``slot``."""
        self._slot = slot
        self._memory.madvise(mmap.MADV_DONTFORK)

    def enter(self, pid: int) -> None:
        """Keep this process and ``pid``, another of its run, to one processor.

        That is where the kernel has woken this one, unless another slot's run is there and not on some other.
        """
        here, taken = LIBC.sched_getcpu(), set(self._table)
        if here in taken:
            here = min(os.sched_getaffinity(0) - taken, default=here)
        self._table[self._slot] = here
        for each in (0, pid):
            os.sched_setaffinity(each, {here})

    def leave(self, *pids: int) -> None:
        """Let this process, and others of a run that takes long, be wherever there is room."""
        self._table[self._slot] = _NONE
        for each in (0, *pids):
            os.sched_setaffinity(each, self._all)
