"""What losses refuse and let pass: labels beyond the classes, those to ignore, weights, numbers
that are no probabilities. That their numbers are right, tests/peer shows."""

from __future__ import annotations

import numpy as np
import pytest

from netdsl.autodiff import differentiate
from netdsl.backends.numpy import Runner
from netdsl.build.modules import load_module
from netdsl.compiler import build, choose
from netdsl.data.dataset import Field, check_labels
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.render import render_text
from netdsl.ir.graph import Graph
from netdsl.rewrite.specialize import specialize
from netdsl.source import Source
from netdsl.training.evaluate import classifier

SCORES = np.array([[2.0, 0, 0], [0, 1, 0], [0, 0, 3]], np.float32)


def graph_of(loss: str, label: str = "i64[B]") -> Graph:
    """A model of three classes with one loss. Raises Refused."""
    report = Report()
    text = f"""model M {{
    input x: f32[B, 3]
    input label: {label}
    output y = x
    loss l = {loss}
}}
"""
    module = load_module(Source("test.net", text), report)
    built = build(module, choose(module, None), report)
    report.stop_on_errors()
    return built.graph


def loss_of(expression: str, label: list[int], scores: np.ndarray = SCORES) -> float:
    fed = {"x": scores, "label": np.array(label, np.int64)}
    return float(Runner(graph_of(expression), {}).run(fed).losses["l"])


def told(refused: Refused) -> str:
    return "\n".join(render_text(problem.describe()) for problem in refused.problems)


IGNORED = "cross_entropy(x, label, ignore = 255)"


@pytest.mark.parametrize("loss", [IGNORED, "nll(log_softmax(x, 1), label, ignore = 255)"])
def test_rows_to_ignore_do_not_count(loss):
    alone = loss_of(loss.replace(", ignore = 255", ""), [1], SCORES[1:2])
    assert loss_of(loss, [255, 1, 255]) == pytest.approx(alone)
    assert np.isnan(loss_of(loss, [255, 255, 255]))  # as PyTorch's
    assert loss_of(loss[:-1] + ", reduce = sum)", [255, 255, 255]) == 0


@pytest.mark.parametrize("label", ["i64[B]", "i64[B] in 0..3"])
def test_the_ignored_number_is_fed_and_no_other(label):
    graph = graph_of(IGNORED, label)
    assert graph.ranges == {"label": (0, 3)} and graph.besides == {"label": frozenset({255})}
    with pytest.raises(Refused) as refused:
        Runner(graph, {}).run({"x": SCORES, "label": np.array([255, 254, 1])})
    assert "row 1 is 254" in told(refused.value)


def test_rows_of_data_may_hold_the_ignored_number():
    field = Field(np.array([0, 255, 2, 7]), "labels.npz")
    with pytest.raises(Refused, match="N505|row 3"):
        check_labels(field, 0, 3, frozenset({255}))
    check_labels(Field(field.values[:3], "labels.npz"), 0, 3, frozenset({255}))


def test_weights_are_a_list_or_a_tensor():
    listed = loss_of("cross_entropy(x, label, weight = [1, 0.5, 4])", [0, 1, 0])
    weight = "stack([1, 0.5, mean(4 + 0 * x)], axis = 0)"
    assert loss_of(f"cross_entropy(x, label, weight = {weight})", [0, 1, 0]) == listed
    assert listed != loss_of("cross_entropy(x, label)", [0, 1, 0])


def test_none_is_what_is_left_out():
    plain = loss_of("cross_entropy(x, label)", [0, 1, 0])
    assert loss_of("cross_entropy(x, label, weight = none, ignore = none)", [0, 1, 0]) == plain


def test_an_ignored_class_is_within_the_range():
    assert graph_of("cross_entropy(x, label, ignore = 2)").besides == {}


def test_confusions_are_not_counted_where_rows_have_no_class():
    assert classifier(graph_of("cross_entropy(x, label)")) is not None
    assert classifier(graph_of(IGNORED)) is None


REFUSED = {
    "cross_entropy(x, label, weight = [1, 2])": "not one for each of 3 classes",
    "cross_entropy(x, label, weight = [1, true, 2])": "a list of numbers or a tensor",
    "cross_entropy(x, label, weight = 2)": "a list of numbers or a tensor",
    "cross_entropy(x, softmax(x, 1), ignore = 1)": "distributions have none",
    "cross_entropy(x, label, smooth = 1.5)": "does not lie between 0 and 1",
    "nll(x, label, reduce = \"batchmean\")": "mean, sum or none",
    "mse(x, mean(x, axis = 1))": "differ",
    "mse(x, mean(x, axis = 1, keep = true))": "differ",
    "huber(x, 0, delta = 0)": "must be above 0",
    "mean(clip(x))": "needs a bound", "mean(clip(x, none, none))": "needs a bound",
    "mean(norm(x, -1))": "a number of at least 0",
    "f32(any(x))": "needs a bool tensor",
    "sum(top_k(x, 4)[0])": "fewer than 4",
    "mean(f32(logical_xor(x, x)))": "needs bool tensors",
}


