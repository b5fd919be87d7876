"""A data set as data: named fields, aligned by rows, for training and for validation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias
from zlib import crc32

import numpy as np

from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import EmptySet, NotFinite, OutOfRange, RowsDiffer
from netdsl.ir.tensor import is_floating

ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class FieldType:
    """What is known of a field before it is read: its dtype and the shape of one row, where None
    is a size that the files decide."""

    dtype: np.dtype
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ", ".join("?" if size is None else str(size) for size in self.shape)
        return f"{self.dtype}[rows, {sizes}]" if sizes else f"{self.dtype}[rows]"


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The rows of one field: `values` [N, …]. As floats they are `values / unit`: with 255 the
    bytes of an image become 0 … 1. When a row is wrong, `origin` is the file to name and `places`
    [N] says which row of it this is (None: the same)."""

    values: np.ndarray
    unit: float = 1.0
    origin: str = "the data"
    places: np.ndarray | None = None

    @property
    def type(self) -> FieldType:
        return FieldType(self.values.dtype, self.values.shape[1:])

    def rows(self, index: np.ndarray | slice, dtype: np.dtype) -> np.ndarray:
        """Some rows as `dtype`, in an array of their own."""
        chosen = self.values[index].astype(dtype)
        if self.unit != 1 and is_floating(dtype):
            chosen /= dtype.type(self.unit)
        return chosen

    def select(self, index: np.ndarray | slice) -> Field:
        """The field with some of its rows: a slice, a mask or row numbers."""
        places = np.arange(len(self.values)) if self.places is None else self.places
        return replace(self, values=self.values[index], places=places[index])

    def place(self, row: int) -> str:
        """Where a row comes from, for messages: file and row."""
        number = row if self.places is None else int(self.places[row])
        return f"{self.origin}, row {number:,}"


Split: TypeAlias = Mapping[str, Field]


@dataclass(frozen=True, eq=False)
class Dataset:
    """`name` is how the data were asked for: `digits()`. `validate` may be empty: no fields.
    `classes` names what the field `label` counts, or the tokens of a text by their numbers; empty
    where there are no classes. `offers` are the fields that the source could make besides, each
    with the argument that asks for it."""

    name: str
    train: Split
    validate: Split
    classes: tuple[str, ...] = ()
    offers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part, split in (("training", self.train), ("validation", self.validate)):
            counts = {name: len(field.values) for name, field in split.items()}
            if len(set(counts.values())) > 1:
                raise Refused(RowsDiffer(tuple(counts.items())))
            if not any(counts.values()) and (counts or part == "training"):
                raise Refused(EmptySet(self.name, part))

    @staticmethod
    def of(
        train: Mapping[str, np.ndarray],
        validate: Mapping[str, np.ndarray] | None = None,
        classes: tuple[str, ...] = (),
    ) -> Dataset:
        """A data set of arrays that are at hand, taken as they are."""
        return Dataset(
            "arrays",
            {name: Field(np.asarray(values)) for name, values in train.items()},
            {name: Field(np.asarray(values)) for name, values in (validate or {}).items()},
            classes,
        )

    @property
    def types(self) -> dict[str, FieldType]:
        return {name: field.type for name, field in self.train.items()}

    def fingerprint(self) -> str:
        """How many rows there are, and a checksum of them: of images in files their paths."""
        sums = [_checksum(split) for split in (self.train, self.validate)]
        return (f"{row_count(self.train):,} rows for training (checksum {sums[0]:08x}), "
                f"{row_count(self.validate):,} for validation ({sums[1]:08x})")

    def facts(self) -> dict[str, np.ndarray]:
        """What `data.NAME` is, float32.

        frequencies   [classes]: which part of the training rows has each label
        """
        if not self.classes or "label" not in self.train:
            return {}
        counts = np.bincount(self.train["label"].values, minlength=len(self.classes))
        return {"frequencies": (counts / counts.sum()).astype(np.float32)}


def _checksum(split: Split) -> int:
    """CRC-32 over names and rows, a piece at a time: arrays may be mapped from a file."""
    total = 0
    for name, field in sorted(split.items()):
        total = crc32(f"{name} {field.values.dtype} {field.values.shape}".encode(), total)
        for start in range(0, len(field.values), ROWS_AT_ONCE):
            piece = field.values[start : start + ROWS_AT_ONCE]
            is_text = piece.dtype.hasobject
            total = crc32("\0".join(map(str, piece)).encode("utf-8", "replace") if is_text
                          else np.ascontiguousarray(piece).tobytes(), total)
    return total


def facts_of(fields: Collection[str]) -> tuple[str, ...]:
    """The names in `data.NAME` that data with these fields can know."""
    return ("frequencies",) if "label" in fields else ()


def row_count(split: Split) -> int:
    return next((len(field.values) for field in split.values()), 0)


def numbered_classes(*splits: Split) -> tuple[str, ...]:
    """The names of the classes that whole numbers in `label` count: "0", "1", … up to the largest
    in any of the splits; none where there is no such field, they are 10,000 and more, or a number
    below 0 marks rows that count for none, which the model's range and `ignore` judge."""
    highest = -1
    for split in filter(None, splits):
        label = split.get("label")
        if label is None or label.values.ndim != 1 or label.values.dtype.kind not in "ui":
            return ()
        if label.values.min(initial=0) < 0:
            return ()
        highest = max(highest, int(label.values.max(initial=0)))
    return tuple(map(str, range(highest + 1))) if highest < 10_000 else ()


def check_finite(split: Split) -> None:
    """Raises Refused with the first number that is NaN or infinite."""
    for name, field in split.items():
        if field.values.dtype.kind != "f" or np.isfinite(field.values).all():
            continue
        row, *place = map(int, np.argwhere(~np.isfinite(field.values))[0])
        value = float(field.values[row, *place])
        raise Refused(NotFinite(field.origin, name, row, tuple(place), value))


def groups(data: Dataset) -> np.ndarray:
    """The class of each training row [N]; 0 for all where there are no classes."""
    if data.classes and "label" in data.train:
        return data.train["label"].values
    return np.zeros(row_count(data.train), np.int64)


def every_fifth_of_each_class(label: np.ndarray) -> np.ndarray:
    """A mask [N] that is True at the 5th, 10th, 15th, … row of each class, in the order of rows."""
    held = np.zeros(len(label), bool)
    for number in np.unique(label):
        held[np.flatnonzero(label == number)[4::5]] = True
    return held


def check_labels(field: Field, low: int, high: int, besides: Collection[int] = ()) -> None:
    """Raises Refused with the first row whose label does not lie in low..high (high excluded) and
    is none of `besides`."""
    outside = (field.values < low) | (field.values >= high)
    outside = np.argwhere(outside & ~np.isin(field.values, [*besides]))
    if len(outside):
        first = tuple(outside[0])
        row = int(first[0] if field.places is None else field.places[first[0]])
        raise Refused(OutOfRange(field.origin, row, int(field.values[first]), low, high))
