"""A training program as data: what a `train` declaration says, with its names resolved and its
numbers worked out, and nothing yet of the sources, transforms, schedules and optimisers behind it.

Those are registered rows in `data` and `training`; here they appear as `Recipe`s: a name and its
arguments. Whoever holds the rows looks them up and tells about what does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from netdsl.source import Span


@dataclass(frozen=True, slots=True)
class Recipe:
    """A registered row with its arguments: `sgd(lr = 0.1, momentum = 0.9)`, `random_flip()`.
    `spans` has the places of arguments that do not stand in `span`, as those of `--set`."""

    name: str
    arguments: tuple[Setting, ...] = ()
    keywords: Mapping[str, Setting] = field(default_factory=dict)
    span: Span | None = field(default=None, compare=False)
    spans: Mapping[str, Span] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Reference:
    """Something named that the program does not define: a data field (`image`), a phase
    (`training`), a figure of the run (`val.top1`)."""

    path: tuple[str, ...]
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """One `-> recipe when condition`; condition None: always."""

    recipe: Recipe
    condition: Reference | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """`image -> random_flip() when training -> normalize(…)`, `warmup(5) -> cosine(0.1)`."""

    head: Recipe | Reference
    stages: tuple[Stage, ...]
    span: Span | None = field(default=None, compare=False)


Setting: TypeAlias = (
    int | Fraction | float | bool | str | None | tuple["Setting", ...] | Recipe | Reference | Flow
)


@dataclass(frozen=True, slots=True)
class Feed:
    """Model inputs made from data fields: each name gets a draw of its own."""

    inputs: tuple[str, ...]
    value: Setting
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Minimize:
    """One loss, the parameters it trains, and how. `over` holds label path patterns, each a tuple
    of segments (`("stage", "*", "bn")`); empty means every parameter."""

    loss: str
    over: tuple[tuple[str, ...], ...]
    optimizer: Recipe
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Step:
    """Minimisations that share a backward pass, run every `every` batches."""

    name: str
    minimize: tuple[Minimize, ...]
    every: int = 1


@dataclass(frozen=True, slots=True)
class TrainProgram:
    """A `train` declaration. `settings` holds the remaining `NAME value` entries by name, with
    the span of each in `spans`."""

    name: str | None
    model: str
    data: Recipe | None
    batch: int
    epochs: int
    feeds: tuple[Feed, ...]
    steps: tuple[Step, ...]
    freeze: tuple[tuple[str, ...], ...] = ()
    settings: Mapping[str, Setting] = field(default_factory=dict)
    spans: Mapping[str, Span] = field(default_factory=dict, compare=False)
    span: Span | None = field(default=None, compare=False)
