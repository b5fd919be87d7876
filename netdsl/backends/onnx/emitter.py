"""What an op's `onnx` facet calls: `emit("Conv", node.inputs, node.outputs, group=1)`.

The emitter names tensors and nodes, notes every tensor's shape, keeps equal constants once, and
leaves Identity nodes out. Facets know values, types and sizes, and nothing of protobuf.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from netdsl.backends.onnx.names import Names, interface, node_label, position
from netdsl.backends.onnx.sizes import Sizes
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Graph, Node, Value
from netdsl.ir.op import NotDefined
from netdsl.ir.tensor import TensorType

DTYPES = {
    "f16": TensorProto.FLOAT16,
    "bf16": TensorProto.BFLOAT16,
    "f32": TensorProto.FLOAT,
    "f64": TensorProto.DOUBLE,
    "i32": TensorProto.INT32,
    "i64": TensorProto.INT64,
    "u64": TensorProto.UINT64,
    "bool": TensorProto.BOOL,
}
OLDEST_OPSET = 18  # in which reductions take their axes as facets give them
WRITTEN_OUT = 8  # elements of a constant that its name shows


class OnnxEmitter:
    """Collects the nodes, constants and shapes of one model.

    `opset` is the version of the operators, None: the oldest that has all that are emitted.
    """

    def __init__(self, graph: Graph, opset: int | None = None):
        self.opset = OLDEST_OPSET if opset is None else opset
        self._opset_is_given = opset is not None
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.value_infos: list[ValueInfoProto] = []
        self._names: dict[Value, str] = {}
        for name, value in reversed(list(interface(graph))):  # inputs and variables win
            self._names[value] = name
        self._tensors = Names(name for name, _ in interface(graph))
        self._labels = Names()
        self._constant_names: dict[tuple, str] = {}
        self._node: Node | None = None
        self._sizes = Sizes(graph.inputs, self._add_size, self.constant)
        self._outputs = graph.outputs

    # ------------------------------------------------------------------ what facets call

    def __call__(
        self,
        op_type: str,
        inputs: Sequence[Value | str | None],
        outputs: Sequence[Value | TensorType],
        **attributes,
    ) -> list[str]:
        """Add a node that gives outputs of the op; a type stands for a result that at most nodes
        of the same op will read. Returns the names of all. None among the inputs stands for an
        absent one. Arrays and lists are attributes as they are; empty lists are not written."""
        operands = [self._operand(operand) for operand in inputs]
        while operands and not operands[-1]:
            operands.pop()
        if op_type == "Identity" and self._passes(outputs[0], operands[0]):
            return operands
        label = node_label(self._node)
        results = [
            self._between(f"{label}/{op_type.lower()}", output) if isinstance(output, TensorType)
            else self._result(output) for output in outputs
        ]
        self._add(op_type, operands, results, label, position(self._node.span), attributes)
        return results

    def intermediate(
        self, op_type: str, inputs: Sequence[Value | str | None], type: TensorType | None,
        **attributes,
    ) -> str:
        """Add a node whose one result only nodes of the same op will read. `type` is None where
        its sizes are known only when it runs."""
        label = f"{node_label(self._node)}/{op_type.lower()}"
        result = self._between(label, type)
        operands = [self._operand(operand) for operand in inputs]
        self._add(op_type, operands, [result], label, position(self._node.span), attributes)
        return result

    def constant(self, array: np.ndarray) -> str:
        """An initializer with this content; equal ones are one."""
        array = np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constant_names:
            name = self._tensors.unique(constant_label(array))
            self.constants.append(numpy_helper.from_array(array, name))
            self._constant_names[key] = name
        return self._constant_names[key]

    def shape(self, dims: tuple[Dim, ...], like: tuple[Dim, ...] | None = None) -> str:
        """The i64 vector of these sizes. `like`, for Reshape, is the operand's shape: 0 stands
        for its size on the same axis, and one -1 for what is left."""
        if like is None:
            return self._sizes.vector(dims)
        short = [
            0 if not isinstance(dim, int) and axis < len(like) and like[axis] == dim else dim
            for axis, dim in enumerate(dims)
        ]
        unknown = [axis for axis, dim in enumerate(short) if not isinstance(dim, int)]
        if unknown:  # the one hardest to compute is left to Reshape
            short[max(unknown, key=lambda axis: len(str(short[axis])))] = -1
        return self._sizes.vector(tuple(short))

    def dtype(self, name: str) -> int:
        """ONNX's number of a dtype."""
        return DTYPES[name]

    def since(self, opset: int) -> None:
        """What is emitted needs this opset. Raises NotDefined where an older one is asked for."""
        if self._opset_is_given and self.opset < opset:
            self.refuse(f"it needs opset {opset}")
        self.opset = max(self.opset, opset)

    def refuse(self, reason: str) -> NoReturn:
        """This node has no form in ONNX. Raises NotDefined."""
        raise NotDefined(self._node.op.name, "onnx", reason)

    # ------------------------------------------------------------------ what the model calls

    def node(self, node: Node) -> None:
        """Write one node of the graph. Raises NotDefined; the nodes behind it can still be
        written, so that all that have no form are found at once."""
        self._node = node
        try:
            node.op.facet("onnx")(self, node)
        except NotDefined:
            for output in node.outputs:
                self._result(output)
            raise

    def finish(self) -> None:
        """Give every output its own name where its value goes by another."""
        for name, value in self._outputs.items():
            source = self._operand(value)
            if source != name:
                self._add("Identity", [source], [name], f"{name}/output", "", {})

    # ------------------------------------------------------------------ names and nodes

    def _operand(self, operand: Value | str | None) -> str:
        if operand is None:
            return ""
        if isinstance(operand, str):
            return operand
        return self._names[operand]

    def _result(self, output: Value) -> str:
        if output not in self._names:
            label = node_label(output.node)
            if output.index:
                label = f"{label}.{output.node.op.outputs[output.index]}"
            self._names[output] = self._tensors.unique(label)
            self.value_infos.append(value_info(self._names[output], output.type))
        return self._names[output]

    def _between(self, label: str, type: TensorType | None) -> str:
        """A tensor that has no Value."""
        name = self._tensors.unique(label)
        if type is not None:
            self.value_infos.append(value_info(name, type))
        return name

    def _passes(self, output: Value, operand: str) -> bool:
        """Whether a value can go by another's name: every one that has no name to keep."""
        if output in self._names:
            return False
        self._names[output] = operand
        return True

    def _add_size(
        self, op_type: str, operands: list[str], type: TensorType, wanted: str, **attributes
    ) -> str:
        name = self._tensors.unique(wanted)
        self.value_infos.append(value_info(name, type))
        self._add(op_type, operands, [name], wanted, "", attributes)
        return name

    def _add(
        self, op_type: str, operands: list[str], results: list[str], label: str, place: str,
        attributes: dict,
    ) -> None:
        given = {
            name: numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value
            for name, value in attributes.items()
            if isinstance(value, np.ndarray) or value != []  # an empty list has no type
        }
        name = self._labels.unique(label)
        self.nodes.append(helper.make_node(op_type, operands, results, name, place, **given))


def value_info(name: str, type: TensorType) -> ValueInfoProto:
    """A tensor's declaration; free dimensions are named as the language writes them."""
    dims = [dim if isinstance(dim, int) else str(dim) for dim in type.shape]
    return helper.make_tensor_value_info(name, DTYPES[type.dtype], dims)


def constant_label(array: np.ndarray) -> str:
    """`float32(0.5)`, `int64[1, 4]`, `float32[3, 7, 7]-array` for what is too large to show."""
    if array.ndim == 0:
        return f"{array.dtype}({array})"
    if array.ndim == 1 and array.size <= WRITTEN_OUT:
        return f"{array.dtype}{array.tolist()}"
    return f"{array.dtype}{list(array.shape)}-array"
