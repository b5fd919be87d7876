"""From rows to what a model is fed: order, whole batches, feeds by phase, independent draws."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from netdsl.data.batches import Batches
from netdsl.data.dataset import Dataset, Field
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import BatchTooLarge
from netdsl.ir.dim import symbol
from netdsl.ir.graph import Graph, Value
from netdsl.ir.program import Feed, Flow, Recipe, Reference, Stage
from netdsl.ir.tensor import TensorType

B = symbol("B")


def inputs(**types: tuple) -> Graph:
    """A graph of nothing but inputs: `image=("f32", B, 1, 4, 4)`."""
    values = {
        name: Value(TensorType(dtype, tuple(shape)), name=name)
        for name, (dtype, *shape) in types.items()
    }
    return Graph("Inputs", (), values, {}, {})


def rows(count: int) -> dict[str, np.ndarray]:
    return {"image": np.arange(count * 16, dtype=np.uint8).reshape(count, 1, 4, 4),
            "label": np.arange(count, dtype=np.uint8)}


PICTURES = inputs(image=("f32", B, 1, 4, 4), label=("i64", B))
FLIP, CROP = Recipe("random_flip"), Recipe("random_crop", (1,))
HALVE = Recipe("normalize", (0, 2))


def feed(*stages: Stage, names=("image",), field="image") -> Feed:
    return Feed(names, Flow(Reference((field,)), stages))


def batches(size: int = 4, graph: Graph = PICTURES, train: int = 10, held: int = 7, **options):
    return Batches(graph, Dataset.of(rows(train), rows(held)), size, **options)


def test_training_takes_whole_batches_in_an_order_of_its_own_each_epoch():
    made = batches()
    assert made.steps_per_epoch == 2
    orders = [np.concatenate([b["label"] for b in made.training(epoch)]) for epoch in range(3)]
    assert all(len(order) == 8 == len(set(order)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    again = np.concatenate([b["label"] for b in batches().training(2)])
    assert np.array_equal(orders[2], again)
    other = np.concatenate([b["label"] for b in batches(seed=1).training(2)])
    assert not np.array_equal(orders[2], other)


def test_validation_takes_all_rows_in_order_and_a_smaller_last_batch():
    made = [b["label"].tolist() for b in batches().validation()]
    assert made == [[0, 1, 2, 3], [4, 5, 6]]


def test_rows_stay_together_and_get_the_types_of_the_inputs():
    for batch in batches().training(0):
        assert batch["label"].dtype == np.int64 and batch["image"].dtype == np.float32
        assert np.array_equal(batch["image"][:, 0, 0, 0], batch["label"] * 16 % 256)


def test_units_make_floats_of_bytes():
    split = {"x": Field(np.array([0, 51, 255], np.uint8), unit=255)}
    graph = inputs(x=("f32", B))
    batch, = Batches(graph, Dataset("", split, split), 3).validation()
    assert batch["x"].tolist() == [0, np.float32(0.2), 1]


def test_stages_follow_their_phase():
    train = Stage(HALVE, Reference(("training",)))
    always = Stage(HALVE)
    held = Stage(HALVE, Reference(("validating",)))
    sums = {}
    for name, stages in {"t": [train], "a": [always], "tv": [train, held, always]}.items():
        made = batches(10, held=10, feeds=[feed(*stages)])
        sums[name] = [next(part)["image"].sum() for part in (made.training(0), made.validation())]
    whole = float(rows(10)["image"].sum())
    assert sums == {"t": [whole / 2, whole], "a": [whole / 2] * 2, "tv": [whole / 4] * 2}


def test_names_in_one_feed_draw_independently():
    graph = inputs(a=("f32", B, 1, 4, 4), b=("f32", B, 1, 4, 4))
    made = batches(10, graph, feeds=[feed(Stage(CROP), names=("a", "b"))])
    batch, = made.training(0)
    assert not np.array_equal(batch["a"], batch["b"])
    again, = batches(10, graph, feeds=[feed(Stage(CROP), names=("a", "b"))]).training(0)
    assert np.array_equal(batch["a"], again["a"]) and np.array_equal(batch["b"], again["b"])


def test_rows_of_the_data_set_are_not_changed():
    data = Dataset.of({k: v.astype(np.float32) for k, v in rows(10).items()})
    before = data.train["image"].values.copy()
    graph = inputs(image=("f32", B, 1, 4, 4))
    for batch in Batches(graph, data, 5, feeds=[feed(Stage(HALVE), Stage(FLIP))]).training(0):
        batch["image"][:] = -1
    assert np.array_equal(data.train["image"].values, before)


def test_only_what_is_needed_is_fed():
    graph = inputs(image=("f32", B, 1, 4, 4), code=("f32", B, 20))
    batch = next(batches(graph=graph, needed={"image"}).validation())
    assert batch.keys() == {"image"}
    with pytest.raises(Refused) as refused:
        batches(graph=graph)
    assert [problem.code for problem in refused.value.problems] == ["N443"]


@pytest.mark.parametrize(("graph", "code", "reason"), [
    (inputs(image=("f32", B, 1, 5, 5)), "N446", "its rows are [1, 4, 4] when training"),
    (inputs(image=("f32", B, 16)), "N446", "its rows are [1, 4, 4] when training, not [16]"),
    (inputs(image=("f32", 4, 1, 4, 4)), "N446", "its first axis is fixed at 4"),
    (inputs(image=("f32",)), "N446", "a single number"),
    (inputs(image=("bool", B, 1, 4, 4)), "N446", "uint8 does not become bool"),
    (inputs(label=("f32", B, 2)), "N446", "its rows are []"),
    (inputs(lable=("i64", B)), "N443", "nothing feeds the input `lable`"),
])
def test_data_that_do_not_fit(graph, code, reason):
    with pytest.raises(Refused) as refused:
        batches(graph=graph)
    problem, = refused.value.problems
    assert problem.code == code and reason in problem.describe().message


def test_floats_do_not_become_labels():
    with pytest.raises(Refused) as refused:
        Batches(inputs(y=("i64", B)), Dataset.of({"y": np.zeros(4)}), 2)
    assert "float64 does not become i64" in refused.value.problems[0].describe().message


def test_a_free_size_takes_what_there_is():
    graph = inputs(image=("f32", B, symbol("C"), symbol("H"), symbol("W")))
    assert next(batches(graph=graph).validation())["image"].shape == (4, 1, 4, 4)


def test_labels_outside_the_models_range_name_the_row():
    graph = replace(PICTURES, ranges={"label": (0, 9)})
    with pytest.raises(Refused) as refused:
        batches(graph=graph)
    problem, = refused.value.problems
    assert (problem.code, problem.row, problem.value) == ("N505", 9, 9)


@pytest.mark.parametrize(("train", "held", "code"), [
    ({}, {}, "N506"), (rows(0), {}, "N506"), (rows(4), rows(0), "N506"),
    ({"a": np.zeros(3), "b": np.zeros(4)}, {}, "N504"),
])
def test_sets_that_are_none(train, held, code):
    with pytest.raises(Refused) as refused:
        Dataset.of(train, held)
    assert [problem.code for problem in refused.value.problems] == [code]


@pytest.mark.parametrize(("classes", "held", "end", "words", "way"), [
    ((), (0, 64), 60, "the field `tok` in row 1 is 64, outside 0..60", "in 0..65"),
    (("a", "b", "c"), (0, 2), 2, "the field `tok` in row 1 is 2 ('c'), outside 0..2", "in 0..3"),
    (("a", "b", "c", "d"), (0, 2), 2, "2 ('c'), outside 0..2", "in 0..4"),
    (("0", "1", "2"), (0, 2), 2, "is 2, outside 0..2", "in 0..3"),
    ((), (1, -1), 2, "the field `tok` in row 1 is -1, outside 0..2", None),
])
def test_numbers_outside_a_range_offer_one(classes, held, end, words, way):
    graph = replace(inputs(tok=("i64", B)), ranges={"tok": (0, end)})
    with pytest.raises(Refused) as refused:
        Batches(graph, Dataset.of({"tok": np.array(held)}, classes=classes), 1)
    told = refused.value.problems[0].describe()
    assert words in told.message
    assert told.suggestion is None if way is None else f"`{way}`" in told.suggestion


@pytest.mark.parametrize(("name", "way"), [
    ("frequencies", "did you mean `data.frequencies`?"), ("imag", "did you mean `image`?"),
    ("zzz", None),
])
def test_fields_that_are_none(name, way):
    with pytest.raises(Refused) as refused:
        batches(feeds=[feed(field=name)])
    problem, = refused.value.problems
    assert (problem.code, problem.describe().suggestion) == ("N444", way)


@pytest.mark.parametrize(("rows_there", "power"), [(300, 256), (64, 64), (2, 2), (1, 1)])
def test_a_batch_that_fits_is_offered(rows_there, power):
    assert f"`batch {power}`" in BatchTooLarge(500, rows_there).describe().suggestion


def test_a_batch_larger_than_the_set():
    with pytest.raises(Refused) as refused:
        next(batches(11).training(0))
    problem, = refused.value.problems
    assert problem.code == "N507"
    assert "a batch of 11 does not fit a training set of 10 rows" in problem.describe().message
