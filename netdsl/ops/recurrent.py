"""Recurrent layers: the LSTM of Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al.
2000. Gates lie in PyTorch's order, input, forget, cell, output:

    i, f, g, o = σ, σ, tanh, σ of x_t W_ihᵀ + h_{t-1} W_hhᵀ + bias
    c_t = f · c_{t-1} + i · g          h_t = o · tanh(c_t)
"""

from __future__ import annotations

import numpy as np

from netdsl.ir.assumptions import agree
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Absent, Attrs, Cost, Op, Origin, ShapeError, leading_rows
from netdsl.ir.tensor import TensorType
from netdsl.ops.elementwise import float_type, sigmoid_forward
from netdsl.ops.matmul import product

ONNX_ORDER = (0, 3, 1, 2)  # input, output, forget, cell


def lstm_shape(
    a: Attrs, x: TensorType, h0: TensorType, c0: TensorType, weight_ih: TensorType,
    weight_hh: TensorType, bias: TensorType,
) -> tuple[TensorType, ...]:
    float_type(a, x)
    if x.rank != 3:
        raise ShapeError(f"needs [B, L, features], not {x}", 0)
    hidden = weight_hh.shape[-1]
    for i, (given, *sizes) in enumerate((
        (h0, x.shape[0], hidden), (c0, x.shape[0], hidden), (weight_ih, 4 * hidden, x.shape[2]),
        (weight_hh, 4 * hidden, hidden), (bias, 4 * hidden),
    ), 1):
        wanted = x.with_shape(*sizes)
        fits = given.dtype == x.dtype and given.rank == wanted.rank
        if not fits or not all(map(agree, given.shape, wanted.shape)):
            raise ShapeError(f"{given} should be {wanted}", i)
    state = x.with_shape(x.shape[0], hidden)
    return x.with_shape(*x.shape[:2], hidden), state, state


def gates(z: np.ndarray) -> tuple[np.ndarray, ...]:
    """i, f, g, o from what goes into them, [..., 4 · hidden]."""
    i, f, g, o = np.split(z, 4, -1)
    return sigmoid_forward(i), sigmoid_forward(f), np.tanh(g), sigmoid_forward(o)


def lstm_kernel(
    a: Attrs, x: np.ndarray, h0: np.ndarray, c0: np.ndarray, weight_ih: np.ndarray,
    weight_hh: np.ndarray, bias: np.ndarray,
) -> tuple[np.ndarray, ...]:
    z = x @ weight_ih.T + bias
    y, h, c = np.empty((*x.shape[:2], h0.shape[1]), x.dtype), h0, c0
    for t in range(x.shape[1]):
        i, f, g, o = gates(z[:, t] + h @ weight_hh.T)
        c = f * c + i * g
        h = o * np.tanh(c)
        y[:, t] = h
    return y, h.astype(x.dtype), c.astype(x.dtype)


def lstm_gradient(emit: Emitter, node, *flows: Value | None):
    return emit(lstm_input_gradient, *flows, *node.inputs, node.outputs[0])


