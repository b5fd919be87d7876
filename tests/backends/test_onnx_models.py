"""Every model of the repository as an ONNX file: correct, complete, standard, agreeing with us."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest

import netdsl
from netdsl.backends.onnx import export, to_model
from netdsl.ir.graph import Graph
from netdsl.resources import models_folder
from netdsl.rewrite.phases import infer

MODELS = sorted(models_folder().glob("*.net"))


@pytest.fixture(params=MODELS, ids=lambda path: path.stem)
def trained(request) -> tuple[Graph, dict[str, np.ndarray]]:
    """The inference slice, with statistics and biases as training might leave them."""
    model = netdsl.load(request.param)
    weights = model.initialize(seed=0)
    generator = np.random.default_rng(0)
    for name, array in weights.items():
        if array.ndim == 1:
            low, high = (0.5, 1.5) if name.endswith(("running_var", "weight")) else (-0.1, 0.1)
            weights[name] = generator.uniform(low, high, array.shape).astype(array.dtype)
    return infer(model.graph), weights


@pytest.mark.parametrize("fold", (True, False), ids=("folded", "as it is"))
def test_file_agrees_with_numpy(trained, fold, tmp_path):
    exported = export(*trained, tmp_path / "model.onnx", fold_batch_norm=fold)
    assert exported.largest_difference <= 1e-5
    model = onnx.load(exported.path)
    assert exported.nodes == len(model.graph.node)
    assert exported.bytes == exported.path.stat().st_size
    assert len({tuple(out.values()) for out in outputs_on_random_input(exported)}) > 1


def outputs_on_random_input(exported):
    """Two runs; a network whose output never changes would agree with everything."""
    from netdsl.backends.onnx import Session

    session = Session(exported.path, threads=1)
    sizes = {
        declared.name: [dim.dim_value or 1 for dim in declared.type.tensor_type.shape.dim]
        for declared in onnx.load(exported.path).graph.input
    }
    for seed in range(2):
        draws = np.random.default_rng(seed)
        fed = {name: draws.standard_normal(size).astype(np.float32) for name, size in sizes.items()}
        yield {name: out.tobytes() for name, out in session.run(fed).items()}


def test_every_tensor_is_declared_as_strict_inference_finds_it(trained):
    model = to_model(*trained)
    declared = types_by_name(model.graph.value_info)
    made = {name for node in model.graph.node for name in node.output}
    assert made == set(declared) | {out.name for out in model.graph.output}

    del model.graph.value_info[:]
    found = onnx.shape_inference.infer_shapes(
        model, check_type=True, strict_mode=True, data_prop=True
    )
    inferred = types_by_name(found.graph.value_info)
    for name, (dtype, dims) in declared.items():
        assert inferred[name][0] == dtype
        for ours, theirs in zip(dims, inferred[name][1], strict=True):
            assert theirs in (ours, "") or str(theirs).startswith("unk__"), name


def types_by_name(infos) -> dict[str, tuple[int, list]]:
    return {
        info.name: (
            info.type.tensor_type.elem_type,
            [dim.dim_value or dim.dim_param for dim in info.type.tensor_type.shape.dim],
        )
        for info in infos
    }


def test_parameters_keep_their_names(trained):
    graph, weights = trained
    model = to_model(graph, weights, fold_batch_norm=False)
    named = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert set(graph.variables) <= set(named)
    for name in graph.variables:
        np.testing.assert_array_equal(named[name], weights[name])


def test_only_standard_operators_and_no_waste(trained):
    model = to_model(*trained)
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert not model.functions
    used = Counter(node.op_type for node in model.graph.node)
    for op_type in used:
        assert onnx.defs.has(op_type, 18)
    assert not used.keys() & {"Identity", "Shape", "Gather", "Unsqueeze", "Constant", "Dropout"}
    labels = [node.name for node in model.graph.node]
    assert len(set(labels)) == len(labels) and all(labels)
    assert all(node.doc_string for node in model.graph.node)


def test_batch_is_free_by_name(trained):
    graph, weights = trained
    model = to_model(graph, weights)
    for info in (*model.graph.input, *model.graph.output):
        assert info.type.tensor_type.shape.dim[0].dim_param == "B"
    assert [info.name for info in model.graph.input] == list(graph.inputs)
    assert [info.name for info in model.graph.output] == list(graph.outputs)
