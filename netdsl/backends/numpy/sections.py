"""Which calls may run at the same time.

Rules split work over rows into lanes. Calls of different lanes that follow one another form a
section as long as no lane touches what another lane writes, and within a section the lanes do not
wait for each other: a chain of operations on two halves of a batch has one meeting at its end.
"""

from __future__ import annotations

from netdsl.backends.numpy.program import Call, Step, Together
from netdsl.backends.numpy.view import Buffer, View

Touch = tuple[int, int, bool]  # first and last element, whether written


class Sections:
    """The steps of a program as calls come in."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._lanes: dict[int, list[Call]] = {}  # of the section that is open
        self._touched: dict[int, dict[Buffer, list[Touch]]] = {}

    def add(self, call: Call, lane: int | None) -> None:
        if lane is None:
            self._close()
            self._steps.append(call)
            return
        touches = [(view.buffer, (*extent(view), False)) for view in call.reads()]
        touches += [(view.buffer, (*extent(view), True)) for view in call.writes()]
        if any(self._meets(lane, buffer, touch) for buffer, touch in touches):
            self._close()
        self._lanes.setdefault(lane, []).append(call)
        own = self._touched.setdefault(lane, {})
        for buffer, touch in touches:
            own.setdefault(buffer, []).append(touch)

    def steps(self) -> tuple[Step, ...]:
        self._close()
        return tuple(self._steps)

    def _meets(self, lane: int, buffer: Buffer, touch: Touch) -> bool:
        first, last, writes = touch
        return any(
            (writes or wrote) and first <= other_last and other_first <= last
            for other, touched in self._touched.items() if other != lane
            for other_first, other_last, wrote in touched.get(buffer, ())
        )

    def _close(self) -> None:
        if len(self._lanes) == 1:
            self._steps.extend(*self._lanes.values())
        elif self._lanes:
            self._steps.append(Together(tuple(map(tuple, self._lanes.values()))))
        self._lanes, self._touched = {}, {}


def extent(view: View) -> tuple[int, int]:
    """The first and the last element that a view may touch."""
    reach = [(n - 1) * stride for n, stride in zip(view.shape, view.strides)]
    first = view.offset + sum(min(0, r) for r in reach)
    return first, view.offset + sum(max(0, r) for r in reach)
