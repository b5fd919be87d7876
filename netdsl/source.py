"""Source text and places in it. Everything the user is shown points here."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True, eq=False)
class Source:
    """One text: a `.net` file, or a string given on the command line or through Python.

    `name` is what messages call it (the path as the user wrote it); `path` is the file behind
    it, against which `use "./blocks.net"` is resolved, or None for text without a file.
    """

    name: str
    text: str = field(repr=False)
    path: Path | None = None

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        starts.extend(i + 1 for i, char in enumerate(self.text) if char == "\n")
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of a character offset, both counted from 1."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1) without its end."""
        start = self._line_starts[number - 1]
        end = self._line_starts[number] - 1 if number < len(self._line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r")

    @property
    def line_count(self) -> int:
        return len(self._line_starts)


@dataclass(frozen=True, slots=True)
class Span:
    """The characters `start` up to, not including, `end` of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def place(self) -> str:
        """`file:line:column`, as terminals and editors follow it."""
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"

    def beginning(self, length: int) -> Span:
        """The first characters of this span."""
        return Span(self.source, self.start, min(self.start + length, self.end))

    def to(self, other: Span) -> Span:
        """From the start of this span to the end of `other`, which lies in the same source."""
        return Span(self.source, self.start, other.end)
