"""Tables and texts: what their columns and characters become, and what is wrong with them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from netdsl.build.settings import recipe_from
from netdsl.data import characters, table
from netdsl.data.batches import Batches
from netdsl.data.dataset import Dataset, row_count
from netdsl.data.sources import load_source
from netdsl.diagnostics import Refused
from netdsl.ir.dim import symbol
from netdsl.ir.graph import Graph, Value
from netdsl.ir.program import Recipe
from netdsl.ir.tensor import TensorType

IRIS = """\
length,width,species,count
5.1,3,setosa,1
"4.9",4,"virginica",2
 4.7 ,5,setosa,3

4.6,6,virginica,4
"""


def load(name: str, *arguments, **keywords) -> Dataset:
    return load_source(Recipe(name, arguments, keywords))


def refusal(name: str, *arguments, **keywords) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        load(name, *arguments, **keywords)
    problem, = refused.value.problems
    diagnostic = problem.describe()
    return problem.code, "; ".join([diagnostic.message, *diagnostic.notes,
                                    *filter(None, [diagnostic.suggestion])])


@pytest.fixture
def iris(tmp_path) -> str:
    (tmp_path / "iris.csv").write_text(IRIS)
    return str(tmp_path / "iris.csv")


def columns(data: Dataset) -> dict[str, tuple[str, list]]:
    return {name: (str(f.values.dtype), f.values.tolist()) for name, f in data.train.items()}


def test_columns_are_fields(iris):
    data = load("csv", iris)
    assert columns(data) == {
        "length": ("float32", np.float32([5.1, 4.9, 4.7, 4.6]).tolist()),
        "width": ("int64", [3, 4, 5, 6]),
        "species": ("int64", [0, 1, 0, 1]),
        "count": ("int64", [1, 2, 3, 4]),
    }
    assert data.classes == () and not data.validate


def test_a_label_and_features(iris):
    data = load("csv", iris, label="species", features=("width", "length"))
    assert data.classes == ("setosa", "virginica")
    assert columns(data) == {
        "label": ("int64", [0, 1, 0, 1]),
        "x": ("float32", np.float32([[3, 5.1], [4, 4.9], [5, 4.7], [6, 4.6]]).tolist()),
    }
    assert data.facts()["frequencies"].tolist() == [0.5, 0.5]
    more = load("csv", iris, label="species", features=("width",), columns=("count",))
    assert list(more.train) == ["label", "count", "x"]
    assert list(load("csv", iris, columns=("width", "species")).train) == ["width", "species"]


def test_options_of_all_sources(iris):
    data = load("csv", iris, label="species", classes=("virginica",))
    assert (data.classes, columns(data)["width"]) == (("virginica",), ("int64", [4, 6]))
    halves = load("csv", iris, label="species", hold_out=Fraction(1, 2))
    for split in (halves.train, halves.validate):
        assert sorted(split["label"].values.tolist()) == [0, 1]


B = symbol("B")
X, LABEL = ("x", TensorType("f32", (B, 2))), ("label", TensorType("i64", (B,)))
A = ("a", TensorType("f32", (B,)))


@pytest.mark.parametrize(("inputs", "options", "way"), [
    ((X, LABEL), {}, 'give the source `label = "species", features = ["a", "b"]`'),
    ((X, LABEL), {"label": "species"}, 'give the source `features = ["a", "b"]`'),
    ((A, LABEL), {}, 'give the source `label = "species"`'),
    ((X, A), {}, None),  # `features` would take `a` away
])
def test_what_asks_for_a_label_and_features_is_offered(tmp_path, inputs, options, way):
    (tmp_path / "a.csv").write_text("a,b,species\n1,2,u\n3,4,v\n5,6,u\n")
    graph = Graph("Inputs", (), {n: Value(type, name=n) for n, type in inputs}, {}, {})
    path = str(tmp_path / "a.csv")
    with pytest.raises(Refused) as refused:
        Batches(graph, load("csv", path, **options), 1)
    problem, = refused.value.problems
    told = problem.describe().suggestion
    assert problem.code == "N443" and told == (way or told)
    if way is None:
        assert told.startswith("say what does: `feed ")
        return
    options = "".join(f', {name} = "{value}"' for name, value in options.items())
    followed = recipe_from(f'csv("{path}"{options}, {way.split("`")[1]})', "test")
    Batches(graph, load_source(followed), 1)


def test_whole_numbers_are_labels_as_they_stand(tmp_path):
    (tmp_path / "a.csv").write_text("label\n" + "\n".join("0202020202"))
    data = load("csv", str(tmp_path / "a.csv"))
    assert data.classes == ("0", "1", "2")
    assert data.train["label"].values.tolist() == [0, 2] * 4
    assert data.validate["label"].values.tolist() == [0, 2]  # every fifth of each class
    (tmp_path / "a.csv").write_text("label\n1.5\n2\n")
    assert load("csv", str(tmp_path / "a.csv")).classes == ()


def test_another_table_validates(tmp_path, iris):
    other = tmp_path / "held.csv"
    other.write_text("length,width,species,count\n1,2,virginica,3\n")
    data = load("csv", iris, label="species", validate=str(other))
    assert (row_count(data.train), row_count(data.validate)) == (4, 1)
    assert data.validate["label"].values.tolist() == [1]
    other.write_text("length,width,species,count\n1,2,setosa,3\n1,2,versicolor,3\n")
    code, message = refusal("csv", iris, label="species", validate=str(other))
    assert code == "N525" and "line 3, column 'species': 'versicolor' does not occur" in message
    other.write_text("length,width,species,count\n1,2,3,4\n")
    assert "expected: texts, as in" in refusal("csv", iris, validate=str(other))[1]
    other.write_text("length,width\n1,2\n")
    assert refusal("csv", iris, label="species", validate=str(other))[0] == "N526"


@pytest.mark.parametrize(("text", "numbers"), [
    ("a;b\n1;2\n", [[1], [2]]), ("a;b\r\n1;2\r\n", [[1], [2]]), ("\ufeffa;b\n1;2", [[1], [2]]),
    ("a;b\n-1;+2\n1e3;.5\n", [[-1, 1000], [2, 0.5]]), ('"a";"b"\n"1";"2"\n', [[1], [2]]),
    ("a;b\n9223372036854775807;-9223372036854775808\n", [[2**63 - 1], [-(2**63)]]),
    ("a;b\n9223372036854775808;0\n", [[2.0**63], [0]]),
    ('a;b\n"x\ny";0\n"x;""z";0\n', [[0, 1], [0, 0]]),
])
def test_ways_to_write(tmp_path, text, numbers):
    (tmp_path / "a.csv").write_text(text, "utf-8", newline="")
    data = load("csv", str(tmp_path / "a.csv"), delimiter=";")
    assert [data.train[name].values.tolist() for name in "ab"] == numbers


def test_long_tables_are_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "CELLS", 12)
    lines = [f"{i},{i if i < 50 else i / 2},{'xyz'[i % 3]}" for i in range(100)]
    (tmp_path / "a.csv").write_text("a,b,c\n" + "\n".join(lines))
    data = load("csv", str(tmp_path / "a.csv"), hold_out=0)
    assert data.train["a"].values.tolist() == list(range(100))
    assert data.train["b"].values.tolist() == [i if i < 50 else i / 2 for i in range(100)]
    assert data.train["c"].values.tolist() == [i % 3 for i in range(100)]
    lines[77] = "77,oops,x"
    (tmp_path / "a.csv").write_text("a,b,c\n" + "\n".join(lines))
    assert "line 79, column 'b': 'oops' is no number" in refusal("csv", str(tmp_path / "a.csv"))[1]


@pytest.mark.parametrize(("content", "code", "words"), [
    (b"", "N525", "line 1: it is empty"),
    (b"\n\n", "N525", "line 1: it is empty"),
    (b"a,b\n", "N506", "has no rows"),
    (b"a,b\n1,2\n3\n", "N525", "line 3: it has 1 cell; expected: 2 cells, as in the first line"),
    (b"a,b\n1,2,3\n", "N525", "line 2: it has 3 cells; expected: 2 cells"),
    (b"a,b\n1,2\n3,x\n", "N525", "line 3, column 'b': 'x' is no number; expected: a number"),
    (b"a,b\n1,NaN\n", "N525", "line 2, column 'b': the cell holds NaN; expected: a finite number"),
    (b"a,b\n1,2\n1e999,2\n", "N525", "line 3, column 'a': the cell holds 1e999"),
    (b"a,b\n1," + b"1" * 5000 + b"\n", "N525", "line 2, column 'b': the cell holds 1111"),
    (b"a,b\n1,2\n,3\n", "N525", "line 3, column 'a': the cell is empty"),
    (b"a,b\nx,2\n,3\n", "N525", "line 3, column 'a': the cell is empty"),
    (b"a,b\n1,2\n1_0,3\n", "N525", "'1_0' is no number"),
    ("a,b\n1,2\n١,3\n".encode(), "N525", "'\\u0661' is no number"),
    (b"a,b\n1,2\n\x1b[2J,3\n", "N525", "'\\x1b[2J' is no number"),
    (b"a,a\n1,2\n", "N525", "line 1: two columns are called 'a'"),
    (b'a,b\n"1,2\n3,4\n', "N525", "it cannot be read"),
    (b'a,b\n"1"x,2\n', "N525", "line 2: it cannot be read"),
    (b"a,b\r1,2\r", "N525", "it cannot be read"),
    (b"a,b\n1," + b"x" * 200_000, "N525", "line 2: it cannot be read"),
    (b"a,b\n1,\xff\n", "N502", "line 2 holds the byte 0xff, which is no UTF-8"),
    (b"\xff\xfea\x00,\x00", "N502", "line 1 holds the byte 0xff"),
])
def test_tables_that_are_wrong(tmp_path, content, code, words):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    found, message = refusal("csv", str(path))
    assert (found, words in message, str(path) in message) == (code, True, True), message


def test_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "LONGEST", 50)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n" + "," * 60)
    code, message = refusal("csv", str(tmp_path / "a.csv"))
    assert code == "N525" and "line 3: it has more than 50 characters" in message


@pytest.mark.parametrize(("options", "code", "words"), [
    ({"label": "specis"}, "N526", "did you mean `species`?"),
    ({"features": ("length", "witdh")}, "N526", "has no column 'witdh'"),
    ({"features": ("length", "species")}, "N525", "column 'species': it holds texts"),
    ({"delimiter": ";", "label": "species"}, "N526", '`delimiter = ","`'),
    ({"delimiter": "ab"}, "N406", "`delimiter` is one character"),
    ({"classes": ("setosa",)}, "N508", "which is not a class"),
    ({"label": "species", "classes": ("setsoa",)}, "N508", "did you mean `setosa`?"),
    ({"features": ("length",), "columns": ("x",)}, "N406", "`features` makes a field `x`"),
])
def test_options_that_are_wrong(iris, options, code, words):
    found, message = refusal("csv", iris, **options)
    assert (found, words in message) == (code, True), message


def test_two_labels(tmp_path):
    (tmp_path / "a.csv").write_text("label,kind\n1,a\n")
    assert "it has `label` besides 'kind'" in refusal("csv", str(tmp_path / "a.csv"),
                                                      label="kind")[1]


# ------------------------------------------------------------------ texts


def test_a_text_becomes_windows_of_numbers(tmp_path):
    text = "".join("abé𝄞"[i * i % 4] for i in range(205))
    (tmp_path / "a.txt").write_text(text, "utf-8")
    data = load("text", str(tmp_path / "a.txt"), length=10)
    assert data.classes == tuple(sorted(set(text))) and data.facts() == {}
    assert (row_count(data.train), row_count(data.validate)) == (18, 2)  # the last tenth
    rows = np.concatenate([data.train["tok"].values, data.validate["tok"].values])
    assert rows.dtype == np.int32 and rows.shape == (20, 10)
    assert "".join(data.classes[number] for number in rows.ravel()) == text[:200]
    some = load("text", str(tmp_path / "a.txt"), length=10, hold_out=0.5)
    assert (row_count(some.train), row_count(some.validate)) == (10, 10)
    assert row_count(load("text", str(tmp_path / "a.txt"), length=205).train) == 1


def test_the_vocabulary_is_that_of_the_whole_text(tmp_path, monkeypatch):
    monkeypatch.setattr(characters, "CHUNK", 7)
    (tmp_path / "a.txt").write_text("ab" * 50 + "z", "utf-8")
    data = load("text", str(tmp_path / "a.txt"), length=10)
    assert data.classes == ("a", "b", "z")
    assert data.train["tok"].values.max() == 1


def test_a_real_text(shared):
    data = load("text", str(shared / "data" / "tinyshakespeare" / "input.txt"), length=128)
    assert len(data.classes) == 65 and row_count(data.train) + row_count(data.validate) == 8714


@pytest.mark.parametrize(("content", "options", "code", "words"), [
    (b"", {}, "N502", "it has 0 characters; expected: at least 64"),
    (b"x" * 63, {}, "N502", "it has 63 characters"),
    (b"x" * 9, {"length": 10}, "N502", "it has 9 characters; expected: at least 10"),
    (b"ab\nc\xe9d", {"length": 1}, "N502", "line 2 holds the byte 0xe9, which is no UTF-8"),
    (b"abc", {"length": 1, "classes": ("a",)}, "N406", "a text has no rows of one class"),
])
def test_texts_that_are_wrong(tmp_path, content, options, code, words):
    (tmp_path / "a.txt").write_bytes(content)
    found, message = refusal("text", str(tmp_path / "a.txt"), **options)
    assert (found, words in message) == (code, True), message


@pytest.mark.parametrize("source", ["csv", "text"])
def test_files_that_are_none(tmp_path, source):
    assert refusal(source, str(tmp_path / "missing"))[0] == "N501"
    assert refusal(source, str(tmp_path))[0] == "N501"
    assert refusal(source, "a\0b")[0] == "N501"


def test_features_that_are_not_finite(tmp_path):
    values = np.zeros((6, 2, 3), np.float32)
    values[4, 1, 2] = np.nan
    np.savez(tmp_path / "a.npz", x=values, label=np.zeros(6, int))
    path = str(tmp_path / "a.npz")
    assert refusal("npz", path) == ("N527", f"{path}: `x` is nan in row 4, at [1, 2]")
