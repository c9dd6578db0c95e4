"""A few held-out apps in full: source, requirements before and after, each LLM's program and what its tests came to."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from cetd.evaluation.report.markup import Html, cut, element, join
from cetd.evaluation.report.run import Run
from cetd.evaluation.report.sections import colour
from cetd.feedback.rollout import Reconstruction, Rollout
from cetd.sandbox.outcome import NAMES, Crashed, Scored, Unscored

SHOWN = 6
FAILURES = 5

Pair = tuple[Rollout, Rollout | None]


def examples(run: Run) -> Html | None:
    """Apps that gained most, the median ones and those that gained least; None before the first evaluation."""
    pairs = chosen(run.before, run.after)
    if not pairs:
        return None
    shown = [_app(run, before, after, is_first=number == 0) for number, (before, after) in enumerate(pairs)]
    note = "Apps that gained most come first, those that gained least last; the rest is spread evenly between them."
    return element("section", element("h2", "Apps in full"), element("p", note, class_="note"), *shown)


def quarantined(run: Run) -> Html | None:
    """Apps that were not used, and why; None where there are none."""
    reasons = run.admission.get("quarantined") or {}
    if not reasons:
        return None
    rows = [element("tr", element("td", app_id), element("td", reason)) for app_id, reason in sorted(reasons.items())]
    note = f"{len(reasons)} of {len(reasons) + len(run.admission['measured'])} apps: their own reference is not fit."
    heading = element("tr", element("th", "App"), element("th", "Reason"))
    return element(
        "section",
        element("h2", "Quarantined apps"),
        element("p", note, class_="note"),
        element("table", heading, *rows),
    )


def chosen(before: Sequence[Rollout], after: Sequence[Rollout], count: int = SHOWN) -> list[Pair]:
    """``count`` apps, evenly spread over the gain in reward from the greatest to the least."""
    latest = {rollout.sample.app_id: rollout for rollout in after}
    pairs: list[Pair] = [(rollout, latest.get(rollout.sample.app_id)) for rollout in before]
    ranked = sorted(pairs, key=lambda pair: (-_gain(*pair), pair[0].sample.app_id))
    if len(ranked) <= count:
        return ranked
    return [ranked[round(i * (len(ranked) - 1) / (count - 1))] for i in range(count)]


def _gain(before: Rollout, after: Rollout | None) -> float:
    if after is None or before.reward is None or after.reward is None:
        return 0.0
    return after.reward.value - before.reward.value


def _app(run: Run, before: Rollout, after: Rollout | None, is_first: bool) -> Html:
    app_id = before.sample.app_id
    rewards = [_reward(rollout) for rollout in (before, after) if rollout]
    told = run.apps.get(app_id, {})
    last = after or before
    first = {one.llm: one for one in before.reconstructions} if after else {}
    texts = [
        _block("Source", told.get("source", "apps.json does not have it"), "code"),
        _block("Interface", told["interface"], "code") if told.get("interface") else None,
    ]
    written = [_block("Requirements before" if after else "Requirements", before.sample.requirements, "prose")]
    if after:
        words = _changed(before.sample.requirements, after.sample.requirements)
        written.append(element("div", element("h4", "Requirements after"), element("pre", words, class_="prose")))
    programs = [_program(run, one, first.get(one.llm)) for one in last.reconstructions]
    return element(
        "details",
        element("summary", element("b", app_id), element("span", "reward " + " → ".join(rewards), class_="value")),
        element("div", element("div", *texts), element("div", *written), class_="two"),
        element("div", *programs, class_="programs"),
        class_="app card",
        open=is_first,
    )


def _program(run: Run, one: Reconstruction, before: Reconstruction | None) -> Html:
    key = element("i", class_="dot", style=f"--c: var({colour(run, one.llm)})")
    was = element("small", " before: ", _badge(before)) if before else None
    earlier = None
    if before:
        program = element("pre", cut(before.program), class_="code")
        earlier = element("details", element("summary", "its program before"), program, _verdict(before))
    return element(
        "div",
        element("h4", key, f"{one.llm} ", _badge(one), was),
        element("pre", cut(one.program) or "(no program)", class_="code"),
        _verdict(one),
        earlier,
    )


def _badge(one: Reconstruction) -> Html:
    match one.outcome:
        case Scored(passed, total):
            kind = "good" if passed == total else "bad" if passed == 0 else "fair"
            return element("span", f"{passed}/{total}", class_=f"badge {kind}")
        case outcome:
            kind = "none" if isinstance(outcome, Unscored) else "bad"
            return element("span", NAMES[type(outcome)].replace("_", " "), class_=f"badge {kind}")


def _verdict(one: Reconstruction) -> Html | None:
    """Why tests failed; nothing where all passed."""
    match one.outcome:
        case Scored():
            failing = [test for test in one.outcome.tests if test.outcome != "passed"]
            more = len(failing) - FAILURES
            items = [
                element("li", element("code", cut(test.test_id, 120)), f" {cut(test.message or test.outcome, 300)}")
                for test in failing[:FAILURES]
            ]
            items += [element("li", f"and {more} more")] if more > 0 else []
            return element("ul", *items, class_="failing") if items else None
        case Crashed(reason) | Unscored(reason):
            return element("p", cut(reason, 600), class_="failing")
        case outcome:
            return element("p", f"ended after {outcome.seconds:.1f} s", class_="failing")


def _changed(before: str, after: str) -> Html:
    """``after`` with the words marked that ``before`` does not have in that place."""
    old, new = before.split(" "), cut(after).split(" ")
    matcher = SequenceMatcher(a=old, b=new, autojunk=False)
    pieces = []
    for kind, _, _, start, end in matcher.get_opcodes():
        words = " ".join(new[start:end])
        if words:
            pieces += [words if kind == "equal" else element("mark", words), " "]
    return join(pieces)


def _block(title: str, text: str, kind: str) -> Html:
    return element("div", element("h4", title), element("pre", cut(text), class_=kind))


def _reward(rollout: Rollout) -> str:
    return f"{rollout.reward.value:.2f}" if rollout.reward else "none"
