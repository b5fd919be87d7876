"""The ways in which inputs are fed: from a field of the data, by random draws, by a fact of the
data or by a schedule. A way makes the values of its input for a batch; schedules are worked out
where steps are counted, in `training`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np

from netdsl.data.dataset import Field
from netdsl.data.draws import Draws
from netdsl.data.noise import RandomDraw
from netdsl.data.transform import Rows, RowShape, Transform, Unfit
from netdsl.diagnostics import Refused
from netdsl.diagnostics.feeds import SizesDiffer, StageDoesNotFit
from netdsl.ir.program import Feed, Setting
from netdsl.source import Span

MOST_NUMBERS = 2**28  # in one row


@dataclass(frozen=True)
class Application:
    """A transform in a feed; `phase` None: always. `stream` names its draws."""

    name: str
    transform: Transform
    phase: str | None
    stream: str
    span: Span | None = None

    def shape(self, row: RowShape, where: Callable[[], str] | None = None) -> RowShape:
        """The shape of a row afterwards. Raises Refused (N540), which says `where` a row is."""
        place = "" if where is None else where()
        try:
            made = self.transform.shape(row)
        except Unfit as unfit:
            told = StageDoesNotFit(self.span, self.name, unfit.reason, place, unfit.way)
            raise Refused(told) from None
        if None not in made and prod(made) > MOST_NUMBERS:
            shape = " x ".join(map(str, made))
            reason = f"it would make {shape} of each, more than {MOST_NUMBERS:,} numbers"
            raise Refused(StageDoesNotFit(self.span, self.name, reason, place))
        return made


@dataclass(frozen=True)
class Moment:
    """What random choices depend on besides the stream: the seed of the run, the epoch and the
    batch in it. Transforms with the condition of another phase are passed over."""

    phase: str
    seed: int = 0
    epoch: int = 0
    batch: int = 0

    def draws(self, stream: str) -> Draws:
        return Draws(self.seed, stream, self.epoch, self.batch)


def of_phase(stages: Iterable[Application], phase: str) -> list[Application]:
    """Those that work in a phase."""
    return [stage for stage in stages if stage.phase in (None, phase)]


def passed(stages: Iterable[Application], row: RowShape) -> RowShape:
    """The shape of a row once through the stages. Raises Refused (N540)."""
    for stage in stages:
        row = stage.shape(row)
    return row


def transformed(
    stages: Iterable[Application], rows: Rows, moment: Moment, place: Callable[[int], str]
) -> Rows:
    """Rows once through the stages of a phase; rows of one size come back as one array. `place`
    names a row. Raises Refused for rows that a stage cannot work on."""
    rows = together(rows)
    for stage in of_phase(stages, moment.phase):
        for number, row in enumerate(rows if isinstance(rows, list) else rows[:1]):
            stage.shape(row.shape, lambda: place(number))
        rows = together(stage.transform(rows, moment.draws(stage.stream)))
    return rows


def together(rows: Rows) -> Rows:
    """Rows as one array [N, …] where they are of one size."""
    if isinstance(rows, list) and len({row.shape for row in rows}) == 1:
        return np.stack(rows)
    return rows


# ------------------------------------------------------------------ the ways


@dataclass(frozen=True)
class Pipe:
    """What makes one input from one field; `feed` None: the field of the input's own name. `sizes`
    are those that the input declares for a row, None where one is free."""

    input: str
    field: str
    stages: tuple[Application, ...] = ()
    feed: Feed | None = None
    sizes: RowShape = ()

    @property
    def span(self) -> Span | None:
        """Where the feed stands; None without one."""
        return None if self.feed is None else self.feed.span

    def make(
        self, field: Field, index: np.ndarray | slice, dtype: np.dtype, moment: Moment
    ) -> np.ndarray:
        """The input's values for some rows of the field. Raises Refused for rows that a transform
        cannot work on, and for rows that differ in size at the end."""
        stages = of_phase(self.stages, moment.phase)
        rows = field.rows(index, np.dtype(np.float32) if stages else dtype)

        def place(number: int) -> str:
            first = index.start or 0 if isinstance(index, slice) else None
            return field.place(int(index[number]) if first is None else first + number)

        made = transformed(stages, rows, moment, place)
        if isinstance(made, list):
            other = next(i for i, row in enumerate(made) if row.shape != made[0].shape)
            differing = tuple((place(i), made[i].shape) for i in (0, other))
            raise Refused(SizesDiffer(self.span, self.input, differing, self.sizes[1:]))
        return np.ascontiguousarray(made, dtype)


@dataclass(frozen=True)
class Drawn:
    """An input that is drawn anew for every batch, `sizes` for each row."""

    input: str
    feed: Feed
    draw: RandomDraw
    stream: str
    sizes: tuple[int, ...]
    stages: tuple[Application, ...] = ()

    def make(self, count: int, dtype: np.dtype, moment: Moment) -> np.ndarray:
        """The input's values for `count` rows."""
        rows = self.draw.numbers(moment.draws(self.stream), count, *self.sizes)
        made = transformed(self.stages, rows, moment, lambda number: f"row {number}")
        return np.ascontiguousarray(made, dtype)


@dataclass(frozen=True)
class Known:
    """An input that is `data.NAME`: something that the source knows of all its rows."""

    input: str
    feed: Feed
    fact: str


@dataclass(frozen=True)
class Scheduled:
    """An input that follows a schedule: one number, anew for each step."""

    input: str
    feed: Feed
    schedule: Setting


Way: TypeAlias = Pipe | Drawn | Known | Scheduled | None  # None: what is wrong was reported
