"""What every data source is: a row whose fields are its arguments, the shared ones among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from netdsl.data.dataset import (
    Dataset,
    FieldType,
    Split,
    check_labels,
    every_fifth_of_each_class,
    groups,
)
from netdsl.data.draws import shuffled
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import UnknownClass
from netdsl.registry import BelowOne, Count, Names, Portion, Whole, show


@dataclass(frozen=True, kw_only=True)
class Source:
    """Arguments of every source, given by name, applied in this order:

    classes   names or numbers: only their rows, renumbered 0, 1, … in the order given
    hold_out  that part of the training rows of each class, chosen at random by `seed`, becomes the
              validation rows, in place of those that the source has; 0: none
    fraction  that part of the training rows of each class, at least one, chosen at random by
              `seed`; the validation rows stay, so that results compare
    take      the first n rows of both parts, as they stand: of rows sorted by class, as a table
              may hold them, those of the first class; `fraction` takes of each
    """

    classes: Names = ()
    hold_out: BelowOne | None = None
    fraction: Portion = 1.0
    seed: Whole = 0
    take: Count | None = None

    def __post_init__(self) -> None:
        if self.hold_out is not None and getattr(self, "validate", None) is not None:
            raise ValueError("`validate` names the rows for validation and `hold_out` makes them")

    def read(self) -> Dataset:
        """Everything the source has; without validation rows where it has none of its own. Raises
        Refused."""
        raise NotImplementedError

    def held(self, data: Dataset) -> np.ndarray:
        """A mask of the training rows [N] that validate where a source has no rows for that."""
        return every_fifth_of_each_class(groups(data))

    pending: ClassVar[bool] = False  # what it gives is checked, reading it comes later

    def types(self) -> dict[str, FieldType] | None:
        """What is known of the fields before reading; None where only the files know."""
        return None

    def class_names(self) -> tuple[str, ...] | None:
        """The classes that `label` counts, before `classes` chooses; None where only the files
        know."""
        return None

    def facts(self) -> dict[str, tuple[int | None, ...]] | None:
        """What `data.NAME` can be, each with its shape: f32 figures of all training rows. None
        where only the files know.

        frequencies   [classes]: which part of the rows has each label
        """
        types = self.types()
        if types is None or "label" not in types:
            return None if types is None else {}
        return {"frequencies": (len(self.classes or self.class_names() or ()) or None,)}

    def check(self) -> None:
        """Raises Refused for options that cannot be, without reading anything."""
        names = self.class_names()
        if self.classes and names is not None:
            _class_numbers(self.classes, names)

    def load(self) -> Dataset:
        """What was asked for of the source. Raises Refused."""
        data = self.read()
        if data.classes:
            for split in (data.train, data.validate):
                if "label" in split:
                    check_labels(split["label"], 0, len(data.classes))
        if self.classes:
            data = _only(data, _class_numbers(self.classes, data.classes))
        data = self._divided(data)
        if self.fraction < 1:
            kept = _part_of_each(groups(data), self.fraction, self.seed, "fraction")
            data = replace(data, train=_select(data.train, kept))
        if self.take is not None:
            data = replace(data, train=_select(data.train, slice(self.take)),
                           validate=_select(data.validate, slice(self.take)))
        return data

    def _divided(self, data: Dataset) -> Dataset:
        """With its rows for validation."""
        if self.hold_out is None:
            held = np.zeros(0, bool) if data.validate else self.held(data)
        else:
            held = _part_of_each(groups(data), self.hold_out, self.seed, "hold_out", keep=1)
            data = replace(data, validate={})
        if not held.any():
            return data
        return replace(data, train=_select(data.train, ~held),
                       validate=_select(data.train, held))


def _class_numbers(wanted: tuple[str | int, ...], known: tuple[str, ...]) -> list[int]:
    numbers: list[int] = []
    for entry in wanted:
        number = known.index(entry) if entry in known else entry
        if not isinstance(number, int) or not 0 <= number < len(known):
            raise Refused(UnknownClass(show(entry), known))
        if number in numbers:
            raise Refused(UnknownClass(show(entry), known, twice=True))
        numbers.append(number)
    return numbers


def _only(data: Dataset, numbers: list[int]) -> Dataset:
    """The rows of some classes, their labels renumbered in the order of `numbers`."""
    renumbered = np.full(len(data.classes), -1)
    renumbered[numbers] = np.arange(len(numbers))

    def kept(split: Split) -> Split:
        if "label" not in split:
            return split
        labels = renumbered[split["label"].values]
        chosen = _select(split, labels >= 0)
        return {**chosen, "label": replace(chosen["label"], values=labels[labels >= 0])}

    return replace(data, train=kept(data.train), validate=kept(data.validate),
                   classes=tuple(data.classes[number] for number in numbers))


def _part_of_each(
    group: np.ndarray, part: float, seed: int, stream: str, keep: int = 0
) -> np.ndarray:
    """A mask [N] of a part of the rows of each group, at least one unless the part is 0, and all
    but `keep` at most."""
    order = shuffled(len(group), seed, stream)
    chosen = np.zeros(len(group), bool)
    for number in np.unique(group):
        members = order[group[order] == number]
        wanted = max(round(len(members) * part), 1 if part else 0)  # so that no class is lost
        chosen[members[: min(wanted, len(members) - keep)]] = True
    return chosen


def _select(split: Split, index: np.ndarray | slice) -> Split:
    return {name: field.select(index) for name, field in split.items()}
