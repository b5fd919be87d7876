"""Where pixels go: pictures of a small image through every geometric transform, and the same by
Pillow or by a formula of another kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from examples_of_transforms import images
from PIL import Image

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
from netdsl.data.pixels import Cutout, RandomErase
from netdsl.data.resampling import rectangles, resample

SHADES = " .:-=+*#%@"
LETTER = """\
@@@@@@@@.
@........
@........
@*****...
@........
@.......:
@.......#
"""
BILINEAR = Image.Resampling.BILINEAR


def picture_of(image: np.ndarray) -> str:
    """One channel, a character for each pixel, the darkest a blank."""
    shades = np.clip(np.rint(image * (len(SHADES) - 1)), 0, len(SHADES) - 1).astype(int)
    return "\n".join("|" + "".join(SHADES[shade] for shade in row) + "|" for row in shades)


def letter() -> np.ndarray:
    """[1, 1, 7, 9]: an F, a corner of which is left open."""
    rows = [[SHADES.index(sign) for sign in line] for line in LETTER.splitlines()]
    return (np.array(rows, np.float32) / (len(SHADES) - 1))[None, None]


PICTURES = {  # a transform, and what it draws
    "as it is": (RandomCrop(0), [0.0, 0.0]),
    "random_crop(pad = 2), up and left": (RandomCrop(2), [0.0, 0.0]),
    "random_crop(pad = 2), down and right": (RandomCrop(2), [0.99, 0.99]),
    "random_crop(size = [4, 6])": (RandomCrop(size=(4, 6)), [0.5, 0.99]),
    "center_crop([5, 5])": (CenterCrop((5, 5)), []),
    "random_flip": (RandomFlip(1), [0.5]),
    "random_vertical_flip": (RandomVerticalFlip(1), [0.5]),
    "resize(14)": (Resize(14), []),
    "resize([4, 5])": (Resize((4, 5)), []),
    "random_resized_crop([7, 9]), a quarter": (RandomResizedCrop((7, 9), (0.25, 0.25)),
                                               [0.5, 0.5, 0.0, 0.0]),
    "random_rotate, 90 degrees": (RandomRotate((90, 90)), [0.5]),
    "random_rotate, 20 degrees": (RandomRotate((20, 20)), [0.5]),
    "random_rotate, -20 degrees": (RandomRotate((-20, -20)), [0.5]),
    "random_zoom, 2": (RandomZoom((2, 2)), [0.5]),
    "random_zoom, 0.6": (RandomZoom((0.6, 0.6)), [0.5]),
    "random_translate, up and left": (RandomTranslate(0.3), [0.0, 0.0]),
    "random_translate, down": (RandomTranslate(0.3), [0.9999, 0.5]),
    "cutout(3), inside": (Cutout(3), [0.5, 0.5, 0.5]),
    "cutout(4), at a corner": (Cutout(4), [0.5, 0.0, 0.99]),
    "random_erase": (RandomErase(1, (0.3, 0.3)), [0.5, 0.5, 0.5, 0.5, 0.5]),
}


def test_pictures(golden):
    shown = []
    for name, (transform, numbers) in PICTURES.items():
        numbers = np.array([numbers], np.float32)
        made = transform.apply(letter(), numbers)
        assert made.shape[1:] == transform.shape((1, 7, 9)), name
        shown.append(f"{name}\n{picture_of(made[0, 0])}\n")
    golden(Path(__file__).parent / "pictures.txt", "\n".join(shown))


# ------------------------------------------------------------------ beside Pillow


def by_pillow(batch: np.ndarray, change) -> np.ndarray:
    """Every channel of every image, as Pillow's floats, changed by `change(picture, number)`."""
    return np.stack([
        np.stack([np.asarray(change(Image.fromarray(channel), number)) for channel in image])
        for number, image in enumerate(batch)
    ])


@pytest.mark.parametrize("old", [(8, 10), (17, 5), (1, 1), (40, 31)])
@pytest.mark.parametrize("new", [(8, 10), (3, 3), (20, 7), (1, 50)])
def test_resize_is_pillows(old, new):
    batch = images(3, 2, *old)
    expected = by_pillow(batch, lambda picture, _: picture.resize(new[::-1], BILINEAR))
    made = Resize(new).apply(batch, np.zeros((3, 0)))
    np.testing.assert_allclose(made, expected, atol=2e-6)


@pytest.mark.parametrize("size", [(6, 6), (20, 3)])
def test_a_resized_crop_is_pillows(size):
    transform, batch = RandomResizedCrop(size), images(30, 1, 12, 17)
    numbers = np.random.default_rng(1).random((30, 4)).astype(np.float32)
    top, left, height, width = rectangles(numbers, 12, 17, transform.scale, transform.ratio)
    boxes = np.stack([left, top, left + width, top + height], 1)
    boxes = np.clip(boxes, 0, [17, 12, 17, 12]).tolist()

    def cropped(picture, number):
        return picture.resize(size[::-1], BILINEAR, box=boxes[number])

    np.testing.assert_allclose(
        transform.apply(batch, numbers), by_pillow(batch, cropped), atol=1e-5)


