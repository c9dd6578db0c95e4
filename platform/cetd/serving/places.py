"""How many requests a model may have in hand: a place is taken before a request is read, and given back once.

Invariant: never more places than there are; a place that was given back can be taken again, however often its holder
says that it is done. Lives in one event loop.
"""

from __future__ import annotations


class Places:
    """All places, and how many are taken."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.taken = 0

    def take(self) -> Place | None:
        """A place; None where all are taken."""
        return Place(self) if self.taken < self._number else None


class Place:
    """One of them, taken when it is made."""

    def __init__(self, places: Places) -> None:
        self._places: Places | None = places
        places.taken += 1

    def give_back(self) -> None:
        """To be called when nothing more is asked of the model; all calls but the first do nothing."""
        if self._places:
            self._places.taken -= 1
            self._places = None
