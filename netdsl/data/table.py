"""Tables as text (CSV, RFC 4180): a row a line, the first line naming the columns."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import numpy as np

from netdsl.data.dataset import Dataset, Field, Split, numbered_classes
from netdsl.data.files import read_text
from netdsl.data.source import Source
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import BadTable, UnknownColumn
from netdsl.registry import Kind, Text, instance, list_of, show

LONGEST = 2**24  # characters of a line
CELLS = 2**20  # that are kept as texts at a time
LABEL = "label"
Texts = Annotated[
    tuple[str, ...], Kind('a list of texts in quotes, as in ["length", "width"]',
                          list_of(instance(str)))
]


@dataclass(frozen=True)
class Csv(Source):
    """A table as text in UTF-8: the first line names the columns, and each column is a field of its
    name, [N]: i64 where all its cells are whole numbers, else f32. A column whose first cell is no
    number holds texts, which are numbered in alphabetical order.

    `label` names the column that is the field `label`: its texts are the classes, or its whole
    numbers count them from 0. The columns of `features` make one field `x` [N, F], f32, in that
    order. `columns` are the other columns to read; without it all are, or none where `features` are
    given. Cells stand between `delimiter`. `validate` is the table of the validation rows; without
    it every fifth row of each class is held out.
    """

    file: Text
    label: Text = LABEL
    features: Texts = ()
    columns: Texts = ()
    delimiter: Text = ","
    validate: Text | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.delimiter) != 1 or self.delimiter in '\r\n" ':
            raise ValueError("`delimiter` is one character")
        if "x" in self.columns and self.features:
            raise ValueError("`features` makes a field `x`, and `columns` has one too")

    def read(self) -> Dataset:
        table = self._table(self.file)
        train, held = self._fields(self.file, table), {}
        if self.validate is not None:
            other = self._table(self.validate)
            for name, column in other.items():
                column.number_as(table[name])
            held = self._fields(self.validate, other)
        label = table.get(self.label)
        named = label is not None and label.names
        classes = named or numbered_classes(train, held)
        return Dataset(self.file, train, held, classes, self._offers(table))

    def _offers(self, table: dict[str, Column]) -> dict[str, str]:
        """`label` as the one column of texts, `x` as the columns of numbers besides."""
        texts = [name for name, column in table.items() if column.names]
        offers = {}
        if self.label not in table and len(texts) == 1:
            offers[LABEL] = f"label = {show(texts[0])}"
        numbers = tuple(name for name in table if name not in (*texts, self.label))
        if numbers and not self.features:
            offers["x"] = f"features = {show(numbers)}"
        return offers

    def _table(self, file: str) -> dict[str, Column]:
        listed = {*self.columns, *self.features}
        if self.label != LABEL:
            listed.add(self.label)
        everything = not self.columns and not self.features
        return read_table(Path(file), listed, everything, self.delimiter)

    def _fields(self, file: str, table: dict[str, Column]) -> Split:
        fields = {
            LABEL if name == self.label else name: Field(column.values, origin=file)
            for name, column in table.items()
            if name == self.label or name not in self.features
        }
        if LABEL in table and self.label != LABEL:
            raise Refused(BadTable(file, 1, f"it has `label` besides {self.label[:80]!a}, which is "
                                            f"to be the label", "`columns` without it"))
        if self.features:
            chosen = [table[name].as_numbers() for name in self.features]
            fields["x"] = Field(np.stack(chosen, axis=1, dtype=np.float32), origin=file)
        return fields


class Column:
    """One column under way: the first cell decides whether it holds numbers or texts."""

    def __init__(self, file: str, name: str):
        self.file, self.name = file, name
        self.names: tuple[str, ...] = ()  # of texts, sorted, once all are read
        self.values = np.zeros(0, np.int64)
        self._codes: dict[str, int] | None = None  # texts by the order they were met in
        self._chunks: list[np.ndarray] = []
        self._lines: list[np.ndarray] = []

    def take(self, cells: list[str], lines: list[int]) -> None:
        """The next cells and their lines. Raises Refused for those of another sort."""
        if "" in cells:
            self._refuse(lines[cells.index("")], "the cell is empty", "a value in every cell")
        if not self._chunks and _numbers(cells[:1]) is None:
            self._codes = {}
        self._lines.append(np.array(lines))
        if self._codes is not None:
            codes = [self._codes.setdefault(cell, len(self._codes)) for cell in cells]
            self._chunks.append(np.array(codes))
            return
        values = _numbers(cells)
        if values is None:
            place = next(i for i, cell in enumerate(cells) if _numbers([cell]) is None)
            self._refuse(lines[place], f"{cells[place][:40]!a} is no number",
                         "a number, as in the first row")
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            place = int(wrong[0])
            self._refuse(lines[place], f"the cell holds {cells[place][:40]}", "a finite number")
        self._chunks.append(values)

    def finish(self) -> None:
        """Whole numbers become int64, others float32, texts their places in alphabetical order."""
        if not self._chunks:
            return
        values = np.concatenate(self._chunks)
        self._chunks.clear()
        if self._codes is None:
            self.values = values if values.dtype.kind == "i" else values.astype(np.float32)
            return
        self.names = tuple(sorted(self._codes))
        rank = {name: place for place, name in enumerate(self.names)}
        self.values = np.array([rank[name] for name in self._codes])[values]

    def number_as(self, other: Column) -> None:
        """Number the texts as those of another table's column of this name. Raises Refused for a
        text that it does not have, and for numbers where it has texts."""
        if bool(self.names) != bool(other.names):
            sort = "texts" if other.names else "numbers"
            self._refuse(2, "the column is of another sort", f"{sort}, as in {other.file}")
        if not self.names:
            return
        known = {name: place for place, name in enumerate(other.names)}
        numbers = np.array([known.get(name, -1) for name in self.names])[self.values]
        if numbers.min() < 0:
            row = int(np.argmin(numbers))
            line = int(np.concatenate(self._lines)[row])
            self._refuse(line, f"{self.names[self.values[row]][:40]!a} does not occur in training",
                         f"what occurs in {other.file}")
        self.values, self.names = numbers, other.names

    def as_numbers(self) -> np.ndarray:
        if self.names:
            self._refuse(int(self._lines[0][0]), "it holds texts", "numbers: it is a feature")
        return self.values

    def _refuse(self, line: int, found: str, expected: str) -> NoReturn:
        raise Refused(BadTable(self.file, line, found, expected, self.name))


def read_table(
    path: Path, listed: Collection[str], everything: bool, delimiter: str
) -> dict[str, Column]:
    """The columns listed, or every one, and `label` if there is one, by name and in their order in
    the file. Raises Refused, naming file, line and column."""
    rows = csv.reader(_lines(path), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        names = [name.strip() for name in next(rows, [])]
        _check_names(path, names, listed)
        columns = {place: Column(str(path), name) for place, name in enumerate(names)
                   if everything or name in listed or name == LABEL}
        for cells, lines in _chunks(path, rows, len(names)):
            for place, column in columns.items():
                column.take([row[place].strip() for row in cells], lines)
    except csv.Error as error:
        raise Refused(BadTable(str(path), rows.line_num, f"it cannot be read ({error})",
                               "cells as RFC 4180 writes them")) from None
    for column in columns.values():
        column.finish()
    return {column.name: column for column in columns.values()}


def _check_names(path: Path, names: list[str], listed: Collection[str]) -> None:
    if not any(names):
        raise Refused(BadTable(str(path), 1, "it is empty", "the names of the columns"))
    for place, name in enumerate(names):
        if name in names[:place]:
            raise Refused(BadTable(str(path), 1, f"two columns are called {name[:80]!a}",
                                   "a name of its own for each column"))
    for name in listed:
        if name not in names:
            raise Refused(UnknownColumn(str(path), name, tuple(names)))


def _chunks(
    path: Path, rows: Iterator[list[str]], width: int
) -> Iterator[tuple[list[list[str]], list[int]]]:
    """Rows of `width` cells with the lines they end in, about CELLS cells at a time."""
    cells: list[list[str]] = []
    lines: list[int] = []
    for row in rows:
        if not row:
            continue
        if len(row) != width:
            raise Refused(BadTable(str(path), rows.line_num, f"it has {_counted(len(row))}",
                                   f"{_counted(width)}, as in the first line"))
        cells.append(row)
        lines.append(rows.line_num)
        if len(cells) * width >= CELLS:
            yield cells, lines
            cells, lines = [], []
    if cells:
        yield cells, lines


def _counted(cells: int) -> str:
    return "1 cell" if cells == 1 else f"{cells:,} cells"


def _lines(path: Path) -> Iterator[str]:
    text, start, number = read_text(path), 0, 1
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        if end - start > LONGEST:
            raise Refused(BadTable(str(path), number, f"it has more than {LONGEST:,} characters",
                                   "a row of a table"))
        yield text[start:end]
        start, number = end, number + 1


def _numbers(cells: list[str]) -> np.ndarray | None:
    """int64 or float64 [N] of cells such as 12, -1.5, 2e-3 or nan; None where one is no number.
    Python would take digits of other scripts and `1_000` too."""
    if not all(map(str.isascii, cells)) or any("_" in cell for cell in cells):
        return None
    for kind, dtype in ((int, np.int64), (float, np.float64)):
        with suppress(ValueError, OverflowError):  # beyond 64 bits it is a float
            return np.array(list(map(kind, cells)), dtype)
    return None
