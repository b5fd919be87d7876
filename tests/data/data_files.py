"""Small data files for tests, sound and damaged."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image


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


# ------------------------------------------------------------------ images by class

CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def picture(number: int, side: int = 32, mode: str = "RGB") -> Image.Image:
    """An image of its own for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (side, side, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def save(image: Image.Image, path: Path, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)
    return path


def write_classes(folder: Path, classes: tuple[str, ...] = CIFAR, each: int = 2,
                  parts: tuple[str, ...] = ("train", "test"), side: int = 32) -> None:
    """PART/CLASS/0.png …, each image another."""
    for number, (part, name, i) in enumerate(product(parts, classes, range(each))):
        save(picture(number, side), folder / part / name / f"{i}.png")


def tar(path: Path, members: Iterable[tuple[str, bytes | tarfile.TarInfo]]) -> Path:
    """An archive of members with these contents, or with these headers and nothing in them."""
    with tarfile.open(path, "w:" + {".tar": ""}.get(path.suffix, path.suffix[1:])) as archive:
        for name, content in members:
            entry = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if isinstance(content, bytes):
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content) if isinstance(content, bytes) else None)
    return path


def files_of(folder: Path) -> list[tuple[str, bytes]]:
    return [(file.relative_to(folder).as_posix(), file.read_bytes())
            for file in sorted(folder.rglob("*")) if file.is_file()]
