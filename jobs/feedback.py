"""python -m jobs.feedback --config configs/feedback/demo.yaml [section.field=value …]

Phase 3, interactive feedback: a policy writes requirements, reconstruction LLMs rebuild the apps from them, the apps'
tests judge, and the policy learns. Runs on local Ray, or on the cluster it is submitted to with
`ray job submit --working-dir . -- python -m jobs.feedback --config …`. The same run.name resumes where it stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import logging

from cetd.config import FeedbackJobConfig
from cetd.run_folder import RunFolder, RunFolderError, runs_root
from jobs import ROOT
from jobs.command_line import one_line_errors, parse

log = logging.getLogger("feedback")


def main(argv: list[str] | None = None) -> None:
    config, arguments = parse(FeedbackJobConfig, __doc__ or "", argv, _arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    root = runs_root(config.run.root)
    with one_line_errors(), RunFolder(root, config.run.name) as folder:
        if arguments.restart:
            folder.clear()
        if arguments.resume and not folder.exists:
            raise RunFolderError(f"run.name={config.run.name}: nothing to resume under {folder.path}")
        folder.adopt(config)
        # After the configuration is known to be good: these import torch and Ray.
        from actors.cluster import connected, wanted
        from actors.feedback_run import check, finished, run
        from cetd.evaluation.report import write_report
        from cetd.evaluation.summary import print_table

        summary = finished(config, folder)
        if summary is None:
            apps = check(config)
            with connected(*wanted(config), ROOT):
                summary = asyncio.run(run(config, apps, folder, root))
        else:
            log.info("%s has ended before; --restart begins anew", folder.path)
        print_table(summary)
        print(f"report: {write_report(folder.path)}")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--resume", action="store_true", help="refuse to begin a new run; without it the same run.name resumes as well"
    )
    parser.add_argument("--restart", action="store_true", help="drop what a run of this name has left, and begin anew")


if __name__ == "__main__":
    main()
