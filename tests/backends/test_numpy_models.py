"""Whole training steps of the models: the engine against the reference kernels, one node after
another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from interpret import interpret

from netdsl.backends.numpy import Runner, emitter
from netdsl.compiler import build, open_file
from netdsl.diagnostics import Report
from netdsl.ir.graph import Graph
from netdsl.layers.initializers import initialize
from netdsl.rewrite.phases import phase
from netdsl.rewrite.specialize import specialize
from netdsl.training.graph import training_graph

MODELS = sorted(Path(__file__).parents[2].glob("models/*.net"))
TRAINED = [path for path in MODELS if "\ntrain " in path.read_text("utf-8")]
KEY = (3, 14)


def step_of(path: Path) -> tuple[Graph, dict, dict]:
    """The training graph of a model for two images in float64, its variables and inputs."""
    report = Report()
    module = open_file(path, report)
    built = build(module, list(module.models.values())[-1], report)
    graph = specialize(training_graph(built.graph, built.program), {"B": 2}, {"f32": "f64"})
    rng = np.random.default_rng(0)
    initial = initialize(built.graph, 0)
    variables = {
        name: np.array(initial.get(name, np.zeros(v.type.shape)), v.type.numpy_dtype)
        for name, v in graph.variables.items()
    }
    fed = {
        name: rng.normal(size=v.shape) if v.type.is_float
        else rng.integers(0, 10, v.shape).astype(v.type.numpy_dtype)
        for name, v in graph.inputs.items()
    }
    fed |= {name: np.array(0.05) for name in graph.inputs if name.startswith("@rate")}
    return graph, variables, fed


@pytest.mark.parametrize("lanes", (1, 2))
@pytest.mark.parametrize("path", TRAINED, ids=lambda path: path.stem)
def test_a_training_step_is_what_the_kernels_say(path, lanes, monkeypatch):
    monkeypatch.setattr(emitter, "WORTH_SPLITTING", 0)
    graph, variables, fed = step_of(path)
    values = interpret(graph, fed, variables, KEY)
    losses = {name: values[v] for name, v in graph.losses.items()}
    following = {name: np.array(values[v]) for name, v in graph.updates.items()}
    still = {name: a.copy() for name, a in variables.items() if name not in following}
    results = Runner(graph, variables, lanes).run(fed, KEY)
    for name, loss in losses.items():
        np.testing.assert_allclose(results.losses[name], loss, rtol=1e-12, err_msg=name)
    for name, array in (following | still).items():
        scale = np.abs(array).max(initial=1e-9)
        np.testing.assert_allclose(variables[name], array, 1e-9, 1e-10 * scale, err_msg=name)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_outputs_in_float32_are_near_those_in_float64(path):
    report = Report()
    module = open_file(path, report)
    built = build(module, list(module.models.values())[-1], report)
    graph = phase(built.graph, "validate")
    rng = np.random.default_rng(1)
    weights = initialize(built.graph, 1)
    fed = {
        name: rng.normal(size=(2, *v.shape[1:])) if v.type.is_float
        else rng.integers(0, 10, 2).astype(v.type.numpy_dtype)
        for name, v in graph.inputs.items()
    }
    wide = specialize(graph, dtypes={"f32": "f64"})
    weights = {name: weights[name] for name in graph.variables}
    exact = Runner(wide, {n: w.astype(np.float64) for n, w in weights.items()}).run(fed)
    got = Runner(graph, weights).run(fed)
    for name, y in got.outputs.items():
        scale = np.abs(exact.outputs[name]).max()
        np.testing.assert_allclose(y, exact.outputs[name], 2e-5, 2e-5 * scale)
