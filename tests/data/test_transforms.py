"""Transforms: small batches in, pictures out; draws that depend on nothing but their names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from netdsl.data.draws import Draws, raw_bits, shuffled
from netdsl.data.transforms import TRANSFORMS, Normalize, RandomCrop, RandomFlip

DRAWS = Draws(seed=1, stream="image.0.random_crop", epoch=2, batch=3)


def images(count: int = 200, channels: int = 2, height: int = 3, width: int = 4) -> np.ndarray:
    shape = (count, channels, height, width)
    return 1 + np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


SMALLEST = {
    "normalize": Normalize((0.5, 0.1), (2.0, 4.0)),
    "random_crop": RandomCrop(2),
    "random_flip": RandomFlip(0.5),
}


def test_every_transform_has_an_example():
    assert SMALLEST.keys() == TRANSFORMS.rows.keys()


@pytest.mark.parametrize("name", SMALLEST)
def test_shape_and_dtype_are_as_promised(name):
    transform = SMALLEST[name]
    batch = images()
    made = transform(batch.copy(), DRAWS)
    assert made.shape == (200, *transform.shape(batch.shape[1:]))
    assert made.dtype == np.float32


@pytest.mark.parametrize("name", SMALLEST)
def test_same_draws_same_images_whatever_else_the_batch_holds(name):
    transform = SMALLEST[name]
    whole, again, part = (transform(images()[:n], DRAWS) for n in (200, 200, 50))
    assert np.array_equal(whole, again)
    assert np.array_equal(whole[:50], part)


@pytest.mark.parametrize("change", [{"seed": 2}, {"stream": "b"}, {"epoch": 3}, {"batch": 4}])
@pytest.mark.parametrize("name", ["random_crop", "random_flip"])
def test_other_draws_other_images(name, change):
    a, b = (SMALLEST[name](images(), draws) for draws in (DRAWS, replace(DRAWS, **change)))
    assert not np.array_equal(a, b)


def test_normalize_by_channel():
    batch = images(1)
    made = Normalize((0.5, 0.1), (2.0, 4.0))(batch.copy(), DRAWS)
    np.testing.assert_allclose(made[0, 0], (batch[0, 0] - 0.5) / 2, rtol=1e-6)
    np.testing.assert_allclose(made[0, 1], (batch[0, 1] - 0.1) / 4, rtol=1e-6)


def test_crop_shifts_each_image_by_up_to_pad_and_brings_zeros_in():
    batch = images()
    made = RandomCrop(1)(batch.copy(), DRAWS)
    padded = np.pad(batch, ((0, 0), (0, 0), (1, 1), (1, 1)))
    seen = set()
    for row in range(len(batch)):
        found = [(dy, dx) for dy in range(3) for dx in range(3)
                 if np.array_equal(made[row], padded[row, :, dy : dy + 3, dx : dx + 4])]
        assert len(found) == 1
        seen.add(found[0])
    assert len(seen) == 9


@pytest.mark.parametrize(("p", "low", "high"), [(0, 0, 0), (0.5, 70, 130), (1, 200, 200)])
def test_flip_mirrors_the_right_share(p, low, high):
    batch = images()
    made = RandomFlip(p)(batch.copy(), DRAWS)
    mirrored = [np.array_equal(a, b[:, :, ::-1]) for a, b in zip(made, batch)]
    kept = [np.array_equal(a, b) for a, b in zip(made, batch)]
    assert all(a != b for a, b in zip(mirrored, kept))
    assert low <= sum(mirrored) <= high


@pytest.mark.parametrize(("transform", "row"), [
    (RandomCrop(2), (64,)), (RandomFlip(), ()), (Normalize((1.0, 2.0), (1.0,)), (1, 8, 8)),
    (Normalize((1.0,), (1.0, 2.0)), ()),
])
def test_rows_that_do_not_fit(transform, row):
    with pytest.raises(ValueError):
        transform.shape(row)


def test_bits_stay_as_they_are():
    """The draws are part of what a run can be repeated by: Philox4x64-10, written out."""
    assert raw_bits(0, "order", 0, 0, 2).tolist() == [1293985122396897489, 3168856367463317686]
    assert shuffled(8, 0, "order").tolist() == [0, 1, 5, 4, 3, 7, 2, 6]
    numbers = Draws(0, "a", 0, 0).uniform(1000)
    assert 0 <= numbers.min() and numbers.max() < 1 and abs(numbers.mean() - 0.5) < 0.03
    counts = np.bincount(Draws(0, "a", 0, 0).integers(5, 1000))
    assert len(counts) == 5 and counts.min() > 150


def test_a_shuffle_is_a_permutation_of_its_own_for_each_epoch():
    orders = [shuffled(100, 3, "order", epoch) for epoch in range(3)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
