"""The report's sections over the whole run: figures at a glance, learning, held-out apps, the loop, the update."""

from __future__ import annotations

from collections.abc import Sequence

from cetd.evaluation.report.charts import Series, bar, bubble_chart, line_chart, nothing, percent
from cetd.evaluation.report.layout import cards, section, tile
from cetd.evaluation.report.markup import Html, element
from cetd.evaluation.report.run import Run
from cetd.evaluation.scores import mean_leakage, mean_reward, mean_tokens, pass_rates
from cetd.feedback.rollout import Rollout
from cetd.sandbox.outcome import NAMES

COLOURS = 6


def colour(run: Run, llm: str) -> str:
    """The CSS variable of an LLM, the same in every chart and table."""
    return f"--s{1 + run.llms.index(llm) % COLOURS}" if llm in run.llms else "--s1"


def glance(run: Run) -> Html:
    """Tiles of the figures that matter most."""
    planned = (run.config.get("loop") or {}).get("iterations")
    done = run.metrics[-1]["iteration"] + 1 if run.metrics else 0
    tiles = [
        _reward_tile(run),
        tile("Policy updates", f"{done:,}", f"of {planned:,} planned" if planned else ""),
        tile("Rollouts", f"{run.total('rollouts'):,}", f"{run.total('dropped'):,} dropped"),
        tile("Unscored", f"{run.total('unscored'):,}", "reconstructions"),
        tile("Efficiency", _figure(run.efficiency, 2), "busiest stage's busy share"),
        tile("Wall time", _duration(run.wall_s), ""),
    ]
    if (floor := run.admission.get("noise_floor")) is not None:
        counted = f"{run.admission['flips']:,} of {run.admission['test_runs']:,} results of references differed"
        tiles.append(tile("Noise floor", f"< {floor:.2%}", counted))
    return element("div", *tiles, class_="tiles")


def learning(run: Run) -> Html:
    """Reward and pass rates over the policy updates."""
    evaluated = sorted(run.evaluations.items())
    reward = [
        Series("training, sampled", "--s1", run.column("reward")),
        Series("held-out, greedy", "--ink", [(i, mean_reward(rollouts)) for i, rollouts in evaluated], marks=True),
    ]
    rates = [Series(llm, colour(run, llm), run.column("pass_rate", llm)) for llm in run.llms]
    heldout = [
        Series(
            f"{llm}, held-out",
            colour(run, llm),
            [(i, pass_rates(rollouts).get(llm)) for i, rollouts in evaluated],
            True,
        )
        for llm in run.llms
    ]
    return section(
        "Learning",
        cards(
            line_chart(
                "Reward", reward, "Thin: each update. Thick: moving mean. Rings: held-out apps.", bounds=(0.0, 1.0)
            ),
            line_chart("Pass rate by reconstruction LLM", [*rates, *heldout], "", percent, (0.0, 1.0)),
        ),
    )


def heldout(run: Run) -> Html | None:
    """Before and after on apps that the policy never trained on."""
    if not run.before:
        return None
    before, after = pass_rates(run.before), pass_rates(run.after)
    rows = [_compared("Reward", mean_reward(run.before), mean_reward(run.after), "--ink")]
    rows += [_compared(llm, before.get(llm), after.get(llm), colour(run, llm)) for llm in run.llms]
    rows += [
        _compared("Leakage", mean_leakage(run.before), mean_leakage(run.after), None),
        _compared("Requirements, tokens", mean_tokens(run.before), mean_tokens(run.after), None, 1),
    ]
    heads = [
        element("th", name, class_=kind) for name, kind in [("", ""), ("before", "n"), ("after", "n"), ("gain", "n")]
    ]
    table = element("table", element("tr", *heads, element("th", "", class_="wide")), *rows)
    note = "Above the diagonal: better than before. A bubble's area is its number of apps."
    card = element("figure", element("h3", "Before and after"), element("div", table, class_="scroll"), class_="card")
    title = f"Held-out apps ({len(run.before)})"
    chart = bubble_chart("Reward of each app", _pairs(run.before, run.after), note) if run.after else None
    return section(title, cards(card, chart))


