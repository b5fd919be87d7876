"""Transforms: what a feed does with a batch of rows on its way from a field to an input.

To add one, write a frozen dataclass after `Transform` and enter it into `TRANSFORMS`. A batch is
float32 [N, …], the transform's own to change; images are [N, C, H, W].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from netdsl.data.draws import Draws
from netdsl.registry import Count, Portion, Positives, Reals, Table

RowShape: TypeAlias = tuple[int | None, ...]  # None: a size that the files decide


class Transform:
    """Base of the rows."""

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


TRANSFORMS = Table("transform", {
    "normalize": Normalize,
    "random_crop": RandomCrop,
    "random_flip": RandomFlip,
})
