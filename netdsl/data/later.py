"""Sources whose fields are known and checked, and whose reading comes with a later version: a train
program may name them, and `netdsl train` says that it cannot read them yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from netdsl.data.dataset import Dataset, FieldType
from netdsl.data.source import Source
from netdsl.diagnostics import Refused
from netdsl.diagnostics.program import NotYetTrained
from netdsl.registry import Count, Table, Text

NUMBER = np.dtype(np.int64)


@dataclass(frozen=True)
class Later(Source):
    """Base of these rows."""

    pending: ClassVar[bool] = True

    def read(self) -> Dataset:
        name = LATER.name_of(type(self))
        raise Refused(NotYetTrained(None, f"the data source `{name}`"))


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


LATER = Table("data source", {
    "text_stream": TextStream,
    "parallel_text": ParallelText,
    "skipgrams": Skipgrams,
})
