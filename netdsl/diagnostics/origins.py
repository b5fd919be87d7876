"""How sizes came to be, as data and in words: what messages about shapes say below the excerpt.

    axis 1 (channels): 256 = c * expand (c = 64, expand = 4, line 14)
                       64 = cin, because `proj` was skipped: its `when` is false (line 16)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netdsl.source import Source, Span

MOST_STEPS = 5  # named of those that changed a size one after the other


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for a size: its `formula` and the `values` of the names in it, what is to be said
    of it after a `link`, and where that is written; or, of several sizes in a row, the `steps`
    that led from each to the next, each with its place."""

    size: str
    formula: str = ""
    reason: str = ""
    link: str = ": "
    values: tuple[tuple[str, str], ...] = ()
    place: Span | None = None
    steps: tuple[tuple[str, Span | None], ...] = ()

    def told(self, source: Source) -> str:
        """One line; places in another file than `source` carry its name."""
        text = self.size + (f" = {self.formula}" if self.formula else "")
        text += f"{self.link}{self.reason}" if self.reason else ""
        if self.steps:
            shown = [_beside(f"`{step}`", [_line(place, source)])
                     for step, place in self.steps[:MOST_STEPS]]
            more = ["…"] if len(self.steps) > MOST_STEPS else []
            return f"{text}: {', '.join([*shown, *more])}"
        values = [f"{name} = {value}" for name, value in self.values if name != value]
        return _beside(text, [*values, _line(self.place, source)])


def _line(place: Span | None, source: Source) -> str:
    """Where something is written, for who reads `source`."""
    if place is None:
        return ""
    return f"line {place.line}" if place.source is source else f"{place.source.name}:{place.line}"


def _beside(text: str, more: list[str]) -> str:
    told = ", ".join(filter(None, more))
    return f"{text} ({told})" if told else text


@dataclass(frozen=True, slots=True)
class AxisOrigin:
    """An axis on which shapes disagree: its number in each of them, what such an axis is called,
    the two sizes, and their causes in the order of the sides."""

    axes: tuple[int, ...]
    name: str
    sizes: tuple[str, ...]
    causes: tuple[Cause, ...]

    @property
    def head(self) -> str:
        """`axis 1 (channels)`, `axes 2 and 1` where the sides number it differently."""
        numbers = dict.fromkeys(map(str, self.axes))
        head = ("axes " if len(numbers) > 1 else "axis ") + " and ".join(numbers)
        return f"{head} ({self.name})" if self.name else head

    def alike(self, other: AxisOrigin) -> bool:
        """Whether the same places in the text say the same of both, as of rows and columns."""
        places = ([(c.size, c.place, c.steps) for c in o.causes] for o in (self, other))
        return self.sizes == other.sizes and next(places) == next(places)


def told(origins: Sequence[AxisOrigin], source: Source) -> list[str]:
    """One note for each axis; what is alike is told once."""
    notes: list[str] = []
    for i, origin in enumerate(origins):
        if any(origin.alike(before) for before in origins[:i]):
            notes.append(f"{origin.head} likewise: {' and '.join(origin.sizes)}")
            continue
        causes = {(cause.size, cause.formula): cause for cause in origin.causes}
        lines = dict.fromkeys(cause.told(source) for cause in causes.values())
        margin = "\n" + " " * (len(origin.head) + 2)
        notes.append(f"{origin.head}: {margin.join(lines)}" if lines else
                     f"{origin.head}: {' and '.join(origin.sizes)}")
    return notes
