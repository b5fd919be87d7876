"""Sources that are sound: what they give, the options all share, how they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from data_files import images, labels, write_mnist

from netdsl.build.settings import recipe_from
from netdsl.data.dataset import Dataset, row_count
from netdsl.data.pairs import partners
from netdsl.data.source import Source
from netdsl.data.sources import SOURCES, load_source, parse_source
from netdsl.diagnostics import Refused, Report
from netdsl.ir.program import Recipe
from netdsl.registry import show


def bound(written: Recipe) -> Source:
    report = Report()
    source = SOURCES.bind(written, report)
    report.stop_on_errors()
    return source


def load(name: str, *arguments, **keywords) -> Dataset:
    return load_source(Recipe(name, arguments, keywords))


@pytest.mark.parametrize("packed", [False, True])
def test_mnist_files(tmp_path, packed):
    write_mnist(tmp_path, packed=packed)
    data = load("mnist", str(tmp_path))
    assert data.train["image"].values.shape == (40, 1, 4, 4)
    assert np.array_equal(data.validate["image"].values[:, 0], images(20))
    assert np.array_equal(data.train["label"].values, labels(40))
    rows = data.train["image"].rows(np.array([3]), np.dtype(np.float32))
    assert np.array_equal(rows[0, 0], images(40)[3].astype(np.float32) / np.float32(255))
    assert data.name == f'mnist("{tmp_path}")'


def test_fashion_mnist(shared):
    data = load("fashion_mnist", str(shared / "data" / "fashion-mnist"))
    assert data.train["image"].values.shape == (60_000, 1, 28, 28)
    assert data.validate["image"].values.shape == (10_000, 1, 28, 28)
    assert set(np.bincount(data.train["label"].values)) == {6000}
    assert data.classes[0] == "T-shirt/top" and data.classes[9] == "Ankle boot"


@pytest.mark.parametrize(("options", "rows", "held"), [
    ({}, 1442, 355),
    ({"take": 100}, 100, 100),
    ({"take": 5000}, 1442, 355),
    ({"classes": (0, 1)}, 289, 71),
    ({"classes": ("8",)}, 140, 34),
    ({"fraction": 0.1}, 143, 355),
    ({"classes": (3, 8), "fraction": 0.5, "take": 50}, 50, 50),
    ({"hold_out": 0.2}, 1154, 288),
    ({"hold_out": 0}, 1442, 0),
    ({"hold_out": 0.0001}, 1432, 10),
    ({"hold_out": 0.9999}, 10, 1432),
    ({"classes": (3, 8), "hold_out": 0.5, "fraction": 0.5}, 71, 144),
])
def test_options(options, rows, held):
    data = load("digits", **options)
    assert (row_count(data.train), row_count(data.validate)) == (rows, held)


def test_classes_are_renumbered_in_the_order_given():
    whole, some = load("digits"), load("digits", classes=("8", 3))
    assert some.classes == ("8", "3")
    label = whole.train["label"].values
    kept = label[(label == 8) | (label == 3)]
    assert np.array_equal(some.train["label"].values, np.where(kept == 8, 0, 1))


def test_fraction_is_stratified_and_seeded():
    def chosen(seed: int) -> np.ndarray:
        return load("digits", fraction=0.1, seed=seed).train["image"].values

    whole = np.bincount(load("digits").train["label"].values)
    part = np.bincount(load("digits", fraction=0.1).train["label"].values)
    assert part.tolist() == [round(count * 0.1) for count in whole]
    assert np.array_equal(chosen(0), chosen(0))
    assert not np.array_equal(chosen(0), chosen(1))


def test_a_small_fraction_loses_no_class():
    part = load("digits", fraction=0.001)
    assert np.bincount(part.train["label"].values).tolist() == [1] * 10


def test_hold_out_takes_the_place_of_the_sources_own_rows():
    def parts(seed: int) -> list[np.ndarray]:
        data = load("digits", hold_out=0.25, seed=seed)
        return [split["image"].values for split in (data.train, data.validate)]

    whole = load("digits").train
    train, held = parts(0)
    both = np.concatenate([train, held]).reshape(-1, 64)
    own = whole["image"].values.reshape(-1, 64)
    assert sorted(map(bytes, both)) == sorted(map(bytes, own))
    label = load("digits", hold_out=0.25).validate["label"].values
    counts = np.bincount(whole["label"].values)
    assert np.bincount(label).tolist() == [round(count * 0.25) for count in counts]
    assert np.array_equal(held, parts(0)[1]) and not np.array_equal(held, parts(1)[1])


def test_validation_rows_are_named_or_made(tmp_path):
    with pytest.raises(Refused) as refused:
        load("npz", "a.npz", validate="b.npz", hold_out=0.1)
    problem, = refused.value.problems
    assert problem.code == "N406" and "`hold_out`" in problem.describe().message


def test_facts_are_those_of_the_training_rows():
    data = load("digits", classes=(3, 8), fraction=0.5)
    frequencies = data.facts()["frequencies"]
    counts = np.bincount(data.train["label"].values)
    assert frequencies.dtype == np.float32
    assert np.array_equal(frequencies, (counts / counts.sum()).astype(np.float32))
    assert Dataset.of({"x": np.zeros(3)}).facts() == {}


@pytest.mark.parametrize(("written", "facts"), [
    (Recipe("digits"), {"frequencies": (10,)}),
    (Recipe("digits", (), {"classes": (3, 8)}), {"frequencies": (2,)}),
    (Recipe("images", ("x",)), {"frequencies": (None,)}),
    (Recipe("skipgrams", ("x",)), {"frequencies": (None,)}),
    (Recipe("text_stream", ("x", 9)), {}),
    (Recipe("npz", ("x",)), None),
    (Recipe("csv", ("x",)), None),
    (Recipe("text", ("x",)), {}),
    (Recipe("pairs", (Recipe("digits"),)), {}),
    (Recipe("cifar10", ("x",), {"classes": ("cat", "dog")}), {"frequencies": (2,)}),
])
def test_what_a_source_knows_without_reading(written, facts):
    assert bound(written).facts() == facts


FIELDS = {
    "digits()": "image uint8[rows, 1, 8, 8], label uint8[rows]",
    'fashion_mnist("x")': "image uint8[rows, 1, ?, ?], label uint8[rows]",
    'images("x")': "image float32[rows, 3, ?, ?], label int64[rows]",
    'images("x", grey = true)': "image float32[rows, 1, ?, ?], label int64[rows]",
    'cifar10("x")': "image uint8[rows, 3, 32, 32], label uint8[rows]",
    'text("x", length = 9)': "tok int32[rows, 9]",
    'text_stream("x", length = 129)': "text int64[rows, 129]",
    'parallel_text("a", "b")': "src int64[rows, ?], tgt int64[rows, ?]",
    'skipgrams("x")': "centre int64[rows], context int64[rows]",
    "pairs(digits())": "first uint8[rows, 1, 8, 8], second uint8[rows, 1, 8, 8], same bool[rows]",
    'csv("x")': None, 'npz("x")': None, 'pairs(npz("x"))': None,
}


@pytest.mark.parametrize(("written", "fields"), FIELDS.items(), ids=FIELDS)
def test_which_fields_a_source_declares(written, fields):
    types = bound(recipe_from(written, "test")).types()
    shown = types and ", ".join(f"{name} {type}" for name, type in types.items())
    assert shown == fields


@pytest.mark.parametrize("name", [n for n, row in SOURCES.rows.items() if row.pending])
def test_what_is_not_read_yet_says_so(name):
    given = {"text_stream": ("x", 9), "parallel_text": ("a", "b")}
    with pytest.raises(Refused) as refused:
        load(name, *given.get(name, ("x",)))
    assert [problem.code for problem in refused.value.problems] == ["N432"]


@pytest.mark.parametrize(("classes", "sound"), [
    ((3, 8), True), (("3", 8), True), ((3, 3), False), ((10,), False), (("three",), False),
])
def test_classes_are_checked_before_anything_is_read(classes, sound):
    source = bound(Recipe("digits", (), {"classes": classes}))
    if sound:
        source.check()
        return
    with pytest.raises(Refused) as refused:
        source.check()
    assert [problem.code for problem in refused.value.problems] == ["N508"]


@pytest.mark.parametrize(("classes", "message", "way"), [
    ((3, 3), "`classes` names 3 twice", "name each class once"),
    (("3", 8, 3), "`classes` names 3 twice", "name each class once"),
    ((10,), "`classes` names 10, which is not a class", None),
])
def test_classes_that_are_none_and_twice(classes, message, way):
    with pytest.raises(Refused) as refused:
        bound(Recipe("digits", (), {"classes": classes})).check()
    told = refused.value.problems[0].describe()
    assert (told.message, told.suggestion) == (message, way)


@pytest.mark.parametrize(("written", "way"), [
    (Recipe("digits", ((3, 5),)), "by name: `classes = [3, 5]`"),
    (Recipe("mnist", ("x", (3, 5))), "by name: `classes = [3, 5]`"),
    (Recipe("images", ("x", None, True, ("cat",))), 'by name: `classes = ["cat"]`'),
    (Recipe("digits", (100,)), None),  # `take` or `seed`
    (Recipe("digits", ((3, 5),), {"classes": (3,)}), None),
])
def test_options_go_by_name(written, way):
    report = Report()
    assert SOURCES.bind(written, report) is None
    problem, = report.problems
    told = problem.describe()
    assert (problem.code, told.suggestion) == ("N204", way)
    assert "by name `classes`, `hold_out`, `fraction`, `seed`, `take`" in told.notes[0]


def test_npz(tmp_path):
    rows = {"x": np.arange(24, dtype=">f4").reshape(12, 2), "label": np.array([0, 1] * 6)}
    np.savez_compressed(tmp_path / "a.npz", **rows)
    data = load("npz", str(tmp_path / "a.npz"))
    assert data.validate["x"].values.tolist() == [[16, 17], [18, 19]]  # rows 8, 9: fifth of each
    assert data.train["x"].values.dtype == np.dtype("=f4")
    assert data.classes == ("0", "1")
    np.savez(tmp_path / "b.npz", x=rows["x"][:4], label=np.array([0, 1, 2, 0]))
    data = load("npz", str(tmp_path / "a.npz"), validate=str(tmp_path / "b.npz"))
    assert (row_count(data.train), row_count(data.validate)) == (12, 4)
    assert data.classes == ("0", "1", "2")


def test_labels_below_zero_count_for_no_class(tmp_path):
    """They may be what a loss ignores: the model's range judges them, where it is fed."""
    np.savez(tmp_path / "a.npz", x=np.ones((10, 2)), label=np.arange(10) % 4 - 1)
    assert load("npz", str(tmp_path / "a.npz")).classes == ()


