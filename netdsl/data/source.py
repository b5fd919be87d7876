"""What every data source is: a row whose fields are its arguments, the shared ones among them."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    fraction  that part of the training rows of each class, chosen at random by `seed`; the
              validation rows stay, so that results compare
    take      the first n rows of both parts
    """

    classes: Names = ()
    fraction: Portion = 1.0
    seed: Whole = 0
    take: Count | None = None

    def read(self) -> Dataset:
        """Everything the source has. Raises Refused."""
        raise NotImplementedError

    def types(self) -> dict[str, FieldType] | None:
        """What is known of the fields before reading; None where only the files know."""
        return None

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
        chosen.append(members[: round(len(members) * fraction)])
    return _select(split, np.sort(np.concatenate(chosen)))


def _select(split: Split, index: np.ndarray | slice) -> Split:
    return {name: field.select(index) for name, field in split.items()}
