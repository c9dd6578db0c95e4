"""Branch coverage and bounded running, by probes that are put into a program's tree.

A branch is one way out of a condition (``if``, ``while``, the ternary, ``and``, ``or``, a comprehension's ``if``), or
the entry of a loop's, handler's, case's or function's body. Every probe is a step, and a program that takes too many is
ended: a bound that does not depend on the machine's speed, as a clock's would.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

Branch = tuple[int, bool]
_PROBE = "__probe__"


class OutOfStepsError(BaseException):
    """The program went on for too long; not an Exception, so that the program does not catch it."""


@dataclass
class Probes:
    """What the probes of one program have seen. ``owners``: the line of the function that each branch is in."""

    limit: int
    owners: dict[Branch, int]
    seen: set[Branch] = field(default_factory=set)
    steps: int = 0

    def begin(self) -> None:
        self.seen, self.steps = set(), 0

    def probe(self, number: int, value: Any) -> Any:
        self.steps += 1
        if self.steps > self.limit:
            raise OutOfStepsError
        branch = (number, bool(value))
        if branch in self.owners:  # not the one way of a constant
            self.seen.add(branch)
        return value

    def reached(self, covered: set[Branch]) -> set[int]:
        """Lines of the functions in which a branch of ``covered`` is."""
        return {self.owners[branch] for branch in covered if branch in self.owners}

    def within(self, lines: set[int]) -> set[Branch]:
        """All branches of these functions."""
        return {branch for branch, line in self.owners.items() if line in lines}


def instrument(tree: ast.Module, limit: int) -> tuple[ast.Module, dict[str, Any], Probes]:
    """The tree with probes (changed in place), the names that it needs to run, and what the probes will see."""
    visitor = _Instrument()
    tree = ast.fix_missing_locations(visitor.visit(tree))
    probes = Probes(limit, visitor.owners)
    return tree, {_PROBE: probes.probe}, probes


class _Instrument(ast.NodeTransformer):
    def __init__(self) -> None:
        self.owners: dict[Branch, int] = {}
        self._lines: list[int] = []
        self._count = 0

    def _number(self, *ways: bool) -> int:
        self._count += 1
        for way in ways:
            self.owners[self._count, way] = self._lines[-1]
        return self._count

    def _condition(self, test: ast.expr) -> ast.expr:
        if not self._lines:
            return test
        ways = () if isinstance(test, ast.Constant) else (True, False)
        return _call(self._number(*ways), test)

    def _entry(self, body: list[ast.stmt]) -> None:
        if self._lines:
            at = 1 if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant) else 0
            body.insert(at, ast.Expr(_call(self._number(True), ast.Constant(True))))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self._lines.append(node.lineno)
        self.generic_visit(node)
        self._entry(node.body)
        self._lines.pop()
        return node

    def _test(self, node: Any) -> ast.AST:
        self.generic_visit(node)
        node.test = self._condition(node.test)
        return node

    visit_While = visit_IfExp = _test  # noqa: N815 - named by ast

    def visit_If(self, node: ast.If) -> ast.AST:
        return node if is_dead(node) else self._test(node)

    def _body(self, node: Any) -> ast.AST:
        self.generic_visit(node)
        self._entry(node.body)
        return node

    visit_For = visit_ExceptHandler = visit_match_case = _body  # noqa: N815 - named by ast

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        node.values[:-1] = [self._condition(value) for value in node.values[:-1]]
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.ifs = [self._condition(test) for test in node.ifs]
        return node


def is_dead(node: ast.AST) -> bool:
    """Whether it is code that was switched off where it stands, by ``if 0`` or ``if 0 and ...``."""
    test = node.test if isinstance(node, ast.If) and not node.orelse else None
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        test = test.values[0]
    return isinstance(test, ast.Constant) and not test.value


def _call(number: int, value: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(_PROBE, ast.Load()), [ast.Constant(number), value], [])
