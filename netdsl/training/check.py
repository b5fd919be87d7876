"""A train program against its model, without reading data or taking a step."""

from __future__ import annotations

from dataclasses import replace

from netdsl.data.feeds import bind_feeds, check_feeds
from netdsl.data.source import Source
from netdsl.data.sources import SOURCES
from netdsl.diagnostics import Problem, Report
from netdsl.diagnostics.program import NotYetTrained, UnknownSetting, WrongCount
from netdsl.ir.graph import Graph
from netdsl.ir.program import TrainProgram
from netdsl.rewrite.phases import train, validate
from netdsl.training.graph import plan_training

ENTRIES = ("data", "batch", "epochs", "feed", "minimize", "freeze")
LATER = ("accumulate", "clip", "precision", "reset", "step", "stop", "update", "weights")


def check_program(graph: Graph, program: TrainProgram) -> list[Problem]:
    """Everything that is wrong with a program for this model (the whole one, not a slice): unknown
    rows and arguments, feeds that cannot fit, losses, parameters not covered or covered twice,
    entries that do not exist or are not yet trained."""
    report = Report()
    _check_settings(program, report)
    source: Source | None = None
    if program.data is not None:
        source = SOURCES.bind(program.data, report)
    pipes = bind_feeds(graph, program.feeds, report)
    types = None if source is None else source.types()
    if types is not None:
        needed = fed_inputs(graph, program)
        check_feeds(graph, [pipe for n, pipe in pipes.items() if n in needed], types, report)
    plan_training(graph, program, report)
    return report.problems


def _check_settings(program: TrainProgram, report: Report) -> None:
    for name in program.settings:
        span = program.spans.get(name)
        if name in LATER:
            report.add(NotYetTrained(span, f"`{name}`"))
        else:
            report.add(UnknownSetting(span, name, (*ENTRIES, *LATER)))
    for name in ("batch", "epochs"):
        count = getattr(program, name)
        if count < 1:
            report.add(WrongCount(program.spans.get(name), name, str(count)))


def fed_inputs(graph: Graph, program: TrainProgram) -> set[str]:
    """The inputs that training and validation need: those of the minimised losses, and those of
    every loss and metric. An input that only an output needs is none of them."""
    losses = {each.loss for step in program.steps for each in step.minimize}
    training = train(graph, [loss for loss in losses if loss in graph.losses])
    return {*training.inputs, *validate(replace(graph, outputs={})).inputs}
