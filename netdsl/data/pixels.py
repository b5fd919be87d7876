"""Transforms of values that stay where they are: scale, noise, blur, parts left out."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Annotated, ClassVar

import numpy as np

from netdsl.data.draws import Draws
from netdsl.data.resampling import rectangles
from netdsl.data.transform import (
    ImageTransform,
    Parts,
    Pixels,
    Ratios,
    Rows,
    RowShape,
    Transform,
    Unfit,
    between,
    chosen,
    image_shape,
    interval,
)
from netdsl.registry import Kind, NotNegative, Portion, Positives, Reals, real

Radii = Annotated[
    tuple[float, float],
    Kind("two numbers from 0.01 to 100, the lower one first", interval(real(0.01, 100))),
]


@dataclass(frozen=True)
class Normalize(Transform):
    """(x - mean) / std, with one number for all or one for each channel (axis 1)."""

    mean: Reals
    std: Positives

    def __post_init__(self) -> None:
        if 1 < len(self.mean) != len(self.std) > 1:
            raise ValueError(f"{len(self.mean)} means and {len(self.std)} deviations")

    def shape(self, row: RowShape) -> RowShape:
        channels = max(len(self.mean), len(self.std))
        if channels > 1 and (not row or row[0] not in (None, channels)):
            have = f"{row[0]} channels" if row else "none"
            raise Unfit(f"it has numbers for {channels} channels, and these rows have {have}")
        return row

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        column = (-1, *(1,) * (batch.ndim - 2))
        batch -= np.array(self.mean, batch.dtype).reshape(column)
        batch /= np.array(self.std, batch.dtype).reshape(column)
        return batch


@dataclass(frozen=True)
class Noise(Transform):
    """Gaussian noise of standard deviation `std` added to every value, each by itself. Values of
    images are 0 … 1 before `normalize`."""

    std: NotNegative

    def __call__(self, rows: Rows, draws: Draws) -> Rows:
        for number, row in enumerate(rows):
            row += np.float32(self.std) * draws.of_row(number).normal(*row.shape)
        return rows


@dataclass(frozen=True)
class Blur(ImageTransform):
    """Each image blurred with probability `p` by a Gaussian whose standard deviation is drawn
    between two numbers of pixels, `sigma`. Beyond the edges the last pixels go on."""

    draws_each: ClassVar[int] = 2
    p: Portion = 1.0
    sigma: Radii = (0.1, 2.0)

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        blurred = chosen(numbers[:, 0], self.p)
        sigma = between(numbers[blurred, 1], *self.sigma)
        reach = ceil(3 * self.sigma[1])
        kernels = np.exp(-((np.arange(-reach, reach + 1) / sigma[:, None]) ** 2) / 2)
        kernels = (kernels / kernels.sum(1, keepdims=True)).astype(np.float32)
        batch[blurred] = _along(_along(batch[blurred], kernels, reach, 2), kernels, reach, 3)
        return batch


def _along(images: np.ndarray, kernels: np.ndarray, reach: int, axis: int) -> np.ndarray:
    """Images [N, C, H, W] correlated along an axis, each with its kernel of [N, 2 · reach + 1]."""
    border = [(reach, reach) if each == axis else (0, 0) for each in range(4)]
    padded = np.pad(images, border, mode="edge")
    made, term = np.zeros_like(images), np.empty_like(images)
    for shift, weight in enumerate(kernels.T):
        window = [slice(None)] * 4
        window[axis] = slice(shift, shift + images.shape[axis])
        np.multiply(padded[tuple(window)], weight[:, None, None, None], out=term)
        made += term
    return made


@dataclass(frozen=True)
class Cutout(ImageTransform):
    """A square of `size` × `size` pixels of each image set to 0 with probability `p` (DeVries &
    Taylor 2017). Its middle is any pixel, so that part of it may lie outside. Behind `normalize` 0
    is the mean, before it black."""

    draws_each: ClassVar[int] = 3
    size: Pixels
    p: Portion = 1.0

    def shape(self, row: RowShape) -> RowShape:
        _, *sides = image_shape(row)
        if all(side is not None and side <= self.size for side in sides):
            raise Unfit(f"a square of {self.size} pixels covers the whole image, which has "
                        f"{sides[0]} x {sides[1]}")
        return row

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        places = (numbers[:, 1:].astype(np.float64) * batch.shape[2:]).astype(np.int64).T
        top, left = places - self.size // 2
        cut = chosen(numbers[:, 0], self.p)
        return _blackened(batch, cut, top, left, top + self.size, left + self.size)


@dataclass(frozen=True)
class RandomErase(ImageTransform):
    """A rectangle at a random place of each image set to 0 with probability `p` (Zhong et al.
    2020). `scale` is the part of the image's area that it takes, `ratio` its width over its height.
    Behind `normalize` 0 is the mean, before it black."""

    draws_each: ClassVar[int] = 5
    p: Portion = 0.5
    scale: Parts = (0.02, 0.33)
    ratio: Ratios = (0.3, 3.3)

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        windows = rectangles(numbers[:, 1:], *batch.shape[2:], self.scale, self.ratio)
        top, left, height, width = (side.round().astype(np.int64) for side in windows)
        cut = chosen(numbers[:, 0], self.p)
        return _blackened(batch, cut, top, left, top + height, left + width)


def _blackened(
    batch: np.ndarray, cut: np.ndarray, top: np.ndarray, left: np.ndarray, bottom: np.ndarray,
    right: np.ndarray,
) -> np.ndarray:
    """The images for which `cut` [N] is true set to 0 in their rectangle; its ends [N] are left
    out."""
    rows, columns = np.arange(batch.shape[2]), np.arange(batch.shape[3])
    down = (rows >= top[:, None]) & (rows < bottom[:, None]) & cut[:, None]
    across = (columns >= left[:, None]) & (columns < right[:, None])
    batch[np.broadcast_to((down[:, :, None] & across[:, None])[:, None], batch.shape)] = 0
    return batch
