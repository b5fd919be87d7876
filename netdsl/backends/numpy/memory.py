"""The memory plan: how long every buffer is needed, and where in one arena it lies."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Sequence

from netdsl.backends.numpy.program import ALIGNMENT, Step
from netdsl.backends.numpy.view import Buffer

Lifetimes = dict[Buffer, tuple[int, int]]


def lifetimes(
    steps: Sequence[Step], at_start: Iterable[Buffer], at_end: Iterable[Buffer]
) -> Lifetimes:
    """First and last step that touches each arena buffer; buffers `at_start` hold something
    before the first step (-1), those `at_end` are read after the last."""
    first: dict[Buffer, int] = {buffer: -1 for buffer in at_start}
    last: dict[Buffer, int] = dict(first)
    for time, step in enumerate(steps):
        for view in step.views():
            first.setdefault(view.buffer, time)
            last[view.buffer] = time
    for buffer in at_end:
        first.setdefault(buffer, -1)
        last[buffer] = len(steps)
    return {b: (first[b], last[b]) for b in first if b.kind == "arena"}


def plan(lives: Lifetimes) -> tuple[dict[Buffer, int], int]:
    """Offsets in bytes, and the size of the arena.

    In order of time, each buffer takes the smallest gap that holds it; gaps that meet are joined,
    and the arena grows when none is large enough.
    """
    begins: dict[int, list[Buffer]] = defaultdict(list)
    ends: dict[int, list[Buffer]] = defaultdict(list)
    for buffer, (first, last) in lives.items():
        begins[first].append(buffer)
        ends[last].append(buffer)
    offsets: dict[Buffer, int] = {}
    gaps = _Gaps()
    for time in sorted(begins.keys() | ends.keys()):
        # large ones first: small ones fit into what is left
        for buffer in sorted(begins[time], key=lambda b: -b.nbytes):
            offsets[buffer] = gaps.take(_rounded(buffer.nbytes))
        for buffer in ends[time]:
            gaps.give(offsets[buffer], _rounded(buffer.nbytes))
    return offsets, gaps.end


def _rounded(nbytes: int) -> int:
    return -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT


class _Gaps:
    """The free stretches of an arena that ends at `end`."""

    def __init__(self) -> None:
        self.end = 0
        self._by_size: list[tuple[int, int]] = []  # (size, start), sorted
        self._starts: dict[int, int] = {}  # start: size
        self._stops: dict[int, int] = {}  # stop: start

    def take(self, size: int) -> int:
        at = bisect_left(self._by_size, (size, -1))
        if at < len(self._by_size):
            found, start = self._by_size[at]
            self._remove(start, found)
            if found > size:
                self._add(start + size, found - size)
            return start
        start = self.end
        if self.end in self._stops:  # the last gap grows
            start = self._stops[self.end]
            self._remove(start, self._starts[start])
        self.end = start + size
        return start

    def give(self, start: int, size: int) -> None:
        stop = start + size
        if stop in self._starts:
            following = self._starts[stop]
            self._remove(stop, following)
            size += following
        if start in self._stops:
            before = self._stops[start]
            size += start - before
            self._remove(before, self._starts[before])
            start = before
        self._add(start, size)

    def _add(self, start: int, size: int) -> None:
        insort(self._by_size, (size, start))
        self._starts[start] = size
        self._stops[start + size] = start

    def _remove(self, start: int, size: int) -> None:
        del self._by_size[bisect_left(self._by_size, (size, start))]
        del self._starts[start]
        del self._stops[start + size]
