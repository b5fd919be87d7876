"""Handwritten digits that come with the package; SOURCE.md says where they are from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netdsl.data.dataset import Dataset, Field, FieldType, every_fifth_of_each_class
from netdsl.data.source import Source


@dataclass(frozen=True)
class Digits(Source):
    """The UCI optical digits: 1,797 images of 8×8, `image` [N, 1, 8, 8] in 0 … 1 and `label` 0 … 9.

    The validation rows, which also are the test set, are every fifth image of each class in the
    order of the file: its 5th, 10th, 15th, … (355 images); the rest (1,442) is for training.
    """

    def types(self) -> dict[str, FieldType]:
        return {"image": FieldType(np.dtype(np.uint8), (1, 8, 8)),
                "label": FieldType(np.dtype(np.uint8), ())}

    def class_names(self) -> tuple[str, ...]:
        return tuple("0123456789")

    def read(self) -> Dataset:
        path = Path(__file__).with_name("digits.npz")
        with np.load(path, allow_pickle=False) as arrays:
            image = Field(arrays["image"][:, None], unit=16, origin=path.name)
            label = Field(arrays["label"], origin=path.name)
        held = every_fifth_of_each_class(label.values)
        return Dataset(
            "digits()",
            train={"image": image.select(~held), "label": label.select(~held)},
            validate={"image": image.select(held), "label": label.select(held)},
            classes=self.class_names(),
        )
