"""Single steps: what moves, what stays, and that a step does not depend on anything hidden."""

from __future__ import annotations

import numpy as np
import pytest
from small_networks import blobs, built, paths, perceptron, product, program, recipe

from netdsl.backends.numpy import Runner
from netdsl.data.batches import Batches
from netdsl.diagnostics import Refused
from netdsl.ir.program import Flow, Minimize, Stage
from netdsl.layers.initializers import initialize
from netdsl.training.trainer import Trainer
from netdsl.training.graph import training_graph

SGD = recipe("sgd", 0.1)


def batches(graph, size=8):
    return Batches(graph, blobs(), size).training(0)


def test_first_sgd_step_is_lr_times_gradient():
    graph = product()
    weights = {"p": np.array([1, 2, 3, 4], np.float32)}
    trainer = Trainer(graph, program(Minimize("total", (), SGD)), weights)
    g = np.array([1, -1, 0.5, 0], np.float32)
    assert trainer.step({"g": g}) == {"total": 1 - 2 + 1.5}
    np.testing.assert_allclose(trainer.weights["p"], [0.9, 2.1, 2.95, 4], rtol=1e-6)
    assert weights["p"].tolist() == [1, 2, 3, 4]


def test_loss_falls_and_statistics_move():
    graph = perceptron()
    trainer = Trainer(graph, program(freeze=paths("aux")), seed=3)
    before = {name: array.copy() for name, array in trainer.weights.items()}
    losses = [
        trainer.step(batch)["ce"] for _ in range(12) for batch in batches(graph)
    ]
    assert np.mean(losses[-6:]) < 0.7 * np.mean(losses[:6])
    assert trainer.step_count == len(losses) == 72
    moved = {n for n, array in trainer.weights.items() if not np.array_equal(array, before[n])}
    assert moved == before.keys() - {"aux.weight", "aux.bias"}


def test_same_seed_same_bits_other_seed_other_dropout():
    graph = perceptron()
    weights = initialize(graph, 0)

    def after(seed: int) -> np.ndarray:
        trainer = Trainer(graph, program(), weights, seed)
        for batch in batches(graph):
            trainer.step(batch)
        return trainer.weights["stem.fc1.weight"]

    assert np.array_equal(after(1), after(1))
    assert not np.array_equal(after(1), after(2))


def test_slots_and_counter():
    steps = (Minimize("ce", paths("fc2"), recipe("sgd", 0.1, momentum=0.9)),
             Minimize("ce", paths("rest"), recipe("adam", 0.01)))
    graph = training_graph(perceptron(), program(*steps))
    slots = [name for name, variable in graph.variables.items() if variable.kind == "slot"]
    others = ["stem.fc1.weight", "stem.fc1.bias", "bn.weight", "bn.bias"]
    assert sorted(slots) == sorted([
        "@step", "fc2.weight@velocity", "fc2.bias@velocity",
        *(f"{name}@{slot}" for name in others for slot in ("mean", "square")),
    ])
    assert {"@rate.0", "@rate.1", "x", "label"} == graph.inputs.keys()
    assert not graph.outputs and not graph.metrics and not graph.gradients


def test_minimisations_of_one_loss_share_the_backward_pass():
    one = training_graph(perceptron(), program(Minimize("ce", (), SGD)))
    two = training_graph(perceptron(), program(
        Minimize("ce", paths("fc2"), SGD), Minimize("ce", paths("rest"), SGD)
    ))
    assert len(two.nodes) == len(one.nodes)


def test_two_losses_each_move_their_own_parameters():
    graph = perceptron()
    both = program(Minimize("ce", paths("stem", "bn", "fc2"), SGD),
                   Minimize("side", paths("aux"), SGD))
    alone = program(Minimize("ce", (), SGD))
    batch = next(batches(graph))
    weights = initialize(graph, 0)
    pair, single = Trainer(graph, both, weights), Trainer(graph, alone, weights)
    assert pair.step(batch).keys() == {"ce", "side"}
    single.step(batch)
    for name, array in single.weights.items():
        same = np.array_equal(array, pair.weights[name])
        assert same == (not name.startswith("aux")), name


def test_frozen_parameters_cost_no_gradient_and_their_layers_infer():
    graph = perceptron()
    frozen = program(Minimize("ce", paths("fc2"), SGD), freeze=paths("stem", "bn"))
    made = training_graph(graph, frozen)
    assert made.updates.keys() == {"@step", "fc2.weight", "fc2.bias"}
    below = [node.op.name for node in made.nodes if node.path in ("stem.fc1", "bn", "stem.drop")]
    assert below == ["linear", "normalize", "relu"]
    trainer = Trainer(graph, frozen)
    before = {name: array.copy() for name, array in trainer.weights.items()}
    for batch in batches(graph):
        trainer.step(batch)
    moved = {n for n, array in trainer.weights.items() if not np.array_equal(array, before[n])}
    assert moved == {"fc2.weight", "fc2.bias"}


