"""Apps out of real code, from the modules of a configuration to folders.

Promises: the same configuration, Python and packages make the same apps, whatever the number of slots; a folder that is
whole is kept, and one of another configuration is never replaced. In each split the functions that their tests cover
best come first, until there are as many apps as asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from cetd.config import RecipeConfig
from cetd.data.recorded.modules import names_in, read_module
from cetd.data.recorded.split import Dropped, Made, Making, Progress, RecipeError, Split
from cetd.sandbox.sandbox import Sandbox

__all__ = ["Dropped", "Made", "Progress", "RecipeError", "make"]


def make(config: RecipeConfig, out: Path, sandbox: Sandbox, report: Callable[[Progress], None]) -> list[Made | Dropped]:
    """Make the apps of a package in ``out``, or those of a recipe in ``out/train`` and so on.

    ``report`` is called from this thread. The result has every function that was looked at, split by split.

    Raises:
        SourceError: the package, or a module of the recipe, is not installed or has no Python source.
        RecipeError: ``out`` has apps of another configuration, or a split does not fill.
        InfrastructureError: a process or the sandbox cannot be run; the same command goes on.
        OSError: ``out`` cannot be written.
    """
    # What is wrong with the last split is said before minutes are spent on the first.
    splits = list(_splits(config, out))
    makings = [Making(config, split, sandbox, report) for split in splits]
    for split in splits:
        for module in split.modules if split.apps else ():
            read_module(module)
    results: list[Made | Dropped] = []
    for split, making in zip(splits, makings, strict=True):
        found = making.run()
        results += found
        made = sum(isinstance(each, Made) for each in found)
        if split.apps and made < split.apps:
            raise RecipeError(
                f"{split.name}.apps={split.apps}: only {made} functions reach min_mutation_score="
                f"{config.min_mutation_score}; add modules, or lower one of them"
            )
    return results


def _splits(config: RecipeConfig, out: Path) -> Iterator[Split]:
    if config.package:
        yield Split("", tuple(names_in(config.package)), None, out)
    for name, split in config.splits.items():
        yield Split(name, split.modules, split.apps, out / name)
