"""The curves of a training: losses in one chart, the other figures in a second beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from netdsl.views.chart import Line, chart
from netdsl.views.rendering import to_text

if TYPE_CHECKING:
    from netdsl.training.history import History

SIDE_BY_SIDE = 90  # columns from which two charts stand beside each other
LOGARITHMIC_FROM = 10  # largest by smallest value


def curves_text(history: History, width: int = 100, color: bool = False) -> str:
    """Every figure of a history over its epochs, in at most `width` columns."""
    from rich.table import Table
    from rich.text import Text

    charts = [lines for lines in (losses_of(history), metrics_of(history)) if lines]
    titles = ("loss by epoch", "validation by epoch")
    beside = len(charts) > 1 and width >= SIDE_BY_SIDE
    each = (width - 4) // 2 if beside else min(width, 100)
    drawn = [
        chart(lines, title=titled(title, lines), width=each, logarithmic=is_steep(lines),
              color=color)
        for title, lines in zip(titles, charts)
    ]
    if not beside:
        return "\n\n".join(drawn)
    grid = Table.grid(padding=(0, 4, 0, 0))
    grid.add_row(*map(Text.from_ansi, drawn))
    return to_text(grid, width, color)


def losses_of(history: History) -> dict[str, Line]:
    """The minimised losses, in training and in validation."""
    lines: dict[str, Line] = {}
    for name in history.epochs[0].losses if history.epochs else ():
        lines[f"{name} in training"] = [epoch.losses[name] for epoch in history.epochs]
        if name in history.epochs[0].validation:
            lines[f"{name} in validation"] = [epoch.validation[name] for epoch in history.epochs]
    return lines


def metrics_of(history: History) -> dict[str, Line]:
    """What validation measures besides the minimised losses."""
    first = history.epochs[0] if history.epochs else None
    names = [name for name in first.validation if name not in first.losses] if first else []
    return {name: [epoch.validation[name] for epoch in history.epochs] for name in names}


def titled(title: str, lines: Mapping[str, Line]) -> str:
    return f"{title}, logarithmic" if is_steep(lines) else title


def is_steep(lines: Mapping[str, Line]) -> bool:
    """Whether values of several magnitudes would flatten on a linear axis."""
    values = [value for line in lines.values() for value in line]
    return min(values) > 0 and max(values) / min(values) >= LOGARITHMIC_FROM
