"""Every transform in an example or two, for the tests that hold for all of them."""

from __future__ import annotations

import numpy as np

from netdsl.data.color import ColorJitter, Grayscale, Solarize
from netdsl.data.geometry import (
    CenterCrop,
    RandomCrop,
    RandomFlip,
    RandomResizedCrop,
    RandomRotate,
    RandomTranslate,
    RandomVerticalFlip,
    RandomZoom,
    Resize,
)
from netdsl.data.pixels import Blur, Cutout, Noise, Normalize, RandomErase

EXAMPLES = {
    "normalize": [Normalize((0.5,), (2.0,)), Normalize((0.5, 0.1, 0.2), (2.0,))],
    "random_crop": [RandomCrop(2), RandomCrop(size=4), RandomCrop(3, (9, 4))],
    "random_resized_crop": [RandomResizedCrop(6), RandomResizedCrop((3, 12), (0.1, 0.2))],
    "random_flip": [RandomFlip()],
    "random_vertical_flip": [RandomVerticalFlip()],
    "random_rotate": [RandomRotate((-30, 30))],
    "random_zoom": [RandomZoom((0.5, 2.0))],
    "random_translate": [RandomTranslate(0.3)],
    "resize": [Resize(5), Resize(16), Resize((7, 3))],
    "center_crop": [CenterCrop(5), CenterCrop((2, 5))],
    "color_jitter": [ColorJitter(0.4), ColorJitter(saturation=(0, 2), hue=(-0.5, 0.5))],
    "grayscale": [Grayscale(0.5)],
    "solarize": [Solarize(0.5, 0.5)],
    "blur": [Blur(0.7, (0.5, 1.5))],
    "noise": [Noise(0.1)],
    "cutout": [Cutout(3), Cutout(4, 0.5)],
    "random_erase": [RandomErase()],
}
EACH = [(name, transform) for name, examples in EXAMPLES.items() for transform in examples]
NAMES = [f"{name}-{number}" for name, made in EXAMPLES.items() for number in range(len(made))]
SAME_FOR_ALL = {"normalize", "resize", "center_crop"}  # these draw nothing


def images(count: int = 64, channels: int = 3, height: int = 8, width: int = 10) -> np.ndarray:
    """Images of random pixels in 0 … 1."""
    made = np.random.default_rng(0).random((count, channels, height, width))
    return made.astype(np.float32)