@pytest.mark.parametrize(("loss", "reason"), REFUSED.items(), ids=REFUSED)
def test_what_is_refused(loss, reason):
    with pytest.raises(Refused) as refused:
        graph_of(loss)
    assert reason in told(refused.value)


def test_a_number_that_is_no_probability_is_refused_when_it_runs():
    with pytest.raises(Refused) as refused:
        loss_of("bce(x, 1) + 0 * mean(f32(label))", [0, 0, 0])
    assert "bce_logits" in told(refused.value)


@pytest.mark.parametrize("scores", [1000.0, -1000.0])
def test_large_logits_keep_their_digits(scores):
    """Differences count, however large the logits are."""
    x = (SCORES + np.float32(scores)).astype(np.float32)
    assert loss_of("cross_entropy(x, label)", [0, 1, 2], x) == pytest.approx(
        loss_of("cross_entropy(x, label)", [0, 1, 2]), rel=1e-6)


def test_a_masked_class_costs_nothing():
    masked = SCORES.copy()
    masked[:, 0] = -np.inf
    assert np.isfinite(loss_of("cross_entropy(x, label)", [1, 1, 2], masked))
    assert loss_of("cross_entropy(x, label)", [0, 1, 2], masked) == np.inf


# ------------------------------------------------------------------ gradients

DIFFERENTIATED = (
    "cross_entropy(w, label, smooth = 0.1)",
    "cross_entropy(w, label, smooth = 0.1, weight = [1, 3, 0.5], ignore = 255)",
    "cross_entropy(w, softmax(v, 1), smooth = 0.1, weight = [1, 3, 0.5])",
    "cross_entropy(w, label, weight = stack([1, 3, sum(v)], axis = 0))",
    "nll(w, label, weight = [1, 3, 0.5], ignore = 255, reduce = sum)",
    "bce(sigmoid(w), sigmoid(v))", "bce_logits(w, sigmoid(v), pos_weight = [2, 1, 0.5])",
    "mse(w, v)", "l1(w, v)", "huber(w, v, delta = 0.3)", "smooth_l1(w, v, beta = 0.3)",
    "hinge(w, v)", "kl_div(w, softmax(v, 1))", "kl_div(w, v, log_target = true)",
    "cosine_embedding(w, v, 1) + cosine_embedding(w, v, -1, margin = -0.9)",
    "triplet_margin(w, v, w * v, swap = true)",
    "sum(prod(w, axis = 1) * stddev(v, axis = 1) * norm(w * v, 3, axis = 1))",
    "sum(cumprod(w, axis = 0) * sort(w, axis = 0) * top_k(v, 3)[0])",
    "logsumexp(w) + norm(w) + norm(v, \"inf\") + sum(var(w * v, axis = 0))",
    "sum(w ** 2 * abs(v) ** w) + sum(clip(w, -0.5, 0.5) * mish(v) * hard_swish(w))",
)


@pytest.mark.parametrize("loss", DIFFERENTIATED)
def test_gradients_equal_differences(loss):
    text = f"""model M {{
    input label: i64[3]
    parameter w: f32[3, 3] = normal()
    parameter v: f32[3, 3] = normal()
    output y = w + v
    loss l = {loss} + 0 * sum(f32(label))
}}
"""
    report = Report()
    module = load_module(Source("test.net", text), report)
    graph = build(module, choose(module, None), report).graph
    graph = differentiate(specialize(graph, None, {"f32": "f64"}), ["l"], ["w", "v"])
    drawn = np.random.default_rng(4)
    weights = {name: drawn.normal(size=(3, 3)) for name in ("w", "v")}
    fed = {"label": np.array([2, 255 if "ignore" in loss else 0, 1])}
    run = Runner(graph, weights)  # it sees the weights change
    found = {name: np.array(run.run(fed).gradients[name]) for name in weights}
    for name, weight in weights.items():
        for at in np.ndindex(weight.shape):
            ends = []
            for step in (1e-6, -2e-6):
                weight[at] += step
                ends.append(float(run.run(fed).losses["l"]))
            weight[at] += 1e-6
            slope = (ends[0] - ends[1]) / 2e-6
            assert found[name][at] == pytest.approx(slope, rel=1e-5, abs=1e-7), (name, at)