def test_npz_of_images_and_of_figures(tmp_path):
    np.savez(tmp_path / "a.npz", image=np.full((10, 3, 2, 2), 255, np.uint8), age=np.arange(10.0))
    data = load("npz", str(tmp_path / "a.npz"))
    assert data.train["image"].rows(slice(1), np.dtype(np.float32)).max() == 1
    assert data.validate["age"].values.tolist() == [4, 9]
    assert data.classes == ()


def pairs(inner: Recipe, **keywords) -> Dataset:
    return load("pairs", inner, **keywords)


def test_pairs_are_half_of_one_class_and_half_of_two():
    digits = load("digits")
    made = pairs(Recipe("digits"))
    assert (row_count(made.train), row_count(made.validate)) == (1442, 355)
    label = {bytes(image): number for split in (digits.train, digits.validate)
             for image, number in zip(split["image"].values, split["label"].values)}
    for split, whole in ((made.train, digits.train), (made.validate, digits.validate)):
        first, second = split["first"].values, split["second"].values
        assert np.array_equal(first, whole["image"].values)
        assert not any(np.array_equal(a, b) for a, b in zip(first, second))
        same = np.array([label[bytes(a)] == label[bytes(b)] for a, b in zip(first, second)])
        assert np.array_equal(split["same"].values, same) and same.sum() == len(same) // 2
    other = pairs(Recipe("digits"), seed=1).train["second"].values
    assert not np.array_equal(other, made.train["second"].values)
    again = pairs(Recipe("digits")).train["second"].values
    assert np.array_equal(again, made.train["second"].values)


