"""Norms of gradients: measured by layer, and clipped by that of all."""

from __future__ import annotations

import numpy as np
import pytest
from small_networks import blobs, built, perceptron, product, program

from netdsl.data.batches import Batches
from netdsl.ir.program import Minimize, Recipe
from netdsl.training.trainer import Trainer

SGD = Recipe("sgd", (1.0,))


@pytest.mark.parametrize(("clip", "scale"), [
    (2.5, 0.5), (5.0, 1.0), (100.0, 1.0), (1e-9, 2e-10),
])
def test_clipping_scales_the_whole_gradient(clip, scale):
    trainer = Trainer(product(), program(Minimize("total", (), SGD), settings={"clip": clip}),
                      {"p": np.zeros(4, np.float32)})
    trainer.step({"g": np.array([3, 0, -4, 0], np.float32)})
    np.testing.assert_allclose(trainer.weights["p"], [-3 * scale, 0, 4 * scale, 0], rtol=1e-6)


def test_a_gradient_of_zero_stays_zero():
    trainer = Trainer(product(), program(Minimize("total", (), SGD), settings={"clip": 1}),
                      {"p": np.ones(4, np.float32)})
    trainer.step({"g": np.zeros(4, np.float32)})
    assert trainer.weights["p"].tolist() == [1, 1, 1, 1]


TWO_LOSSES = """
model M {
    input x: f32[B, 3]
    loss a = mean(x -> f: linear{2}) * 100
    loss b = mean((x -> g: linear{4}) ** 2)
}
train M {
    batch 5
    clip 0.1
    minimize a over f with sgd(lr = 1)
    minimize b over g with sgd(lr = 1)
}
"""


def test_one_norm_for_all_losses_of_a_step():
    made = built(TWO_LOSSES)
    trainer = Trainer(made.graph, made.program, seed=1, norms=True)
    before = trainer.weights
    trainer.step({"x": np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)})
    assert trainer.norms.keys() == {"f", "g"} and np.hypot(*trainer.norms.values()) > 0.1
    moved = [before[name] - trainer.weights[name] for name in before]
    whole = np.sqrt(sum((part**2).sum() for part in moved))
    assert whole == pytest.approx(0.1, rel=1e-4)


def test_norms_by_layer_are_those_before_clipping():
    graph = perceptron()
    batch = next(Batches(graph, blobs(), 8).training(0))
    told = program(settings={"clip": 1e-3})
    plain = Trainer(graph, told, seed=2)
    watched = Trainer(graph, told, seed=2, norms=True)
    plain.step(batch), watched.step(batch)
    assert plain.norms == {} and watched.norms.keys() == {"stem.fc1", "bn", "fc2"}
    assert all(np.array_equal(plain.weights[n], watched.weights[n]) for n in plain.weights)
    unclipped = Trainer(graph, program(), seed=2, norms=True)
    unclipped.step(batch)
    assert watched.norms == unclipped.norms
    assert np.linalg.norm(list(unclipped.norms.values())) > 1e-2
