"""What is drawn is distributed as said: bounds follow from the number of draws, at 4.5 deviations.
The draws themselves are the same in every run."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from netdsl.data.color import ColorJitter, Grayscale, Solarize
from netdsl.data.draws import Draws
from netdsl.data.geometry import (
    RandomCrop,
    RandomFlip,
    RandomRotate,
    RandomTranslate,
    RandomVerticalFlip,
    RandomZoom,
)
from netdsl.data.noise import Normal, Uniform
from netdsl.data.pixels import Blur, Cutout, Noise, RandomErase
from netdsl.data.resampling import rectangles

DEVIATIONS = 4.5
COUNT = 20_000


def draws(name: str) -> Draws:
    return Draws(3, name, 1, 7)


def is_mean(values: np.ndarray, mean: float, deviation: float) -> bool:
    """Whether the mean of independent values with this mean and deviation can be what it is."""
    return abs(values.mean() - mean) <= DEVIATIONS * deviation / sqrt(values.size)


def is_share(happened: np.ndarray, p: float) -> bool:
    return is_mean(happened, p, sqrt(p * (1 - p)))


def is_even(values: np.ndarray, low: float, high: float, cells: int = 20) -> bool:
    """Whether values lie in low … high and fill it evenly, by the chi-square of equal cells."""
    assert values.min() >= low - 1e-3 * (high - low) and values.max() <= high + 1e-3 * (high - low)
    cell = np.clip(((values - low) / (high - low) * cells).astype(int), 0, cells - 1)
    return are_even(np.bincount(cell, minlength=cells))


def are_even(counts: np.ndarray) -> bool:
    expected = counts.sum() / counts.size
    chi_square = ((counts - expected) ** 2 / expected).sum()
    free = counts.size - 1
    return abs(chi_square - free) < DEVIATIONS * sqrt(2 * free)


def copies(image, count: int = COUNT) -> np.ndarray:
    return np.repeat(np.asarray(image, np.float32)[None], count, axis=0)


# ------------------------------------------------------------------ whether


@pytest.mark.parametrize("p", [0, 0.1, 0.5, 1])
@pytest.mark.parametrize("row", [
    RandomFlip, RandomVerticalFlip, Grayscale, lambda p: Solarize(0, p), lambda p: Blur(p, (1, 1)),
    lambda p: Cutout(1, p), lambda p: RandomErase(p, (0.3, 0.3)),
])
def test_the_share_that_something_happens_to(row, p):
    before = copies([[[0.1, 0.2], [0.3, 0.9]]] * 2 + [[[0.5, 0.7], [0.6, 0.8]]])
    after = row(p)(before.copy(), draws("share"))
    changed = (after != before).any((1, 2, 3))
    assert is_share(changed, p) if 0 < p < 1 else (changed == bool(p)).all()


# ------------------------------------------------------------------ where


def test_crops_are_even_over_all_shifts():
    image = np.zeros((1, 9, 9))
    image[0, 4, 4] = 1
    made = RandomCrop(4)(copies(image), draws("crop"))
    places = made.reshape(COUNT, -1).argmax(1)
    assert are_even(np.bincount(places, minlength=81))


def ramps(size: int = 21) -> np.ndarray:
    """Two channels that grow by 1 a pixel: to the right, and downwards."""
    line = np.arange(size) - (size - 1) / 2
    return np.stack(np.meshgrid(line, line)) + 100


def slopes(made: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each image's first ramp in its middle: how steep to the right, and downwards, and its
    value."""
    middle = made[:, 0, 9:12, 9:12].astype(float)
    return ((middle[:, 1, 2] - middle[:, 1, 0]) / 2, (middle[:, 2, 1] - middle[:, 0, 1]) / 2,
            middle[:, 1, 1] - 100)


@pytest.mark.parametrize(("low", "high"), [(-15, 15), (30, 90)])
def test_angles(low, high):
    right, down, _ = slopes(RandomRotate((low, high))(copies(ramps(), 4000), draws("angle")))
    assert is_even(np.rad2deg(np.arctan2(-down, right)), low, high)


