"""What a sound program says and the training of this version does not do yet. Leaving it out
without a word would train something else, so `netdsl train` refuses it by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netdsl.diagnostics import Report
from netdsl.diagnostics.program import NotYetTrained
from netdsl.ir.program import TrainProgram
from netdsl.training.settings import bind_settings
from netdsl.training.steps import BoundStep


def unexecuted(program: TrainProgram, steps: Iterable[BoundStep]) -> Iterator[NotYetTrained]:
    """A problem for each part of a checked program that would have no effect."""
    steps = list(steps)
    if len(steps) > 1:
        yield NotYetTrained(steps[1].step.span, "several steps")
    elif steps and steps[0].step.every != 1:
        yield NotYetTrained(steps[0].step.span, "`every`")
    for name, row in bind_settings(program, Report()).items():
        if row.pending:
            yield NotYetTrained(program.spans.get(name), f"`{name}`")
