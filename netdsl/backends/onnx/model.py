"""A graph and its weights as an ONNX model in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from onnx import ModelProto, TensorProto, defs, helper

from netdsl import __version__
from netdsl.backends.onnx.emitter import OLDEST_OPSET, OnnxEmitter, value_info
from netdsl.backends.onnx.names import check_names
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.onnx import NoOnnxForm, NothingToExport, UnsupportedOpset
from netdsl.ir.assumptions import strongest
from netdsl.ir.graph import Graph
from netdsl.ir.op import NotDefined
from netdsl.rewrite.deduplicate import deduplicate
from netdsl.rewrite.fold_batch_norm import fold_batch_norm as folded
from netdsl.weights.fit import fit

Store = Callable[[TensorProto, np.ndarray], None]


def to_model(
    graph: Graph,
    weights: Mapping[str, np.ndarray],
    *,
    opset: int | None = None,
    fold_batch_norm: bool = True,
    metadata: Mapping[str, str] | None = None,
) -> ModelProto:
    """The model that computes the outputs of an inference slice.

    `weights` holds at least the slice's variables. Inputs, outputs and parameters keep their
    names byte for byte, and free dimensions are `dim_param`s. `opset` None: 18, or the newer one
    that an operator needs. Raises Refused: N606 to N608 for weights that do not fit, N801 to
    N804 for what ONNX cannot say.
    """
    graph, weights = prepared(graph, weights, fold_batch_norm)
    return build(graph, weights, store_inside, opset, metadata)


def prepared(
    graph: Graph, weights: Mapping[str, np.ndarray], fold_batch_norm: bool
) -> tuple[Graph, dict[str, np.ndarray]]:
    """The graph as it will be written, with exactly its weights."""
    if not graph.outputs:
        raise Refused(NothingToExport(graph.name))
    narrow = next((n for n in graph.nodes if any(v.dtype == "bf16" for v in n.outputs)), None)
    if narrow is not None:
        reason = "runtimes lack bf16 for most operators; declare f32 or f16"
        raise Refused(NoOnnxForm(narrow.op.name, narrow.path, reason, narrow.span))
    fitted = fit(weights, graph.variables, "the weights given", exact=False)
    graph = deduplicate(graph)
    return folded(graph, fitted) if fold_batch_norm else (graph, fitted)


def build(
    graph: Graph,
    weights: Mapping[str, np.ndarray],
    store: Store,
    opset: int | None = None,
    metadata: Mapping[str, str] | None = None,
) -> ModelProto:
    """The model of a prepared graph; `store(tensor, array)` puts a variable's numbers into its
    initializer or elsewhere."""
    newest = defs.onnx_opset_version()
    if opset is not None and not OLDEST_OPSET <= opset <= newest:
        raise Refused(UnsupportedOpset(opset, OLDEST_OPSET, newest))
    check_names(graph)
    emit = OnnxEmitter(graph, opset)
    report = Report()
    for node in graph.nodes:
        try:
            emit.node(node)
        except NotDefined as missing:
            report.add(NoOnnxForm(missing.op, node.path, missing.reason, node.span))
    report.stop_on_errors()
    emit.finish()
    written = helper.make_graph(
        emit.nodes,
        graph.name or "model",
        [value_info(name, value.type) for name, value in graph.inputs.items()],
        [value_info(name, value.type) for name, value in graph.outputs.items()],
        emit.constants,
        value_info=emit.value_infos,
    )
    imports = [helper.make_opsetid("", emit.opset)]
    model = helper.make_model(
        written,
        opset_imports=imports,
        ir_version=helper.find_min_ir_version_for(imports),
        producer_name="netdsl",
        producer_version=__version__,
    )
    helper.set_model_props(model, {**assumed(graph), **(metadata or {})})
    for name in graph.variables:  # in their place at once, because weights are slow to copy
        array = weights[name]
        tensor = model.graph.initializer.add(
            name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype)
        )
        store(tensor, array)
    return model


def assumed(graph: Graph) -> dict[str, str]:
    """The metadata entry `assumptions`: relations between free dimensions, one on each line, that
    what is fed must fulfil."""
    relations = dict.fromkeys(str(each.relation) for each in strongest(graph.assumptions))
    return {"assumptions": "\n".join(relations)} if relations else {}


def store_inside(tensor: TensorProto, array: np.ndarray) -> None:
    """The numbers in the initializer itself, in the order of bytes that ONNX has."""
    tensor.raw_data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
