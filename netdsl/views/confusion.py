"""The confusion matrix of a classifier: true classes down, predicted classes across."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from netdsl.views.rendering import plain_table, printable, to_text

if TYPE_CHECKING:
    from rich.table import Table

CORNER = "true \\ predicted"
LISTED = 10  # confusions, where the matrix is too wide
NAME_COLUMNS = 24  # of a class name, longer ones are cut


def confusion_text(
    counts: np.ndarray, classes: Sequence[str] = (), width: int = 100, color: bool = False
) -> str:
    """`counts` [C, C] by true class (rows) and predicted class (columns); `classes` names them.

    Hits are bold and misses red; no miss at all is a dot. The last column is the share of each
    class that was found. A matrix wider than `width` becomes the list of its largest misses.
    """
    names = class_names(classes, len(counts))
    if matrix_width(counts, names) <= width:
        return to_text(matrix(counts, names), width, color)
    return to_text(largest_misses(counts, names), width, color)


def class_names(classes: Sequence[str], count: int) -> list[str]:
    """A name for every class: its number, and what it is called where that is something else."""
    names = []
    for number in range(count):
        called = printable(classes[number]) if number < len(classes) else str(number)
        names.append(called if called == str(number) else f"{number} {called}"[:NAME_COLUMNS])
    return names


def matrix_width(counts: np.ndarray, names: Sequence[str]) -> int:
    """Columns that the matrix takes, three of them between two cells."""
    cell = max(len(str(counts.max(initial=0))), len(str(len(counts) - 1)))
    return max(map(len, (CORNER, *names))) + (len(counts) * (cell + 3)) + len("   100.0%") + 2


def matrix(counts: np.ndarray, names: Sequence[str]) -> Table:
    from rich.text import Text

    table = plain_table()
    table.add_column(CORNER, no_wrap=True)
    for number in range(len(counts)):
        table.add_column(str(number), justify="right", no_wrap=True)
    table.add_column("found", justify="right", no_wrap=True)
    for number, (name, row) in enumerate(zip(names, counts)):
        cells = [cell(int(count), number == place) for place, count in enumerate(row)]
        total = int(row.sum())
        found = f"{row[number] / total:.1%}" if total else ""
        table.add_row(Text(name), *(Text(text, style) for text, style in cells), found)
    return table


def cell(count: int, is_hit: bool) -> tuple[str, str]:
    """The text of a count and its style."""
    if is_hit:
        return str(count), "bold green"
    return (str(count), "red") if count else ("·", "dim")


def largest_misses(counts: np.ndarray, names: Sequence[str]) -> Table:
    from rich.text import Text

    table = plain_table()
    for name in ("true", "predicted"):
        table.add_column(name, no_wrap=True)
    table.add_column("rows", justify="right")
    for true, predicted, count in misses(counts, LISTED):
        table.add_row(Text(names[true]), Text(names[predicted]), f"{count:,}")
    return table


def misses(counts: np.ndarray, most: int) -> Iterator[tuple[int, int, int]]:
    """True class, predicted class and count of the largest misses."""
    wrong = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    for place in np.argsort(-wrong, axis=None, kind="stable")[:most]:
        true, predicted = divmod(int(place), len(counts))
        if wrong[true, predicted]:
            yield true, predicted, int(wrong[true, predicted])
