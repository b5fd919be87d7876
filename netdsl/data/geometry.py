"""Transforms that move pixels: windows, mirrors, sizes, turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from netdsl.data.resampling import rectangles, resample, rotate
from netdsl.data.transform import (
    Border,
    ImageTransform,
    Parts,
    Ratios,
    RowShape,
    Size,
    around,
    between,
    check_fits,
    chosen,
    image_shape,
    interval,
    sides_of,
)
from netdsl.registry import Kind, Portion, real

Turn = Annotated[
    tuple[float, float],
    Kind("a number from 0 to 360, or two from -360 to 360, the lower one first",
         around(0, -360, 360)),
]
Factors = Annotated[
    tuple[float, float],
    Kind("two numbers from 0.1 to 10, the lower one first", interval(real(0.1, 10))),
]


# ------------------------------------------------------------------ windows and mirrors


@dataclass(frozen=True)
class RandomCrop(ImageTransform):
    """A window at a random place of each image, after `pad` black pixels were added on every side:
    of `size`, or as large as the image was, which shifts it by up to `pad` pixels. `size` is one
    number or `[height, width]`."""

    draws_each: ClassVar[int] = 2
    pad: Border | None = None
    size: Size | None = None

    def __post_init__(self) -> None:
        if self.pad is None and self.size is None:
            raise ValueError("it needs a `pad`, a `size` or both, as in `random_crop(pad = 4)`")

    def shape(self, row: RowShape) -> RowShape:
        channels, *sides = image_shape(row)
        if self.size is None:
            return row
        added = 2 * (self.pad or 0)
        padded = tuple(None if side is None else side + added for side in sides)
        check_fits("a crop", sides_of(self.size), padded)
        return (channels, *sides_of(self.size))

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        count, channels, rows, columns = batch.shape
        height, width = (rows, columns) if self.size is None else sides_of(self.size)
        pad = self.pad or 0
        padded = np.zeros((count, channels, rows + 2 * pad, columns + 2 * pad), batch.dtype)
        padded[:, :, pad : pad + rows, pad : pad + columns] = batch
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))
        top, left = (numbers.astype(np.float64) * windows.shape[2:4]).astype(np.int64).T
        return windows[np.arange(count), :, top, left]


@dataclass(frozen=True)
class CenterCrop(ImageTransform):
    """The window in the middle of each image: `size` is one number or `[height, width]`."""

    size: Size

    def shape(self, row: RowShape) -> RowShape:
        channels, *sides = image_shape(row)
        check_fits("a crop", sides_of(self.size), tuple(sides))
        return (channels, *sides_of(self.size))

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        height, width = sides_of(self.size)
        top, left = (batch.shape[2] - height) // 2, (batch.shape[3] - width) // 2
        return batch[:, :, top : top + height, left : left + width]


@dataclass(frozen=True)
class RandomFlip(ImageTransform):
    """Each image mirrored left to right with probability `p`."""

    draws_each: ClassVar[int] = 1
    p: Portion = 0.5

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        mirrored = chosen(numbers[:, 0], self.p)
        batch[mirrored] = batch[mirrored, :, :, ::-1]
        return batch


@dataclass(frozen=True)
class RandomVerticalFlip(ImageTransform):
    """Each image turned upside down, as in a mirror below it, with probability `p`."""

    draws_each: ClassVar[int] = 1
    p: Portion = 0.5

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        mirrored = chosen(numbers[:, 0], self.p)
        batch[mirrored] = batch[mirrored, :, ::-1]
        return batch


# ------------------------------------------------------------------ sizes and turns


@dataclass(frozen=True)
class Resize(ImageTransform):
    """Each image scaled so that its shorter side is `size` pixels and its form stays; with two
    numbers, `resize([height, width])`, exactly to these. Linear, and antialiased where it gets
    smaller."""

    size: Size

    def shape(self, row: RowShape) -> RowShape:
        channels, height, width = image_shape(row)
        if isinstance(self.size, tuple):
            return (channels, *self.size)
        if height is None or width is None:
            return (channels, None, None)
        short = min(height, width)
        return (channels, height * self.size // short, width * self.size // short)

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        _, *size = self.shape(batch.shape[1:])
        height, width = (np.full(1, float(side)) for side in batch.shape[2:])
        corner = np.zeros(1)
        return resample(batch, corner, corner, height, width, tuple(size))


@dataclass(frozen=True)
class RandomResizedCrop(ImageTransform):
    """A rectangle of each image at a random place, scaled to `size` (Szegedy et al. 2015), which is
    one number or `[height, width]`. `scale` is the part of the image's area that it takes, `ratio`
    its width over its height."""

    draws_each: ClassVar[int] = 4
    size: Size
    scale: Parts = (0.08, 1.0)
    ratio: Ratios = (3 / 4, 4 / 3)

    def shape(self, row: RowShape) -> RowShape:
        return (image_shape(row)[0], *sides_of(self.size))

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        windows = rectangles(numbers, *batch.shape[2:], self.scale, self.ratio)
        return resample(batch, *windows, sides_of(self.size))


@dataclass(frozen=True)
class RandomZoom(ImageTransform):
    """Each image enlarged about its middle by a random factor, which is even between two; the size
    stays, so that above 1 the edges are lost and below 1 black comes in."""

    draws_each: ClassVar[int] = 1
    factor: Factors = (0.8, 1.25)

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        factor = between(numbers[:, 0], *self.factor)
        height, width = batch.shape[2:]
        tall, wide = height / factor, width / factor
        corner = (height - tall) / 2, (width - wide) / 2
        return resample(batch, *corner, tall, wide, (height, width), zeros=True)


@dataclass(frozen=True)
class RandomTranslate(ImageTransform):
    """Each image shifted at random by up to `fraction` of its height and of its width, black coming
    in. Shifts are not of whole pixels; those of `random_crop(pad = …)` are."""

    draws_each: ClassVar[int] = 2
    fraction: Portion = 0.1

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        height, width = batch.shape[2:]
        down, right = between(numbers, -self.fraction, self.fraction).T
        whole = np.ones(len(batch))
        return resample(batch, -down * height, -right * width, whole * height, whole * width,
                        (height, width), zeros=True)


@dataclass(frozen=True)
class RandomRotate(ImageTransform):
    """Each image turned about its middle by a random angle up to `degrees` to either side, black
    coming in at the corners; two numbers are the least and the greatest angle. Positive angles turn
    counter-clockwise."""

    draws_each: ClassVar[int] = 1
    degrees: Turn

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        return rotate(batch, between(numbers[:, 0], *self.degrees))
