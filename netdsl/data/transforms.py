"""Transforms: what a feed does with a batch of rows on its way from a field to an input.

To add one, write a frozen dataclass after `Transform` and enter it into `TRANSFORMS`. A batch is
float32 [N, …], the transform's own to change; images are [N, C, H, W].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from netdsl.data.draws import Draws
from netdsl.registry import (
    Count,
    Kind,
    NotNegative,
    Portion,
    Positives,
    Reals,
    Table,
    list_of,
    positive,
    real,
)

RowShape: TypeAlias = tuple[int | None, ...]  # None: a size that the files decide
Range = Annotated[
    tuple[float, float], Kind("two numbers from 0 to 1, low and high", list_of(real(0, 1), count=2))
]
Ratios = Annotated[
    tuple[float, float], Kind("two numbers above 0, low and high", list_of(positive, count=2))
]


class Transform:
    """Base of the rows. `pending`: its shapes are checked, its work is not done yet."""

    pending: ClassVar[bool] = False

    def shape(self, row: RowShape) -> RowShape:
        """The shape of a row afterwards. Raises ValueError for rows that do not fit."""
        return row

    def __call__(self, batch: np.ndarray, draws: Draws) -> np.ndarray:
        """The batch transformed; random choices come from `draws` alone."""
        raise NotImplementedError


def image_shape(row: RowShape) -> RowShape:
    if len(row) != 3:
        raise ValueError(f"images have 3 axes, C, H and W, and these rows have {len(row)}")
    return row


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
            raise ValueError(f"normalize has {channels} channels, and these rows {row[:1]}")
        return row

    def __call__(self, batch: np.ndarray, draws: Draws) -> np.ndarray:
        column = (-1, *(1,) * (batch.ndim - 2))
        batch -= np.array(self.mean, batch.dtype).reshape(column)
        batch /= np.array(self.std, batch.dtype).reshape(column)
        return batch


@dataclass(frozen=True)
class RandomCrop(Transform):
    """Each image shifted by up to `pad` pixels along both axes, zeros coming in: zero padding of
    `pad` on every side, then a window of the old size at a random place."""

    pad: Count = 2

    def shape(self, row: RowShape) -> RowShape:
        return image_shape(row)

    def __call__(self, batch: np.ndarray, draws: Draws) -> np.ndarray:
        count, _, height, width = batch.shape
        border = (self.pad, self.pad)
        padded = np.pad(batch, ((0, 0), (0, 0), border, border))
        windows = sliding_window_view(padded, (height, width), axis=(2, 3))
        top, left = draws.integers(2 * self.pad + 1, count, 2).T
        return windows[np.arange(count), :, top, left]


@dataclass(frozen=True)
class RandomFlip(Transform):
    """Each image mirrored left to right with probability `p`."""

    p: Portion = 0.5

    def shape(self, row: RowShape) -> RowShape:
        return image_shape(row)

    def __call__(self, batch: np.ndarray, draws: Draws) -> np.ndarray:
        mirrored = draws.uniform(len(batch)) < np.float32(self.p)
        batch[mirrored] = batch[mirrored, :, :, ::-1]
        return batch


# ------------------------------------------------------------------ not yet executed


@dataclass(frozen=True)
class Resize(Transform):
    """Each image scaled so that its shorter side is `size` pixels, as far as its other side
    allows: of images whose size is known, a square one becomes `size` × `size`."""

    size: Count
    pending: ClassVar[bool] = True

    def shape(self, row: RowShape) -> RowShape:
        channels, height, width = image_shape(row)
        if height is None or width is None:
            return (channels, None, None)
        short = min(height, width)
        return (channels, height * self.size // short, width * self.size // short)


@dataclass(frozen=True)
class CenterCrop(Transform):
    """The square of `size` × `size` pixels in the middle of each image."""

    size: Count
    pending: ClassVar[bool] = True

    def shape(self, row: RowShape) -> RowShape:
        channels, *sides = image_shape(row)
        if any(side is not None and side < self.size for side in sides):
            raise ValueError(f"a crop of {self.size} does not fit into {sides[0]} x {sides[1]}")
        return (channels, self.size, self.size)


@dataclass(frozen=True)
class RandomResizedCrop(Transform):
    """A rectangle of each image at a random place, scaled to `size` × `size` (Szegedy et al.
    2015). `scale` is the part of the image's area that it takes, `ratio` width over height."""

    size: Count
    scale: Range = (0.08, 1.0)
    ratio: Ratios = (3 / 4, 4 / 3)
    pending: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("scale", "ratio"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"`{name}` begins above where it ends")

    def shape(self, row: RowShape) -> RowShape:
        return (image_shape(row)[0], self.size, self.size)


@dataclass(frozen=True)
class ColorJitter(Transform):
    """Brightness, contrast and saturation of each image changed by random factors from
    1 - `strength` to 1 + `strength`."""

    strength: NotNegative
    pending: ClassVar[bool] = True

    def shape(self, row: RowShape) -> RowShape:
        return image_shape(row)


@dataclass(frozen=True)
class Grayscale(Transform):
    """Each image without its colours with probability `p`; it keeps its channels."""

    p: Portion = 1.0
    pending: ClassVar[bool] = True

    def shape(self, row: RowShape) -> RowShape:
        return image_shape(row)


@dataclass(frozen=True)
class Blur(Transform):
    """Each image blurred with probability `p` by a Gaussian of `sigma` pixels, drawn between
    two."""

    p: Portion = 1.0
    sigma: Ratios = (0.1, 2.0)
    pending: ClassVar[bool] = True

    def shape(self, row: RowShape) -> RowShape:
        return image_shape(row)


TRANSFORMS = Table("transform", {
    "normalize": Normalize,
    "random_crop": RandomCrop,
    "random_flip": RandomFlip,
    "resize": Resize,
    "center_crop": CenterCrop,
    "random_resized_crop": RandomResizedCrop,
    "color_jitter": ColorJitter,
    "grayscale": Grayscale,
    "blur": Blur,
})
