"""Expressions of a train program: numbers are worked out, calls become `Recipe`s, pipelines
`Flow`s, and names that nothing defines `References` to the data or the run."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from netdsl.build import numbers
from netdsl.build.frame import NOTHING
from netdsl.build.values import UNKNOWN, described, show
from netdsl.diagnostics import Report
from netdsl.diagnostics.evaluation import BadOperation, WrongKind
from netdsl.diagnostics.names import UnknownName
from netdsl.diagnostics.rows import ArgumentsDisagree
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
    match value:
        case Recipe():
            return f"`{value.name}(…)`"
        case Reference():
            return f"`{value}`"
        case Flow():
            return "a pipeline"
    return described(value)


def shown_setting(value: Any) -> str:
    """A setting as it is written, calls cut short."""
    match value:
        case Recipe():
            return f"{value.name}(…)"
        case Reference():
            return str(value)
        case Flow():
            return "a pipeline"
    return show(value)


class Settings:
    """Evaluates expressions; `file` holds the names of the file, `lets` those of the program."""

    def __init__(self, file: Mapping[str, Any], report: Report):
        self.file, self.report = file, report
        self.lets: dict[str, Any] = {}

    def value(self, node: ast.Expr) -> Any:
        """The value of an expression: UNKNOWN after a problem was reported."""
        match node:
            case ast.Number():
                return self._worked_out("+", numbers.arithmetic, node, node.value, 0)
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
                return self._worked_out("-", numbers.arithmetic, node, 0, self.value(node.operand))
            case ast.Power():
                base, exponent = self.value(node.base), self.value(node.exponent)
                return self._worked_out("**", numbers.arithmetic, node, base, exponent)
            case ast.Compare():
                left, right = self.value(node.left), self.value(node.right)
                return self._worked_out(node.operator, numbers.compare, node, left, right)
            case ast.Choose():
                return self._chosen(node)
            case ast.Chain() if node.rest[0][0] not in ("and", "or"):
                total = self.value(node.first)
                for operator, operand in node.rest:
                    right = self.value(operand)
                    total = self._worked_out(operator, numbers.arithmetic, node, total, right)
                return total
        return self._refused(node, "a setting")

    def _name(self, node: ast.Name) -> Any:
        if node.id in ("true", "false", "none"):
            return {"true": True, "false": False, "none": None}[node.id]
        if node.id in self.lets:
            return self.lets[node.id]
        found = _plain(self.file.get(node.id, NOTHING))
        if found is NOTHING:
            return Reference((node.id,), node.span, ChainMap(self.lets, self.file))
        return found

    def _member(self, node: ast.Member) -> Any:
        target = self.value(node.target)
        if isinstance(target, Reference):
            return Reference((*target.path, node.name), node.span, target.known)
        return UNKNOWN if target is UNKNOWN else self._refused(node, "a setting")

    def _chosen(self, node: ast.Choose) -> Any:
        condition = self.value(node.condition)
        if isinstance(condition, bool):
            return self.value(node.then if condition else node.otherwise)
        if self.complain_of_name(condition):
            return UNKNOWN
        return UNKNOWN if condition is UNKNOWN else self._refused(node.condition, "true or false")

    def _call(self, node: ast.Call) -> Any:
        if not isinstance(node.callee, ast.Name):
            return self._refused(node.callee, "a name")
        name, arguments, keywords, spans = node.callee.id, [], {}, {}
        for argument in node.arguments:
            value = self.value(argument.value)
            spans[len(arguments) if argument.name is None else argument.name] = argument.span
            if argument.name is None:
                arguments.append(value)
            elif argument.name in keywords:
                self.report.add(ArgumentsDisagree(argument.span, name,
                                                  f"`{argument.name}` is given twice"))
            else:
                keywords[argument.name] = value
        if name in numbers.FUNCTIONS and not keywords:
            return self._worked_out(name, _function, node, *arguments)
        return Recipe(name, tuple(arguments), keywords, node.span, spans)

    def _flow(self, node: ast.Pipeline) -> Any:
        stages = []
        for stage in node.stages:
            recipe = self.value(stage.value)
            if recipe is UNKNOWN:
                return UNKNOWN
            if isinstance(recipe, Reference) and len(recipe.path) == 1:
                recipe = Recipe(recipe.path[0], span=recipe.span)
            if not isinstance(recipe, Recipe):
                return self._refused(stage.value, "a transform or schedule")
            condition = None if stage.condition is None else self.value(stage.condition)
            if condition is UNKNOWN:
                return UNKNOWN
            stages.append(Stage(recipe, condition))
        head = self.value(node.head)
        return UNKNOWN if head is UNKNOWN else Flow(head, tuple(stages), node.span)

    def _worked_out(
        self, operator: str, work: Callable[..., Any], node: ast.Expr, *operands: Any
    ) -> Any:
        if any(operand is UNKNOWN for operand in operands):
            return UNKNOWN
        unknown = [operand for operand in operands if self.complain_of_name(operand)]
        if unknown:
            return UNKNOWN
        try:
            return work(operator, *operands)
        except numbers.Unworkable as reason:
            self.report.add(BadOperation(node.span, operator, str(reason)))
            return UNKNOWN

    def complain_of_name(self, value: Any) -> bool:
        """Whether a value that is to be worked with is a name that nothing defines, which is then
        reported."""
        if not isinstance(value, Reference) or len(value.path) > 1:
            return False
        self.report.add(UnknownName(value.span, str(value), tuple(value.known)))
        return True

    def _refused(self, node: ast.Expr, needed: str) -> Any:
        self.report.add(WrongKind(node.span, f"`{node.span.text}`", needed))
        return UNKNOWN


def _function(name: str, *arguments: Any) -> Any:
    made = numbers.call(name, list(arguments))
    return tuple(made) if isinstance(made, list) else made


def _plain(value: Any) -> Any:
    """What a name of the file means as a setting; NOTHING for a layer, a model, an import."""
    if value is None or isinstance(value, (int, Fraction, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = tuple(map(_plain, value))
        return NOTHING if NOTHING in items else items
    return NOTHING
