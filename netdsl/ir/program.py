"""Training and sampling programs as data: what a `train` or `sample` declaration says, with its
names resolved and its numbers worked out, and nothing yet of the sources, transforms, schedules,
optimisers and samplers behind it.

Those are registered rows in `data`, `training` and `generate`; here they appear as `Recipe`s: a
name and its arguments. Whoever holds the rows looks them up and tells about what does not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeAlias

from netdsl.source import Span


class Unknown:
    """The value of what failed: already reported, and silent wherever it goes."""

    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = Unknown()


@dataclass(frozen=True, slots=True)
class Recipe:
    """A registered row with its arguments: `sgd(lr = 0.1, momentum = 0.9)`, `random_flip()`.
    `spans` has the place of each argument, by its name or its number; `bare` tells that the word
    stands without parentheses. One without a name stands for what failed."""

    name: str
    arguments: tuple[Setting, ...] = ()
    keywords: Mapping[str, Setting] = field(default_factory=dict)
    span: Span | None = field(default=None, compare=False)
    spans: Mapping[str | int, Span] = field(default_factory=dict, compare=False)
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """Something named that the program does not define: a data field (`image`), a phase
    (`training`), a figure of the run (`val.top1`). `known` are the names that it defines, for the
    message where nothing else does either."""

    path: tuple[str, ...]
    span: Span | None = field(default=None, compare=False)
    known: Collection[str] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        return ".".join(self.path)


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
    | Unknown
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A label path that stands for parameters: what lies at or below it. `*` is any one segment;
    `rest` alone is what no other pattern covers."""

    segments: tuple[str, ...]
    span: Span | None = field(default=None, compare=False)

    @staticmethod
    def of(path: str) -> Pattern:
        return Pattern(tuple(path.split(".")))

    @property
    def is_rest(self) -> bool:
        return self.segments == ("rest",)

    def covers(self, path: str) -> bool:
        """Whether a label path is the pattern or lies below it."""
        segments = path.split(".")
        return len(self.segments) <= len(segments) and all(
            want in ("*", have) for want, have in zip(self.segments, segments)
        )

    def __str__(self) -> str:
        return ".".join(self.segments)


@dataclass(frozen=True, slots=True)
class Feed:
    """Model inputs made from data fields: each name gets a draw of its own. `spans` has the places
    of the names."""

    inputs: tuple[str, ...]
    value: Setting
    span: Span | None = field(default=None, compare=False)
    spans: tuple[Span, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Minimize:
    """One loss, the parameters it trains (`over` empty: every one), and how. `place` is where the
    loss is named."""

    loss: str
    over: tuple[Pattern, ...]
    optimizer: Recipe
    span: Span | None = field(default=None, compare=False)
    place: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Step:
    """Minimisations that share a backward pass, run every `every` batches. The name of a program's
    only step may be empty."""

    name: str
    minimize: tuple[Minimize, ...]
    every: int = 1
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class TrainProgram:
    """A `train` declaration. `settings` holds the remaining `NAME value` entries by name, with
    the span of each in `spans`; `runs` names the programs above it in the file, whose weights it
    may go on from."""

    name: str | None
    model: str
    data: Recipe | None
    batch: int
    epochs: int
    feeds: tuple[Feed, ...]
    steps: tuple[Step, ...]
    freeze: tuple[Pattern, ...] = ()
    settings: Mapping[str, Setting] = field(default_factory=dict)
    runs: tuple[str, ...] = ()
    spans: Mapping[str, Span] = field(default_factory=dict, compare=False)
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class SampleProgram:
    """A `sample` declaration: a sampler bound to outputs and inputs of a model, by their names."""

    model: str
    sampler: Recipe
    span: Span | None = field(default=None, compare=False)
