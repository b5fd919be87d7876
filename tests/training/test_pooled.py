"""Figures of many batches are those of one: what is left out or weighted counts right."""

from __future__ import annotations

import numpy as np
import pytest
from small_networks import built

from netdsl.layers.initializers import initialize
from netdsl.training.evaluate import evaluate
from netdsl.training.judge import is_share
from netdsl.training.pooled import MEAN, SUM, pooled

MODEL = """
model M {{
    input x: f32[B, 3]
    input label: i64[B]
    f = linear{{4}}
    output y = f(x)
    loss told = {figure}
    metric other = mean(f32(label))
}}
"""
POOLED = [
    "cross_entropy(y, label, ignore = 9)",
    "cross_entropy(y, label, weight = [1, 2, 5, 0.5])",
    "cross_entropy(y, label, ignore = 9, weight = [1, 2, 5, 0.5], smooth = 0.1)",
    "nll(log_softmax(y, axis = 1), label, ignore = 9)",
    "1 - accuracy(y, label, ignore = 9)",
    "0.3 * cross_entropy(y, label, ignore = 9) + mean(y ** 2) - 1e-3 * l2_penalty(f)",
    "sum(x * y[_, 0..3]) / sum(abs(x))",
    "exp(-sum(x ** 2) / sum(abs(x)))",
    "maximum(accuracy(y, label, ignore = 9), 0.1)",
]
BY_ROWS = ["mean(y ** 2)", "cross_entropy(y, label % 4)", "sum(y) / 3", "max(y)",
           "sum(y) * mean(y)", "l2_penalty(f) / sum(f.weight)", "sum(x) / max(x)"]


def graph_of(figure: str):
    return built(MODEL.format(figure=figure)).graph


def data(rows: int = 45) -> dict[str, np.ndarray]:
    """Sorted by label, so that batches differ; the last have nothing but ignored rows."""
    drawn = np.random.default_rng(3)
    label = np.sort(np.where(drawn.random(rows) < 0.4, 9, drawn.integers(0, 4, rows)))
    return {"x": drawn.normal(size=(rows, 3)).astype(np.float32), "label": label}


@pytest.mark.parametrize("figure", POOLED)
def test_batches_of_any_size_give_the_figure_of_one(figure):
    graph, whole = graph_of(figure), data()
    if "ignore" not in figure:
        whole["label"] %= 4
    weights = initialize(graph, 1)
    expected = evaluate(graph, weights, [whole]).losses["told"]
    assert np.isfinite(expected)
    for size in (1, 7, 44):
        batches = [{name: array[i : i + size] for name, array in whole.items()}
                   for i in range(0, 45, size)]
        found = evaluate(graph, weights, batches).losses["told"]
        assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("figure", BY_ROWS)
def test_what_is_no_ratio_of_sums_over_rows_is_averaged(figure):
    assert pooled(graph_of(figure).losses["told"]) is None


def test_what_is_pooled_and_how():
    found = pooled(graph_of("sum(x) / sum(abs(x)) + mean(y)").losses["told"])
    assert sorted(found.leaves.values()) == [MEAN, SUM, SUM]


@pytest.mark.parametrize(("figure", "share"), [
    ("accuracy(y, label)", True), ("accuracy(y, label, ignore = 9, top = 2)", True),
    ("mean(f32(x > 0))", True), ("mean(y)", False), ("sum(y) / sum(x)", False),
    ("cross_entropy(y, label, ignore = 9)", False),
])
def test_shares_of_rows_that_count_are_shares(figure, share):
    assert is_share(graph_of(figure).losses["told"]) == share
