"""What training does on average, by many draws: statistics that run, units that drop, rows that are
shuffled. Bounds follow from the number of draws, at five deviations."""

from __future__ import annotations

import numpy as np
import pytest
from small_networks import built

from netdsl.data.draws import shuffled
from netdsl.model import Model
from netdsl.training.trainer import Trainer

DEVIATIONS = 5

NORM = """
model M {{
    input x: f32[B, 400]
    loss l = mean(x -> n: batchnorm{{momentum = {momentum}}})
}}
train M {{ batch {batch}  minimize l with sgd(lr = 0) }}
"""


@pytest.mark.parametrize(("momentum", "batch", "passes"), [(0.1, 16, 40), (0.5, 4, 12)])
def test_running_statistics_are_those_of_what_was_seen(momentum, batch, passes):
    """400 channels of rows drawn from N(3, 2²). With r = 1 - momentum, from mean 0, variance 1:

        E running_mean = (1 - rⁿ) · 3        Var running_mean = momentum² · 4 / B · Σ r²ⁱ
        E running_var = rⁿ + (1 - rⁿ) · 4    as the variance that is kept is without bias
    """
    made = built(NORM.format(momentum=momentum, batch=batch))
    trainer = Trainer(made.graph, made.program)
    drawn = np.random.default_rng(1)
    for _ in range(passes):
        trainer.step({"x": drawn.normal(3, 2, (batch, 400)).astype(np.float32)})
    mean, variance = (trainer.weights[f"n.running_{name}"] for name in ("mean", "var"))
    left = (1 - momentum) ** passes
    spread = momentum**2 * sum((1 - momentum) ** (2 * i) for i in range(passes))
    error = 2 * np.sqrt(spread / batch)
    assert abs(mean.mean() - 3 * (1 - left)) < DEVIATIONS * error / 20
    assert mean.std() == pytest.approx(error, rel=DEVIATIONS / np.sqrt(2 * 400))
    # the variance of B normal values has the variance 2 σ⁴ / (B - 1)
    error = np.sqrt(spread * 2 * 2**4 / (batch - 1))
    assert abs(variance.mean() - (left + (1 - left) * 4)) < DEVIATIONS * error / 20


DROPPED = """
model M {{
    input x: f32[B, 8]
    hidden = x -> a: linear{{300}} -> dropout({p})
    output y = hidden -> b: linear{{4}}
}}
"""


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_mean_of_dropped_networks_is_the_network(p, model_of):
    """A layer above dropped units is linear in them: over many draws of the units its mean is what
    inference gives, with the deviation √(Σ (w h)² p / (1 - p) / n)."""
    model = model_of(DROPPED.format(p=p))
    weights = model.initialize(seed=2)
    x, count = np.random.default_rng(0).normal(size=(1, 8)).astype(np.float32), 4000
    many = model.run({"x": np.repeat(x, count, 0)}, weights, "train")["y"]
    hidden = x @ weights["a.weight"].T + weights["a.bias"]
    error = np.sqrt((hidden**2 * weights["b.weight"] ** 2).sum(1) * p / (1 - p) / count)
    assert (abs(many.mean(0) - model.run({"x": x}, weights)["y"][0]) < DEVIATIONS * error).all()
    assert (many.std(0) == pytest.approx(error * np.sqrt(count), rel=0.15))


def test_dropped_neighbours_are_independent(model_of):
    model = model_of("model M { input x: f32[B, 50]  output y = dropout(x, p = 0.5) }")
    kept = model.run({"x": np.ones((5000, 50))}, {}, "train")["y"] > 0
    assert abs(np.corrcoef(kept.T) - np.eye(50)).max() < (DEVIATIONS + 1) / np.sqrt(5000)


@pytest.fixture
def model_of(tmp_path):
    def load(text: str) -> Model:
        from netdsl.model import load

        file = tmp_path / "m.net"
        file.write_text(text, "utf-8")
        return load(file)

    return load


def test_every_row_comes_to_every_place_as_often():
    """Ten rows shuffled for 5,000 epochs: a table of 10 × 10 counts, 81 degrees of freedom."""
    epochs = 5000
    orders = np.array([shuffled(10, 3, "order", epoch) for epoch in range(epochs)])
    counts = np.array([np.bincount(place, minlength=10) for place in orders.T])
    expected = epochs / 10
    chi_square = ((counts - expected) ** 2 / expected).sum() * 9 / 10
    assert abs(chi_square - 81) < DEVIATIONS * np.sqrt(2 * 81)


def test_orders_of_following_epochs_are_independent():
    ranks = np.array([np.argsort(shuffled(200, 3, "order", epoch)) for epoch in range(300)])
    follow = [np.corrcoef(a, b)[0, 1] for a, b in zip(ranks, ranks[1:])]
    assert abs(np.mean(follow)) < DEVIATIONS / np.sqrt(199 * 299)
