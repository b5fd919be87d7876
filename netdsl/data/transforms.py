"""Transforms: what a feed does with a batch of rows on its way from a field to an input.

A batch is float32 [N, …], or a list of N arrays where images differ in size; images are [C, H, W].
To add a transform, write a frozen dataclass after `Transform` of `transform.py` into the file of
its family, `geometry.py`, `color.py` or `pixels.py`, and enter it into `TRANSFORMS`.
"""

from __future__ import annotations

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
from netdsl.registry import Table

TRANSFORMS = Table("transform", {
    "normalize": Normalize,
    "random_crop": RandomCrop,
    "random_resized_crop": RandomResizedCrop,
    "random_flip": RandomFlip,
    "random_vertical_flip": RandomVerticalFlip,
    "random_rotate": RandomRotate,
    "random_zoom": RandomZoom,
    "random_translate": RandomTranslate,
    "resize": Resize,
    "center_crop": CenterCrop,
    "color_jitter": ColorJitter,
    "grayscale": Grayscale,
    "solarize": Solarize,
    "blur": Blur,
    "noise": Noise,
    "cutout": Cutout,
    "random_erase": RandomErase,
})
