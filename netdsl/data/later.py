"""Sources whose fields are known and checked, and whose reading comes with a later version: a train
program may name them, and `netdsl train` says that it cannot read them yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from netdsl.data.dataset import Dataset, FieldType
from netdsl.data.source import Source
from netdsl.diagnostics import Refused
from netdsl.diagnostics.program import NotYetTrained
from netdsl.registry import Count, Kind, Table, Text, row_of

BYTE, NUMBER, TRUTH = np.dtype(np.uint8), np.dtype(np.int64), np.dtype(np.bool_)


@dataclass(frozen=True)
class Later(Source):
    """Base of these rows."""

    pending: ClassVar[bool] = True

    def read(self) -> Dataset:
        name = LATER.name_of(type(self))
        raise Refused(NotYetTrained(None, f"the data source `{name}`"))


@dataclass(frozen=True)
class Images(Later):
    """Images in a folder for each class: `image` [N, 3, H, W] in 0 … 1 and `label`, which counts
    the folders in alphabetical order. `validate` is such a folder of validation images."""

    folder: Text
    validate: Text | None = None

    def types(self) -> dict[str, FieldType]:
        return {"image": FieldType(BYTE, (3, None, None)), "label": FieldType(NUMBER, ())}


@dataclass(frozen=True)
class Cifar10(Later):
    """CIFAR-10 (Krizhevsky 2009): 60,000 colour images of 32 × 32 pixels, `image` [N, 3, 32, 32]
    in 0 … 1 and `label` 0 … 9."""

    folder: Text

    def types(self) -> dict[str, FieldType]:
        return {"image": FieldType(BYTE, (3, 32, 32)), "label": FieldType(NUMBER, ())}

    def class_names(self) -> tuple[str, ...]:
        return ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
                "truck")


@dataclass(frozen=True)
class Csv(Later):
    """A table as text, a row a line: each column is a field of the name in its first line."""

    file: Text


@dataclass(frozen=True)
class Tokens(Later):
    """A text cut into pieces of equal length, as character or token numbers: `tok` [N, length]."""

    file: Text
    length: Count | None = None

    def types(self) -> dict[str, FieldType]:
        return {"tok": FieldType(NUMBER, (self.length,))}


@dataclass(frozen=True)
class TextStream(Later):
    """A text read by the rows of a batch side by side, each going on where it stopped in the batch
    before: `text` [N, length], which overlap by one character."""

    file: Text
    length: Count

    def types(self) -> dict[str, FieldType]:
        return {"text": FieldType(NUMBER, (self.length,))}


@dataclass(frozen=True)
class ParallelText(Later):
    """Sentences and their translations, a pair a line of two files: `src` [N, S] and `tgt` [N, T]
    as token numbers of the vocabulary, padded with 0 to the longest of the batch."""

    source: Text
    target: Text
    vocab: Text | None = None

    def types(self) -> dict[str, FieldType]:
        return {"src": FieldType(NUMBER, (None,)), "tgt": FieldType(NUMBER, (None,))}


@dataclass(frozen=True)
class Skipgrams(Later):
    """Pairs of words that stand at most `window` apart in a text (Mikolov et al. 2013): `centre`
    and `context` [N] as word numbers; `data.frequencies` tells how often each word occurs."""

    file: Text
    window: Count = 5

    def types(self) -> dict[str, FieldType]:
        return {"centre": FieldType(NUMBER, ()), "context": FieldType(NUMBER, ())}

    def facts(self) -> dict[str, tuple[int | None, ...]]:
        return {"frequencies": (None,)}


def _sources() -> Table:
    from netdsl.data.sources import SOURCES  # which has the rows of this file too

    return SOURCES


Inner = Annotated[Source, Kind("a data source such as `digits()`", row_of(_sources))]


@dataclass(frozen=True)
class Pairs(Later):
    """Pairs of rows of a labelled source: `first` and `second` as its `image`, and whether both
    are of one class, `same` [N]. Half of the pairs are."""

    of: Inner

    def types(self) -> dict[str, FieldType] | None:
        inner = self.of.types()
        if inner is None or "image" not in inner:
            return None
        return {"first": inner["image"], "second": inner["image"], "same": FieldType(TRUTH, ())}


LATER = Table("data source", {
    "images": Images,
    "imagefolder": Images,
    "cifar10": Cifar10,
    "csv": Csv,
    "text": Tokens,
    "text_stream": TextStream,
    "parallel_text": ParallelText,
    "skipgrams": Skipgrams,
    "pairs": Pairs,
})
