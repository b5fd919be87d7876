"""What values become: beside the standard library's colours, and by formulas written out."""

from __future__ import annotations

import colorsys
from math import exp

import numpy as np
import pytest
from examples_of_transforms import images

from netdsl.data.color import ColorJitter, Grayscale, Solarize
from netdsl.data.pixels import Blur, Normalize

HALF = np.float32(0.5)


def draws(*columns) -> np.ndarray:
    """A row of numbers for each image."""
    return np.array(list(zip(*columns)), np.float32)


def grey_of(pixel) -> float:
    return 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]


def pixels_of(batch: np.ndarray):
    """Each image's pixels, [N, H · W, 3] in float64."""
    return batch.reshape(*batch.shape[:2], -1).swapaxes(1, 2).astype(float)


def test_normalize_by_channel():
    batch = images(1, 2)
    made = Normalize((0.5, 0.1), (2.0, 4.0)).apply(batch.copy(), draws())
    np.testing.assert_allclose(made[0, 0], (batch[0, 0] - 0.5) / 2, rtol=1e-6)
    np.testing.assert_allclose(made[0, 1], (batch[0, 1] - 0.1) / 4, rtol=1e-6)


def test_brightness_contrast_and_saturation_one_after_the_other():
    batch = images(3)
    one = np.full(3, HALF)
    numbers = draws([0.1, 0.5, 0.9], [0.3, 0.0, 0.7], [0.99, 0.4, 0.2], one)
    transform = ColorJitter(0.5, brightness=(0.8, 1.2), contrast=(0.2, 2.0))
    made = transform.apply(batch.copy(), numbers)
    pairs = zip(pixels_of(batch), pixels_of(made), numbers.astype(float))
    for before, after, (b, c, s, _) in pairs:
        before = before * (0.8 + 0.4 * b)
        middle = np.mean([grey_of(pixel) for pixel in before])
        before = middle + (0.2 + 1.8 * c) * (before - middle)
        for old, new in zip(before, after):
            expected = grey_of(old) + (0.5 + s) * (old - grey_of(old))
            np.testing.assert_allclose(new, expected, atol=1e-5)


def test_one_channel_has_brightness_and_contrast():
    batch = images(2, 1)
    numbers = draws([0.0, 0.5], [0.5, 1.0 - 2**-24], [0.9, 0.9], [0.9, 0.9])
    made = ColorJitter(0.5).apply(batch.copy(), numbers)
    np.testing.assert_allclose(made[0], batch[0] / 2, rtol=1e-5)
    np.testing.assert_allclose(made[1], 1.5 * batch[1] - batch[1].mean() / 2, atol=1e-5)


@pytest.mark.parametrize("turn", [-0.5, -0.2, 0, 1 / 3, 0.4, 0.5])
def test_hue_is_that_of_the_colour_circle(turn):
    batch = images(2)
    batch[:, :, 0, :4] = np.array([[0, 1, 0.5, 0.2], [0, 1, 0.5, 0.2], [0, 1, 0.5, 0.7]])  # greys
    made = ColorJitter(hue=(turn, turn) if turn else (0, 1e-9)).apply(
        batch.copy(), np.full((2, 4), HALF))
    for before, after in zip(pixels_of(batch).reshape(-1, 3), pixels_of(made).reshape(-1, 3)):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        expected = colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)
        np.testing.assert_allclose(after, expected, atol=2e-6)


def test_a_whole_turn_of_hue_is_none_and_scale_is_no_matter():
    batch = images(4)
    jitter = ColorJitter(hue=(0.3, 0.3))
    numbers = np.full((4, 4), HALF)
    once = jitter.apply(batch.copy(), numbers)
    scaled = jitter.apply(255 * batch, numbers)
    np.testing.assert_allclose(scaled, 255 * once, rtol=1e-4, atol=1e-3)
    back = ColorJitter(hue=(-0.3, -0.3)).apply(once.copy(), numbers)
    np.testing.assert_allclose(back, batch, atol=1e-5)


def test_grey_in_three_channels():
    batch = images(2)
    made = Grayscale(0.5).apply(batch.copy(), draws([0.4, 0.6]))
    for before, after in zip(pixels_of(batch)[0], pixels_of(made)[0]):
        np.testing.assert_allclose(after, [grey_of(before)] * 3, atol=1e-6)
    assert np.array_equal(made[1], batch[1])


@pytest.mark.parametrize("threshold", [0, 0.5, 1])
def test_solarize_turns_what_is_bright(threshold):
    batch = images(2)
    batch[0, 0, 0, 0] = threshold
    made = Solarize(threshold, 0.5).apply(batch.copy(), draws([0.1, 0.9]))
    for before, after in zip(batch[0].ravel(), made[0].ravel()):
        assert after == (1 - before if before >= threshold else before)
    assert np.array_equal(made[1], batch[1])


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (0.01, 0.01), (1.0, 2.0)])
def test_blur_by_its_definition(low, high):
    """Every pixel the mean of those around it, by a Gaussian of their distance; beyond the edges
    the nearest pixel."""
    batch = images(2, 2, 5, 4)
    numbers = draws([0.2, 0.2], [0.25, 0.75])
    made = Blur(0.5, (low, high)).apply(batch.copy(), numbers)
    for image, after, (_, place) in zip(batch.astype(float), made, numbers.astype(float)):
        sigma = low + (high - low) * place
        reach = range(-int(np.ceil(3 * high)), int(np.ceil(3 * high)) + 1)
        kernel = {(i, j): exp(-(i * i + j * j) / (2 * sigma**2)) for i in reach for j in reach}
        total = sum(kernel.values())
        for y, x in np.ndindex(5, 4):
            expected = sum(
                part * image[:, min(max(y + i, 0), 4), min(max(x + j, 0), 3)]
                for (i, j), part in kernel.items()
            ) / total
            np.testing.assert_allclose(after[:, y, x], expected, atol=1e-5)
    kept = Blur(0.5, (low, high)).apply(batch.copy(), draws([0.5, 0.9], [0.25, 0.75]))
    assert np.array_equal(kept, batch)
