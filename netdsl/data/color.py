"""Transforms of colours: they take 0 for black and 1 for white, so they stand before `normalize`.
Nothing is cut off at 0 or 1: floats hold what lies beyond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from netdsl.data.transform import (
    ImageTransform,
    RowShape,
    Unfit,
    around,
    between,
    chosen,
    columns,
    image_shape,
)
from netdsl.registry import Kind, NotNegative, Portion

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue (ITU-R BT.601)
SIXTHS = np.array([5, 3, 1], np.float32).reshape(3, 1, 1)  # of red, green and blue, on the circle


Factor = Annotated[
    tuple[float, float],
    Kind("a number of at least 0, or two, the lower one first", around(1, 0)),
]
Hue = Annotated[
    tuple[float, float],
    Kind("a number from 0 to 0.5, or two from -0.5 to 0.5, the lower one first",
         around(0, -0.5, 0.5)),
]


def brightness(images: np.ndarray) -> np.ndarray:
    """How bright each pixel is [N, H, W]: the luma of three channels, the mean of others."""
    if images.shape[1] == 3:
        return np.einsum("c,nchw->nhw", LUMA, images)
    return images.mean(1)


def turn_hue(images: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """The hue of each pixel [N, 3, H, W] moved along the colour circle by a part [N] of a full
    turn. The largest and the smallest of its channels stay (HSV with both as they are)."""
    high, low = images.max(1), images.min(1)
    spread = high - low
    red, green, blue = images.swapaxes(0, 1)
    safe = np.where(spread == 0, 1, spread)
    hue = np.select([high == red, high == green], [(green - blue) / safe, 2 + (blue - red) / safe],
                    4 + (red - green) / safe)
    place = (SIXTHS + (hue + 6 * columns(turn, 3))[:, None]) % 6
    depth = np.clip(np.minimum(place, 4 - place), 0, 1)
    return high[:, None] - spread[:, None] * depth


@dataclass(frozen=True)
class ColorJitter(ImageTransform):
    """Brightness, contrast, saturation and hue of each image changed at random, in this order. The
    first three are factors, from 1 - x to 1 + x or between two numbers; `strength` is x for those
    that are not given. `hue` moves by up to so much of a full turn of the colour circle. Images of
    one channel have brightness and contrast only. It stands before `normalize`."""

    draws_each: ClassVar[int] = 4
    unit_range: ClassVar[bool] = True
    strength: NotNegative = 0.0
    brightness: Factor | None = None
    contrast: Factor | None = None
    saturation: Factor | None = None
    hue: Hue = (0.0, 0.0)

    def __post_init__(self) -> None:
        given = (self.brightness, self.contrast, self.saturation)
        if not self.strength and given == (None, None, None) and self.hue == (0, 0):
            raise ValueError("nothing would change: give a `strength`, as in `color_jitter(0.4)`")

    def shape(self, row: RowShape) -> RowShape:
        channels = image_shape(row)[0]
        colored = self.saturation is not None or self.hue != (0, 0)
        if channels == 1 and colored:
            raise Unfit("images of 1 channel have neither saturation nor hue",
                        "leave out `saturation` and `hue`")
        if channels not in (None, 1, 3):
            raise Unfit(f"colours are of 1 or 3 channels, not {channels}")
        return row

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        whole = around(1, 0)(self.strength)
        factors = [
            columns(between(number, *(whole if interval is None else interval)))
            for number, interval in zip(
                numbers.T, (self.brightness, self.contrast, self.saturation))
        ]
        batch *= factors[0]
        middle = brightness(batch).mean((1, 2), dtype=np.float32)
        batch = _blend(batch, columns(middle), factors[1])
        if batch.shape[1] == 3:
            batch = _blend(batch, brightness(batch)[:, None], factors[2])
        if self.hue != (0, 0):
            batch = turn_hue(batch, between(numbers[:, 3], *self.hue))
        return batch


def _blend(images: np.ndarray, dull: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """dull + factor · (images - dull)."""
    images *= factor
    images += dull * (1 - factor)
    return images


@dataclass(frozen=True)
class Grayscale(ImageTransform):
    """Each image without its colours with probability `p`; it keeps its three channels, each of
    them 0.299 red + 0.587 green + 0.114 blue. It stands before `normalize`."""

    draws_each: ClassVar[int] = 1
    unit_range: ClassVar[bool] = True
    p: Portion = 1.0

    def shape(self, row: RowShape) -> RowShape:
        channels = image_shape(row)[0]
        if channels == 1:
            raise Unfit("images of 1 channel are grey already", "leave it out")
        if channels not in (None, 3):
            raise Unfit(f"colours are of 3 channels, not {channels}")
        return row

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        grey = chosen(numbers[:, 0], self.p)
        batch[grey] = brightness(batch[grey])[:, None]
        return batch


@dataclass(frozen=True)
class Solarize(ImageTransform):
    """Each image with probability `p` as a negative where it is bright: x becomes 1 - x where it
    is at least `threshold`. It stands before `normalize`."""

    draws_each: ClassVar[int] = 1
    unit_range: ClassVar[bool] = True
    threshold: Portion = 0.5
    p: Portion = 1.0

    def apply(self, batch: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        bright = batch >= np.float32(self.threshold)
        bright &= chosen(numbers, self.p)[:, :, None, None]
        return np.where(bright, 1 - batch, batch)
