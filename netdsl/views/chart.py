"""Line charts for terminals: dots of Braille cells (2 × 4 each), axes with labels, a legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import ceil, floor, isfinite, log10

MARKERS = "ox+*"  # of the second line and those after it; the first is drawn through
COLORS = ("34", "32", "33", "35", "36")  # ANSI, by line
# Bits of the eight dots of a Braille cell, by column and row (Unicode block U+2800).
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))

Line = Sequence[float]


def chart(
    lines: Mapping[str, Line],
    *,
    title: str = "",
    width: int = 60,
    height: int = 10,
    logarithmic: bool = False,
    color: bool = False,
) -> str:
    """Lines by name over 1, 2, 3, …; `width` and `height` in characters, the height without axis
    and legend. The first line is drawn through, the others as markers. Values that are not finite
    are left out, and so is, on a `logarithmic` axis, what is not positive."""
    points = {name: _points(line, logarithmic) for name, line in lines.items()}
    values = [y for line in points.values() for _, y in line]
    if not values:
        return f"{title}: nothing to draw"
    low, high = _range(values)
    ticks = _ticks(low, high, height, logarithmic)
    margin = max(map(len, ticks.values()))
    columns = max(width - margin - 2, 8)
    last = max(len(line) for line in lines.values())
    canvas = _Canvas(columns, height, (1, max(last, 2)), (low, high))
    for i, (name, line) in enumerate(points.items()):
        canvas.draw(line, MARKERS[(i - 1) % len(MARKERS)] if i else None, COLORS[i % len(COLORS)])
    return "\n".join((
        *_head(title, points, color),
        *_body(canvas, ticks, margin, color),
        " " * margin + " └" + "─" * columns,
        " " * (margin + 2) + _axis(columns, last),
    ))


def _points(line: Line, logarithmic: bool) -> list[tuple[int, float]]:
    kept = []
    for x, y in enumerate(line, 1):
        if isfinite(y) and (y > 0 or not logarithmic):
            kept.append((x, log10(y) if logarithmic else y))
    return kept


def _range(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if low == high:
        margin = abs(low) / 10 or 1.0
        return low - margin, high + margin
    return low, high


def _ticks(low: float, high: float, height: int, logarithmic: bool) -> dict[int, str]:
    """Labels of the vertical axis by row, counted from the top: the ends and what is round."""
    count = max(2, height // 3)
    rows = {round(i * (height - 1) / count) for i in range(count + 1)}
    labels = {}
    step = (high - low) / (height - 1)
    for row in sorted(rows):
        value = high - row * step
        labels[row] = _number(10**value if logarithmic else value, 10**low if logarithmic else step)
    return labels


def _number(value: float, resolution: float) -> str:
    """As many decimals as tell neighbours apart."""
    decimals = min(max(1 - floor(log10(resolution)), 0), 6) if resolution > 0 else 3
    return f"{value:.{decimals}f}"


def _axis(columns: int, last: int) -> str:
    """The first, middle and last number below the horizontal axis."""
    middle = ceil(last / 2)
    left, right = "1", str(last)
    if last < 3 or columns < 20:
        return left + right.rjust(columns - 1) if last > 1 else left
    place = round((middle - 1) / (last - 1) * (columns - 1))
    text = left + str(middle).rjust(place)
    return text + right.rjust(columns - len(text))


def _head(title: str, points: Mapping[str, list], color: bool) -> list[str]:
    entries = []
    for i, name in enumerate(points):
        sign = MARKERS[(i - 1) % len(MARKERS)] if i else "⠒⠒"
        entries.append(f"{_painted(sign, COLORS[i % len(COLORS)], color)} {name}")
    return [*([title] if title else []), "  ".join(entries)]


def _body(canvas: _Canvas, ticks: Mapping[int, str], margin: int, color: bool) -> list[str]:
    lines = []
    for row in range(canvas.height):
        label = ticks.get(row, "").rjust(margin)
        lines.append(f"{label} {'┤' if row in ticks else '│'}{canvas.row(row, color)}".rstrip())
    return lines


def _painted(text: str, code: str, color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if color and code else text


class _Canvas:
    """Character cells over a range of x and y."""

    def __init__(
        self, width: int, height: int, x: tuple[float, float], y: tuple[float, float]
    ):
        self.width, self.height, self._x, self._y = width, height, x, y
        self._dots: dict[tuple[int, int], int] = {}  # column, row -> bits
        self._marks: dict[tuple[int, int], str] = {}
        self._colors: dict[tuple[int, int], str] = {}

    def draw(self, points: list[tuple[int, float]], marker: str | None, color: str) -> None:
        """Points as markers, or joined by a line of dots where `marker` is None."""
        places = [self._place(x, y) for x, y in points]
        if marker is not None:
            for column, row in places:
                self._marks[column // 2, row // 4] = marker
                self._colors[column // 2, row // 4] = color
            return
        for start, end in zip(places, places[1:] or places):
            for column, row in _between(start, end):
                cell = column // 2, row // 4
                self._dots[cell] = self._dots.get(cell, 0) | DOTS[column % 2][row % 4]
                self._colors[cell] = color

    def row(self, row: int, color: bool) -> str:
        """One row of characters."""
        cells = [(column, row) for column in range(self.width)]
        runs = groupby(cells, lambda cell: self._colors.get(cell))
        return "".join(
            _painted("".join(map(self._sign, run)), code or "", color) for code, run in runs
        )

    def _sign(self, cell: tuple[int, int]) -> str:
        dots = self._dots.get(cell)
        return self._marks.get(cell) or (chr(0x2800 + dots) if dots else " ")

    def _place(self, x: float, y: float) -> tuple[int, int]:
        """The dot of a point, counted from the top left."""
        across = (x - self._x[0]) / (self._x[1] - self._x[0])
        up = (y - self._y[0]) / (self._y[1] - self._y[0])
        return round(across * (2 * self.width - 1)), round((1 - up) * (4 * self.height - 1))


def _between(start: tuple[int, int], end: tuple[int, int]) -> list[tuple[int, int]]:
    """The dots of a straight line, both ends among them."""
    steps = max(abs(end[0] - start[0]), abs(end[1] - start[1]), 1)
    return [
        (round(start[0] + (end[0] - start[0]) * i / steps),
         round(start[1] + (end[1] - start[1]) * i / steps))
        for i in range(steps + 1)
    ]
