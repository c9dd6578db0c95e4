"""python -m jobs.keys create NAME [--admin] [--requests-per-minute N] [--file F]
python -m jobs.keys list [--file F]
python -m jobs.keys revoke NAME [--file F]

The API keys of the gateway. create prints a key, once: what is kept is its digest. A gateway that runs takes changes
up within a second. A revoked name can be given a new key.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from cetd.run_folder import runs_root
from cetd.serving.api_keys import KeyRing, create, revoke
from jobs.command_line import one_line_errors


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="create | list | revoke")
    creating = commands.add_parser("create", help="make a key and print it")
    creating.add_argument("--admin", action="store_true", help="it may also read what is for administrators")
    creating.add_argument("--requests-per-minute", type=int, metavar="N", help="its rate; else the gateway's")
    listing = commands.add_parser("list", help="whose keys there are")
    revoking = commands.add_parser("revoke", help="refuse a key from now on")
    for command in (creating, revoking):
        command.add_argument("name", help="whose key it is")
    for command in (creating, listing, revoking):
        command.add_argument(
            "--file", type=Path, help="where keys are kept, as access.keys_file; else keys.json in the folder of runs"
        )
    arguments = parser.parse_args(argv)
    file = arguments.file or runs_root(None) / "keys.json"
    with one_line_errors():
        match arguments.command:
            case "create":
                print(create(file, arguments.name, arguments.admin, arguments.requests_per_minute), flush=True)
                print(f"Keep it now: it cannot be shown again. Its digest is in {file}.", file=sys.stderr)
            case "revoke":
                revoke(file, arguments.name)
                print(f"{arguments.name} is revoked")
            case _:
                show(file)


def show(file: Path) -> None:
    """Print whose keys there are.

    Raises:
        ValueError: the file is malformed.
    """
    keys = KeyRing.load(file).keys
    table = Table("name", "created", "admin", "requests per minute", "revoked", title=f"{file}", title_justify="left")
    for name, key in keys.items():
        rate = str(key.requests_per_minute or "the gateway's")
        table.add_row(name, key.created, "yes" if key.admin else "", rate, key.revoked or "")
    Console().print(table if keys else f"{file}: no keys; make one with create", soft_wrap=not keys)


if __name__ == "__main__":
    main()
