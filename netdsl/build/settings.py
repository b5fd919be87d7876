"""Expressions of a train program: numbers are worked out, calls become `Recipe`s, pipelines
`Flow`s, and names that nothing defines `References` to the data or the run."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from netdsl.build import numbers
from netdsl.build.frame import NOTHING
from netdsl.build.values import UNKNOWN, described
from netdsl.diagnostics import Report
from netdsl.diagnostics.evaluation import BadOperation, WrongKind
from netdsl.ir.program import Flow, Recipe, Reference, Stage
from netdsl.language import ast
from netdsl.language.parser import parse_expression
from netdsl.source import Source


def recipe_from(text: str, name: str) -> Recipe:
    """The recipe that a text spells, `digits(take = 100)`; `name` is what messages call the text.
    Raises Refused."""
    report = Report()
    expr = parse_expression(Source(name, text))
    recipe = Settings({}, report).value(expr)
    if not isinstance(recipe, Recipe):
        report.add(WrongKind(expr.span, described_setting(recipe), "a recipe", "`digits()`"))
    report.stop_on_errors()
    return recipe


def described_setting(value: Any) -> str:
    """What kind of thing a setting is, for a message."""
    return "a recipe" if isinstance(value, (Recipe, Flow, Reference)) else described(value)


class Settings:
    """Evaluates expressions; `file` holds the names of the file, `lets` those of the program."""

    def __init__(self, file: Mapping[str, Any], report: Report):
        self.file, self.report = file, report
        self.lets: dict[str, Any] = {}

    def value(self, node: ast.Expr) -> Any:
        """The value of an expression: UNKNOWN after a problem was reported."""
        match node:
            case ast.Number():
                return self._arithmetic("+", node.value, 0, node)
            case ast.String():
                return node.value
            case ast.Name():
                return self._name(node)
            case ast.Member():
                return self._member(node)
            case ast.ListOf() | ast.TupleOf():
                return tuple(map(self.value, node.items))
            case ast.Call():
                return self._call(node)
            case ast.Pipeline():
                return self._flow(node)
            case ast.Prefix(operator="-"):
                return self._calculated("-", ast.Number("0", span=node.span), node.operand, node)
            case ast.Power():
                return self._calculated("**", node.base, node.exponent, node)
            case ast.Chain() if node.rest[0][0] not in ("and", "or"):
                total = self.value(node.first)
                for operator, operand in node.rest:
                    total = self._arithmetic(operator, total, self.value(operand), node)
                return total
        self.report.add(WrongKind(node.span, f"`{node.span.text}`", "a setting"))
        return UNKNOWN

    def _name(self, node: ast.Name) -> Any:
        if node.id in ("true", "false", "none"):
            return {"true": True, "false": False, "none": None}[node.id]
        if node.id in self.lets:
            return self.lets[node.id]
        value = self.file.get(node.id, NOTHING)
        if isinstance(value, (int, Fraction, float, str)):
            return value
        return Reference((node.id,), node.span)

    def _member(self, node: ast.Member) -> Any:
        target = self.value(node.target)
        if isinstance(target, Reference):
            return Reference((*target.path, node.name), node.span)
        self.report.add(WrongKind(node.span, f"`{node.span.text}`", "a setting"))
        return UNKNOWN

    def _call(self, node: ast.Call) -> Any:
        if not isinstance(node.callee, ast.Name):
            self.report.add(WrongKind(node.callee.span, f"`{node.callee.span.text}`", "a name"))
            return UNKNOWN
        arguments, keywords = [], {}
        for argument in node.arguments:
            value = self.value(argument.value)
            if argument.name is None:
                arguments.append(value)
            else:
                keywords[argument.name] = value
        return Recipe(node.callee.id, tuple(arguments), keywords, node.span)

    def _flow(self, node: ast.Pipeline) -> Any:
        stages = []
        for stage in node.stages:
            recipe = self.value(stage.value)
            if isinstance(recipe, Reference) and len(recipe.path) == 1:
                recipe = Recipe(recipe.path[0], span=recipe.span)
            if not isinstance(recipe, Recipe):
                self.report.add(WrongKind(stage.value.span, f"`{stage.value.span.text}`",
                                          "a transform or schedule"))
                return UNKNOWN
            condition = None if stage.condition is None else self.value(stage.condition)
            stages.append(Stage(recipe, condition))
        return Flow(self.value(node.head), tuple(stages), node.span)

    def _calculated(self, operator: str, left: ast.Expr, right: ast.Expr, node: ast.Expr) -> Any:
        return self._arithmetic(operator, self.value(left), self.value(right), node)

    def _arithmetic(self, operator: str, left: Any, right: Any, node: ast.Expr) -> Any:
        try:
            return numbers.arithmetic(operator, left, right)
        except numbers.Unworkable as reason:
            self.report.add(BadOperation(node.span, operator, str(reason)))
            return UNKNOWN