def test_zooms():
    right, down, place = slopes(RandomZoom((1.0, 2.0))(copies(ramps(), 4000), draws("zoom")))
    assert is_even(1 / right, 1, 2)
    assert abs(down).max() < 1e-4 and abs(place).max() < 1e-4


def test_shifts():
    made = RandomTranslate(0.2)(copies(ramps(), 4000), draws("shift"))
    across, down = -slopes(made)[2], -slopes(made[:, ::-1])[2]
    assert is_even(across, -4.2, 4.2) and is_even(down, -4.2, 4.2)
    assert abs(np.corrcoef(across, down)[0, 1]) < DEVIATIONS / sqrt(4000)


def test_resized_crops():
    height, width, scale, ratio = 30, 20, (0.1, 0.3), (0.5, 1.5)
    numbers = draws("window").uniform(COUNT, 4)
    top, left, tall, wide = rectangles(numbers, height, width, scale, ratio)
    assert is_even(tall * wide / (height * width), *scale)
    assert is_even(np.log(wide / tall), *np.log(ratio))
    assert is_even(top / (height - tall), 0, 1) and is_even(left / (width - wide), 0, 1)


def test_resized_crops_stay_inside_where_the_ratio_would_not():
    numbers = draws("narrow").uniform(COUNT, 4)
    top, left, tall, wide = rectangles(numbers, 10, 40, (0.5, 1), (0.5, 2))
    assert min(top.min(), left.min()) >= 0
    assert (top + tall).max() <= 10 + 1e-9 and (left + wide).max() <= 40 + 1e-9
    assert is_even(tall * wide / 400, 0.5, 1)


@pytest.mark.parametrize("size", [1, 3, 4])
def test_cutouts(size):
    """The middle is even over the pixels, so that a line is cut by as many of its squares as reach
    it; lengths along the two axes are independent."""
    made = Cutout(size)(copies(np.ones((1, 7, 9))), draws(f"cut{size}"))
    black = made[:, 0] == 0
    for axis, length in ((1, 7), (2, 9)):
        places = np.arange(length) - size // 2
        lengths = np.array([len({*range(p, p + size)} & {*range(length)}) for p in places])
        cut = black.any(3 - axis).sum(1)
        assert is_mean(cut, lengths.mean(), lengths.std())
        for line in range(length):
            reach = sum(place <= line < place + size for place in places) / length
            assert is_share(black.any(3 - axis)[:, line], reach)


def test_erased_rectangles_have_the_area_that_was_asked_for():
    made = RandomErase(1, (0.1, 0.4), (0.5, 2))(copies(np.ones((1, 40, 40)), 2000), draws("erase"))
    areas = (made == 0).mean((1, 2, 3))
    rounding = 1 / 40  # of each side, by up to half a pixel
    assert areas.min() > 0.1 - rounding and areas.max() < 0.4 + rounding
    assert is_mean(areas, 0.25, 0.3 / sqrt(12))


# ------------------------------------------------------------------ how much


def test_jitter_factors():
    image = np.array([0.6, 0.4, 0.5]).reshape(3, 1, 1) * [[[0.5, 1.5]]]
    bright = ColorJitter(brightness=(0.6, 1.4))(copies(image), draws("b"))
    assert is_even(bright[:, 0, 0, 0] / image[0, 0, 0], 0.6, 1.4)
    contrast = ColorJitter(contrast=(0.6, 1.4))(copies(image), draws("c"))
    spread = contrast[:, :, 0, 1] - contrast[:, :, 0, 0]
    assert is_even(spread[:, 0] / (image[0, 0, 1] - image[0, 0, 0]), 0.6, 1.4)
    saturation = ColorJitter(saturation=(0.0, 2.0))(copies(image), draws("s"))
    apart = saturation[:, 0, 0, 0] - saturation[:, 1, 0, 0]
    assert is_even(apart / (image[0, 0, 0] - image[1, 0, 0]), 0, 2)


