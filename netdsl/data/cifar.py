"""CIFAR-10 (Krizhevsky 2009) in each of its forms: the official pickles, the official records, and
images by class; in a folder or in an archive."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import numpy as np

from netdsl.data import pictures
from netdsl.data.archives import is_archive, members
from netdsl.data.cache import cached, state_of
from netdsl.data.dataset import Dataset, Field, FieldType, Split
from netdsl.data.files import LARGEST, ordinary
from netdsl.data.plainpickle import NotPlain, read_plain
from netdsl.data.source import Source
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import (
    CannotRead,
    Damaged,
    NotByClass,
    NotPlainPickle,
    OutOfRange,
    RowsDiffer,
    TooLarge,
    UnreadableImage,
)
from netdsl.registry import Text

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
           "truck")
SIDE = 32
PIXELS = 3 * SIDE * SIDE
RECORD = 2 + PIXELS  # part, label, red, green, blue: a row of what is kept
PARTS = ("train", "test")
PATTERNS = ("data_batch_*", "test_batch*", "*/data_batch_*", "*/test_batch*",
            "train/*/*", "test/*/*")
EXPECTED = "data_batch_1 … test_batch (.bin or not), or train/CLASS/*.png and test/CLASS/*.png"
Rows: TypeAlias = dict[tuple, bytes]  # records by what they are sorted by


@dataclass(frozen=True)
class Cifar10(Source):
    """CIFAR-10 (Krizhevsky 2009): 60,000 colour images of 32 × 32 pixels, `image` [N, 3, 32, 32]
    in 0 … 1 and `label` 0 … 9; 50,000 are for training, 10,000 for validation.

    `path` is a folder or an archive (.tar, .tar.gz, .tar.xz, .tar.bz2, .zip) with the files of the
    Python version, of the binary version, or with images as `train/CLASS/*.png` and
    `test/CLASS/*.png`. Pickles are read without running anything. What is decoded is kept in the
    user's cache folder, so that the next run begins at once.
    """

    path: Text

    def types(self) -> dict[str, FieldType]:
        return {"image": FieldType(np.dtype(np.uint8), (3, SIDE, SIDE)),
                "label": FieldType(np.dtype(np.uint8), ())}

    def class_names(self) -> tuple[str, ...]:
        return CLASSES

    def read(self) -> Dataset:
        try:
            path = _chosen(Path(self.path))
            files = [path] if is_archive(path) else [
                file for pattern in PATTERNS for file in sorted(path.glob(pattern))]
            state = state_of(*files)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Refused(CannotRead(str(error.filename or self.path), reason)) from None
        rows = cached("cifar10", path, state, _sound, lambda: read_rows(path))
        count = int(np.searchsorted(rows[:, 0], 1))
        return Dataset(self.path, _split(rows[:count], path), _split(rows[count:], path), CLASSES)


def _chosen(path: Path) -> Path:
    """The archive or folder meant: of a folder with nothing but an archive in it, that."""
    if not path.is_dir():
        return ordinary(path)
    if not any(any(path.glob(pattern)) for pattern in PATTERNS):
        archives = sorted(entry for entry in path.iterdir() if is_archive(entry))
        if len(archives) == 1:
            return archives[0]
    return path


def _split(rows: np.ndarray, path: Path) -> Split:
    image = rows[:, 2:].reshape(-1, 3, SIDE, SIDE)
    return {"image": Field(image, unit=255, origin=str(path)),
            "label": Field(rows[:, 1].copy(), origin=str(path))}


def _sound(rows: np.ndarray) -> bool:
    """Whether kept rows can be what was kept."""
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != RECORD:
        return False
    part, label = rows[:, 0], rows[:, 1]
    return bool((np.diff(part.astype(int)) >= 0).all() and set(np.unique(part)) == {0, 1}
                and label.max() < len(CLASSES))


def read_rows(path: Path) -> np.ndarray:
    """uint8 [rows, RECORD], those for training first. Raises Refused."""
    rows: Rows = {}
    taken = None
    for name, content in members(path, PATTERNS, lambda name: _reader(name) is not None):
        place, reader = PurePosixPath(name), _reader(name)
        form = (reader, place.parts[: -3 if reader is _from_image else -1])
        taken = taken or form
        if form == taken:  # the same set in a second form is left aside
            reader(rows, path / name, place, content)
            if len(rows) * RECORD > LARGEST:
                raise Refused(TooLarge(str(path), LARGEST))
    _check_parts(path, rows)
    table = np.empty((len(rows), RECORD), np.uint8)
    for i, key in enumerate(sorted(rows)):
        table[i] = np.frombuffer(rows.pop(key), np.uint8)
    return table


def _check_parts(path: Path, rows: Rows) -> None:
    found = {(key[0], record[1]) for key, record in rows.items()}
    if not found:
        raise Refused(NotByClass(str(path), "it holds nothing of CIFAR-10", EXPECTED))
    for part, name in enumerate(PARTS):
        missing = [CLASSES[i] for i in range(len(CLASSES)) if (part, i) not in found]
        if missing:
            what = "anything" if len(missing) == len(CLASSES) else missing[0]
            raise Refused(NotByClass(str(path), f"no image of {what} is in its {name} part",
                                     EXPECTED))


# ------------------------------------------------------------------ its forms

Reader: TypeAlias = Callable[[Rows, Path, PurePosixPath, bytes], None]


def _reader(name: str) -> Reader | None:
    """What reads a file of this name; None for the others that lie beside them."""
    place = PurePosixPath(name)
    suffix = place.suffix.lower()
    if suffix in pictures.SUFFIXES and not place.name.startswith("._"):  # what macOS leaves
        return _from_image if len(place.parts) > 2 and place.parts[-3] in PARTS else None
    if re.fullmatch(r"data_batch_\d+|test_batch", place.stem):
        return {"": _from_pickle, ".bin": _from_records}.get(suffix)
    return None


def _from_image(rows: Rows, file: Path, place: PurePosixPath, content: bytes) -> None:
    part, label = PARTS.index(place.parts[-3]), place.parts[-2]
    if label not in CLASSES:
        raise Refused(NotByClass(str(file), f"`{label}` is no class of CIFAR-10",
                                 ", ".join(CLASSES)))
    pixels = pictures.decode(content, str(file))
    if pixels.shape != (3, SIDE, SIDE):
        size = f"it has {pixels.shape[2]} x {pixels.shape[1]} pixels, not {SIDE} x {SIDE}"
        raise Refused(UnreadableImage(str(file), size))
    number = CLASSES.index(label)
    # in turn from each class, so that the first rows, which `take` takes, hold all of them
    rows[part, place.name, number, str(place)] = bytes((part, number)) + pixels.tobytes()


def _from_records(rows: Rows, file: Path, place: PurePosixPath, content: bytes) -> None:
    """The binary version: a byte for the label, then the red, green and blue bytes of an image."""
    if not content or len(content) % (1 + PIXELS):
        raise Refused(Damaged(str(file), f"it has {len(content):,} bytes",
                              f"a multiple of {1 + PIXELS:,}: a label and an image in each row"))
    table = np.frombuffer(content, np.uint8).reshape(-1, 1 + PIXELS)
    _add(rows, file, place, table[:, 0], table[:, 1:])


def _from_pickle(rows: Rows, file: Path, place: PurePosixPath, content: bytes) -> None:
    """The Python version: a dict with `data`, uint8 [N, 3072], and `labels`, N numbers."""
    try:
        held = read_plain(content)
    except NotPlain as error:
        raise Refused(NotPlainPickle(str(file), str(error))) from None
    held = held if isinstance(held, dict) else {}
    data, labels = (held.get(key, held.get(key.encode())) for key in ("data", "labels"))
    if not (isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.ndim == 2
            and data.shape[1] == PIXELS and isinstance(labels, list)
            and all(isinstance(label, int) for label in labels)):
        raise Refused(Damaged(str(file), "it is a pickle of something else",
                              f"a dict with `data`, uint8 [N, {PIXELS}], and `labels`, a list"))
    if len(data) != len(labels):
        raise Refused(RowsDiffer((("data", len(data)), ("labels", len(labels)))))
    _add(rows, file, place, labels, data)


def _add(rows: Rows, file: Path, place: PurePosixPath, labels: Sequence[int],
         images: np.ndarray) -> None:
    part = int(place.stem == "test_batch")
    for i, (label, image) in enumerate(zip(labels, images)):
        if not 0 <= label < len(CLASSES):
            raise Refused(OutOfRange(str(file), i, int(label), 0, len(CLASSES)))
        rows[part, str(place), i] = bytes((part, label)) + image.tobytes()
