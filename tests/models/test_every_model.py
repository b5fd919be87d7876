"""Every model through every stage, with the same numbers at each end."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

import netdsl
from every_model import BATCH, FILES, KNOWN, Case, cases, cifar, random_inputs, worn_weights
from netdsl.analysis.summary import summarize
from netdsl.autodiff import differentiate
from netdsl.backends.numpy import Runner
from netdsl.backends.onnx import Session, to_model
from netdsl.compiler import STAGES
from netdsl.ir.graph import Graph
from netdsl.ir.verify import verify
from netdsl.layers.initializers import initialize
from netdsl.resources import models_folder
from netdsl.rewrite.deduplicate import deduplicate
from netdsl.rewrite.fold_batch_norm import fold_batch_norm
from netdsl.rewrite.phases import infer, train, validate
from netdsl.rewrite.specialize import specialize
from netdsl.training.graph import training_graph

CASES = cases()
over_cases = pytest.mark.parametrize("case", CASES, ids=str)


def test_every_model_has_a_row():
    assert {path.stem for path in FILES} == {name.partition(":")[0] for name in KNOWN}
    assert len(FILES) >= 6


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage[0])
def test_the_stages_are_where_the_table_says(stage):
    _, module, function, _ = stage
    assert callable(getattr(import_module(module), function))


@over_cases
def test_counts(case: Case):
    known, summary = case.known, summarize(case.graph)
    assert summary.inference.parameters == known.parameters
    assert summary.training.parameters == known.parameters + known.training_only
    assert summary.training.buffers == known.buffers
    if known.macs is not None:
        assert summary.inference.macs == known.macs
    assert summary.training.macs >= summary.inference.macs


# of parameters, as the paper tells them (He et al. 2015, table 6)
MILLIONS = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7}


@pytest.mark.parametrize("depth", MILLIONS)
@pytest.mark.parametrize("kind", ["ResNet", "Plain"])
def test_counts_of_networks_for_cifar(kind, depth):
    model = netdsl.load(models_folder() / "resnet_cifar.net", f"{kind}{depth}")
    known, counted = cifar(depth), model.summary().training
    assert (counted.parameters, counted.buffers, counted.macs) == (
        known.parameters, known.buffers, known.macs)
    assert float(f"{known.parameters / 1e6:.2g}") == MILLIONS[depth]
    joined = sum(node.op.name == "add" for node in model.graph.nodes)
    assert joined == (depth // 2 - 1 if kind == "ResNet" else 0)  # a shortcut over each two layers


@over_cases
def test_layers_add_up(case: Case):
    summary = summarize(case.graph)
    top = [layer for layer in summary.layers if layer.depth == 0]
    assert sum(layer.parameters for layer in top) == summary.training.parameters
    assert sum(layer.macs for layer in top) == summary.training.macs


def differentiated(graph: Graph) -> Graph:
    sliced = train(graph)
    return differentiate(sliced, sliced.losses, sliced.parameters)


def folded(graph: Graph) -> Graph:
    return fold_batch_norm(infer(graph), initialize(graph))[0]


REWRITES = {
    "whole": lambda graph: graph, "infer": infer, "train": train, "validate": validate,
    "differentiate": differentiated, "deduplicate": deduplicate,
    "deduplicate gradients": lambda graph: deduplicate(differentiated(graph)),
    "specialize": lambda graph: specialize(graph, {"B": 3}),
    "specialize gradients": lambda graph: specialize(differentiated(graph), {"B": 3}),
    "double precision": lambda graph: specialize(differentiated(graph), dtypes={"f32": "f64"}),
    "fold": folded, "fold twice": lambda graph: fold_batch_norm(
        folded(graph), initialize(folded(graph)))[0],
}


@over_cases
@pytest.mark.parametrize("rewrite", REWRITES.values(), ids=REWRITES)
def test_every_rewrite_leaves_a_sound_graph(case: Case, rewrite):
    verify(rewrite(case.graph))


@pytest.mark.parametrize("case", [c for c in CASES if c.built.program is not None], ids=str)
def test_the_training_graph_is_sound(case: Case):
    verify(training_graph(case.graph, case.built.program))


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@over_cases
def test_single_and_double_precision_and_onnx_agree(case: Case):
    graph = infer(case.graph)
    weights = worn_weights(initialize(graph))
    inputs = random_inputs(graph)
    double = specialize(graph, dtypes={"f32": "f64"})
    expected = Runner(double, weights).run(inputs).outputs
    found = Runner(graph, weights).run(inputs).outputs
    assert expected.keys() == found.keys() == graph.outputs.keys()
    for name, value in expected.items():
        assert value.shape[0] == BATCH and np.ptp(value, axis=0).max() > 0.01  # a real answer
        assert relative(found[name], value) <= 1e-5
    for fold in (True, False):
        model = to_model(graph, weights, fold_batch_norm=fold)
        answers = Session(model.SerializeToString(), threads=1).run(inputs)
        for name, value in expected.items():
            assert relative(answers[name], value) <= 1e-5


@over_cases
def test_phases_agree_where_they_should(case: Case):
    """Validation and inference give the same outputs; training alone depends on the seed."""
    weights, inputs = worn_weights(initialize(case.graph)), random_inputs(case.graph)
    outputs = {
        phase.__name__: Runner(phase(case.graph), weights).run(
            {name: inputs[name] for name in phase(case.graph).inputs}).outputs
        for phase in (infer, validate)
    }
    for name in case.graph.outputs:
        assert np.array_equal(outputs["infer"][name], outputs["validate"][name])
    sliced = train(case.graph)
    runs = [Runner(sliced, {n: w.copy() for n, w in weights.items()}).run(inputs, key=(seed, 0))
            for seed in (0, 0, 1)]
    losses = [list(map(float, run.losses.values())) for run in runs]
    assert losses[0] == losses[1]
    assert (losses[0] == losses[2]) == (sliced.key is None)


PUBLISHED = {  # parameters and multiply-accumulates, as torchvision publishes them
    "ResNet18": (11_689_512, 1_814_073_344), "ResNet34": (21_797_672, 3_663_761_408),
    "ResNet50": (25_557_032, 4_089_184_256), "ResNet101": (44_549_160, 7_801_405_440),
    "ResNet152": (60_192_808, 11_513_626_624),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_residual_networks_have_the_published_size(name):
    totals = netdsl.load(FILES[0].with_name("resnet.net"), name).summary().inference
    assert (totals.parameters, totals.macs) == PUBLISHED[name]


def test_attributes_scale_a_model():
    wide = netdsl.load(FILES[0].with_name("digits.net"), width=32, classes=4)
    assert wide.parameters["conv2.weight"].shape == (64, 32, 3, 3)
    assert wide.outputs["logits"].shape[1] == 4
