"""python -m jobs.params [PRESET …] [--json]
python -m jobs.params budget total_params=10_000_000 vocab_size=16000 [field=value …] [--json]

Presets: the exact parameter table of each, by component, counted from the model without memory behind it; all of
configs/model/ where none is named. Budget: the shape of a decoder-only model that spends total_params as asked, with
what was asked and what is achieved side by side; where there is no such shape, what to relax and to which value.
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from cetd import config as configuration
from cetd.config.budget import BudgetConfig
from cetd.models.allocation import RATIOS, Allocation
from cetd.models.budget import allocate
from jobs.command_line import fields, one_line_errors

if TYPE_CHECKING:
    from cetd.models.parameters import ParameterTable


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"presets: {', '.join(configuration.presets())}\n\nfields of budget (default): {fields(BudgetConfig)}",
    )
    parser.add_argument("words", nargs="*", metavar="PRESET", help="presets; or budget, and its field=value …")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_intermixed_args(argv)
    with one_line_errors():
        if arguments.words[:1] == ["budget"]:
            budget(arguments.words[1:], as_json=arguments.json)
        else:
            presets(arguments.words or configuration.presets(), as_json=arguments.json)


def presets(names: list[str], *, as_json: bool) -> None:
    """Print the parameter table of each preset.

    Raises:
        ConfigError: there is no preset of that name, or its file is wrong.
    """
    models = {name: configuration.preset(name) for name in names}
    # After the names are known to be good: this imports torch.
    from cetd.models.parameters import parameter_table

    tables = {name: parameter_table(model) for name, model in models.items()}
    if as_json:
        shown = {name: {"total": table.total, "components": table.counts} for name, table in tables.items()}
        print(json.dumps(shown, indent=2))
    else:
        for name, table in tables.items():
            _print_preset(name, table)


def budget(overrides: list[str], *, as_json: bool) -> None:
    """Print the shape for what is asked.

    Raises:
        ConfigError: a field is unknown, missing or wrong.
        BudgetError: there is no such shape.
    """
    found = allocate(configuration.load(BudgetConfig, overrides=overrides))
    if as_json:
        print(json.dumps(_achieved(found), indent=2))
    else:
        _print_budget(found)


def _achieved(found: Allocation) -> dict[str, Any]:
    return {
        "d_model": found.d_model,
        "n_layers": found.n_layers,
        "d_ff": found.d_ff,
        "total": found.total,
        "embedding_ratio": found.embedding_ratio,
        "glu_expansion": found.glu_expansion,
    }


def _print_preset(name: str, table: ParameterTable) -> None:
    shown = Table(title=name, title_justify="left")
    shown.add_column("component")
    shown.add_column("parameters", justify="right")
    shown.add_column("share", justify="right")
    for component, count in table.counts.items():
        shown.add_row(component, f"{count:,}", f"{table.share(component):.2%}")
    shown.add_section()
    shown.add_row("total", f"{table.total:,}", f"{1:.2%}", style="bold")
    Console().print(shown)


def _print_budget(found: Allocation) -> None:
    asked = found.asked
    shown = Table(title="Parameter budget", title_justify="left")
    shown.add_column("")
    for column in ("asked", "achieved", "deviation"):
        shown.add_column(column, justify="right")
    deviation = found.total / asked.total_params - 1
    shown.add_row("total_params", f"{asked.total_params:,}", f"{found.total:,}", f"{deviation:+.2%}")
    for ratio in RATIOS:
        figures = f"{getattr(asked, ratio):.4g}", f"{getattr(found, ratio):.4g}"
        shown.add_row(ratio, *figures, f"{found.deviation(ratio):+.2%}")
    shown.add_section()
    for field in ("d_model", "n_layers", "d_ff"):
        shown.add_row(field, "", str(getattr(found, field)), "")
    heads = f"{asked.n_heads} heads of {found.d_model // asked.n_heads}"
    head = f"{'tied' if asked.tied_lm_head else 'untied'} head"
    places = f"{asked.max_positions:,} {asked.positions} positions"
    shown.caption = f"vocabulary {asked.vocab_size:,}, {heads}, {head}, {places}"
    Console().print(shown)


if __name__ == "__main__":
    main()
