"""Evaluation: averages over rows, the confusion matrix, and other engines by the same measure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_networks import B, Building, blobs, perceptron

from netdsl.backends.numpy import Runner
from netdsl.data.batches import Batches
from netdsl.diagnostics import Refused
from netdsl.ir.graph import Graph, Value
from netdsl.layers.initializers import initialize
from netdsl.ops.elementwise import multiply
from netdsl.ops.random import KEY, random_normal
from netdsl.ops.reduction import mean
from netdsl.rewrite.phases import infer, validate
from netdsl.training.evaluate import evaluate
from netdsl.training.evaluate import classifier, cut_at_outputs

ROWS = 19


def validation(size: int, graph: Graph | None = None):
    return Batches(graph or perceptron(), blobs(held=ROWS), size).validation()


def test_figures_do_not_depend_on_the_batch_size():
    graph = perceptron()
    weights = initialize(graph, 0)
    whole = evaluate(graph, weights, validation(ROWS))
    for size in (1, 4, 8, 18, 50):
        made = evaluate(graph, weights, validation(size))
        assert made.rows == ROWS
        assert made.losses == pytest.approx(whole.losses, rel=1e-6)
        assert made.metrics == pytest.approx(whole.metrics, rel=1e-6)
        assert np.array_equal(made.confusion, whole.confusion)


def test_losses_that_draw_are_measured_with_the_same_draws():
    made = Building()
    x, key = made.input("x", "f32", B), Value(KEY)
    drawn = made.emit(random_normal, key, shape=(B,), stream="noise")
    loss = made.emit(mean, made.emit(multiply, x, drawn), axes=(0,))
    graph = Graph("Noise", tuple(made.emit.nodes), made.inputs, {}, {}, {"l": loss}, key=key)
    rows = np.ones(100, np.float32)
    first, again = (evaluate(graph, {}, [{"x": rows}]).losses["l"] for _ in range(2))
    assert first == again
    both = evaluate(graph, {}, [{"x": rows}, {"x": rows}]).losses["l"]
    assert both != first and abs(both) < 0.5


def test_a_smaller_last_batch_weighs_less():
    """8 rows of 0, 8 of 0 and 3 of 19: the mean over rows is 3, over batches it would be 19 / 3."""
    made = Building()
    x = made.input("x", "f32", B)
    loss = made.emit(mean, x, axes=(0,))
    graph = Graph("Mean", tuple(made.emit.nodes), made.inputs, {}, {}, {"average": loss})
    values = np.r_[np.zeros(16), np.full(3, 19)].astype(np.float32)
    batches = [{"x": values[i : i + 8]} for i in range(0, 19, 8)]
    result = evaluate(graph, {}, batches)
    assert result.losses == {"average": pytest.approx(3)}
    assert result.confusion is None


def test_confusion_counts_by_true_and_predicted_class():
    graph = perceptron()
    weights = initialize(graph, 0)
    batch, = validation(ROWS)
    result = evaluate(graph, weights, [batch])
    logits = Runner(infer(graph), weights).run({"x": batch["x"]}).outputs["logits"]
    expected = np.zeros((3, 3), int)
    for true, predicted in zip(batch["label"], logits.argmax(1)):
        expected[true, predicted] += 1
    assert np.array_equal(result.confusion, expected)
    assert result.metrics["top1"] == pytest.approx(np.trace(expected) / ROWS)


def test_another_engine_is_measured_by_the_same_definitions():
    graph = perceptron()
    weights = initialize(graph, 0)
    runner = Runner(infer(graph), weights)
    seen = []

    def run(inputs):
        seen.append(set(inputs))
        return runner.run(inputs).outputs

    own, other = (evaluate(graph, weights, validation(8), engine) for engine in (None, run))
    assert seen == [{"x"}] * 3
    assert other.losses == pytest.approx(own.losses, rel=1e-6)
    assert other.metrics == own.metrics
    assert np.array_equal(other.confusion, own.confusion)

    def wrong(inputs):
        return {"logits": -runner.run(inputs).outputs["logits"]}

    assert evaluate(graph, weights, validation(8), wrong).metrics["top1"] != own.metrics["top1"]


def test_the_cut_keeps_only_what_follows_the_outputs():
    graph = perceptron()
    whole, cut = validate(graph), cut_at_outputs(validate(replace(graph, losses={
        "ce": graph.losses["ce"]
    })))
    assert cut.inputs.keys() == {"label", "@output.logits"}
    assert not cut.variables and len(cut.nodes) < len(whole.nodes) / 2


@pytest.mark.parametrize(("change", "found"), [
    ({}, True),
    ({"ranges": {}}, False),
    ({"ranges": {"label": (0, 4)}}, False),
    ({"outputs": {}}, False),
])
def test_what_counts_as_a_classifier(change, found):
    assert (classifier(replace(perceptron(), **change)) is not None) == found


def test_weights_are_checked_and_may_hold_more():
    graph = perceptron()
    weights = initialize(graph, 0)
    assert evaluate(graph, {**weights, "x@mean": np.zeros(2)}, validation(8)).rows == ROWS
    with pytest.raises(Refused):
        evaluate(graph, {n: a for n, a in weights.items() if n != "fc2.bias"}, validation(8))