def test_a_layer_is_settled_when_all_its_parameters_are_frozen():
    graph = perceptron()
    half = program(Minimize("ce", paths("rest"), SGD), freeze=paths("bn.bias"))
    rest = program(Minimize("ce", paths("fc2"), SGD), freeze=paths("rest"))
    ops = [{node.op.name for node in training_graph(graph, told).nodes} for told in (half, rest)]
    assert "batch_norm" in ops[0] and "normalize" in ops[1]
    assert "dropout" in ops[0] & ops[1]  # no path names it, and it has no parameters


def test_state_goes_on_bit_for_bit():
    graph = perceptron()
    weights = initialize(graph, 0)
    whole, first = (Trainer(graph, program(), weights, 5) for _ in range(2))
    series = list(batches(graph))
    for batch in series:
        whole.step(batch)
    for batch in series[:3]:
        first.step(batch)
    second = Trainer(graph, program(), None, 5)
    second.restore(first.state)
    for batch in series[3:]:
        second.step(batch)
    for name, array in whole.state.items():
        assert np.array_equal(array, second.state[name]), name


@pytest.mark.parametrize("rate", [
    0.1, recipe("cosine", 0.1), Flow(recipe("warmup", 2), (Stage(recipe("cosine", 0.1)),)),
])
def test_a_schedule_stays_where_it_begins_while_nobody_counts_epochs(rate):
    graph = perceptron()
    trainer = Trainer(graph, program(Minimize("ce", (), recipe("sgd", rate))))
    for batch in batches(graph):
        assert trainer.rates() == {"lr": pytest.approx(0.1)}
        trainer.step(batch)


def test_a_schedule_counts_epochs_of_the_length_given():
    told = program(Minimize("ce", (), recipe("sgd", recipe("cosine", 0.1))))
    graph = perceptron()
    trainer = Trainer(graph, told, steps_per_epoch=1, epochs=2)
    trainer.step(next(iter(batches(graph))))
    assert trainer.rates() == {"lr": pytest.approx(0.05)}


def test_weights_that_do_not_fit_are_refused():
    graph = perceptron()
    weights = initialize(graph, 0)
    weights["fc2.weigth"] = weights.pop("fc2.weight")
    with pytest.raises(Refused) as refused:
        Trainer(graph, program(), weights)
    assert all(problem.code.startswith("N6") for problem in refused.value.problems)


def test_a_trainer_is_its_graph_run():
    """What `step` does is what the training graph says: no arithmetic beside it."""
    graph, told = perceptron(), program(Minimize("ce", (), SGD))
    trainer = Trainer(graph, told, seed=4)
    variables = {name: trainer.state[name].copy() for name in trainer.graph.variables}
    batch = next(batches(graph))
    trainer.step(batch)
    runner = Runner(training_graph(graph, told), variables)
    runner.run({**batch, "@rate.0": np.float32(0.1)}, key=(4, 0))
    for name, array in variables.items():
        assert np.array_equal(array, trainer.state[name]), name


def test_weights_are_copies_and_variables_are_not():
    graph = perceptron()
    trainer = Trainer(graph, program())
    weights, variables = trainer.weights, trainer.variables["fc2.weight"]
    trainer.step(next(batches(graph)))
    assert not np.array_equal(weights["fc2.weight"], trainer.weights["fc2.weight"])
    assert np.array_equal(variables, trainer.weights["fc2.weight"])


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64])
def test_seeds_have_bounds(seed):
    with pytest.raises(Refused) as refused:
        Trainer(perceptron(), program(), seed=seed)
    assert [problem.code for problem in refused.value.problems] == ["N453"]


def test_what_stands_behind_stop_grad_needs_no_gradient():
    """`//` has none."""
    made = built("""
        model M { input x: f32[B, 3]  h = x -> f: linear{2}
                  loss l = mean(h * (stop_grad(h) // 0.5)) }
        train M { batch 2  minimize l with sgd(lr = 1) }""")
    trainer = Trainer(made.graph, made.program, seed=1)
    x, weight = np.ones((2, 3), np.float32), trainer.weights["f.weight"]
    steps = (x @ weight.T + trainer.weights["f.bias"]) // 0.5
    trainer.step({"x": x})
    np.testing.assert_allclose(trainer.weights["f.weight"], weight - steps.T @ x / 4, rtol=1e-5)
