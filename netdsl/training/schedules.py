"""Schedules: numbers that change while training goes on, worked out anew for every step.

    lr = 0.1            lr = cosine(0.1)            lr = warmup(5) -> cosine(0.1)

To add one, write a frozen dataclass after `Schedule` and enter it into `SCHEDULES`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import Annotated

from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.rows import BrokenChain
from netdsl.ir.program import Flow, Recipe, Setting
from netdsl.layers.arguments import Kind
from netdsl.registry import NotNegative, Positive, Positives, Table, real, show


class Schedule:
    """Base of the rows."""

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        """The value in step `step` (from 0) of `steps`, of which `per_epoch` make an epoch."""
        raise NotImplementedError

    @property
    def beginning(self) -> float:
        """Where the schedule begins, a warmup aside: its value while nobody counts epochs."""
        return self.value(0, 1, 1)


@dataclass(frozen=True)
class Constant(Schedule):
    """One number throughout. A number by itself means the same; this form follows a `warmup`."""

    number: NotNegative

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        return self.number


@dataclass(frozen=True)
class Cosine(Schedule):
    """From `peak` to `floor` along half a cosine (Loshchilov & Hutter 2017, without restarts):
    floor + (peak - floor) · (1 + cos(π · step / steps)) / 2."""

    peak: NotNegative
    floor: NotNegative = 0.0

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        return self.floor + (self.peak - self.floor) * (1 + cos(pi * step / steps)) / 2


@dataclass(frozen=True)
class Linear(Schedule):
    """From `start` to `end` in a straight line."""

    start: NotNegative
    end: NotNegative = 0.0

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        return self.start + (self.end - self.start) * step / steps


@dataclass(frozen=True)
class Steps(Schedule):
    """`start`, multiplied by `factor` when each of the epochs `at` is over:
    `steps(0.1, at = [30, 60], factor = 0.1)`."""

    start: NotNegative
    at: Positives
    factor: Positive = 0.1

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        drops = sum(step >= epoch * per_epoch for epoch in self.at)
        return self.start * self.factor**drops


@dataclass(frozen=True)
class Warmup(Schedule):
    """The first `epochs` rise in equal steps to where the schedule that follows begins; that one
    has the rest of the time to itself: `warmup(5) -> cosine(0.1)` (Goyal et al. 2017)."""

    epochs: Positive


@dataclass(frozen=True)
class Warmed(Schedule):
    """A schedule with a warmup before it."""

    warmup: Warmup
    then: Schedule

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        rise = round(self.warmup.epochs * per_epoch)
        rest = max(steps - rise, 1)
        if step < rise:
            return self.then.value(0, rest, per_epoch) * (step + 1) / rise
        return self.then.value(step - rise, rest, per_epoch)

    @property
    def beginning(self) -> float:
        return self.then.beginning


SCHEDULES = Table("schedule", {
    "constant": Constant,
    "cosine": Cosine,
    "linear": Linear,
    "steps": Steps,
    "warmup": Warmup,
})

ORDER = "a schedule is one schedule, or `warmup` followed by one"
EXAMPLE = "`warmup(5) -> cosine(0.1)`"


def bind_schedule(setting: Setting) -> Schedule:
    """The schedule that a setting means. Raises BadArgument for what is none, Refused for one
    that is wrong in itself."""
    if not isinstance(setting, (Recipe, Flow)):
        return Constant(real(0)(setting))
    report = Report()
    schedule = _bind_flow(setting, report) if isinstance(setting, Flow) else _bind(setting, report)
    if isinstance(schedule, Warmup):
        report.add(BrokenChain(setting.span, "`warmup` leads to no schedule", EXAMPLE))
    if schedule is None or report.has_errors:
        raise Refused(*report.problems)
    return schedule


def _bind(recipe: Recipe, report: Report) -> Schedule | None:
    return SCHEDULES.bind(recipe, report)


def _bind_flow(flow: Flow, report: Report) -> Schedule | None:
    if len(flow.stages) != 1 or flow.stages[0].condition is not None:
        report.add(BrokenChain(flow.span, f"{ORDER}, not {show(flow)}", EXAMPLE))
        return None
    if not isinstance(flow.head, Recipe):
        report.add(BrokenChain(flow.span, f"{ORDER}, not {show(flow)}", EXAMPLE))
        return None
    first, then = _bind(flow.head, report), _bind(flow.stages[0].recipe, report)
    if first is None or then is None:
        return None
    if not isinstance(first, Warmup):
        report.add(BrokenChain(flow.span, f"{ORDER}, not {show(flow)}", EXAMPLE))
        return None
    return then if isinstance(then, Warmup) else Warmed(first, then)


Rate = Annotated[
    Schedule, Kind("a number of at least 0 or a schedule such as `cosine(0.1)`", bind_schedule)
]
