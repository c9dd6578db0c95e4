"""Phase 1, subject expertise: a requirement, sections of the same repository that BM25 finds for it, and the true one.

The input is the requirement, then the sections in BM25's order, each under what speaks for it in three words, its label
(``[A]`` to ``[I]``), its path and symbol. The target is the same of the true section: its evidence and its label, such
as ``same full some [B]``; or ``[none]``. A small model that states the evidence first learns which evidence goes with
being right; of the label alone it learns little more than how often each place is.

The true section stands last where BM25 does not have it among the best. So that this does not tell it, the last section
of the other rows is drawn from below the best, too, the likelier the higher it stands there, and of the rows that BM25
misses only a share is kept.
"""

from __future__ import annotations

import ast
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa

from cetd.config.phases import Phase1Config
from cetd.data.corpus.document import Document
from cetd.data.phases.bm25 import Index, ranked, words
from cetd.data.phases.definitions import Definition, Module, code_of, encodable, is_test, modules
from cetd.data.phases.requirement import requirement
from cetd.seeds import derive

NONE_LABEL = "[none]"
_TITLE_CHARS = 60

phase1_schema = pa.schema(
    [
        *((name, pa.string()) for name in ("input", "target", "repository", "path", "symbol")),
        ("label", pa.int32()),
        ("candidates", pa.list_(pa.string())),
        ("answers", pa.list_(pa.string())),  # what the target would be, were that candidate the true one
        ("bm25_scores", pa.list_(pa.float32())),
    ]
)


@dataclass(frozen=True)
class Section:
    """A candidate: normalised code without docstrings. Sections of equal ``shape`` differ in their name alone."""

    definition: Definition
    code: str
    shape: str

    @property
    def title(self) -> str:
        return f"{self.definition.path}: {self.definition.symbol}"

    @property
    def text(self) -> str:
        """What is searched."""
        return f"{self.title}\n{self.code}"

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(words(self.text))

    def overlaps(self, other: Section) -> bool:
        """Whether one holds the other: a class its methods."""
        if self.definition.path != other.definition.path:
            return False
        mine, theirs = f"{self.definition.symbol}.", f"{other.definition.symbol}."
        return mine.startswith(theirs) or theirs.startswith(mine)


def label(index: int) -> str:
    """How the ``index``-th candidate is called in input and target; -1: none of them."""
    return NONE_LABEL if index < 0 else f"[{string.ascii_uppercase[index]}]"


def evidence(query: str, section: Section) -> str:
    """What speaks for a section: whether it is of the kind that the requirement asks for, what share of its name's
    words the requirement has, and what share of the requirement's words it has."""
    asked, named = set(words(query)), set(words(section.definition.name))
    kind = "same" if query.startswith("The class ") == section.definition.is_class else "other"
    name = _level(len(asked & named), len(named), ("full", "part", "no"))
    body = _level(len(asked & section.words), len(asked), ("most", "some", "few"))
    return f"{kind} {name} {body}"


def _level(shared: int, of: int, levels: tuple[str, str, str]) -> str:
    """The first where two thirds are shared, the second where a third is, the last for less."""
    high, middle, low = levels
    return high if of and 3 * shared >= 2 * of else middle if of and 3 * shared >= of else low


def phase1_rows(documents: Sequence[Document], config: Phase1Config, seed: int) -> list[dict[str, Any]]:
    """Rows of ``phase1_schema`` from the documents of one repository. Tests are neither asked about nor offered."""
    found = sections([module for module in modules(documents) if not is_test(module.document.path)])
    if len(found) < 2:
        return []
    queries = _queries(found, config)
    index = Index([section.text for section in found])
    repository = documents[0].repository
    rows = []
    for number, query in queries.items():
        random = Random(derive("phase1", seed, repository, found[number].title))
        chosen = _candidates(found, number, index.scores(query), config, random)
        if chosen:
            rows.append(_row(repository, found, number, query, chosen, config))
    return rows


def sections(parsed: Sequence[Module]) -> list[Section]:
    """Every function, method and class that can be written, the first of each path and symbol."""
    found: dict[tuple[str, str], Section] = {}
    for module in parsed:
        for definition in module.definitions:
            code = code_of(definition.node)
            if code and (module.document.path, definition.symbol) not in found:
                found[module.document.path, definition.symbol] = Section(
                    definition, encodable(code), _shape(definition)
                )
    return list(found.values())


def _shape(definition: Definition) -> str:
    """The code with the name blanked out."""
    node, name = definition.node, definition.node.name
    node.name = "_"
    shape = ast.unparse(node)
    node.name = name
    return shape


def _queries(found: Sequence[Section], config: Phase1Config) -> dict[int, str]:
    """The requirement of each section that has one, by its index; none that two different sections share."""
    asked: dict[int, str] = {}
    for number, section in enumerate(found):
        one = section.definition
        text = requirement(one.docstring, one.name, one.is_class, config.min_words, config.requirement_chars)
        if text:
            asked[number] = encodable(text)
    shared = Counter(asked.values())
    return {number: text for number, text in asked.items() if shared[text] == 1}


def _candidates(
    found: Sequence[Section], true: int, scores: np.ndarray, config: Phase1Config, random: Random
) -> list[tuple[int, float]]:
    """Indices and scores of the sections to offer, in BM25's order; none where the row is left out or has no choice."""
    target = found[true]
    ranking, shapes = [], {target.shape}
    for index in ranked(scores):
        section = found[index]
        if index == true:
            ranking.append(index)
        elif section.shape not in shapes and not section.overlaps(target):
            shapes.add(section.shape)
            ranking.append(index)
    missed = ranking.index(true) >= config.candidates - 1
    if missed and random.random() >= config.missed_share:
        return []
    if random.random() < config.none_share:
        ranking.remove(true)
    best, below = ranking[: config.candidates - 1], ranking[config.candidates - 1 :]
    if true in below:
        best.append(true)
    elif below:
        best.append(below[int(len(below) ** random.random()) - 1])  # log-uniform in the rank
    return [(index, float(scores[index])) for index in best] if len(best) > 1 else []


def _row(
    repository: str,
    found: Sequence[Section],
    true: int,
    query: str,
    chosen: Sequence[tuple[int, float]],
    config: Phase1Config,
) -> dict[str, Any]:
    indices = [index for index, _ in chosen]
    offered = [found[index] for index in indices]
    answer = indices.index(true) if true in indices else -1
    answers = [f"{evidence(query, section)} {label(place)}" for place, section in enumerate(offered)]
    one = found[true].definition
    return {
        "input": _input(query, offered, answers, config),
        "target": NONE_LABEL if answer < 0 else answers[answer],
        "repository": encodable(repository),
        "path": encodable(one.path),
        "symbol": one.symbol,
        "label": answer,
        "candidates": [encodable(section.title) for section in offered],
        "answers": answers,
        "bm25_scores": [score for _, score in chosen],
    }


def _input(query: str, offered: Sequence[Section], answers: Sequence[str], config: Phase1Config) -> str:
    """The requirement and the sections, in at most ``max_chars`` characters."""
    titles = [encodable(section.title)[-_TITLE_CHARS:] for section in offered]
    heads = [f"{answer} {title}" for answer, title in zip(answers, titles, strict=True)]
    room = config.max_chars - len(query) - sum(len(head) + 2 for head in heads)
    most = max(0, min(config.section_chars, room // len(offered)))
    parts = [
        query,
        *(part for head, section in zip(heads, offered, strict=True) for part in (head, section.code[:most])),
    ]
    return "\n".join(parts)[: config.max_chars]
