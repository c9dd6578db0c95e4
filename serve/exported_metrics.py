"""``GET /metrics``: what all replicas on all nodes have counted.

Replicas count through Ray, whose agent on each node exports for Prometheus; here the agents' figures of this project
come together under one address. Ray's own metrics stay at the agents. The figures are up to some seconds old: Ray's
``metrics_report_interval_ms``.
"""

from __future__ import annotations

import asyncio
import re

import httpx
import ray

_OURS = re.compile(r"^(# (?:HELP|TYPE) )?ray_(cetd_\w+)(.*)$")
_TIMEOUT_S = 5.0


async def exported() -> str:
    """Metrics in Prometheus' text format, named ``cetd_…``."""
    nodes = await asyncio.to_thread(ray.nodes)
    addresses = [f"{node['NodeManagerAddress']}:{node['MetricsExportPort']}" for node in nodes if node["Alive"]]
    async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
        answers = await asyncio.gather(*(_text(client, address) for address in addresses))
    return merged(answers)


def merged(exports: list[str]) -> str:
    """The lines of this project in what the agents export: each metric's type and help once, before its figures."""
    about: dict[str, list[str]] = {}
    figures: dict[str, list[str]] = {}
    for line in "\n".join(exports).splitlines():
        found = _OURS.match(line)
        if found is None:
            continue
        comment, name, rest = found.groups()
        if comment:
            told = about.setdefault(name, [])
            if f"{comment}{name}{rest}" not in told:
                told.append(f"{comment}{name}{rest}")
        else:
            figures.setdefault(_family(name, about), []).append(f"{name}{rest}")
    lines = [line for name, told in about.items() for line in (*told, *figures.get(name, ()))]
    return "\n".join([*lines, ""])


def _family(name: str, known: dict[str, list[str]]) -> str:
    """The metric that a figure belongs to: a histogram's have endings."""
    if name in known:
        return name
    return re.sub(r"_(bucket|sum|count|total)$", "", name)


async def _text(client: httpx.AsyncClient, address: str) -> str:
    try:
        return (await client.get(f"http://{address}/metrics")).raise_for_status().text
    except httpx.HTTPError:
        return ""  # a node that is leaving
