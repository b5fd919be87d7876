"""The idx format of MNIST (LeCun, Cortes & Burges) and the data sets that come in it.

A file is big-endian: two zero bytes, a type byte (8: unsigned byte), the number of axes, each
axis's size as 4 bytes, then the elements.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from netdsl.data.dataset import Dataset, Field, FieldType, Split
from netdsl.data.files import existing, read_whole
from netdsl.data.source import Source
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import Damaged, RowsDiffer
from netdsl.registry import Text


def read_idx(path: Path, rank: int) -> np.ndarray:
    """The uint8 array of `rank` axes in an idx file, gzipped or not. Raises Refused when the file
    is of another kind or its length is not what its header says."""
    content = read_whole(path)
    start = 4 + 4 * rank
    if len(content) < start:
        raise Refused(Damaged(str(path), f"it ends after {len(content)} bytes",
                              f"an idx header of {start} bytes"))
    magic, *sizes = struct.unpack_from(f">{1 + rank}I", content)
    if magic != 0x0800 + rank:
        raise Refused(Damaged(str(path), f"it begins with the number 0x{magic:08x}",
                              f"0x{0x0800 + rank:08x}, an idx file of bytes with {rank} axes"))
    if not prod(sizes):
        raise Refused(Damaged(str(path), f"it is empty: {tuple(sizes)}", "rows of some size"))
    if prod(sizes) != len(content) - start:
        shape = " x ".join(f"{size:,}" for size in sizes)
        raise Refused(Damaged(str(path), f"{len(content) - start:,} bytes follow its header",
                              f"{prod(sizes):,} for {shape}, as the header says"))
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)


def read_split(folder: Path, prefix: str) -> Split:
    """`image` [N, 1, H, W] and `label` [N] from PREFIX-images-idx3-ubyte and
    PREFIX-labels-idx1-ubyte, each with or without `.gz`. Raises Refused."""
    image_path = existing(folder, f"{prefix}-images-idx3-ubyte")
    label_path = existing(folder, f"{prefix}-labels-idx1-ubyte")
    label, image = read_idx(label_path, 1), read_idx(image_path, 3)
    if len(image) != len(label):
        counts = ((str(image_path), len(image)), (str(label_path), len(label)))
        raise Refused(RowsDiffer(counts))
    return {
        "image": Field(image[:, None], unit=255, origin=str(image_path)),
        "label": Field(label, origin=str(label_path)),
    }


@dataclass(frozen=True)
class Mnist(Source):
    """MNIST's handwritten digits from the folder that holds its four idx files, gzipped or not:
    `image` [N, 1, 28, 28] in 0 … 1 and `label` 0 … 9. The files `train-*` are for training,
    `t10k-*` for validation."""

    folder: Text

    names = tuple("0123456789")

    def types(self) -> dict[str, FieldType]:
        return {"image": FieldType(np.dtype(np.uint8), (1, None, None)),
                "label": FieldType(np.dtype(np.uint8), ())}

    def class_names(self) -> tuple[str, ...]:
        return self.names

    def read(self) -> Dataset:
        folder = Path(self.folder)
        train, validate = read_split(folder, "train"), read_split(folder, "t10k")
        return Dataset(self.folder, train, validate, self.names)


@dataclass(frozen=True)
class FashionMnist(Mnist):
    """Fashion-MNIST (Xiao et al. 2017): 70,000 grey images of clothes, in the files of `mnist`."""

    names = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
             "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
