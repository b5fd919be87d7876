"""A train program against its model, without reading data or taking a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from itertools import islice

from netdsl.data.feeds import base_name, bind_feeds, check_facts, check_feeds
from netdsl.data.noise import RANDOM_DRAWS
from netdsl.data.source import Source
from netdsl.data.sources import SOURCES
from netdsl.data.ways import Scheduled, Way
from netdsl.diagnostics import Problem, Refused, Report
from netdsl.diagnostics.feeds import DoesNotFit
from netdsl.diagnostics.program import NotYetTrained, WrongSetting
from netdsl.diagnostics.rows import UnknownRow
from netdsl.diagnostics.training import OnlyWarmup, RateIsZero
from netdsl.ir.graph import Graph
from netdsl.ir.program import Flow, Recipe, TrainProgram
from netdsl.layers.arguments import BadArgument
from netdsl.registry import MOST_PROBLEMS, argument, show
from netdsl.rewrite.phases import train
from netdsl.rewrite.rebuild import needed
from netdsl.training.batch import check_batch
from netdsl.training.graph import plan_training, settle_frozen
from netdsl.training.judge import misfits
from netdsl.training.optimizers import OPTIMIZERS
from netdsl.training.passes import check_passes
from netdsl.training.schedules import SCHEDULES, Warmed, bind_schedule
from netdsl.training.settings import SETTINGS, bind_settings
from netdsl.training.steps import bind_steps

MOST = 10**12  # epochs and rows: schedules count steps in floats


def check_program(graph: Graph, program: TrainProgram) -> list[Problem]:
    """Everything that is wrong with a program for this model (the whole one, not a slice): unknown
    rows and arguments, feeds that cannot fit, losses, parameters not covered or covered twice,
    settings that do not exist, are of a wrong kind or name what the model does not have."""
    report = Report()
    for name in ("batch", "epochs"):
        count = getattr(program, name)
        if not 1 <= count <= MOST:
            expected = f"a whole number of at {'least 1' if count < 1 else f'most {MOST:,}'}"
            report.add(WrongSetting(program.spans.get(name), name, str(count), expected))
    for row in bind_settings(program, report).values():
        for problem in islice(row.misfits(graph, program), MOST_PROBLEMS):
            report.add(problem)
    check_batch(graph, program, report)
    ways = bind_feeds(graph, program.feeds, report)
    _check_schedules(graph, ways.values(), report)
    _check_data(graph, program, ways, report)
    steps = bind_steps(graph, program, report)
    if not report.has_errors:
        for step in steps or ():
            check_passes(settle_frozen(step.slice, program, step.coverage.frozen), program, report)
            for each, optimizer in zip(step.step.minimize, step.optimizers):
                if not any(optimizer.lr.ends):
                    report.add(RateIsZero(each.span, each.loss))
    return report.problems


def only_warmups(graph: Graph, program: TrainProgram) -> Iterator[Problem]:
    """Notes about schedules of a checked program that end before their warmup does."""
    for step in bind_steps(graph, program, Report()) or ():
        for each, optimizer in zip(step.step.minimize, step.optimizers):
            warmed = (s.warmup.epochs for s in optimizer.schedules() if isinstance(s, Warmed))
            longest = max(warmed, default=0)
            if longest >= program.epochs:
                yield OnlyWarmup(each.span, longest, program.epochs)


def check_executable(
    graph: Graph, program: TrainProgram, reads: bool = True
) -> list[Problem]:
    """The same, and what of the program this version checks and does not execute (N432). `reads`:
    the data come from the program's own source."""
    problems = check_program(graph, program)
    if any(problem.severity == "error" for problem in problems):
        return problems
    report = Report()
    plan_training(graph, program, report)
    if reads and program.data is not None and SOURCES.rows[program.data.name].pending:
        what = f"the data source `{program.data.name}`"
        report.add(NotYetTrained(program.data.span, what))
    return [*problems, *report.problems]


def vocabulary() -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """What `--set` may give: the settings, and the arguments of each optimiser in order."""
    arguments = {name: tuple(argument(field) for field in fields(row))
                 for name, row in OPTIMIZERS.rows.items()}
    return tuple(SETTINGS.rows), arguments


def fed_inputs(graph: Graph, program: TrainProgram) -> set[str]:
    """The inputs that training and validation need: those of the minimised losses, and those of
    every loss and metric. An input that only an output needs is none of them."""
    losses = {each.loss for step in program.steps for each in step.minimize}
    training = train(graph, [loss for loss in losses if loss in graph.losses])
    _, live = needed(graph.nodes, (*graph.losses.values(), *graph.metrics.values()))
    return {*training.inputs, *(name for name, value in graph.inputs.items() if value in live)}


def _check_data(
    graph: Graph, program: TrainProgram, ways: Mapping[str, Way], report: Report
) -> None:
    """The source's options, and whether its fields can feed what training needs."""
    source: Source | None = None
    if program.data is not None:
        source = SOURCES.bind(program.data, report)
    if source is None:
        return
    try:
        source.check()
    except Refused as refused:
        for problem in refused.problems:
            report.add(replace(problem, span=program.data.span))
    needed = fed_inputs(graph, program)
    wanted = [way for name, way in ways.items() if name in needed]
    types, facts = source.types(), source.facts()
    if types is not None:
        check_feeds(graph, wanted, types, report, program.data.span)
    if facts is not None:
        check_facts(graph, wanted, facts, report)


def _check_schedules(graph: Graph, ways: Iterable[Way], report: Report) -> None:
    for way in ways:
        if not isinstance(way, Scheduled):
            continue
        for problem in _schedule_problems(graph, way):
            report.add(problem)


def _schedule_problems(graph: Graph, way: Scheduled) -> Iterator[Problem]:
    head = way.schedule.head if isinstance(way.schedule, Flow) else way.schedule
    if isinstance(head, Recipe) and head.name not in SCHEDULES.rows:
        known = (*SCHEDULES.rows, *RANDOM_DRAWS.rows)
        yield UnknownRow(head.span, "schedule or random draw", head.name, known)
        return
    try:
        schedule = bind_schedule(way.schedule)
    except BadArgument:
        name = base_name(way.input)
        yield DoesNotFit(way.feed.span, name, str(graph.inputs[way.input].type),
                         f"`{show(way.schedule)}`", "it is no finite number")
    except Refused as refused:
        yield from refused.problems
    else:
        for plateau in schedule.heeded():
            yield from misfits(graph, plateau.figure, plateau.better)
