"""Every model against PyTorch, rebuilt from its graph: losses, gradients, statistics, outputs and
what an optimiser makes of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from every_model import BATCH, Case, cases, random_inputs, worn_weights
from netdsl.backends.numpy import Runner
from netdsl.ir.graph import Graph
from netdsl.ir.program import Recipe, TrainProgram
from netdsl.layers.initializers import initialize
from netdsl.model import Model
from netdsl.rewrite.phases import infer, train
from netdsl.rewrite.specialize import specialize
from netdsl.training.graph import rate_input, training_graph
from torch_table import rebuilt

CASES = cases()
over_cases = pytest.mark.parametrize("case", CASES, ids=str)
SEED = 3
PRECISE, SINGLE = 1e-10, 1e-4  # relative: float64 on both sides, and float32 on ours


def doubled(graph: Graph) -> Graph:
    """The graph in float64 for one batch, as PyTorch runs it."""
    return specialize(graph, dict.fromkeys(graph.symbols, BATCH), {"f32": "f64"})


def tensors(graph: Graph, weights) -> dict:
    """The variables in float64; parameters ask for gradients."""
    made = {}
    for name, variable in graph.variables.items():
        array = np.asarray(weights[name])
        made[name] = torch.tensor(array, dtype=torch.float64 if array.dtype.kind == "f" else None)
        made[name].requires_grad_(variable.kind == "parameter")
    return made


def apart(found: np.ndarray, expected: np.ndarray, scale: float = 0.0) -> float:
    """The largest difference relative to the largest element, or to `scale` where that is more."""
    largest = max(float(np.abs(expected).max(initial=0.0)), scale)
    return float(np.abs(np.asarray(found, np.float64) - expected).max(initial=0.0)) / largest


def peer_gradients(case: Case, model: Model, inputs, weights) -> tuple[dict, dict]:
    graph = doubled(train(case.graph, model.minimized))
    variables = tensors(graph, weights)
    values = rebuilt(graph, inputs, variables, (SEED, 0))
    losses = {name: values[value] for name, value in graph.losses.items()}
    sum(losses.values()).backward()
    return (
        {name: float(loss.detach()) for name, loss in losses.items()},
        {name: variables[name].grad.numpy() for name in graph.parameters},
    )


@over_cases
@pytest.mark.parametrize(("dtype", "tolerance"), [("f64", PRECISE), ("f32", SINGLE)])
def test_losses_and_gradients(case: Case, dtype, tolerance, record_property):
    model = Model(case.built)
    weights, inputs = worn_weights(model.initialize(0)), random_inputs(case.graph)
    losses, gradients = model.gradients(inputs, weights, seed=SEED, dtype=dtype)
    expected_losses, expected = peer_gradients(case, model, inputs, weights)
    assert losses.keys() == expected_losses.keys() and gradients.keys() == expected.keys()
    for name, loss in expected_losses.items():
        assert abs(losses[name] - loss) <= tolerance * abs(loss)
    # a gradient that is 0 by nature (a shift before batch norm) is noise: it counts by the others
    floor = 1e-3 * max(np.abs(gradient).max() for gradient in expected.values())
    worst = max(apart(gradients[name], expected[name], floor) for name in expected)
    record_property("relative", worst)
    print(f"{case} {dtype}: {worst:.1e}")
    assert worst <= tolerance


@over_cases
def test_statistics_after_one_step(case: Case):
    graph = train(case.graph)
    weights, inputs = worn_weights(initialize(graph)), random_inputs(case.graph)
    exact = doubled(graph)
    values = rebuilt(exact, inputs, tensors(exact, weights), (SEED, 0))
    moved = {name: np.array(array, np.float64) for name, array in weights.items()}
    Runner(specialize(graph, dtypes={"f32": "f64"}), moved).run(inputs, key=(SEED, 0))
    assert set(graph.updates) == set(graph.buffers)
    for name, value in exact.updates.items():
        assert apart(moved[name], values[value].detach().numpy()) <= PRECISE
        assert apart(moved[name], weights[name]) > 1e-4  # it did move


@over_cases
def test_outputs_of_inference(case: Case):
    graph = infer(case.graph)
    weights, inputs = worn_weights(initialize(graph)), random_inputs(graph)
    exact = doubled(graph)
    values = rebuilt(exact, inputs, tensors(exact, weights))
    found = Runner(specialize(graph, dtypes={"f32": "f64"}), weights).run(inputs).outputs
    for name, value in exact.outputs.items():
        assert apart(found[name], values[value].detach().numpy()) <= PRECISE


def named(**arguments) -> dict:
    return arguments


OPTIMIZERS = {
    "sgd": (named(name="sgd", lr=0.1),
            lambda ps: torch.optim.SGD(ps, 0.1)),
    "momentum": (named(name="sgd", lr=0.05, momentum=0.9, weight_decay=1e-2),
                 lambda ps: torch.optim.SGD(ps, 0.05, 0.9, weight_decay=1e-2)),
    "nesterov": (named(name="sgd", lr=0.05, momentum=0.9, nesterov=True),
                 lambda ps: torch.optim.SGD(ps, 0.05, 0.9, nesterov=True)),
    "adam": (named(name="adam", lr=1e-3),
             lambda ps: torch.optim.Adam(ps, 1e-3)),
    "adam with decay": (named(name="adam", lr=1e-3, betas=(0.8, 0.95), weight_decay=1e-2),
                        lambda ps: torch.optim.Adam(ps, 1e-3, (0.8, 0.95), weight_decay=1e-2)),
}
STEPS = 3


def with_optimizer(program: TrainProgram, name: str, **arguments) -> TrainProgram:
    """The program with every minimisation done by this optimiser."""
    recipe = Recipe(name, keywords=arguments)
    steps = tuple(
        replace(step, minimize=tuple(replace(m, optimizer=recipe) for m in step.minimize))
        for step in program.steps
    )
    return replace(program, steps=steps, settings={})


@pytest.mark.parametrize("case", [c for c in CASES if c.built.program is not None], ids=str)
@pytest.mark.parametrize("row", OPTIMIZERS, ids=str)
def test_steps_of_optimizers(case: Case, row):
    arguments, optimizer_of = OPTIMIZERS[row]
    weights = worn_weights(initialize(case.graph))
    batches = [random_inputs(case.graph, seed=step) for step in range(STEPS)]

    stepping = specialize(
        training_graph(case.graph, with_optimizer(case.built.program, **arguments)),
        dtypes={"f32": "f64"},
    )
    ours = {
        name: np.array(weights[name], np.float64) if name in weights
        else np.zeros(variable.type.shape, variable.type.numpy_dtype)
        for name, variable in stepping.variables.items()
    }
    runner = Runner(stepping, ours)
    for step, batch in enumerate(batches):
        runner.run({**batch, rate_input(0): np.asarray(arguments["lr"])}, key=(SEED, step))

    model = Model(case.built)
    graph = doubled(train(case.graph, model.minimized))
    theirs = tensors(graph, weights)
    optimizer = optimizer_of([theirs[name] for name in graph.parameters])
    for step, batch in enumerate(batches):
        optimizer.zero_grad()
        values = rebuilt(graph, batch, theirs, (SEED, step))
        sum(values[loss] for loss in graph.losses.values()).backward()
        optimizer.step()
        for name, value in graph.updates.items():
            theirs[name] = values[value].detach()

    for name in graph.variables:
        expected = theirs[name].detach().numpy()
        assert apart(runner.variables[name], expected, 1e-3) <= PRECISE
        assert not np.array_equal(runner.variables[name], weights[name])
