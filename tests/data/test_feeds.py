"""What feeds make of fields: images of different sizes, random draws, facts of the data, and what
is said of those that cannot be made."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image
from test_batches import B, feed, inputs

from netdsl.data.batches import Batches
from netdsl.data.dataset import Dataset, Field
from netdsl.data.draws import MEASURING
from netdsl.data.feeds import bind_feeds
from netdsl.data.images import Images
from netdsl.data.ways import MOST_NUMBERS
from netdsl.diagnostics import Refused, Report
from netdsl.ir.dim import symbol
from netdsl.ir.program import Feed, Flow, Recipe, Reference, Stage

PHOTO = inputs(image=("f32", B, 3, 6, 6))


def stages(*written: Recipe) -> list[Stage]:
    return [Stage(recipe) for recipe in written]


def r(name: str, *arguments, **keywords) -> Recipe:
    return Recipe(name, arguments, keywords)


@pytest.fixture
def photos(tmp_path) -> Dataset:
    """Six training images of two classes, no two of one size."""
    drawn = np.random.default_rng(0)
    for number in range(15):
        folder = tmp_path / "ab"[number % 2]
        folder.mkdir(exist_ok=True)
        pixels = drawn.integers(0, 256, (9 + number, 30 - number, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return Images(str(tmp_path)).load()


def batch_of(dataset: Dataset, *written: Recipe, graph=PHOTO, size: int = 4) -> dict:
    batches = Batches(graph, dataset, size, feeds=[feed(*stages(*written))], needed={"image"})
    return next(batches.training(0))


@pytest.mark.parametrize("written", [
    (r("resize", 8), r("center_crop", 6)),
    (r("resize", (6, 6)),),
    (r("random_crop", size=6),),
    (r("random_resized_crop", 6),),
    (r("random_flip"), r("random_rotate", 20), r("color_jitter", Fraction(2, 5)),
     r("noise", Fraction(1, 10)), r("center_crop", 7), r("blur"), r("center_crop", 6),
     r("normalize", Fraction(1, 2), Fraction(1, 4))),
])
def test_images_of_different_sizes_become_one_batch(photos, written):
    image = batch_of(photos, *written)["image"]
    assert image.shape == (4, 3, 6, 6) and image.dtype == np.float32
    assert image.flags.c_contiguous and np.isfinite(image).all()
    assert np.array_equal(image, batch_of(photos, *written)["image"])


def test_draws_do_not_depend_on_what_size_the_others_have(photos):
    """A row among copies of itself and the same row among images of other sizes."""
    field = photos.train["image"]
    copies = Field(np.stack([field.rows(slice(0, 1), np.dtype(np.float32))[0]] * 4))
    crops = stages(r("random_resized_crop", 6), r("random_flip"), r("noise", Fraction(1, 10)))
    mixed, uniform = (
        next(Batches(PHOTO, Dataset("", {"image": rows}, {"image": rows}), 4,
                     feeds=[feed(*crops)]).validation())["image"]
        for rows in (field, copies)
    )
    assert np.array_equal(mixed[0], uniform[0])
    assert not np.array_equal(uniform[0], uniform[1])


def test_sizes_that_still_differ_name_two_files(photos):
    with pytest.raises(Refused) as refused:
        batch_of(photos, r("random_flip"), graph=inputs(image=("f32", B, 3, symbol("H"), 6)))
    problem, = refused.value.problems
    told = problem.describe()
    assert problem.code == "N541"
    assert told.message == "the rows for the input `image` differ in size"
    assert all(".png: [3, " in note for note in told.notes) and len(told.notes) == 2
    assert told.suggestion == "`-> resize(224) -> center_crop(224)` makes them equal"


@pytest.mark.parametrize(("sizes", "way"), [
    ((6, 6), "`-> resize(6) -> center_crop(6)`"), ((6, 9), "`-> resize(9) -> center_crop([6, 9])`"),
])
def test_the_way_out_works(photos, sizes, way):
    graph = inputs(image=("f32", B, 3, *sizes))
    with pytest.raises(Refused) as refused:
        batch_of(photos, graph=graph)
    assert way in refused.value.problems[0].describe().suggestion
    crop = sizes[0] if sizes[0] == sizes[1] else sizes
    image = batch_of(photos, r("resize", max(sizes)), r("center_crop", crop), graph=graph)["image"]
    assert image.shape == (4, 3, *sizes)


def test_a_stage_that_a_row_does_not_fit_names_the_file(photos):
    with pytest.raises(Refused) as refused:
        batch_of(photos, r("center_crop", 20), r("resize", 6), graph=PHOTO, size=7)
    problem, = refused.value.problems
    told = problem.describe()
    assert problem.code == "N540"
    assert ".png: a crop of 20 x 20 does not fit into " in told.message
    assert told.suggestion == "`-> resize(20)` before it makes images large enough"


def test_a_row_of_a_file_is_named_too():
    data = Dataset("", {"image": Field(np.zeros((4, 3, 8, 8)), origin="a.npz")}, {})
    with pytest.raises(Refused, match="N540.*`center_crop` cannot work on these rows: a crop of 9"):
        batch_of(data, r("center_crop", 9))


def test_a_resized_row_may_not_be_too_large():
    narrow = Dataset("", {"image": Field(np.zeros((4, 3, 2000, 1), np.float32))}, {})
    with pytest.raises(Refused, match=f"more than {MOST_NUMBERS:,} numbers"):
        batch_of(narrow, r("resize", 8192), graph=inputs(image=("f32", B, 3, symbol("H"), 8192)))


@pytest.mark.parametrize("name", ["color_jitter", "grayscale", "solarize"])
def test_whole_numbers_are_no_brightness(name):
    data = Dataset.of({"image": np.zeros((4, 3, 6, 6), np.uint8)})
    arguments = (1,) if name == "color_jitter" else ()
    with pytest.raises(Refused) as refused:
        batch_of(data, r(name, *arguments))
    problem, = refused.value.problems
    assert problem.code == "N542" and "holds whole numbers, uint8" in problem.describe().message
    batch_of(data, r("normalize", 0, 255), r(name, *arguments))
    batch_of(Dataset("", {"image": Field(np.zeros((4, 3, 6, 6), np.uint8), 255)}, {}),
             r(name, *arguments))


# ------------------------------------------------------------------ draws

NOISE = inputs(x=("f32", B, 2), noise=("f32", B, 3, 5))
ROWS = {"x": np.zeros((10, 2), np.float32)}


def drawn(value, seed: int = 0, size: int = 4, graph=NOISE) -> Batches:
    feeds = [Feed(("noise",), value)]
    return Batches(graph, Dataset.of(ROWS, ROWS), size, feeds=feeds, seed=seed)


def test_draws_are_new_for_every_batch_and_the_same_for_every_run():
    epochs = [[b["noise"] for b in drawn(r("normal", std=2)).training(e)] for e in (0, 1, 0)]
    assert all(noise.shape == (4, 3, 5) and noise.dtype == np.float32
               for epoch in epochs for noise in epoch)
    assert len({noise.tobytes() for noise in [*epochs[0], *epochs[1]]}) == 4
    assert all(map(np.array_equal, epochs[0], epochs[2]))
    other = next(drawn(r("normal", std=2), seed=1).training(0))["noise"]
    assert not np.array_equal(other, epochs[0][0])


def test_a_row_of_draws_does_not_depend_on_the_batch_size():
    small, large = (next(drawn(r("uniform", -1, 1), size=n).training(0))["noise"] for n in (4, 9))
    assert np.array_equal(large[:4], small)
    assert -1 <= large.min() and large.max() < 1


def test_measuring_draws_the_same_each_time_whatever_the_seed():
    made = drawn(r("normal"))
    first, again = ([b["noise"] for b in made.validation()] for _ in range(2))
    other = [b["noise"] for b in drawn(r("normal"), seed=5).validation()]
    assert [len(noise) for noise in first] == [4, 4, 2]
    assert all(map(np.array_equal, first, again)) and all(map(np.array_equal, first, other))
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], next(made.training(0))["noise"])
    assert MEASURING >= 2**63  # training has none of these seeds


def test_transforms_in_validation_draw_the_same_each_time_too():
    image = {"image": np.random.default_rng(0).random((6, 1, 4, 4)).astype(np.float32)}
    graph = inputs(image=("f32", B, 1, 4, 4))
    made = [
        [b["image"] for b in Batches(graph, Dataset.of(image, image), 4, seed=seed,
                                     feeds=[feed(*stages(r("random_crop", 2)))]).validation()]
        for seed in (0, 1)
    ]
    assert all(map(np.array_equal, *made))


def test_draws_go_through_transforms():
    plain = next(drawn(r("uniform")).training(0))["noise"]
    scaled = Flow(r("uniform"), (Stage(r("normalize", Fraction(1, 2), 2)),
                                 Stage(r("normalize", 9, 1), Reference(("validating",)))))
    made = drawn(scaled)
    np.testing.assert_allclose(next(made.training(0))["noise"], (plain - 0.5) / 2, rtol=1e-5)
    assert next(made.validation())["noise"].max() < -8


def test_several_inputs_of_one_feed_draw_independently():
    graph = inputs(x=("f32", B, 2), a=("f32", B, 4), b=("f64", B, 4))
    batches = Batches(graph, Dataset.of(ROWS), 10, feeds=[Feed(("a", "b"), r("normal"))])
    batch = next(batches.training(0))
    assert batch["b"].dtype == np.float64
    assert not np.isclose(batch["a"], batch["b"]).any()


@pytest.mark.parametrize(("type", "value", "reason"), [
    (("f32", 8, 3), r("normal"), "its first axis is fixed at 8; the batch is a free dimension"),
    (("f32", B, symbol("L")), r("normal"), "how large is `L`?"),
    (("f32",), r("normal"), "a single number"),
    (("i64", B), r("uniform"), "it draws floats, not i64"),
    (("f32", B, 1, 4, 4), Flow(r("normal"), (Stage(r("center_crop", 2)),)),
     "its rows are [1, 2, 2] when training, not [1, 4, 4]"),
    (("f32", B, 4), Flow(r("normal"), (Stage(r("random_flip")),)), "images have 3 axes"),
    (("f32", B, 4), r("normal", std=10**38), "do not fit into f32"),
    (("f32", B, 4), r("uniform", -(10**39), 0), "do not fit into f32"),
    (("f32", B, 4), r("uniform", 1, 0), "`high` is below `low`"),
])
def test_draws_that_do_not_fit(type, value, reason):
    with pytest.raises(Refused) as refused:
        drawn(value, graph=inputs(x=("f32", B, 2), noise=type))
    problem, = refused.value.problems
    assert reason in problem.describe().message


# ------------------------------------------------------------------ facts

LABELS = np.repeat(np.arange(4), (1, 2, 3, 2))


def known(type: tuple, name: str = "frequencies") -> dict:
    data = Dataset.of({"x": np.zeros((8, 1)), "label": LABELS}, classes=tuple("abcd"))
    graph = inputs(x=("f32", B, 1), freq=type)
    batches = Batches(graph, data, 8, feeds=[Feed(("freq",), Reference(("data", name)))])
    return next(batches.training(0))


def test_how_often_each_class_occurs():
    assert known(("f32", 4))["freq"].tolist() == [1 / 8, 2 / 8, 3 / 8, 2 / 8]
    assert known(("f64", symbol("C")))["freq"].dtype == np.float64
    assert list(known(("f32", 4))) == ["x", "freq"]


@pytest.mark.parametrize(("word", "way"), [
    ("randn", "did you mean `normal`?"), ("rand", "did you mean `uniform`?"),
    ("nomral", "did you mean `normal`?"),
])
def test_draws_by_other_words(word, way):
    report = Report()
    bind_feeds(inputs(z=("f32", B, 4)), [Feed(("z",), r(word))], report)
    problem, = report.problems
    assert (problem.code, problem.describe().suggestion) == ("N401", way)


@pytest.mark.parametrize(("type", "name", "code"), [
    (("f32", 5), "frequencies", "N446"), (("i64", 4), "frequencies", "N446"),
    (("f32", B, 4), "frequencies", "N446"), (("f32", 4), "frequency", "N457"),
])
def test_facts_that_do_not_fit(type, name, code):
    with pytest.raises(Refused) as refused:
        known(type, name)
    assert [problem.code for problem in refused.value.problems] == [code]