@pytest.mark.parametrize("size", [(9, 9), (8, 11), (5, 20)])
def test_rotation_is_pillows(size):
    batch = images(40, 2, *size)
    numbers = np.random.default_rng(2).random((40, 1)).astype(np.float32)
    made = RandomRotate((-180, 180)).apply(batch, numbers)
    degrees = -180 + 360 * numbers[:, 0].astype(np.float64)

    def turned(picture, number):
        return picture.rotate(degrees[number], BILINEAR)

    expected = by_pillow(batch, turned)
    near = np.abs(made - expected) < 1e-4  # where a corner's place is on an edge, to the last bit
    assert near.mean() > 0.999


def test_quarter_turns_are_exact():
    batch = images(4, 3, 6, 6)
    for quarters in range(-3, 4):
        made = RandomRotate((90 * quarters, 90 * quarters)).apply(batch, np.zeros((4, 1)))
        np.testing.assert_allclose(made, np.rot90(batch, quarters, (2, 3)), atol=1e-6)


# ------------------------------------------------------------------ by other formulas


def interpolated(image: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """An image [H, W] at places (pixel centres at whole numbers), 0 beyond its edges."""
    padded = np.pad(image.astype(np.float64), 1)
    y, x = np.clip(y + 1, 0, padded.shape[0] - 1), np.clip(x + 1, 0, padded.shape[1] - 1)
    low_y = np.minimum(np.floor(y).astype(int), padded.shape[0] - 2)
    low_x = np.minimum(np.floor(x).astype(int), padded.shape[1] - 2)
    part_y, part_x = y - low_y, x - low_x
    return sum(
        padded[low_y + i, low_x + j]
        * (part_y if i else 1 - part_y) * (part_x if j else 1 - part_x)
        for i in (0, 1) for j in (0, 1)
    )


@pytest.mark.parametrize(("height", "width"), [(7, 7), (6, 11)])
def test_enlarging_and_shifting_by_interpolation(height, width):
    batch = images(20, 1, height, width)
    y, x = np.mgrid[:height, :width].astype(float)
    numbers = np.random.default_rng(3).random((20, 2)).astype(np.float32)
    shifted = RandomTranslate(0.5).apply(batch, numbers)
    zoomed = RandomZoom((1.0, 3.0)).apply(batch, numbers[:, :1])
    for image, (first, second), a, b in zip(batch[:, 0], numbers.astype(float), shifted, zoomed):
        down, right = (first - 0.5) * height, (second - 0.5) * width
        np.testing.assert_allclose(a[0], interpolated(image, y - down, x - right), atol=1e-5)
        middle_y, middle_x, factor = (height - 1) / 2, (width - 1) / 2, 1 + 2 * first
        places = middle_y + (y - middle_y) / factor, middle_x + (x - middle_x) / factor
        np.testing.assert_allclose(b[0], interpolated(image, *places), atol=1e-5)


def test_making_smaller_keeps_what_there_is_of_light():
    """All weight that a pixel has in a smaller image is its share of the area, but at the edges."""
    batch = np.zeros((1, 1, 40, 40), np.float32)
    batch[:, :, 12:28, 10:30] = images(1, 1, 16, 20)
    for size in (20, 10, 8):
        made = Resize(size).apply(batch, np.zeros((1, 0)))
        assert made.sum() == pytest.approx(batch.sum() * (size / 40) ** 2, rel=1e-5)
    smaller = RandomZoom((0.5, 0.5)).apply(batch, np.zeros((1, 1)))
    assert smaller.sum() == pytest.approx(batch.sum() / 4, rel=1e-5)


def test_far_beyond_the_edges_is_nothing():
    far, one = np.array([-100.0, 3.0]), np.ones(2)
    made = resample(images(2, 1, 4, 4), far, one, 4 * one, 4 * one, (4, 4), zeros=True)
    assert not made[0].any() and made[1, :, :1].any() and not made[1, :, 1:].any()


@pytest.mark.parametrize("pad", [1, 3])
def test_a_crop_is_a_window_of_the_padded_image(pad):
    batch = images(300, 2, 5, 6)
    numbers = np.random.default_rng(4).random((300, 2)).astype(np.float32)
    made = RandomCrop(pad, (4, 7)).apply(batch.copy(), numbers)
    padded = np.pad(batch, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    choices = [5 + 2 * pad - 4 + 1, 6 + 2 * pad - 7 + 1]
    places = np.floor(numbers.astype(float) * choices).astype(int)
    for image, whole, (top, left) in zip(made, padded, places):
        assert np.array_equal(image, whole[:, top : top + 4, left : left + 7])


def test_mirrors():
    batch = images(3)
    numbers = np.array([[0.2], [0.6], [0.4]], np.float32)
    across, down = (flip(0.5).apply(batch.copy(), numbers)
                    for flip in (RandomFlip, RandomVerticalFlip))
    for row, flipped in enumerate([True, False, True]):
        assert np.array_equal(across[row], batch[row, :, :, ::-1] if flipped else batch[row])
        assert np.array_equal(down[row], batch[row, :, ::-1] if flipped else batch[row])
