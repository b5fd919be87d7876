"""Images at places between their pixels: resizing and turning, by linear interpolation.

Pixel i covers i … i + 1 of its axis, so that its middle lies at i + 0.5.
"""

from __future__ import annotations

import numpy as np


def resample(
    images: np.ndarray,
    top: np.ndarray,
    left: np.ndarray,
    height: np.ndarray,
    width: np.ndarray,
    size: tuple[int, int],
    zeros: bool = False,
) -> np.ndarray:
    """A rectangle of each image [N, C, H, W], by its corner and sides [N] in pixels, drawn at
    `size`: [N, C, *size]. Where pixels become smaller each is the weighted mean of all that it
    covers (antialiasing, as in Pillow). Beyond the edges lies nothing, or with `zeros` black."""
    rows, columns = images.shape[2:]
    down = weights(top, height, rows, size[0], zeros)
    across = weights(left, width, columns, size[1], zeros)
    return np.matmul(down[:, None], np.matmul(images, across[:, None].swapaxes(2, 3)))


def weights(
    start: np.ndarray, length: np.ndarray, count: int, size: int, zeros: bool
) -> np.ndarray:
    """How much each of `count` pixels of an axis is in each of `size` new ones, which share
    `length` pixels from `start` on [N]: float32 [N, size, count], rows that sum to 1. With `zeros`
    they sum to less where pixels beyond the axis would have a part."""
    scale = length / size
    reach = np.maximum(scale, 1)[:, None, None]  # half the width of the triangle
    middle = start[:, None] + (np.arange(size) + 0.5) * scale[:, None]
    inside = _triangle(np.arange(count) + 0.5 - middle[:, :, None], reach)
    if not zeros:
        return (inside / inside.sum(2, keepdims=True)).astype(np.float32)
    far = int(np.ceil(reach.max()))
    around = np.arange(-far, far + 1) + 0.5 - (middle % 1)[:, :, None]
    return (inside / _triangle(around, reach).sum(2, keepdims=True)).astype(np.float32)


def _triangle(distance: np.ndarray, reach: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - np.abs(distance) / reach)


def rotate(images: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """Each image [N, C, H, W] turned about its middle by so many degrees [N], counter-clockwise as
    it is looked at, black coming in at the corners. A pixel is interpolated from four."""
    from PIL import Image

    method, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
    height, width = images.shape[2:]
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    right = (width * (1 - cosine) + height * sine) / 2  # where the corner comes from
    down = (height * (1 - cosine) - width * sine) / 2
    sources = np.stack([cosine, -sine, right, sine, cosine, down], 1).tolist()
    made = np.empty_like(images)
    for image, target, source in zip(images, made, sources):
        for channel, turned in zip(image, target):
            picture = Image.fromarray(channel)
            turned[:] = picture.transform((width, height), method, source, bilinear)
    return made


def rectangles(
    numbers: np.ndarray,
    height: int,
    width: int,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rectangles at random places of an image, by numbers [N, 4] in [0, 1): top, left, height and
    width [N] in pixels. Areas are even between the parts `scale` of the image's; width over height
    lies between `ratio`, even on the logarithmic scale, but never so far from the image's own that
    the rectangle would reach beyond it."""
    part, form, down, right = numbers.astype(np.float64).T
    area = (scale[0] + (scale[1] - scale[0]) * part) * (height * width)
    low, high = np.log(ratio)
    wanted = np.exp(low + (high - low) * form)
    form = np.clip(wanted, area / height**2, width**2 / area)
    tall = np.minimum(np.sqrt(area / form), height)
    wide = np.minimum(np.sqrt(area * form), width)
    return (height - tall) * down, (width - wide) * right, tall, wide