def test_every_row_but_itself_is_a_partner_alike_often():
    label = np.repeat([0, 1], [5, 3])
    seen = np.zeros((8, 8), int)
    for seed in range(600):
        _, second = partners(label, seed, "x")
        seen[np.arange(8), second] += 1
    assert (np.diag(seen) == 0).all()
    alike, unlike = seen[0, 1:5], seen[0, 5:]  # 300 of each sort
    assert abs(alike - 75).max() < 5 * 75**0.5 and abs(unlike - 100).max() < 5 * 10


@pytest.mark.parametrize(("inner", "reason"), [
    (Recipe("digits", (), {"classes": (3,)}), "all of its rows are of one class"),
    (Recipe("npz", ("a.npz",)), "it has no field `label`"),
])
def test_what_cannot_be_paired(tmp_path, monkeypatch, inner, reason):
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", x=np.zeros((20, 2)))
    with pytest.raises(Refused) as refused:
        pairs(inner)
    problem, = refused.value.problems
    assert problem.code == "N523" and reason in problem.describe().message


def test_a_row_alone_in_its_class_is_paired_with_another_class():
    same, second = partners(np.array([0, 0, 0, 1]), 0, "x")
    assert not same[3] and second[3] != 3


@pytest.mark.parametrize(("text", "written"), [
    ("digits", "digits()"),
    ("fashion_mnist:../x", 'fashion_mnist("../x")'),
    ("npz:C:/a.npz", 'npz("C:/a.npz")'),
])
def test_shorthand(text, written):
    assert show(parse_source(text)) == written


@pytest.mark.parametrize(("text", "suggestion"), [
    ("digit", "did you mean `digits`?"), ("fashion-mnist:DIR", "did you mean `fashion_mnist`?"),
    ("mnist:", "did you mean `mnist`?"), ("", None), ("data/x.npz", None),
])
def test_no_source(text, suggestion):
    with pytest.raises(Refused) as refused:
        parse_source(text)
    problem, = refused.value.problems
    assert (problem.code, problem.describe().suggestion) == ("N509", suggestion)
