"""Transforms: small batches in, pictures out; draws that depend on nothing but their names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from netdsl.data.draws import Draws, raw_bits, shuffled
from netdsl.data.transforms import (
    TRANSFORMS,
    Blur,
    CenterCrop,
    ColorJitter,
    Grayscale,
    Normalize,
    RandomCrop,
    RandomFlip,
    RandomResizedCrop,
    Resize,
)

DRAWS = Draws(seed=1, stream="image.0.random_crop", epoch=2, batch=3)


def images(count: int = 200, channels: int = 2, height: int = 3, width: int = 4) -> np.ndarray:
    shape = (count, channels, height, width)
    return 1 + np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


SMALLEST = {
    "normalize": Normalize((0.5, 0.1), (2.0, 4.0)),
    "random_crop": RandomCrop(2),
    "random_flip": RandomFlip(0.5),
}


def test_every_transform_that_works_has_an_example():
    assert SMALLEST.keys() == {name for name, row in TRANSFORMS.rows.items() if not row.pending}


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


@pytest.mark.parametrize(("transform", "row", "made"), [
    (Resize(256), (3, 512, 512), (3, 256, 256)), (Resize(256), (3, 512, 1024), (3, 256, 512)),
    (Resize(8), (1, 3, 2), (1, 12, 8)), (Resize(8), (1, None, 2), (1, None, None)),
    (CenterCrop(224), (3, 256, 300), (3, 224, 224)), (CenterCrop(4), (3, None, None), (3, 4, 4)),
    (RandomResizedCrop(96), (3, 8, 8), (3, 96, 96)), (ColorJitter(0.4), (3, 8, 8), (3, 8, 8)),
    (Grayscale(), (3, 8, 8), (3, 8, 8)), (Blur(0.5), (3, None, 8), (3, None, 8)),
])
def test_shapes_of_those_that_come_later(transform, row, made):
    assert transform.pending and transform.shape(row) == made


@pytest.mark.parametrize("transform", [
    Resize(8), CenterCrop(8), RandomResizedCrop(8), ColorJitter(0.1), Grayscale(), Blur(),
])
@pytest.mark.parametrize("row", [(8,), (8, 8), (1, 2, 3, 4)])
def test_what_is_no_image_is_refused(transform, row):
    with pytest.raises(ValueError, match="images have 3 axes"):
        transform.shape(row)


def test_a_crop_does_not_fit_a_smaller_image():
    with pytest.raises(ValueError, match="a crop of 9 does not fit into 8 x 20"):
        CenterCrop(9).shape((3, 8, 20))


@pytest.mark.parametrize("range", [{"scale": (0.5, 0.1)}, {"ratio": (2, 1)}])
def test_a_range_begins_where_it_is_low(range):
    with pytest.raises(ValueError, match="begins above where it ends"):
        RandomResizedCrop(8, **range)
