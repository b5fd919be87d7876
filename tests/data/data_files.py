"""Small data files for tests, sound and damaged."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np


def idx(array: np.ndarray, magic: int | None = None, sizes: tuple[int, ...] | None = None) -> bytes:
    """The bytes of an idx file; `magic` and `sizes` replace what its header should say."""
    magic = 0x0800 + array.ndim if magic is None else magic
    header = struct.pack(f">{1 + array.ndim}I", magic, *(sizes or array.shape))
    return header + array.astype(np.uint8).tobytes()


def images(count: int, side: int = 4) -> np.ndarray:
    return np.arange(count * side * side).reshape(count, side, side) % 256


def labels(count: int, classes: int = 10) -> np.ndarray:
    return np.arange(count) % classes


def write_mnist(folder: Path, train: int = 40, held: int = 20, packed: bool = False) -> None:
    """The four files of a data set in MNIST's form."""
    for prefix, count in (("train", train), ("t10k", held)):
        write(folder / f"{prefix}-images-idx3-ubyte", idx(images(count)), packed)
        write(folder / f"{prefix}-labels-idx1-ubyte", idx(labels(count)), packed)


def write(path: Path, content: bytes, packed: bool = False) -> None:
    if packed:
        path = path.with_name(path.name + ".gz")
        content = gzip.compress(content, 1)
    path.write_bytes(content)
