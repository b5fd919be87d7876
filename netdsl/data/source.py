"""What every data source is: a row whose fields are its arguments, the shared ones among them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from netdsl.data.dataset import Dataset, FieldType, Split, check_labels, row_count
from netdsl.data.draws import shuffled
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import UnknownClass
from netdsl.registry import Count, Names, Portion, Whole, show


@dataclass(frozen=True, kw_only=True)
class Source:
    """Arguments of every source, given by name, applied in this order:

    classes   names or numbers: only their rows, renumbered 0, 1, … in the order given
    fraction  that part of the training rows of each class, at least one, chosen at random by
              `seed`; the validation rows stay, so that results compare
    take      the first n rows of both parts
    """

    classes: Names = ()
    fraction: Portion = 1.0
    seed: Whole = 0
    take: Count | None = None

    def read(self) -> Dataset:
        """Everything the source has. Raises Refused."""
        raise NotImplementedError

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
        if self.fraction < 1:
            data = replace(data, train=_thinned(data, self.fraction, self.seed))
        if self.take is not None:
            data = replace(data, train=_select(data.train, slice(self.take)),
                           validate=_select(data.validate, slice(self.take)))
        return data


def _class_numbers(wanted: tuple[str | int, ...], known: tuple[str, ...]) -> list[int]:
    numbers: list[int] = []
    for entry in wanted:
        number = known.index(entry) if entry in known else entry
        if not isinstance(number, int) or not 0 <= number < len(known) or number in numbers:
            raise Refused(UnknownClass(show(entry), known))
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


def _thinned(data: Dataset, fraction: float, seed: int) -> Split:
    """A part of the training rows of each class (of all, where there are no classes), in order."""
    split, count = data.train, row_count(data.train)
    group = split["label"].values if data.classes else np.zeros(count, np.int64)
    order = shuffled(count, seed, "fraction")
    chosen = []
    for number in np.unique(group):
        members = order[group[order] == number]
        least = 1 if fraction else 0  # so that no class is lost
        chosen.append(members[: max(round(len(members) * fraction), least)])
    return _select(split, np.sort(np.concatenate(chosen)))


def _select(split: Split, index: np.ndarray | slice) -> Split:
    return {name: field.select(index) for name, field in split.items()}