def lstm_onnx(emit, node):
    (x, h0, c0, weight_ih, weight_hh, bias), (y, h, c) = node.inputs, node.outputs
    (batch, length, features), hidden = x.shape, h0.shape[1]
    first = emit.constant(np.array([0], np.int64))
    order = emit.constant(np.array(ONNX_ORDER, np.int64))

    def typed(*shape) -> TensorType:
        return x.type.with_shape(*shape)

    def reordered(weight: Value, *shape: int) -> str:
        """The weight with its gates as ONNX orders them, under a shape."""
        apart = typed(4, weight.type.size // 4)
        rows = emit.intermediate("Reshape", [weight, emit.shape(apart.shape)], apart)
        rows = emit.intermediate("Gather", [rows, order], apart, axis=0)
        return emit.intermediate("Reshape", [rows, emit.shape(shape)], typed(*shape))

    def state(value: Value) -> str:
        return emit.intermediate("Unsqueeze", [value, first], typed(1, batch, hidden))

    # one bias for both products: ONNX adds a second, of zeros
    none = emit.constant(np.zeros((1, 4 * hidden), x.type.numpy_dtype))
    biases = [reordered(bias, 1, 4 * hidden), none]
    steps = emit.intermediate("Transpose", [x], typed(length, batch, features), perm=[1, 0, 2])
    operands = [
        steps, reordered(weight_ih, 1, 4 * hidden, features),
        reordered(weight_hh, 1, 4 * hidden, hidden),
        emit.intermediate("Concat", biases, typed(1, 8 * hidden), axis=1), None, state(h0),
        state(c0),
    ]
    last = typed(1, batch, hidden)
    made = emit("LSTM", operands, [typed(length, 1, batch, hidden), last, last],
                hidden_size=hidden)
    second = emit.constant(np.array([1], np.int64))
    rows = emit.intermediate("Squeeze", [made[0], second], typed(length, batch, hidden))
    emit("Transpose", [rows], [y], perm=[1, 0, 2])
    emit("Squeeze", [made[1], first], [h])
    emit("Squeeze", [made[2], first], [c])


def lstm_cost(a: Attrs, inputs: tuple, outputs: tuple) -> Cost:
    batch, length, features = inputs[0].shape
    return product(batch, length, inputs[3].shape[0], features + outputs[1].shape[1])


def lstm_origin(a: Attrs, inputs: tuple, y: Value, axis: int) -> Origin:
    return Origin(4, 1) if axis == y.type.rank - 1 else Origin(0, axis)


lstm = Op(
    name="lstm", inputs=("x", "h0", "c0", "weight_ih", "weight_hh", "bias"),
    outputs=("y", "h", "c"), shape=lstm_shape, kernel=lstm_kernel, gradient=lstm_gradient,
    onnx=lstm_onnx, cost=lstm_cost, origin=lstm_origin, rows=leading_rows(0, 1, 2),
    doc="A long short-term memory over x [B, L, in] from the states h0 and c0 [B, d]; weight_ih is "
        "[4 · d, in], weight_hh [4 · d, d], bias [4 · d]. Gives h at every step, and the last h "
        "and c.",
)


# ------------------------------------------------------------------ its gradient


def lstm_input_gradient_shape(a: Attrs, gy, gh, gc, *operands: TensorType):
    *inputs, y = operands
    expected = lstm_shape(a, *inputs)
    for i, (given, wanted) in enumerate(zip((gy, gh, gc), expected)):
        if given is not None and given != wanted:
            raise ShapeError(f"the gradient should be {wanted}, not {given}", i)
    return tuple(inputs)


def lstm_input_gradient_kernel(
    a: Attrs, gy: np.ndarray | None, gh: np.ndarray | None, gc: np.ndarray | None, x: np.ndarray,
    h0: np.ndarray, c0: np.ndarray, weight_ih: np.ndarray, weight_hh: np.ndarray,
    bias: np.ndarray, y: np.ndarray,
) -> tuple[np.ndarray, ...]:
    # the gates come out of one product, as every h is known; then back through time
    before = np.concatenate([h0[:, None], y[:, :-1]], 1) if x.shape[1] else y
    i, f, g, o = gates(x @ weight_ih.T + before @ weight_hh.T + bias)
    cells = [c0]
    for t in range(x.shape[1]):
        cells.append(f[:, t] * cells[-1] + i[:, t] * g[:, t])
    dz = np.empty((*x.shape[:2], len(bias)), x.dtype)
    dh, dc = (np.zeros_like(h0) if flow is None else flow for flow in (gh, gc))
    for t in reversed(range(x.shape[1])):
        dh = dh if gy is None else dh + gy[:, t]
        ti, tf, tg, to, wide = i[:, t], f[:, t], g[:, t], o[:, t], np.tanh(cells[t + 1])
        dc = dc + dh * to * (1 - wide * wide)
        dz[:, t] = np.concatenate([
            dc * tg * ti * (1 - ti), dc * cells[t] * tf * (1 - tf), dc * ti * (1 - tg * tg),
            dh * wide * to * (1 - to),
        ], 1)
        dh, dc = dz[:, t] @ weight_hh, dc * tf
    rows = dz.reshape(-1, dz.shape[2]).T
    return (
        dz @ weight_ih, dh, dc, rows @ x.reshape(-1, x.shape[2]),
        rows @ before.reshape(-1, before.shape[2]), dz.sum((0, 1)),
    )


def lstm_input_gradient_cost(a: Attrs, inputs: tuple, outputs: tuple) -> Cost:
    # the gates once more, the gradients of operands, those of the weights
    batch, length, features = inputs[3].shape
    return product(3, batch, length, inputs[6].shape[0], features + inputs[4].shape[1])


lstm_input_gradient = Op(
    name="lstm_input_gradient",
    inputs=("gy?", "gh?", "gc?", "x", "h0", "c0", "weight_ih", "weight_hh", "bias", "y"),
    outputs=("x_gradient", "h0_gradient", "c0_gradient", "weight_ih_gradient",
             "weight_hh_gradient", "bias_gradient"),
    shape=lstm_input_gradient_shape, kernel=lstm_input_gradient_kernel,
    gradient=Absent("second derivatives of an LSTM are not needed by any training program"),
    onnx=Absent("ONNX has no operator for it"), cost=lstm_input_gradient_cost,
    doc="The gradients of lstm for its operands, from those of its results: back through time.",
)

OPS = (lstm, lstm_input_gradient)