def test_jitter_factors_are_independent():
    image = np.array([0.6, 0.4, 0.5]).reshape(3, 1, 1) * [[[0.5, 1.5]]]
    made = ColorJitter(0.3)(copies(image), draws("all")).astype(float)
    grey = np.tensordot(made, [0.299, 0.587, 0.114], (1, 0))[:, 0]
    brightness = grey.mean(1)
    step = grey[:, 1] - grey[:, 0]  # of brightness, times contrast
    saturation = (made[:, 0, 0, 0] - made[:, 1, 0, 0]) / step
    related = np.corrcoef([brightness, step / brightness, saturation]) - np.eye(3)
    assert abs(related).max() < DEVIATIONS / sqrt(COUNT)


def test_hue_is_even():
    red = np.array([1.0, 0.0, 0.0]).reshape(3, 1, 1)
    made = ColorJitter(hue=(-0.1, 0.1))(copies(red), draws("hue"))[:, :, 0, 0]
    assert is_even((made[:, 1] - made[:, 2]) / 6, -0.1, 0.1)


def test_blur_widths():
    """A line spread out: from pixel to pixel it falls by exp(-1 / 2σ²)."""
    image = np.zeros((1, 41, 1))
    image[0, 20] = 1
    made = Blur(1, (1, 2))(copies(image, 2000), draws("blur")).astype(float)[:, 0, :, 0]
    assert is_even(np.sqrt(0.5 / np.log(made[:, 20] / made[:, 21])), 1, 2)


# ------------------------------------------------------------------ noise and draws


def is_normal(values: np.ndarray, mean: float, std: float) -> bool:
    """Mean, variance, skewness and kurtosis within what so many draws scatter."""
    unit, root = (values.ravel().astype(float) - mean) / std, sqrt(values.size)
    moments = ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96))  # power, mean and variance of it
    return all(abs((unit**power).mean() - middle) < DEVIATIONS * sqrt(spread) / root
               for power, middle, spread in moments)


def test_noise_is_gaussian_and_independent():
    before = copies(np.full((3, 4, 5), 0.5), 2000)
    noise = Noise(0.2)(before.copy(), draws("noise")) - before
    assert is_normal(noise, 0, 0.2)
    flat = noise.reshape(2000, -1)
    pairs = np.corrcoef(flat.T) - np.eye(60)
    assert abs(pairs).max() < (DEVIATIONS + 1) / sqrt(2000)  # of 1,770 pairs
    rows = np.corrcoef(flat[:200].reshape(200, -1)) - np.eye(200)
    assert abs(rows).max() < (DEVIATIONS + 2) / sqrt(60)  # of 19,900 pairs
    assert np.array_equal(Noise(0)(before.copy(), draws("noise")), before)


@pytest.mark.parametrize(("mean", "std"), [(0, 1), (5, 0.1)])
def test_normal_draws(mean, std):
    made = Normal(mean, std).numbers(draws("normal"), 1000, 3, 7)
    assert made.shape == (1000, 3, 7) and made.dtype == np.float32
    assert is_normal(made, mean, std)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-3, -1)])
def test_uniform_draws(low, high):
    made = Uniform(low, high).numbers(draws("uniform"), 1000, 21)
    assert made.shape == (1000, 21) and made.dtype == np.float32
    assert is_even(made.ravel(), low, high, cells=50)


def test_whole_numbers_of_uniform_draws_reach_both_ends():
    numbers = draws("ends").uniform(COUNT, 2)
    assert 0 <= numbers.min() and numbers.max() < 1
    assert is_even(numbers[:, 0], 0, 1) and is_even(numbers[:, 1], 0, 1)


def test_an_odd_count_of_draws_is_the_beginning_of_an_even_one():
    assert np.array_equal(draws("n").normal(7), draws("n").normal(8)[:7])
