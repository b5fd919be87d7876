"""What holds for every transform: shapes, both forms of a batch, draws that depend on nothing but
their names, errors in words."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from examples_of_transforms import EACH, EXAMPLES, NAMES, SAME_FOR_ALL, images

from netdsl.data.draws import MEASURING, Draws, raw_bits, shuffled
from netdsl.data.transform import Unfit
from netdsl.data.transforms import TRANSFORMS
from netdsl.diagnostics import Report
from netdsl.ir.program import Recipe

DRAWS = Draws(seed=1, stream="image.0", epoch=2, batch=3)
RANDOM = [(name, each) for name, each in EACH if name not in SAME_FOR_ALL]
each_transform = pytest.mark.parametrize(("name", "transform"), EACH, ids=NAMES)


def made(written: Recipe):
    """The transform that a recipe names, and what is said of it."""
    report = Report()
    return TRANSFORMS.bind(written, report), [each.describe().message for each in report.problems]


def test_every_transform_has_an_example():
    assert EXAMPLES.keys() == TRANSFORMS.rows.keys()
    assert all(type(each) is TRANSFORMS.rows[name] for name, each in EACH)


@each_transform
@pytest.mark.parametrize("size", [(8, 10), (9, 6), (6, 6), (40, 7)])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_shape_and_dtype_are_as_promised(name, transform, size, channels):
    batch = images(5, channels, *size)
    try:
        row = transform.shape(batch.shape[1:])
    except Unfit:
        assert channels != 3 or min(size) < 4
        return
    result = transform(batch.copy(), DRAWS)
    assert result.shape == (5, *row) and result.dtype == np.float32
    assert np.isfinite(result).all()
    unknown = transform.shape((channels, None, None))
    assert all(have in (None, size) for have, size in zip(unknown, row))


@each_transform
def test_images_of_one_size_in_a_list_are_the_same_bits(name, transform):
    batch = transform(images(20), DRAWS)
    rows = transform(list(images(20)), DRAWS)
    assert isinstance(rows, list)
    assert np.array_equal(np.stack(rows), batch)


@each_transform
def test_a_row_depends_on_no_other_and_on_no_other_size(name, transform):
    """The same row among others of other sizes, and in a shorter batch, is the same image."""
    whole, again, part = (transform(images()[:n], DRAWS) for n in (64, 64, 20))
    assert np.array_equal(whole, again) and np.array_equal(whole[:20], part)
    mixed = list(images(8))
    for number in (0, 3):
        mixed[number] = images(1, 3, 30, 17)[0]
    assert np.array_equal(transform(mixed, DRAWS)[7], whole[7])


@pytest.mark.parametrize(("name", "transform"), RANDOM)
def test_every_row_and_every_batch_draws_by_itself(name, transform):
    same = np.repeat(images(1), 64, axis=0)
    rows = transform(same.copy(), DRAWS)
    assert len({row.tobytes() for row in rows}) > 1
    for change in ({"seed": 2}, {"stream": "b"}, {"epoch": 3}, {"batch": 4}, {"seed": MEASURING}):
        other = transform(same.copy(), replace(DRAWS, **change))
        assert not np.array_equal(rows, other), change


@pytest.mark.parametrize("name", SAME_FOR_ALL)
def test_what_is_not_random_is_the_same_for_all(name):
    for transform in EXAMPLES[name]:
        rows = transform(np.repeat(images(1), 8, axis=0), DRAWS)
        assert all(np.array_equal(rows[0], row) for row in rows)


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize("name", EXAMPLES.keys() - {"normalize", "noise"})
@pytest.mark.parametrize("row", [(8,), (8, 8), (1, 2, 3, 4)])
def test_what_is_no_image_is_refused(name, row):
    with pytest.raises(Unfit, match="images have 3 axes"):
        EXAMPLES[name][0].shape(row)


def r(name: str, *arguments, **keywords) -> Recipe:
    return Recipe(name, arguments, keywords)


@pytest.mark.parametrize(("written", "row", "reason", "way"), [
    (r("center_crop", 9), (3, 8, 20), "a crop of 9 x 9 does not fit into 8 x 20", "resize(9)"),
    (r("center_crop", (2, 30)), (3, 8, 20), "a crop of 2 x 30 does not fit into 8 x 20",
     "resize(30)"),
    (r("random_crop", size=13, pad=2), (1, 8, 8), "a crop of 13 x 13 does not fit into 12 x 12",
     "resize(13)"),
    (r("random_crop", size=9), (1, None, 8), "a crop of 9 x 9 does not fit into ? x 8",
     "resize(9)"),
    (r("cutout", 8), (1, 8, 8), "a square of 8 pixels covers the whole image, which has 8 x 8",
     None),
    (r("grayscale"), (1, 8, 8), "images of 1 channel are grey already", "leave it out"),
    (r("grayscale"), (4, 8, 8), "colours are of 3 channels, not 4", None),
    (r("color_jitter", hue=Fraction(1, 10)), (1, 8, 8), "neither saturation nor hue", "leave out"),
    (r("color_jitter", saturation=1), (1, 8, 8), "neither saturation nor hue", "leave out"),
    (r("color_jitter", 1), (2, 8, 8), "colours are of 1 or 3 channels, not 2", None),
    (r("normalize", (1, 2), 1), (1, 8, 8), "numbers for 2 channels, and these rows have 1", None),
    (r("normalize", 1, (1, 2)), (), "numbers for 2 channels, and these rows have none", None),
])
def test_rows_that_do_not_fit(written, row, reason, way):
    transform, problems = made(written)
    assert not problems
    with pytest.raises(Unfit) as unfit:
        transform.shape(row)
    assert reason in unfit.value.reason
    assert way is None or way in unfit.value.way


@pytest.mark.parametrize(("written", "row"), [
    (r("random_crop", size=12, pad=2), (1, 8, 8)), (r("cutout", 8), (1, 8, 9)),
    (r("color_jitter", Fraction(1, 2)), (1, 8, 8)), (r("center_crop", 8), (1, None, 8)),
    (r("random_crop", 0), (1, 2, 2)), (r("color_jitter", contrast=(1, 2)), (1, 8, 8)),
])
def test_what_just_fits(written, row):
    transform, problems = made(written)
    assert not problems and len(transform.shape(row)) == 3


@pytest.mark.parametrize(("written", "message"), [
    (r("random_flip", Fraction(3, 2)),
     "`p` of `random_flip` must be a number from 0 to 1, not 1.5"),
    (r("blur", -1), "`p` of `blur` must be a number from 0 to 1, not -1"),
    (r("random_erase", 2), "`p` of `random_erase` must be a number from 0 to 1, not 2"),
    (r("random_crop"), "the arguments of `random_crop` do not fit: it needs a `pad`, a `size` or "
     "both, as in `random_crop(pad = 4)`"),
    (r("random_crop", 2.5), "`pad` of `random_crop` must be a whole number of pixels from 0 to "
     "8,192, not 2.5"),
    (r("resize", 10**12), "`size` of `resize` must be a whole number of pixels from 1 to 8,192, or "
     "two: [height, width], not 1000000000000"),
    (r("resize", (2, 3, 4)), "`size` of `resize` must be a whole number of pixels from 1 to 8,192, "
     "or two: [height, width], not [2, 3, 4]"),
    (r("center_crop", 0), "`size` of `center_crop` must be a whole number of pixels from 1 to "
     "8,192, or two: [height, width], not 0"),
    (r("random_resized_crop", 8, (Fraction(1, 2), Fraction(1, 10))), "`scale` of "
     "`random_resized_crop` must be two numbers from 0.0001 to 1, the lower one first, not "
     "[0.5, 0.1]"),
    (r("random_resized_crop", 8, ratio=(2, 1)), "`ratio` of `random_resized_crop` must be two "
     "numbers from 0.01 to 100, the lower one first, not [2, 1]"),
    (r("random_rotate", 400), "`degrees` of `random_rotate` must be a number from 0 to 360, or two "
     "from -360 to 360, the lower one first, not 400"),
    (r("random_zoom", (0, 1)), "`factor` of `random_zoom` must be two numbers from 0.1 to 10, the "
     "lower one first, not [0, 1]"),
    (r("color_jitter"), "the arguments of `color_jitter` do not fit: nothing would change: give a "
     "`strength`, as in `color_jitter(0.4)`"),
    (r("color_jitter", hue=1), "`hue` of `color_jitter` must be a number from 0 to 0.5, or two "
     "from -0.5 to 0.5, the lower one first, not 1"),
    (r("color_jitter", brightness=-1), "`brightness` of `color_jitter` must be a number of at "
     "least 0, or two, the lower one first, not -1"),
    (r("noise", -1), "`std` of `noise` must be a number of at least 0, not -1"),
    (r("blur", sigma=(0, 10**9)), "`sigma` of `blur` must be two numbers from 0.01 to 100, the "
     "lower one first, not [0, 1000000000]"),
    (r("normalize", (1, 2), (1, 2, 3)), "the arguments of `normalize` do not fit: 2 means and 3 "
     "deviations"),
])
def test_arguments_that_are_refused(written, message):
    assert made(written) == (None, [message])


@pytest.mark.parametrize(("written", "field", "value"), [
    (r("random_rotate", 15), "degrees", (-15, 15)),
    (r("random_rotate", (-5, 90)), "degrees", (-5, 90)),
    (r("color_jitter", brightness=Fraction(1, 4)), "brightness", (0.75, 1.25)),
    (r("color_jitter", contrast=3), "contrast", (0, 4)),
    (r("color_jitter", saturation=(0, 2)), "saturation", (0, 2)),
    (r("color_jitter", hue=Fraction(1, 4)), "hue", (-0.25, 0.25)),
    (r("resize", (4, 6)), "size", (4, 6)), (r("resize", 4), "size", 4),
])
def test_one_number_or_two(written, field, value):
    transform, problems = made(written)
    assert not problems and getattr(transform, field) == value


# ------------------------------------------------------------------ draws


def test_bits_stay_as_they_are():
    """The draws are part of what a run can be repeated by: Philox4x64-10, written out."""
    assert raw_bits(0, "order", 0, 0, 2).tolist() == [1293985122396897489, 3168856367463317686]
    assert shuffled(8, 0, "order").tolist() == [0, 1, 5, 4, 3, 7, 2, 6]


def test_rows_have_streams_of_their_own():
    own = [Draws(0, "a", 1, 2).of_row(row).normal(1000) for row in range(4)]
    assert np.array_equal(own[0], Draws(0, "a", 1, 2).normal(1000))
    assert np.abs(np.corrcoef(own) - np.eye(4)).max() < 4.5 / np.sqrt(1000)
    from netdsl.streams import stream

    ahead = np.random.Philox(key=stream(0, "a").state["state"]["key"], counter=[0, 3, 2, 1])
    assert np.array_equal(raw_bits(0, "a", 1, 2, 5, row=3), ahead.random_raw(5))


def test_a_shuffle_is_a_permutation_of_its_own_for_each_epoch():
    orders = [shuffled(100, 3, "order", epoch) for epoch in range(3)]
    assert all(sorted(order) == list(range(100)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
