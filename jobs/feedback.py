"""python -m jobs.feedback --config configs/feedback/demo.yaml [section.field=value …]

Phase 3, interactive feedback: a policy writes requirements, reconstruction LLMs rebuild the apps from them, the apps'
tests judge, and the policy learns. Runs on local Ray, or on the cluster it is submitted to with
`ray job submit --working-dir . -- python -m jobs.feedback --config …`. The same run.name resumes where it stopped.
"""

from __future__ import annotations

import asyncio
import logging

from cetd.config import FeedbackJobConfig
from cetd.run_folder import RunFolder, runs_root
from jobs import ROOT
from jobs.command_line import add_run_arguments, begin, log_to_terminal, one_line_errors, parse

log = logging.getLogger("feedback")


def main(argv: list[str] | None = None) -> None:
    config, arguments = parse(FeedbackJobConfig, __doc__ or "", argv, add_run_arguments)
    log_to_terminal()
    root = runs_root(config.run.root)
    with one_line_errors(), RunFolder(root, config.run.name) as folder:
        begin(folder, config, arguments)
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


if __name__ == "__main__":
    main()
