"""python -m jobs.bench NAME [argument …]; python -m jobs.bench NAME --help says what each measures and takes

Benchmarks: ratios against a named alternative in the same run, and the figures of the specification's validation;
printed, and written to runs/bench/NAME.json.
"""

from __future__ import annotations

import argparse

from jobs.bench import data, engines, feedback, forward, load, overload, sandbox, serve, sweep, tp, train
from jobs.command_line import log_to_terminal, one_line_errors

BENCHMARKS = (feedback, train, tp, forward, engines, sandbox, load, data, sweep, serve, overload)


def main(argv: list[str] | None = None) -> None:
    arguments = _parser().parse_args(argv)
    log_to_terminal()
    with one_line_errors():
        arguments.run(arguments)


def _parser() -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m jobs.bench", description=__doc__, formatter_class=shape)
    names = parser.add_subparsers(metavar="NAME", required=True)
    for benchmark in BENCHMARKS:
        name = benchmark.__name__.rpartition(".")[2]
        command = names.add_parser(name, help=benchmark.HELP, description=benchmark.__doc__, formatter_class=shape)
        benchmark.add_arguments(command)
        command.set_defaults(run=benchmark.run)
    return parser


if __name__ == "__main__":
    main()
