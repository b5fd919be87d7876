"""Activations that are more than one formula of NumPy: rows as in `elementwise`, and those with a
number to choose. The names and formulas are PyTorch's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Attrs, Op, broadcast_origin
from netdsl.ops.elementwise import (
    Term,
    erf,
    erf_forward,
    exp,
    float_type,
    sigmoid,
    sigmoid_forward,
    unary,
)

ROOT_HALF = math.sqrt(0.5)


def gelu_forward(x: np.ndarray) -> np.ndarray:
    return x * (0.5 + 0.5 * erf_forward(x * ROOT_HALF))


def gelu_slope(x: Term, y: Term) -> Term:
    # Φ(x) + x·φ(x), Φ and φ of the standard normal distribution
    density = (-0.5 * x * x).then(exp) / math.sqrt(2 * math.pi)
    return 0.5 + 0.5 * (x * ROOT_HALF).then(erf) + x * density


def gelu_onnx(emit, node):
    # not Gelu, which is no older than opset 20; ONNX Runtime fuses this form
    x, = node.inputs
    scaled = emit.intermediate("Mul", [x, number(emit, x, ROOT_HALF)], x.type)
    wide = emit.intermediate("Erf", [scaled], x.type)
    above = emit.intermediate("Add", [wide, number(emit, x, 1.0)], x.type)
    share = emit.intermediate("Mul", [above, number(emit, x, 0.5)], x.type)
    emit("Mul", [x, share], node.outputs)


def number(emit, x: Value, value: float) -> str:
    """A scalar of the dtype of x."""
    return emit.constant(np.array(value, x.type.numpy_dtype))


def silu_slope(x: Term, y: Term) -> Term:
    # s·(1 + x·(1 - s)) with s = sigmoid(x) and y = x·s
    return y + x.then(sigmoid) * (1.0 - y)


def silu_onnx(emit, node):
    x, = node.inputs
    emit("Mul", [x, emit.intermediate("Sigmoid", [x], x.type)], node.outputs)


def log_sigmoid_onnx(emit, node):
    x, = node.inputs
    against = emit.intermediate("Neg", [x], x.type)
    emit("Neg", [emit.intermediate("Softplus", [against], x.type)], node.outputs)


UNARY = (
    unary("gelu", gelu_forward, gelu_slope, gelu_onnx,
          "x · Φ(x), Φ the distribution function of the normal distribution: the exact form of "
          "Hendrycks & Gimpel 2016, by erf."),
    unary("silu", lambda x: x * sigmoid_forward(x), silu_slope, silu_onnx,
          "x · sigmoid(x), called swish too (Elfwing et al. 2018)."),
    unary("softplus", lambda x: np.logaddexp(x, 0), lambda x, y: x.then(sigmoid), "Softplus",
          "log(1 + exp(x)), a smooth relu, without overflow."),
    unary("log_sigmoid", lambda x: -np.logaddexp(-x, 0), lambda x, y: (-x).then(sigmoid),
          log_sigmoid_onnx, "log(sigmoid(x)), without its underflow."),
)
gelu, silu, softplus, log_sigmoid = UNARY


# ------------------------------------------------------------------ leaky relu


@dataclass(frozen=True, slots=True)
class LeakyReluAttrs(Attrs):
    slope: float = 0.01


def leaky_relu_gradient(emit: Emitter, node, g: Value):
    x, flow = Term(emit, node.inputs[0]), Term(emit, g)
    return ((x > 0.0).choose(flow, node.attrs.slope * flow).value,)


leaky_relu = Op(
    name="leaky_relu", inputs=("x",), attrs=LeakyReluAttrs, shape=float_type,
    kernel=lambda a, x: np.where(x > 0, x, x.dtype.type(a.slope) * x),
    gradient=leaky_relu_gradient,
    onnx=lambda emit, node: emit("LeakyRelu", node.inputs, node.outputs, alpha=node.attrs.slope),
    origin=broadcast_origin, word=True,
    doc="x above 0, slope · x below; its slope at 0 is that of the left side.",
)

OPS = (*UNARY, leaky_relu)
