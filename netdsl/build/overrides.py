"""`--set name=value`: what takes the place of a `let`, a setting or an optimiser's argument.

An argument that several optimisers have is meant for all of them where they agree; where they
differ, it is addressed by what they minimise: `D.lr` (a step), `ce.lr` (a loss) or `stage.3.lr`
(a pattern of `over`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from netdsl.build.settings import Settings
from netdsl.diagnostics import Report
from netdsl.diagnostics.evaluation import UnknownArgument
from netdsl.diagnostics.program import AmbiguousOverride
from netdsl.ir.program import Minimize, Recipe, Setting, Step
from netdsl.language import ast
from netdsl.language.parser import parse_expression
from netdsl.source import Source, Span

ABSENT = object()


@dataclass(frozen=True)
class Vocabulary:
    """What `--set` can give although the program does not write it: settings by name, and the
    arguments of each optimiser in order."""

    settings: tuple[str, ...] = ("data", "batch", "epochs")
    arguments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Overrides:
    """The `--set` of a command line, each used once; expressions are read with the names that the
    program sees. Raises Refused for a text that cannot be parsed."""

    def __init__(
        self, texts: Mapping[str, str], vocabulary: Vocabulary, settings: Settings, report: Report
    ):
        self._vocabulary, self._settings, self._report = vocabulary, settings, report
        self._left = {
            name: parse_expression(Source(f"--set {name}", text)) for name, text in texts.items()
        }

    def take(self, name: str, written: ast.Expr) -> ast.Expr:
        """What is said of a let or setting: the override, else what the program writes."""
        return self._left.pop(name, written)

    def further_settings(self) -> Iterator[tuple[str, ast.Expr]]:
        """Settings that only the command line gives."""
        for name in self._vocabulary.settings:
            if name in self._left:
                yield name, self._left.pop(name)

    def applied(self, steps: Iterable[Step]) -> tuple[Step, ...]:
        """The steps with the arguments of their optimisers replaced."""
        steps = tuple(steps)
        for name in tuple(self._left):
            address, _, argument = name.rpartition(".")
            having = [
                (step, each) for step in steps for each in step.minimize
                if address in ("", step.name, each.loss, *map(str, each.over))
                and (address or argument in self._arguments(each.optimizer))
            ]
            if not having:
                continue
            expr = self._left.pop(name)
            if not address and self._disagree(argument, having):
                places = tuple(each.optimizer.span for _, each in having)
                ways = tuple(self._address(step, each, steps) for step, each in having)
                self._report.add(AmbiguousOverride(expr.span, argument, ways, places))
                continue
            value = self._settings.value(expr)
            changed = {id(each) for _, each in having}
            steps = tuple(
                replace(step, minimize=tuple(
                    self._with(each, argument, value, expr.span) if id(each) in changed else each
                    for each in step.minimize
                ))
                for step in steps
            )
        return steps

    def complain_of_the_rest(self, steps: Iterable[Step], names: Iterable[str]) -> None:
        """Report what nothing took; `names` are the lets and settings of the program."""
        steps = tuple(steps)
        optimizers = [each.optimizer for step in steps for each in step.minimize]
        arguments = [name for optimizer in optimizers for name in self._arguments(optimizer)]
        addressed = self._addressed(steps) if len(optimizers) > 1 else []
        known = tuple(dict.fromkeys((*names, *self._vocabulary.settings, *arguments, *addressed)))
        for name, expr in self._left.items():
            span = Span(Source("--set", f"{name}={expr.span.source.text}"), 0, len(name))
            self._report.add(UnknownArgument(span, "train", name, known,
                                             noun="let, setting or argument"))

    # -------------------------------------------------------------- optimisers

    def _addressed(self, steps: tuple[Step, ...]) -> list[str]:
        """The learning rate, or what else comes first, of each optimiser: `fc.lr`, `rest.lr`."""
        return [
            f"{self._address(step, each, steps)}.{argument}"
            for step in steps for each in step.minimize
            for argument in self._arguments(each.optimizer)[:1]
        ]

    def _arguments(self, optimizer: Recipe) -> tuple[str, ...]:
        known = self._vocabulary.arguments.get(optimizer.name, ())
        return (*known, *(name for name in optimizer.keywords if name not in known))

    def _place(self, optimizer: Recipe, argument: str) -> int | None:
        """The number of an argument that is written by its place."""
        known = self._vocabulary.arguments.get(optimizer.name, ())
        number = known.index(argument) if argument in known else len(known)
        return number if number < len(optimizer.arguments) else None

    def _written(self, optimizer: Recipe, argument: str) -> Any:
        number = self._place(optimizer, argument)
        if number is not None:
            return optimizer.arguments[number]
        return optimizer.keywords.get(argument, ABSENT)

    def _disagree(self, argument: str, having: list[tuple[Step, Minimize]]) -> bool:
        first, *others = (self._written(each.optimizer, argument) for _, each in having)
        return any(other != first for other in others)

    def _address(self, step: Step, each: Minimize, steps: tuple[Step, ...]) -> str:
        """What tells one `minimize` from the others."""
        if step.name and len(step.minimize) == 1:
            return step.name
        losses = [other.loss for other_step in steps for other in other_step.minimize]
        return str(each.over[0]) if each.over and losses.count(each.loss) > 1 else each.loss

    def _with(self, each: Minimize, argument: str, value: Setting, span: Span) -> Minimize:
        """The `minimize` with one argument of its optimiser replaced."""
        optimizer, number = each.optimizer, self._place(each.optimizer, argument)
        if number is None:
            keywords, arguments = {**optimizer.keywords, argument: value}, optimizer.arguments
        else:
            keywords, arguments = optimizer.keywords, list(optimizer.arguments)
            arguments[number] = value
        spans = {**optimizer.spans, argument if number is None else number: span}
        changed = replace(optimizer, arguments=tuple(arguments), keywords=keywords, spans=spans)
        return replace(each, optimizer=changed)
