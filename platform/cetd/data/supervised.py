"""Text pairs that models made here learn from: requirements to program, and source to requirements.

Every pair comes from a train app's spec. LLMs learn their dialects, with a share of vague wordings so that they
answer those too. The policy learns complete requirements in the common dialect first, then the mixture that
feedback starts from: all dialects, many texts vague.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from cetd.data.dialects import word
from cetd.data.microapps import MicroApp
from cetd.data.phrases import DIALECTS
from cetd.data.prompts import reconstruction_prompt
from cetd.data.rendering import program, source
from cetd.seeds import derive

# (prompt, completion)
Pair = tuple[str, str]

COMMON_DIALECT = DIALECTS[0]
LLM_VAGUE_SHARE = 0.15
MIXTURE_VAGUE_SHARE = 0.5
# A little rarer than each other dialect: that it pays is for feedback to find out. Rarer still (0.1), one seed of three
# settled for a dialect that a single LLM understands; as common (0.25), the greedy start knows most of it already.
MIXTURE_COMMON_SHARE = 0.2
LLM_PAIRS_PER_APP = 3
POLICY_PAIRS_PER_APP = 2


def corpus(apps: Sequence[MicroApp]) -> list[str]:
    """What the tokenizer is trained on: every kind of text that any model reads or writes, evenly."""
    texts = []
    for index, app in enumerate(apps):
        dialect = DIALECTS[index % len(DIALECTS)]
        requirements = word(app.spec, dialect, complete=index % 7 > 0, seed=index)
        texts += [app.source_text, reconstruction_prompt(requirements, app.interface), program(app.spec)]
    return texts


def llm_pairs(apps: Sequence[MicroApp], dialects: Sequence[str], seed: int) -> list[Pair]:
    """Prompts as a reconstruction LLM gets them, with the program that it should write."""
    pairs = []
    for app in apps:
        completion = program(app.spec)
        for draw in range(LLM_PAIRS_PER_APP):
            rng = Random(derive("llm pair", seed, app.app_id, draw))
            complete = rng.random() >= LLM_VAGUE_SHARE
            requirements = word(app.spec, rng.choice(dialects), complete, rng.getrandbits(32))
            pairs.append((reconstruction_prompt(requirements, app.interface), completion))
    return pairs


def policy_pairs(apps: Sequence[MicroApp], seed: int, mixture: bool) -> list[Pair]:
    """Sources, in several styles each, with requirements: complete and common, or the mixture."""
    pairs = []
    for app in apps:
        for draw in range(POLICY_PAIRS_PER_APP):
            rng = Random(derive("policy pair", seed, app.app_id, draw, mixture))
            text = app.source_text if draw == 0 else source(app.spec, rng)
            requirements = _mixed(app, rng) if mixture else word(app.spec, COMMON_DIALECT)
            pairs.append((text, requirements))
    return pairs


def _mixed(app: MicroApp, rng: Random) -> str:
    complete = rng.random() >= MIXTURE_VAGUE_SHARE
    dialect = COMMON_DIALECT if rng.random() < MIXTURE_COMMON_SHARE else rng.choice(DIALECTS[1:])
    return word(app.spec, dialect, complete, rng.getrandbits(32))
