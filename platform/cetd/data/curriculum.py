"""Which apps an iteration sees: seeded epochs over the admitted train apps, a pure function of the iteration."""

from __future__ import annotations

import random
from collections.abc import Sequence

from cetd import seeds
from cetd.data.app import App


class Curriculum:
    """Train apps in the order of their iterations, and the held-out apps that measure."""

    def __init__(self, train: Sequence[App], heldout: Sequence[App], per_iteration: int, run_seed: int) -> None:
        """
        Raises:
            ValueError: there are fewer train apps than an iteration takes.
        """
        if len(train) < per_iteration:
            raise ValueError(
                f"loop.apps_per_iteration={per_iteration}: only {len(train)} train apps were admitted; "
                "lower it or add apps"
            )
        self.train, self.heldout = list(train), list(heldout)
        self._per_iteration, self._run_seed = per_iteration, run_seed
        self._orders: dict[int, list[int]] = {}

    def apps_of(self, iteration: int) -> list[App]:
        """Distinct apps; every epoch sees each app at most once, a remainder that fills no iteration is left out."""
        epoch, position = divmod(iteration, len(self.train) // self._per_iteration)
        start = position * self._per_iteration
        return [self.train[index] for index in self._order(epoch)[start : start + self._per_iteration]]

    def _order(self, epoch: int) -> list[int]:
        if epoch not in self._orders:
            order = list(range(len(self.train)))
            random.Random(seeds.derive(self._run_seed, "epoch", epoch)).shuffle(order)
            self._orders[epoch] = order
        return self._orders[epoch]
