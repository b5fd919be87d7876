"""Running a graph: sizes, updates, what is refused."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from sketch import B, Sketch

from netdsl.backends.numpy import Runner
from netdsl.backends.numpy import runner as runner_module
from netdsl.diagnostics import Refused
from netdsl.ir.dim import symbol
from netdsl.ops import OPS

T = symbol("T")


def tower() -> Sketch:
    """y = x Wᵀ with a label beside it and a range."""
    sketch = Sketch()
    sketch.input("x", B, 3)
    sketch.input("label", B, dtype="i64")
    sketch.ranges["label"] = (0, 4)
    sketch.y = sketch(OPS["linear"], sketch.inputs["x"], sketch.variable("w", 2, 3), None)
    sketch.z = sketch(OPS["cast"], sketch.inputs["label"], dtype="f32")
    return sketch


def runner_of(sketch: Sketch) -> Runner:
    return Runner(sketch.graph(y=sketch.y, z=sketch.z), sketch.weights)


FITTING = {"x": np.ones((5, 3), np.float32), "label": np.arange(5) % 4}


# ------------------------------------------------------------------ sizes


def test_sizes_come_from_what_is_fed_and_programs_are_kept():
    sketch = tower()
    runner = runner_of(sketch)
    for rows in (5, 2, 5, 1):
        fed = {name: array[:rows] for name, array in FITTING.items()}
        y = runner.run(fed).outputs["y"]
        np.testing.assert_allclose(y, fed["x"] @ sketch.weights["w"].T, rtol=1e-6)
    assert runner.program({"B": 5}) is runner.program({"B": 5})


def test_linear_expressions_in_free_dimensions_are_solved():
    sketch = Sketch()
    x = sketch.input("x", 2 * T + 1, B)
    runner = Runner(sketch.graph(y=sketch(OPS["exp"], x)), {})
    assert runner.run({"x": np.zeros((7, 2))}).outputs["y"].shape == (7, 2)
    with pytest.raises(Refused, match="N514"):
        runner.run({"x": np.zeros((6, 2))})


def test_sizes_that_the_graph_cannot_have_are_refused():
    sketch = Sketch()
    x = sketch.input("x", B, 6)
    y = sketch(OPS["slice"], x, axis=0, start=0, stop=B)
    z = sketch(OPS["slice"], x, axis=1, start=0, stop=B)
    runner = Runner(sketch.graph(y=y, z=z), {})
    assert runner.run({"x": np.ones((6, 6))}).outputs["z"].shape == (6, 6)
    with pytest.raises(Refused, match="N517.*B = 7"):
        runner.run({"x": np.ones((7, 6))})


def test_many_sizes_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(runner_module, "MOST_SIZES", 3)
    runner = runner_of(tower())
    for rows in (1, 2, 3, 4, 5, 1):
        fed = {name: array[:rows] for name, array in FITTING.items()}
        assert runner.run(fed).outputs["y"].shape == (rows, 2)
    assert len(runner._programs) == len(runner._bound) == len(runner._sizes) == 3


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("change", "code"),
    (
        ({"y": np.ones(3)}, "N510"),
        ({"x": None}, "N511"),
        ({"x": np.ones((5, 3), np.uint8)}, "N512"),
        ({"x": np.ones((5, 3), np.int64)}, "N512"),
        ({"x": np.ones((5, 3), np.complex64)}, "N512"),
        ({"label": np.ones(5, np.float32)}, "N512"),
        ({"label": np.ones(5, np.uint64)}, "N512"),
        ({"label": np.ones(5, bool)}, "N512"),
        ({"label": np.array(["a"] * 5)}, "N512"),
        ({"x": np.ones(3)}, "N513"),
        ({"x": np.ones((5, 3, 1))}, "N513"),
        ({"x": np.ones((5, 4))}, "N514"),
        ({"x": np.ones((4, 3))}, "N514"),
        ({"x": np.ones((0, 3)), "label": np.ones(0, int)}, "N514"),
        ({"label": np.array([0, 1, 4, 0, 0])}, "N516"),
        ({"label": np.array([0, 1, -1, 0, 0])}, "N516"),
    ),
)
def test_what_does_not_fit_is_refused(change, code):
    fed = {name: array for name, array in (FITTING | change).items() if array is not None}
    with pytest.raises(Refused) as caught:
        runner_of(tower()).run(fed)
    assert code in {problem.code for problem in caught.value.problems}


def test_what_was_fine_once_is_checked_again():
    runner = runner_of(tower())
    runner.run(FITTING)
    with pytest.raises(Refused, match="N516"):
        runner.run(FITTING | {"label": np.full(5, 4)})
    with pytest.raises(Refused, match="N512"):
        runner.run({"x": FITTING["x"].tolist(), "label": FITTING["label"] + 0.5})


def test_several_mistakes_are_told_at_once():
    with pytest.raises(Refused) as caught:
        runner_of(tower()).run({"x": np.ones(3), "lable": np.ones(5, int)})
    said = [problem.describe() for problem in caught.value.problems]
    assert [diagnostic.code for diagnostic in said] == ["N510", "N513", "N511"]
    assert said[0].suggestion == "did you mean `label`?"


def test_the_row_outside_its_range_is_named():
    with pytest.raises(Refused) as caught:
        runner_of(tower()).run(FITTING | {"label": np.array([0, 1, 9, 0, 7])})
    problem, = caught.value.problems
    assert problem.describe().message == "`label` lies in 0..4, but row 2 is 9"
    assert problem.describe().notes == ("2 elements lie outside",)


def test_a_size_that_nothing_determines_is_refused():
    sketch = Sketch()
    x = sketch.input("x", B * T)
    with pytest.raises(Refused, match="N515"):
        Runner(sketch.graph(y=sketch(OPS["exp"], x)), {}).run({"x": np.zeros(6)})


@pytest.mark.parametrize("dtype", (np.float16, np.float32, np.float64))
def test_floats_of_any_precision_are_taken(dtype):
    y = runner_of(tower()).run(FITTING | {"x": FITTING["x"].astype(dtype)}).outputs["y"]
    assert y.dtype == np.float32


def test_narrower_integers_and_lists_are_taken():
    fed = {"x": [[1.0, 2.0, 3.0]], "label": np.array([3], np.int8)}
    assert runner_of(tower()).run(fed).outputs["z"] == [3.0]


def test_a_key_is_needed_where_numbers_are_drawn():
    sketch = tower()
    key = sketch.input("key", 2, dtype="u64")
    y, _ = sketch(OPS["dropout"], sketch.y, key, p=0.5, stream="a")
    graph = sketch.graph(y=y)
    del graph.inputs["key"]
    graph = replace(graph, key=key)
    with pytest.raises(ValueError, match="key=\\(seed, step\\)"):
        Runner(graph, sketch.weights).run(FITTING)
    runner = Runner(graph, sketch.weights)
    first = runner.run(FITTING, key=(1, 2)).outputs["y"]
    np.testing.assert_array_equal(first, runner.run(FITTING, key=(1, 2)).outputs["y"])
    assert (first != runner.run(FITTING, key=(1, 3)).outputs["y"]).any()


def test_tensors_without_elements_pass():
    sketch = Sketch()
    x = sketch.input("x", B, 3, 4, 4)
    none = sketch(OPS["slice"], x, axis=0, start=0, stop=0)
    y = sketch(OPS["relu"], sketch.conv(none, "conv", 2, bias=True))
    total = sketch(OPS["sum"], y, axes=(0, 1, 2, 3))
    runner = Runner(sketch.graph(y=y, total=total), sketch.weights, lanes=2)
    got = runner.run({"x": np.ones((3, 3, 4, 4))}).outputs
    assert got["y"].shape == (0, 2, 4, 4) and got["total"] == 0


# ------------------------------------------------------------------ variables and updates


def moving(**formulas) -> tuple[Sketch, Runner]:
    """Variables a, b of size 3; `formulas` make their next values from (emit, a, b)."""
    sketch = Sketch()
    a, b = sketch.variable("a", 3), sketch.variable("b", 3)
    updates = {name: formula(sketch, a, b) for name, formula in formulas.items()}
    graph = sketch.graph(a=a, b=b)
    return sketch, Runner(replace(graph, updates=updates), sketch.weights)


@pytest.mark.parametrize(
    ("formulas", "expected"),
    (
        ({"a": lambda e, a, b: b, "b": lambda e, a, b: a}, lambda a, b: (b, a)),
        ({"a": lambda e, a, b: b, "b": lambda e, a, b: b}, lambda a, b: (b, b)),
        ({"a": lambda e, a, b: e(OPS["add"], a, b), "b": lambda e, a, b: a},
         lambda a, b: (a + b, a)),
        ({"a": lambda e, a, b: e(OPS["exp"], a)}, lambda a, b: (np.exp(a), b)),
        ({"b": lambda e, a, b: e(OPS["add"], a, a)}, lambda a, b: (a, a + a)),
        ({"a": lambda e, a, b: e(OPS["reshape"], b, shape=(3,))}, lambda a, b: (b, b)),
        ({"a": lambda e, a, b: a}, lambda a, b: (a, b)),
    ),
    ids=("swap", "both one", "in place and old", "in place", "from another", "a view", "itself"),
)
def test_updates_read_old_values_and_commit_together(formulas, expected):
    sketch, runner = moving(**formulas)
    a, b = sketch.weights["a"].copy(), sketch.weights["b"].copy()
    for _ in range(2):
        outputs = runner.run({}).outputs
        np.testing.assert_array_equal(outputs["a"], a)  # what a run gives is from before
        np.testing.assert_array_equal(outputs["b"], b)
        a, b = expected(a, b)
        np.testing.assert_allclose(sketch.weights["a"], a, rtol=1e-6)
        np.testing.assert_allclose(sketch.weights["b"], b, rtol=1e-6)


def test_a_value_that_is_the_next_of_two_variables_moves_both():
    sketch = Sketch()
    a, b = sketch.variable("a", 3), sketch.variable("b", 3)
    both = sketch(OPS["add"], a, b)
    graph = replace(sketch.graph(sum=both), updates={"a": both, "b": both})
    expected = sketch.weights["a"] + sketch.weights["b"]
    Runner(graph, sketch.weights).run({})
    np.testing.assert_array_equal(sketch.weights["a"], expected)
    np.testing.assert_array_equal(sketch.weights["b"], expected)


def test_a_variable_read_after_its_next_value_is_computed_keeps_the_old():
    sketch = Sketch()
    a = sketch.variable("a", 3)
    following = sketch(OPS["exp"], a)
    y = sketch(OPS["multiply"], a, following)
    graph = replace(sketch.graph(y=y), updates={"a": following})
    old = sketch.weights["a"].copy()
    got = Runner(graph, sketch.weights).run({}).outputs["y"]
    np.testing.assert_allclose(got, old * np.exp(old), rtol=1e-6)
    np.testing.assert_allclose(sketch.weights["a"], np.exp(old), rtol=1e-6)


def test_variables_are_kept_by_reference_and_others_replaced():
    sketch, _ = moving(a=lambda e, a, b: e(OPS["add"], a, b))
    graph = replace(sketch.graph(), updates={"a": sketch.nodes[0].outputs[0]})
    weights = {"a": np.zeros(3, np.float32), "b": np.ones((3, 2), np.float32)[:, 0]}
    runner = Runner(graph, weights)
    runner.run({})
    assert runner.variables["a"] is weights["a"] and (weights["a"] == 1).all()
    assert runner.variables["b"] is not weights["b"]
    weights["a"][:] = 5  # the caller may set them between runs
    runner.run({})
    assert (weights["a"] == 6).all()


def test_variables_that_do_not_fit_are_refused():
    sketch = tower()
    with pytest.raises(KeyError):
        Runner(sketch.graph(y=sketch.y), {})
    with pytest.raises(ValueError, match="w has shape"):
        Runner(sketch.graph(y=sketch.y), {"w": np.ones((3, 2), np.float32)})


# ------------------------------------------------------------------ results


def test_results_belong_to_the_caller():
    sketch = tower()
    runner = runner_of(sketch)
    first = runner.run(FITTING).outputs["y"]
    kept = first.copy()
    runner.run(FITTING | {"x": -FITTING["x"]})
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    np.testing.assert_array_equal(runner.run(FITTING).outputs["y"], kept)


def test_nan_and_infinity_pass_without_warnings():
    sketch = Sketch()
    x = sketch.input("x", B)
    y = sketch(OPS["log"], x)
    z = sketch(OPS["divide"], x, sketch(OPS["full"], value=0.0))
    runner = Runner(sketch.graph(y=y, z=z), {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = runner.run({"x": np.array([-1.0, 0.0, 1.0])}).outputs
        assert np.isinf(runner.run({"x": np.array([1e300])}).outputs["y"]).all()
    np.testing.assert_array_equal(got["y"], np.array([np.nan, -np.inf, 0], np.float32))
    np.testing.assert_array_equal(got["z"], np.array([-np.inf, np.nan, np.inf], np.float32))


def test_the_engine_keeps_nan_where_a_mask_drops_it():
    sketch = Sketch()
    x = sketch.input("x", 3)
    zero = sketch(OPS["full"], value=0.0)
    y = sketch(OPS["where"], sketch(OPS["greater"], x, zero), x, zero)
    relu = sketch(OPS["relu"], x)
    got = Runner(sketch.graph(y=y, relu=relu), {}).run({"x": np.array([np.nan, -np.inf, 2.0])})
    np.testing.assert_array_equal(got.outputs["y"], [0, 0, 2])
    np.testing.assert_array_equal(got.outputs["relu"], [np.nan, 0, 2])
