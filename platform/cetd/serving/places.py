"""How many requests a model may have in hand: each takes a place, and gives it back once.

Invariant: as many places are taken as are held; one that was given back is free, however often its holder says that it
is done. Lives in one event loop.
"""

from __future__ import annotations


class Places:
    """All places, and how many are taken."""

    def __init__(self, number: int) -> None:
        self._number = number
        self.taken = 0

    @property
    def full(self) -> bool:
        """Whether no place is free."""
        return self.taken >= self._number

    def take(self) -> Place:
        """A place, which the caller has seen to be free."""
        assert not self.full
        return Place(self)


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
