"""A data set as data: named fields, aligned by rows, for training and for validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import EmptySet, OutOfRange, RowsDiffer
from netdsl.ir.tensor import is_floating


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


Split: TypeAlias = Mapping[str, Field]


@dataclass(frozen=True, eq=False)
class Dataset:
    """`name` is how the data were asked for: `digits()`. `validate` may be empty: no fields.
    `classes` names what the field `label` counts; empty where there are no classes."""

    name: str
    train: Split
    validate: Split
    classes: tuple[str, ...] = ()

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


def row_count(split: Split) -> int:
    return next((len(field.values) for field in split.values()), 0)


def every_fifth_of_each_class(label: np.ndarray) -> np.ndarray:
    """A mask [N] that is True at the 5th, 10th, 15th, … row of each class, in the order of rows."""
    held = np.zeros(len(label), bool)
    for number in np.unique(label):
        held[np.flatnonzero(label == number)[4::5]] = True
    return held


def check_labels(field: Field, low: int, high: int) -> None:
    """Raises Refused with the first row whose label does not lie in low..high (high excluded)."""
    outside = np.argwhere((field.values < low) | (field.values >= high))
    if len(outside):
        first = tuple(outside[0])
        row = int(first[0] if field.places is None else field.places[first[0]])
        raise Refused(OutOfRange(field.origin, row, int(field.values[first]), low, high))
