"""Pairs of rows, of one class or of two: what networks learn from that compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from netdsl.data.dataset import Dataset, Field, FieldType, Split
from netdsl.data.draws import raw_bits, shuffled
from netdsl.data.source import Source
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import NoPairs
from netdsl.registry import Kind, Table, row_of

LABEL = "label"


def _sources() -> Table:
    from netdsl.data.sources import SOURCES  # which has the row of this file too

    return SOURCES


Inner = Annotated[Source, Kind("a data source such as `digits()`", row_of(_sources))]


@dataclass(frozen=True)
class Pairs(Source):
    """Pairs of rows of a labelled source: `first` and `second` as its `image` (or its only field
    besides `label`), and `same` [N], bool: whether both are of one class.

    Every row is once the first of a pair. For half of them, chosen at random by `seed`, the second
    is another row of its class, for the others a row of another class. The pairs of a run stay the
    same from epoch to epoch. `classes` and `hold_out` belong to the source within:
    `pairs(digits(classes = [3, 8]))`.
    """

    of: Inner

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes or self.hold_out is not None:
            raise ValueError("`classes` and `hold_out` belong to the source within: a row is in "
                             "several pairs")

    def types(self) -> dict[str, FieldType] | None:
        inner = self.of.types()
        if inner is None or "image" not in inner:
            return None
        return {"first": inner["image"], "second": inner["image"],
                "same": FieldType(np.dtype(np.bool_), ())}

    def facts(self) -> dict[str, tuple[int | None, ...]]:
        return {}

    def check(self) -> None:
        super().check()
        self.of.check()

    def read(self) -> Dataset:
        inner = self.of.load()
        return Dataset(inner.name, self._paired(inner.train, inner.name, "training"),
                       self._paired(inner.validate, inner.name, "validating"))

    def _paired(self, split: Split, name: str, part: str) -> Split:
        if not split:
            return {}
        rows = _compared(split, name)
        label = split[LABEL].values
        if len(np.unique(label)) < 2:
            raise Refused(NoPairs(name, "all of its rows are of one class"))
        same, second = partners(label, self.seed, f"pairs.{part}")
        return {"first": rows, "second": rows.select(second), "same": Field(same)}


def _compared(split: Split, name: str) -> Field:
    """The field whose rows are paired. Raises Refused."""
    others = [field for field in split if field != LABEL]
    if LABEL not in split or split[LABEL].values.ndim != 1:
        raise Refused(NoPairs(name, "it has no field `label`"))
    chosen = "image" if "image" in others or len(others) != 1 else others[0]
    if chosen not in split:
        raise Refused(NoPairs(name, "it has no field `image`"))
    return split[chosen]


def partners(label: np.ndarray, seed: int, stream: str) -> tuple[np.ndarray, np.ndarray]:
    """For each row of labels [N] whether its partner is of its class, bool [N], and the partner's
    row [N]. Half are (rows alone in their class have a partner of another)."""
    count = len(label)
    by_class = np.argsort(label, kind="stable")
    _, begins, sizes = np.unique(label[by_class], return_index=True, return_counts=True)
    group = np.repeat(np.arange(len(sizes)), sizes)
    begin, size, at = begins[group], sizes[group], np.arange(count)
    same = np.zeros(count, bool)
    same[shuffled(count, seed, f"{stream}.same")[: count // 2]] = True
    same &= size > 1
    drawn = raw_bits(seed, stream, 0, 0, count)
    # of a class of n: 1 … n - 1 places on, round the class; else 0 … N - n - 1 places behind it
    within = begin + (at - begin + 1 + drawn % np.maximum(size - 1, 1).astype(np.uint64)) % size
    beyond = (begin + size + drawn % (count - size).astype(np.uint64)) % count
    place = np.where(same, within, beyond).astype(np.int64)
    back = np.empty(count, np.int64)
    back[by_class] = at
    return same[back], by_class[place[back]]
