from __future__ import annotations

import ast

import pytest

from cetd.data.phases.blurring import blurred_names, rename

CODE = """
import math
from os import path as where

def area(radius, *, scale=1):
    factor = math.pi * scale
    where
    return factor * radius ** 2

class Shape:
    sides = 3

    def __init__(self, name, size=2):
        self.name = name
        self.size = size

    def grow(self, by=1):
        self.size += by * self.sides + Shape.sides
        return self

    def report(self):
        return f"{self.name}: {self.grow(by=2).size}"

class Square(Shape):
    def grow(self, by=1):
        return super().grow(by)

def run(numbers):
    global counted
    counted = len(numbers)
    try:
        match numbers:
            case [first, *rest]:
                total = area(first, scale=3) + sum(one for one in rest)
            case {"a": first, **others}:
                total = len(others)
    except TypeError as error:
        total = str(error)
    return total, Square("s").report(), counted
"""


def blurred(code: str) -> tuple[str, dict[str, str]]:
    tree = ast.parse(code)
    names = blurred_names([tree])
    rename(tree, names)
    return ast.unparse(tree), names


@pytest.mark.parametrize("argument", [[1, 2, 3], {"a": 1, "b": 2}, [None]])
def test_renamed_code_does_what_it_did(argument: object) -> None:
    text, names = blurred(CODE)
    before: dict = {}
    after: dict = {}
    exec(CODE, before)
    exec(text, after)
    assert after[names["run"]](argument) == before["run"](argument)


def test_own_names_go_and_foreign_ones_stay() -> None:
    text, names = blurred(CODE)
    left = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    assert left <= {"math", "where", "self", "super", "len", "sum", "str", "TypeError"} | set(names.values())
    assert names["area"] == "f0"
    assert names["Shape"] == "C0"
    assert names["radius"].startswith("v")
    assert "__init__" not in names
    assert "self.name" in text  # an attribute of an instance is known outside


def test_each_name_becomes_one_new_name_that_nothing_else_has() -> None:
    _, names = blurred(CODE)
    assert len(set(names.values())) == len(names)
    text, names = blurred("def f(v0, b):\n    return v0 + b + v1")
    assert set(names.values()).isdisjoint({"v0", "v1"})
    assert "v1" in text


def test_names_are_the_same_in_all_trees() -> None:
    trees = [ast.parse("def one(text):\n    return two(text)"), ast.parse("def two(text):\n    return text")]
    names = blurred_names(trees, frozenset({"text"}))
    assert set(names) == {"one", "two"}
    for tree in trees:
        rename(tree, names)
    assert ast.unparse(trees[0]) == "def f0(text):\n    return f1(text)"