def loop(run: Run) -> Html:
    """How well the machine was used, and what was lost on the way."""
    shares = run.stage_shares
    busiest = max(shares, key=lambda stage: shares[stage], default="")
    bars = [bar(stage, percent(share), share, stage == busiest) for stage, share in shares.items()]
    note = f"Busy share of the wall time; efficiency {_figure(run.efficiency, 2)}." if bars else "Nothing recorded yet."
    busy = element("figure", element("h3", "Stage utilisation"), *bars, element("figcaption", note), class_="card")
    staleness = [Series("staleness", "--s1", run.column("staleness_mean"), smooth=False)]
    cached = [Series("share", "--s1", run.column("cached_share"), smooth=False)]
    lost = [
        Series("dropped rollouts", "--s2", run.column("dropped"), smooth=False),
        Series("unscored reconstructions", "--s4", run.column("unscored"), smooth=False),
    ]
    return section(
        "The loop",
        cards(
            busy,
            line_chart("Rollouts per second", [Series("rollouts/s", "--s1", run.column("rollouts_per_s"))]),
            line_chart("Lost per update", lost, _statuses(run)),
            line_chart("Staleness", staleness, "Mean, in policy versions."),
            line_chart("Answered by the reward cache", cached, "Share of reconstructions.", percent),
            _outcomes(run),
            small=True,
        ),
    )


def requirements(run: Run) -> Html:
    """What became of the texts, and of the policy's weights."""

    def single(title: str, name: str, note: str = "") -> Html:
        return line_chart(title, [Series(title.lower(), "--s1", run.column(name))], note)

    leakage = [Series("leakage", "--s1", run.column("leakage"))]
    clipped = [Series("clipped tokens", "--s1", run.column("clip_fraction"))]
    return section(
        "Requirements and update",
        cards(
            line_chart("Leakage", leakage, "Verbatim overlap with the source.", percent, (0.0, 0.05)),
            single("Requirements length", "requirements_tokens", "Mean, in tokens."),
            single("Loss", "loss"),
            single("Gradient norm", "grad_norm", "Before clipping."),
            single("KL divergence", "kl", "Estimate per token, to the policy that drew."),
            line_chart("Clipped tokens", clipped, "Whose gradient the clip removed.", percent, (0.0, 0.05)),
            small=True,
        ),
    )


def _pairs(before: Sequence[Rollout], after: Sequence[Rollout]) -> list[tuple[float, float, str]]:
    first = {rollout.sample.app_id: rollout.reward for rollout in before}
    pairs = [(first.get(rollout.sample.app_id), rollout.reward, rollout.sample.app_id) for rollout in after]
    return [(low.value, high.value, app_id) for low, high, app_id in pairs if low and high]


def _compared(name: str, before: float | None, after: float | None, mark: str | None, digits: int = 3) -> Html:
    key = element("i", class_="dot", style=f"--c: var({mark})") if mark else None
    track = None
    if mark:
        last = before if after is None else after
        ends = [100 * min(1.0, max(0.0, value or 0.0)) for value in (before, last)]
        track = element(
            "span",
            element("b", style=f"left: {min(ends):.1f}%; width: {abs(ends[1] - ends[0]):.1f}%"),
            element("i", class_="from", style=f"left: {ends[0]:.1f}%"),
            element("i", class_="to", style=f"left: {ends[1]:.1f}%") if after is not None else None,
            class_="range",
            style=f"--c: var({mark})",
        )
    cells = [_figure(before, digits), _figure(after, digits), _gain(before, after, digits)]
    return element(
        "tr",
        element("th", key, name, scope="row"),
        *(element("td", cell, class_="n") for cell in cells),
        element("td", track, class_="wide"),
    )


def _outcomes(run: Run) -> Html:
    title = element("h3", "Outcomes of reconstructions")
    kinds = [kind for kind in NAMES.values() if any(run.outcomes[llm, kind] for llm in run.llms)]
    if not kinds:
        return element("figure", title, nothing(), class_="card")
    dots = [element("i", class_="dot", style=f"--c: var({colour(run, llm)})") for llm in run.llms]
    heads = [element("th", dot, llm, class_="n") for dot, llm in zip(dots, run.llms, strict=True)]
    rows = [
        element(
            "tr",
            element("th", kind.replace("_", " "), scope="row"),
            *(element("td", f"{run.outcomes[llm, kind]:,}", class_="n") for llm in run.llms),
        )
        for kind in kinds
    ]
    table = element("div", element("table", element("tr", element("th", ""), *heads), *rows), class_="scroll")
    note = element("figcaption", "Of training rollouts; only “unscored” is not the program's doing.")
    return element("figure", title, table, note, class_="card")


def _statuses(run: Run) -> str:
    told = [f"{count:,} {status.replace('_', ' ')}" for status, count in sorted(run.statuses.items())]
    return f"Rollouts stored: {', '.join(told)}." if told else ""


def _reward_tile(run: Run) -> Html:
    before, after = mean_reward(run.before), mean_reward(run.after)
    if after is None:
        return tile("Held-out reward before", _figure(before), f"in training: {_figure(run.tail_reward)} of late")
    return tile("Held-out reward", f"{_figure(before)} → {_figure(after)}", f"{_gain(before, after)}, greedy")


def _figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _gain(before: float | None, after: float | None, digits: int = 3) -> str:
    return "" if before is None or after is None else f"{after - before:+.{digits}f}".replace("-", "−")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours else f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
