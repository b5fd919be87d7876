"""Optimisers against PyTorch's trajectories in float64, one coordinate with gradients near eps."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_networks import product, program, recipe

from netdsl.backends.numpy import Runner
from netdsl.ir.program import Minimize
from netdsl.rewrite.specialize import specialize
from netdsl.training.graph import training_graph

ROWS = {"SGD": "sgd", "Adam": "adam", "AdamW": "adamw"}
DEFAULT_RATES = {"SGD": 1e-3, "Adam": 1e-3, "AdamW": 1e-3}
NOT_OFFERED = {"dampening", "amsgrad"}


@pytest.fixture(scope="module")
def reference(shared):
    return json.loads((shared / "reference" / "optimizer_trajectories.json").read_text())


def offered(case: dict) -> bool:
    return case["optimizer"] in ROWS and not NOT_OFFERED & case["kwargs"].keys()


def test_the_reference_has_the_cases(reference):
    assert sum(map(offered, reference["cases"])) == 13


@pytest.mark.parametrize("number", range(13))
def test_trajectory(reference, number):
    case = [case for case in reference["cases"] if offered(case)][number]
    settings = {"lr": DEFAULT_RATES[case["optimizer"]], **case["kwargs"]}
    if "betas" in settings:
        settings["betas"] = tuple(settings["betas"])
    optimizer = recipe(ROWS[case["optimizer"]], **settings)
    graph = training_graph(product(), program(Minimize("total", (), optimizer)))
    graph = specialize(graph, dtypes={"f32": "f64"})
    variables = {
        name: np.zeros(variable.type.shape, variable.type.numpy_dtype)
        for name, variable in graph.variables.items()
    }
    variables["p"][:] = reference["p0"]
    runner = Runner(graph, variables)
    for gradient, expected in zip(reference["grads"], case["trajectory"], strict=True):
        runner.run({"g": np.array(gradient), "@rate.0": np.array(settings["lr"])})
        np.testing.assert_allclose(variables["p"], expected, rtol=1e-12, atol=0)
