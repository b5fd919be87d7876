"""`train` declarations to `TrainProgram`s: numbers worked out, everything else kept by name.

Sources, transforms, schedules and optimisers are not looked up here: the rooms that own them do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netdsl.build.builder import MOST_PROBLEMS
from netdsl.build.model import lineage
from netdsl.build.settings import Settings, described_setting
from netdsl.build.values import UNKNOWN, ModelDefinition, Module
from netdsl.diagnostics import Report
from netdsl.diagnostics.evaluation import UnknownArgument, WrongKind
from netdsl.diagnostics.names import Redeclared, UnknownModel
from netdsl.ir.program import Feed, Minimize, Recipe, Setting, Step, TrainProgram
from netdsl.language import ast
from netdsl.language.parser import parse_expression
from netdsl.source import Source, Span

BATCH, EPOCHS = 32, 1  # where a program does not say


def program_of(
    module: Module, model: ModelDefinition, report: Report,
    overrides: Mapping[str, str] | None = None,
) -> TrainProgram | None:
    """The training program of a model: its own, else that of the model it is a preset of, else
    one for another preset of the same model. None when there is none or `report` got errors.

    `overrides` holds `--set` entries: settings, `let`s of the program, optimiser arguments.
    """
    declaration = declaration_of(module, model)
    if declaration is None:
        return None
    return _Program(module, report, overrides or {}).build(declaration, model.name)


def declaration_of(module: Module, model: ModelDefinition) -> ast.TrainDeclaration | None:
    """The `train` declaration that applies to a model; the last of several."""
    line = lineage(model)
    related = [d for d in module.models.values() if lineage(d)[-1] is line[-1]]
    programs = {train.model.id: train for train in module.trains}
    found = (programs[d.name] for d in (*line, *related) if d.name in programs)
    return next(found, None)


def check_targets(module: Module, report: Report) -> None:
    """Report training programs for models that the file does not have."""
    known = tuple(module.models)
    unknown = [train.model for train in module.trains if train.model.id not in module.models]
    for name in unknown[:MOST_PROBLEMS]:
        report.add(UnknownModel(module.source.name, name.id, known, name.span))


class _Program:
    """Evaluates one declaration."""

    def __init__(self, module: Module, report: Report, overrides: Mapping[str, str]):
        self.module, self.report = module, report
        self.settings = Settings(module.names, report)
        self.arguments: dict[str, None] = {}  # of the optimisers, which `--set` can replace
        self.unused = {name: self._parsed(name, text) for name, text in overrides.items()}

    def build(self, declaration: ast.TrainDeclaration, model: str) -> TrainProgram | None:
        settings: dict[str, Setting] = {}
        names: dict[str, Span] = {}
        lets: dict[str, Span] = {}
        spans: dict[str, Span] = {}
        feeds, steps, freeze = [], [], []
        alone: list[ast.Minimize] = []
        for node in declaration.body:
            match node:
                case ast.Let():
                    first = lets.setdefault(node.name.id, node.name.span)
                    if first is not node.name.span:
                        self.report.add(Redeclared(node.name.span, node.name.id, first))
                    written = self._override(node.name.id, node.value)
                    self.settings.lets[node.name.id] = self.settings.value(written)
                case ast.Setting():
                    name = node.name.id
                    if name in names:
                        self.report.add(Redeclared(node.name.span, name, names[name]))
                    written = self._override(name, node.value)
                    names[name] = node.name.span
                    spans[name] = node.span if written is node.value else written.span
                    settings[name] = self.settings.value(written)
                case ast.Feed():
                    fed = tuple(name.id for name in node.names)
                    feeds.append(Feed(fed, self.settings.value(node.value), node.span))
                case ast.Freeze():
                    freeze += [pattern.segments for pattern in node.patterns]
                    spans.setdefault("freeze", node.span)
                case ast.Minimize():
                    alone.append(node)
                case ast.Step():
                    steps.append(self._step(node))
        if alone:
            steps.insert(0, Step("", tuple(self._minimize(node) for node in alone)))
        self._extra_settings(settings, spans)
        self._every_override_used(settings)
        if self.report.has_errors:
            return None
        data = settings.pop("data", None)
        return TrainProgram(
            name=declaration.name.id if declaration.name else None, model=model,
            data=self._recipe(data, spans.get("data")),
            batch=self._count(settings, spans, "batch", BATCH),
            epochs=self._count(settings, spans, "epochs", EPOCHS),
            feeds=tuple(feeds), steps=tuple(steps), freeze=tuple(freeze), settings=settings,
            spans=spans, span=declaration.model.span,
        )

    # -------------------------------------------------------------- overrides

    def _parsed(self, name: str, text: str) -> ast.Expr:
        return parse_expression(Source(f"--set {name}", text))

    def _override(self, name: str, written: ast.Expr) -> ast.Expr:
        return self.unused.pop(name, written)

    def _extra_settings(self, settings: dict[str, Setting], spans: dict[str, Span]) -> None:
        """Settings that only the command line gives."""
        for name in ("data", "batch", "epochs"):
            if name in self.unused:
                expr = self.unused.pop(name)
                settings[name], spans[name] = self.settings.value(expr), expr.span

    def _every_override_used(self, settings: dict[str, Setting]) -> None:
        known = dict.fromkeys(
            ("data", "batch", "epochs", *settings, *self.settings.lets, *self.arguments)
        )
        for name, expr in self.unused.items():
            if name not in self.arguments:
                self.report.add(UnknownArgument(expr.span, "--set", name, tuple(known)))

    # -------------------------------------------------------------- parts

    def _step(self, node: ast.Step) -> Step:
        every = 1 if node.every is None else self.settings.value(node.every)
        return Step(node.name.id, tuple(map(self._minimize, node.body)), every)

    def _minimize(self, node: ast.Minimize) -> Minimize:
        optimizer = self.settings.value(node.optimizer)
        if not isinstance(optimizer, Recipe):
            if optimizer is not UNKNOWN:
                self.report.add(WrongKind(node.optimizer.span, described_setting(optimizer),
                                          "an optimiser", "`sgd(lr = 0.1)`"))
            optimizer = Recipe("", span=node.optimizer.span)
        self.arguments.update(dict.fromkeys(optimizer.keywords))
        given = {n: expr for n, expr in self.unused.items() if n in optimizer.keywords}
        if given:
            changed = {name: self.settings.value(expr) for name, expr in given.items()}
            optimizer = replace(
                optimizer, keywords={**optimizer.keywords, **changed},
                spans={name: expr.span for name, expr in given.items()},
            )
        over = tuple(pattern.segments for pattern in node.over)
        return Minimize(node.loss.id, over, optimizer, node.span)

    def _recipe(self, data: Setting, span: Span | None) -> Recipe | None:
        if data is None or isinstance(data, Recipe):
            return data
        self.report.add(WrongKind(span, described_setting(data), "a data source", "`digits()`"))
        return None

    def _count(
        self, settings: dict[str, Setting], spans: dict[str, Span], name: str, default: int
    ) -> int:
        value = settings.pop(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        self.report.add(WrongKind(spans[name], described_setting(value),
                                  "a whole number of at least 1"))
        return default
