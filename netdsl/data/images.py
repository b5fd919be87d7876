"""Images in a folder for each class, decoded when a batch asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netdsl.data import pictures
from netdsl.data.dataset import Dataset, Field, FieldType, Split
from netdsl.data.source import Source
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import CannotRead, NotByClass, UnreadableImage
from netdsl.registry import Flag, Text

VALIDATION = ("val", "valid", "validate", "validation", "test")
EXPECTED = "a folder for each class, with images in it: CLASS/*.jpg"
LARGEST_BATCH = 2**32  # bytes as float32
FLOAT, NUMBER = np.dtype(np.float32), np.dtype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class ImageFiles(Field):
    """The rows of a field as image files: `values` [N] are their paths. Each is decoded when it is
    asked for, and a damaged one is refused then."""

    channels: int = pictures.COLOUR

    @property
    def type(self) -> FieldType:
        return FieldType(FLOAT, (self.channels, None, None))

    def rows(self, index: np.ndarray | slice, dtype: np.dtype) -> np.ndarray | list[np.ndarray]:
        """Some images in 0 … 1: [N, C, H, W] as `dtype` where all are of one size, else a list of N
        float32 arrays [C, H, W]. Raises Refused, naming the file."""
        images, size = [], 0
        for path in self.values[index]:
            image = pictures.decode(Path(path), str(path), self.channels)
            size += image.size * FLOAT.itemsize
            if size > LARGEST_BATCH:
                reason = f"with it the batch has more than {LARGEST_BATCH:,} bytes"
                raise Refused(UnreadableImage(str(path), reason))
            image = image.astype(FLOAT)
            image /= FLOAT.type(255)
            images.append(image)
        if len({image.shape for image in images}) > 1:
            return images
        return np.stack(images).astype(dtype, copy=False)

    def place(self, row: int) -> str:
        return str(self.values[row])


@dataclass(frozen=True)
class Images(Source):
    """Images in a folder for each class: `image` [N, 3, H, W] in 0 … 1 and `label`, which counts
    the folders in alphabetical order. They may differ in size until a feed makes them equal:
    `image -> resize(256) -> center_crop(224)`.

    Rows stand in turn from each class, so that the first ones, which `take` takes, hold all.
    `validate` is such a folder of validation images. Without it, a folder with `train` in it has
    them in `val`, `valid`, `validate`, `validation` or `test`, the first that there is; else every
    fifth image of each class is held out. JPEG, PNG, WebP, GIF, BMP, TIFF and PPM are read, turned
    upright by their EXIF orientation; with `grey` they have one channel.
    """

    folder: Text
    validate: Text | None = None
    grey: Flag = False

    @property
    def channels(self) -> int:
        return pictures.GREY if self.grey else pictures.COLOUR

    def types(self) -> dict[str, FieldType]:
        return {"image": FieldType(FLOAT, (self.channels, None, None)),
                "label": FieldType(NUMBER, ())}

    def read(self) -> Dataset:
        train, validate = Path(self.folder), self.validate and Path(self.validate)
        try:
            if any(entry.is_dir() for entry in _entries(train / "train")):
                found = (train / name for name in VALIDATION)
                validate = validate or next((each for each in found if each.is_dir()), None)
                train = train / "train"
            classes = tuple(sorted(entry.name for entry in _entries(train) if entry.is_dir()))
            if not classes:
                _check_folder(train)
                raise Refused(NotByClass(str(train), "it holds no folders", EXPECTED))
            held = {} if validate is None else self._split(validate, classes)
            return Dataset(self.folder, self._split(train, classes), held, classes)
        except OSError as error:
            reason = error.strerror or str(error)
            raise Refused(CannotRead(str(error.filename or train), reason)) from None

    def _split(self, folder: Path, classes: tuple[str, ...]) -> Split:
        _check_folder(folder)
        unknown = [entry.name for entry in _entries(folder)
                   if entry.is_dir() and entry.name not in classes]
        if unknown:
            raise Refused(NotByClass(str(folder / unknown[0]), "training has no such class",
                                     ", ".join(classes[:20])))
        rows: list[tuple[int, int, str]] = []  # place in the class, class, path
        for number, name in enumerate(classes):
            files = [str(entry) for entry in _entries(folder / name)
                     if entry.suffix.lower() in pictures.SUFFIXES]
            if not (folder / name).is_dir():
                found = f"it holds no folder `{name}`, a class of the images for training"
                raise Refused(NotByClass(str(folder), found, EXPECTED))
            if not files:
                raise Refused(NotByClass(str(folder / name), "it holds no images", EXPECTED))
            rows += [(place, number, file) for place, file in enumerate(files)]
        _, labels, paths = zip(*sorted(rows))
        return {"image": ImageFiles(np.array(paths, object), origin=str(folder),
                                    channels=self.channels),
                "label": Field(np.array(labels, NUMBER), origin=str(folder))}


def _check_folder(path: Path) -> None:
    """Raises Refused where no folder is."""
    if not path.is_dir():
        reason = "it is no folder" if path.exists() else "there is no such folder"
        raise Refused(CannotRead(str(path), reason))


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, sorted and without hidden entries; nothing where there is none."""
    if not folder.is_dir():
        return []
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
