"""A text as numbers, character by character."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netdsl.data.dataset import Dataset, Field, FieldType, row_count
from netdsl.data.files import read_text
from netdsl.data.source import Source
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import Damaged
from netdsl.registry import Count, Text

CODE_POINTS = 0x110000
CHUNK = 2**22  # characters that are numbered at a time
NUMBER = np.dtype(np.int32)


@dataclass(frozen=True)
class Characters(Source):
    """A text in UTF-8 as characters by number: `tok` [N, length], windows that follow one another
    and do not overlap; what remains at the end is left out.

    The classes of the data set are the characters that occur, sorted by code point, so that 0 is
    the first of them. The last tenth of the windows is for validation.
    """

    file: Text
    length: Count = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classes:
            raise ValueError("a text has no rows of one class: `classes` cannot choose any")

    def types(self) -> dict[str, FieldType]:
        return {"tok": FieldType(NUMBER, (self.length,))}

    def read(self) -> Dataset:
        text = read_text(Path(self.file))
        count = len(text) // self.length
        if not count:
            raise Refused(Damaged(self.file, f"it has {len(text):,} characters",
                                  f"at least {self.length:,}, a window of `length`"))
        vocabulary, numbers = numbered(text[: count * self.length], text)
        windows = Field(numbers.reshape(count, self.length), origin=self.file)
        return Dataset(self.file, {"tok": windows}, {}, vocabulary)

    def held(self, data: Dataset) -> np.ndarray:
        count = row_count(data.train)
        return np.arange(count) >= count - count // 10


def numbered(text: str, whole: str) -> tuple[tuple[str, ...], np.ndarray]:
    """The characters of `whole`, sorted, and for each of `text` which of them it is, int32."""
    occurs = np.zeros(CODE_POINTS, bool)
    for points in _code_points(whole):
        occurs[points] = True
    known = np.flatnonzero(occurs)
    number = np.zeros(CODE_POINTS, NUMBER)
    number[known] = np.arange(len(known))
    numbers = np.concatenate([number[points] for points in _code_points(text)])
    return tuple(map(chr, known.tolist())), numbers


def _code_points(text: str):
    for start in range(0, len(text), CHUNK):
        yield np.frombuffer(text[start : start + CHUNK].encode("utf-32-le"), "<u4")
