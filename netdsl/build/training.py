"""`train` declarations to `TrainProgram`s: numbers worked out, everything else kept by name.

Sources, transforms, schedules and optimisers are not looked up here: the rooms that own them do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netdsl.build.builder import MOST_PROBLEMS
from netdsl.build.model import lineage
from netdsl.build.overrides import Overrides, Vocabulary
from netdsl.build.settings import Settings, described_setting, shown_setting
from netdsl.build.values import UNKNOWN, ModelDefinition, Module
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.evaluation import TooMuch, WrongKind
from netdsl.diagnostics.names import Redeclared, UnknownModel
from netdsl.diagnostics.program import MinimizeBesideSteps, ProgramTwice, WrongSetting
from netdsl.ir.program import (
    Feed,
    Minimize,
    Pattern,
    Recipe,
    Reference,
    Setting,
    Step,
    TrainProgram,
)
from netdsl.language import ast
from netdsl.source import Span

BATCH, EPOCHS = 32, 1  # where a program does not say
MOST_PROGRAMS, MOST_STEPS = 100, 100  # of a file, of a program: each is checked against its model
WHOLE = "a whole number of at least 1"


def programs_of(
    module: Module, model: ModelDefinition, declarations: list[ast.TrainDeclaration],
    report: Report, overrides: Mapping[str, str] | None = None,
    vocabulary: Vocabulary | None = None, chosen: str | None = None,
) -> tuple[TrainProgram | None, ...]:
    """The training programs that some declarations of a file mean for a model. The one called
    `chosen`, or the last, takes the `overrides` (`--set` entries: settings, `let`s, optimiser
    arguments) and comes last. Where `report` was told something of a program, what failed is
    UNKNOWN in it; None stands for one that cannot be judged further.
    """
    if not declarations:
        return ()
    for declaration in declarations:
        module.work.begin(declaration.span)
    named = [d for d in declarations if d.name is not None and d.name.id == chosen]
    last = named[0] if named else declarations[-1]
    built = [_Program(module, report).build(d, model.name) for d in declarations if d is not last]
    program = _Program(module, report, overrides or {}, vocabulary or Vocabulary())
    return (*built, program.build(last, model.name))


def declarations_of(module: Module, model: ModelDefinition) -> list[ast.TrainDeclaration]:
    """The `train` declarations that hold for a model, in the order of the file: its own, else those
    of the model it is a preset of."""
    for definition in lineage(model):
        own = module.programs.get(definition.name)
        if own and module.names.get(definition.name) is definition:
            return own
    return []


def related_to(module: Module, model: ModelDefinition) -> list[ast.TrainDeclaration]:
    """Those of another preset of the same model, which may do for this one too."""
    if module.heirs is None:
        module.heirs = {}
        for definition in module.models.values():
            if definition.name in module.programs:
                own = module.programs[definition.name]
                module.heirs.setdefault(lineage(definition)[-1], own)
    return module.heirs.get(lineage(model)[-1], [])


def check_targets(module: Module, report: Report) -> None:
    """Report training and sampling programs for models that the file does not have, and those that
    nothing tells apart: `FILE:NAME` means a model or a named training program. Raises Refused
    beyond MOST_PROGRAMS."""
    if len(module.trains) > MOST_PROGRAMS:
        place = module.trains[MOST_PROGRAMS].model.span
        raise Refused(*report.problems, TooMuch(place, "training programs", MOST_PROGRAMS))
    targets = [*module.trains, *module.samples]
    unknown = [each.model for each in targets if each.model.id not in module.models]
    for name in unknown[:MOST_PROBLEMS]:
        report.add(UnknownModel(module.source.name, name.id, tuple(module.models), name.span))
    taken = {name: model.span for name, model in module.models.items()}
    for train in module.trains:
        if train.name is not None:
            first = taken.setdefault(train.name.id, train.name.span)
            if first is not train.name.span:
                report.add(Redeclared(train.name.span, train.name.id, first))
    _tell_twice("train", (t for t in module.trains if t.name is None), report)
    _tell_twice("sample", module.samples, report)


def _tell_twice(
    word: str, declarations: Iterable[ast.TrainDeclaration | ast.SampleDeclaration], report: Report
) -> None:
    """Report those of one model."""
    first: dict[str, Span] = {}
    for each in declarations:
        place = first.setdefault(each.model.id, each.model.span)
        if place is not each.model.span:
            report.add(ProgramTwice(each.model.span, word, each.model.id, place))


class _Program:
    """Evaluates one declaration."""

    def __init__(
        self, module: Module, report: Report, overrides: Mapping[str, str] | None = None,
        vocabulary: Vocabulary | None = None,
    ):
        self.module, self.told, self.report = module, report, Report()
        self.settings = Settings(module.names, self.report)
        self.overrides = Overrides(
            overrides or {}, vocabulary or Vocabulary(), self.settings, self.report
        )

    def build(self, declaration: ast.TrainDeclaration, model: str) -> TrainProgram | None:
        program = self._evaluated(declaration, model)
        for problem in self.report.problems:
            self.told.add(problem)
        return program

    def _evaluated(self, declaration: ast.TrainDeclaration, model: str) -> TrainProgram | None:
        body = declaration.body
        self._lets(node for node in body if isinstance(node, ast.Let))
        settings, spans = self._settings(node for node in body if isinstance(node, ast.Setting))
        feeds = tuple(self._feed(node) for node in body if isinstance(node, ast.Feed))
        steps = self.overrides.applied(self._steps(body))
        self.overrides.complain_of_the_rest(steps, (*settings, *self.settings.lets))
        data = self._recipe(settings.pop("data", None), spans.get("data"), "a data source",
                            "`digits()`")
        batch = self._count(settings.pop("batch", BATCH), "batch", spans)
        epochs = self._count(settings.pop("epochs", EPOCHS), "epochs", spans)
        freeze = [pattern for node in body if isinstance(node, ast.Freeze)
                  for pattern in node.patterns]
        if batch is None:  # on which much rests
            return None
        return TrainProgram(
            name=declaration.name.id if declaration.name else None, model=model, data=data,
            batch=batch, epochs=epochs or EPOCHS, feeds=feeds, steps=steps,
            freeze=_patterns(freeze),
            settings={name: value for name, value in settings.items() if value is not UNKNOWN},
            runs=self._above(declaration), spans=spans, span=declaration.model.span,
        )

    def _above(self, declaration: ast.TrainDeclaration) -> tuple[str, ...]:
        trains = self.module.trains
        above = trains[: trains.index(declaration)]
        return tuple(train.name.id for train in above if train.name is not None)

    # -------------------------------------------------------------- entries

    def _lets(self, nodes: Iterable[ast.Let]) -> None:
        first: dict[str, Span] = {}
        for node in nodes:
            self._declared_once(node.name, first)
            written = self.overrides.take(node.name.id, node.value)
            self.settings.lets[node.name.id] = self.settings.value(written)

    def _settings(
        self, nodes: Iterable[ast.Setting]
    ) -> tuple[dict[str, Setting], dict[str, Span]]:
        """The settings by name, and where each stands."""
        settings: dict[str, Setting] = {}
        spans: dict[str, Span] = {}
        first: dict[str, Span] = {}
        for node in nodes:
            name = node.name.id
            self._declared_once(node.name, first)
            written = self.overrides.take(name, node.value)
            spans[name] = node.span if written is node.value else written.span
            settings[name] = self.settings.value(written)
        for name, expr in self.overrides.further_settings():
            settings[name], spans[name] = self.settings.value(expr), expr.span
        return settings, spans

    def _declared_once(self, name: ast.Name, first: dict[str, Span]) -> None:
        if first.setdefault(name.id, name.span) is not name.span:
            self.report.add(Redeclared(name.span, name.id, first[name.id]))

    def _feed(self, node: ast.Feed) -> Feed:
        names = tuple(name.id for name in node.names)
        spans = tuple(name.span for name in node.names)
        return Feed(names, self.settings.value(node.value), node.span, spans)

    # -------------------------------------------------------------- steps

    def _steps(self, body: Iterable[ast.Syntax]) -> tuple[Step, ...]:
        alone = [node for node in body if isinstance(node, ast.Minimize)]
        named = [node for node in body if isinstance(node, ast.Step)]
        first: dict[str, Span] = {}
        for node in named:
            self._declared_once(node.name, first)
        if len(named) > MOST_STEPS:
            place = named[MOST_STEPS].name.span
            raise Refused(TooMuch(place, "steps of a training program", MOST_STEPS))
        if alone and named:
            self.report.add(MinimizeBesideSteps(alone[0].span, named[0].name.span))
        steps = tuple(map(self._step, named))
        if alone:
            return (Step("", tuple(map(self._minimize, alone)), span=alone[0].span), *steps)
        return steps

    def _step(self, node: ast.Step) -> Step:
        every = 1
        if node.every is not None:
            span = node.every.span
            every = self._count(self.settings.value(node.every), "every", {"every": span}) or 1
        return Step(node.name.id, tuple(map(self._minimize, node.body)), every, node.name.span)

    def _minimize(self, node: ast.Minimize) -> Minimize:
        optimizer = self._recipe(self.settings.value(node.optimizer), node.optimizer.span,
                                 "an optimiser", "`sgd(lr = 0.1)`")
        optimizer = optimizer or Recipe("", span=node.optimizer.span)
        return Minimize(node.loss.id, _patterns(node.over), optimizer, node.span, node.loss.span)

    # -------------------------------------------------------------- kinds

    def _recipe(
        self, setting: Setting, span: Span | None, needed: str, example: str
    ) -> Recipe | None:
        """A setting that is a recipe, or a word without its parentheses, which its table tells."""
        if isinstance(setting, Reference) and len(setting.path) == 1:
            return Recipe(setting.path[0], span=setting.span, bare=True)
        if setting is None or isinstance(setting, Recipe):
            return setting
        if setting is not UNKNOWN:
            self.report.add(WrongKind(span, described_setting(setting), needed, example))
        return None

    def _count(self, value: Setting, name: str, spans: Mapping[str, Span]) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        if value is not UNKNOWN and not self.settings.complain_of_name(value):
            self.report.add(WrongSetting(spans[name], name, shown_setting(value), WHOLE))
        return None


def _patterns(nodes: Iterable[ast.Pattern]) -> tuple[Pattern, ...]:
    return tuple(Pattern(node.segments, node.span) for node in nodes)
