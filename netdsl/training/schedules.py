"""Schedules: numbers that change while training goes on, worked out anew for every step.

    lr = 0.1            lr = cosine(0.1)            lr = warmup(5) -> cosine(0.1)

They stand for optimiser arguments and for scalar inputs: `feed momentum = cosine(0.996, 1.0)`. To
add one, write a frozen dataclass after `Schedule` and enter it into `SCHEDULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import cos, pi, sqrt
from typing import Annotated, TypeAlias

from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.rows import BrokenChain
from netdsl.ir.program import Flow, Recipe, Reference, Setting
from netdsl.layers.arguments import Kind
from netdsl.registry import (
    BelowOne,
    Count,
    NotNegative,
    Positive,
    Positives,
    Real,
    Table,
    Whole,
    real,
    show,
)
from netdsl.training.judge import Better, Figure, Judge


class Schedule:
    """Base of the rows."""

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        """The value in step `step` (from 0) of `steps`, of which `per_epoch` make an epoch."""
        raise NotImplementedError

    def heeded(self) -> Iterator[Plateau]:
        """The parts that go by what validation measures."""
        return iter(())

    def after(self, measured: Measured) -> Schedule:
        """The schedule of the next epoch, in view of what validation has measured."""
        return self

    @property
    def beginning(self) -> float:
        """Where the schedule begins, a warmup aside: its value while nobody counts epochs."""
        return self.value(0, 1, 1)

    @property
    def ends(self) -> tuple[float, ...]:
        """Values that all others lie between."""
        raise NotImplementedError


@dataclass(frozen=True)
class Constant(Schedule):
    """One number throughout. A number by itself means the same; this form follows a `warmup`."""

    number: Real

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        return self.number

    @property
    def ends(self) -> tuple[float, ...]:
        return (self.number,)


@dataclass(frozen=True)
class Cosine(Schedule):
    """From `peak` to `floor` along half a cosine (Loshchilov & Hutter 2017, without restarts):
    floor + (peak - floor) · (1 + cos(π · step / steps)) / 2."""

    peak: Real
    floor: Real = 0.0

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        return self.floor + (self.peak - self.floor) * (1 + cos(pi * step / steps)) / 2

    @property
    def ends(self) -> tuple[float, ...]:
        return (self.peak, self.floor)


@dataclass(frozen=True)
class Linear(Schedule):
    """From `start` to `end` in a straight line."""

    start: Real
    end: Real = 0.0

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        return self.start + (self.end - self.start) * step / steps

    @property
    def ends(self) -> tuple[float, ...]:
        return (self.start, self.end)


@dataclass(frozen=True)
class Ramp(Schedule):
    """From `start` to `end` in a straight line over the first `epochs`, and `end` from there on:
    `ramp(0.04, 0.07, epochs = 30)`."""

    start: Real
    end: Real
    epochs: Positive

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        return self.start + (self.end - self.start) * min(step / (self.epochs * per_epoch), 1.0)

    @property
    def ends(self) -> tuple[float, ...]:
        return (self.start, self.end)


@dataclass(frozen=True)
class InverseSqrt(Schedule):
    """Up to `peak` in a straight line over `warmup` steps, then down with the root of the steps
    (Vaswani et al. 2017): peak · min(t / warmup, √(warmup / t)), where t counts steps from 1."""

    peak: Real
    warmup: Count = 4000

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        count = step + 1
        return self.peak * min(count / self.warmup, sqrt(self.warmup / count))

    @property
    def beginning(self) -> float:
        return self.peak

    @property
    def ends(self) -> tuple[float, ...]:
        return (0.0, self.peak)


@dataclass(frozen=True)
class Steps(Schedule):
    """`start`, multiplied by `factor` when each of the epochs `at` is over:
    `steps(0.1, at = [30, 60], factor = 0.1)`."""

    start: Real
    at: Positives
    factor: Positive = 0.1

    def __post_init__(self) -> None:
        try:
            self.factor ** len(self.at)
        except OverflowError:
            raise ValueError("`factor` is too large for so many drops") from None

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        drops = sum(step >= epoch * per_epoch for epoch in self.at)
        return self.start * self.factor**drops

    @property
    def ends(self) -> tuple[float, ...]:
        return (self.start, self.start * self.factor ** len(self.at))


@dataclass(frozen=True)
class Plateau(Schedule):
    """`start`, multiplied by `factor` whenever `figure`, a loss or metric over the validation rows,
    has not become better for more than `patience` epochs, down to `floor`. Better by less than
    `margin` of itself does not count. As PyTorch's ReduceLROnPlateau:
    `plateau(0.1, val.ce, patience = 5)`."""

    start: Positive
    figure: Figure
    factor: BelowOne = 0.1
    patience: Whole = 10
    floor: NotNegative = 0.0
    margin: BelowOne = 1e-4
    better: Better | None = None

    def value(self, step: int, steps: int, per_epoch: int) -> float:
        return self.start

    def heeded(self) -> Iterator[Plateau]:
        yield self

    def after(self, measured: Measured) -> Schedule:
        judge, values = measured(self)
        best, waited, rate = None, 0, self.start
        for value in values:
            if judge.is_better(value, best, self.margin):
                best, waited = value, 0
            else:
                waited += 1
            if waited > self.patience:
                rate, waited = max(rate * self.factor, self.floor), 0
        return replace(self, start=rate)

    @property
    def ends(self) -> tuple[float, ...]:
        return (self.start, self.floor)


Measured: TypeAlias = Callable[[Plateau], tuple[Judge, Sequence[float]]]


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

    def heeded(self) -> Iterator[Plateau]:
        return self.then.heeded()

    def after(self, measured: Measured) -> Schedule:
        return replace(self, then=self.then.after(measured))

    @property
    def beginning(self) -> float:
        return self.then.beginning

    @property
    def ends(self) -> tuple[float, ...]:
        return (0.0, *self.then.ends)


SCHEDULES = Table("schedule", {
    "constant": Constant,
    "cosine": Cosine,
    "linear": Linear,
    "ramp": Ramp,
    "inverse_sqrt": InverseSqrt,
    "steps": Steps,
    "plateau": Plateau,
    "warmup": Warmup,
})

ORDER = "a schedule is one schedule, or `warmup` followed by one"
FOLLOWING = "cosine(0.1)"
EXAMPLE = f"`warmup(5) -> {FOLLOWING}`"


def bind_schedule(setting: Setting) -> Schedule:
    """The schedule that a setting means. Raises BadArgument for what is none, Refused for one
    that is wrong in itself."""
    if isinstance(setting, Reference) and str(setting) in SCHEDULES.rows:
        setting = Recipe(str(setting), span=setting.span, bare=True)
    if not isinstance(setting, (Recipe, Flow)):
        return Constant(real()(setting))
    report = Report()
    chained = isinstance(setting, Flow)
    schedule = _bind_flow(setting, report) if chained else SCHEDULES.bind(setting, report)
    if isinstance(schedule, Warmup):
        way = EXAMPLE if chained else f"`{_written(setting)} -> {FOLLOWING}`"
        report.add(BrokenChain(setting.span, "`warmup` leads to no schedule", way))
    if schedule is None or report.has_errors:
        raise Refused(*report.problems)
    return schedule


def _bind_flow(flow: Flow, report: Report) -> Schedule | None:
    told = BrokenChain(flow.span, f"{ORDER}, not {show(flow)}", _in_order(flow))
    single = len(flow.stages) == 1 and flow.stages[0].condition is None
    if not single or not isinstance(flow.head, Recipe):
        report.add(told)
        return None
    first = SCHEDULES.bind(flow.head, report)
    then = SCHEDULES.bind(flow.stages[0].recipe, report)
    if first is None or then is None:
        return None
    if not isinstance(first, Warmup):
        report.add(told)
        return None
    return then if isinstance(then, Warmup) else Warmed(first, then)


def _in_order(flow: Flow) -> str:
    """The user's own schedules with the warmup first, where that makes one of them."""
    parts = [flow.head, *(stage.recipe for stage in flow.stages)]
    if len(parts) != 2 or not all(isinstance(part, Recipe) for part in parts):
        return EXAMPLE
    warm, then = sorted(parts, key=lambda part: part.name != "warmup")
    if warm.name != "warmup" or then.name == "warmup" or then.name not in SCHEDULES.rows:
        return EXAMPLE
    return f"`{_written(warm)} -> {_written(then)}`"


def _written(recipe: Recipe) -> str:
    """As the user wrote it."""
    return show(recipe) if recipe.span is None else " ".join(recipe.span.text.split())


def scheduled(kind: Kind) -> Kind:
    """A number of that kind, or a schedule all of whose values are."""

    def convert(setting: Setting) -> float | Schedule:
        schedule = bind_schedule(setting)
        for end in schedule.ends:
            kind.convert(end)
        return schedule.number if isinstance(schedule, Constant) else schedule

    return Kind(f"{kind.expected}, or a schedule of such", convert)


def _rate(setting: Setting) -> Schedule:
    schedule = bind_schedule(setting)
    for end in schedule.ends:
        real(0)(end)
    return schedule


Rate = Annotated[
    Schedule, Kind("a number of at least 0 or a schedule such as `cosine(0.1)`", _rate)
]
