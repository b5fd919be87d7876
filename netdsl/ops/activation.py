"""Activations: rows as in `elementwise`, some with numbers to choose; also clip. The names, the
formulas and the slopes at the kinks are PyTorch's."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Attrs, Op, ShapeError, broadcast_origin, broadcast_rows
from netdsl.ir.tensor import TensorType
from netdsl.ops.elementwise import (
    Term,
    abs_,
    erf,
    erf_forward,
    exp,
    float_type,
    sigmoid,
    sigmoid_forward,
    steps,
    tanh,
    unary,
)

ROOT_HALF = math.sqrt(0.5)


def number(emit, x: Value, value: float) -> str:
    """A scalar of the dtype of x."""
    return emit.constant(np.array(value, x.type.numpy_dtype))


# ------------------------------------------------------------------ gelu


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


# x/2·(1 + tanh(a·(x + b·x³)))
GELU_A, GELU_B = math.sqrt(2 / math.pi), 0.044715


def gelu_tanh_forward(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(GELU_A * x * (1 + GELU_B * x * x)))


def gelu_tanh_slope(x: Term, y: Term) -> Term:
    square = x * x
    bent = (GELU_A * x * (1.0 + GELU_B * square)).then(tanh)
    steep = GELU_A * (1.0 + 3 * GELU_B * square)
    return 0.5 * (1.0 + bent) + 0.5 * x * (1.0 - bent * bent) * steep


def gelu_tanh_onnx(emit, node):
    x, = node.inputs
    square = emit.intermediate("Mul", [x, x], x.type)
    bent = emit.intermediate("Mul", [square, number(emit, x, GELU_A * GELU_B)], x.type)
    factor = emit.intermediate("Add", [bent, number(emit, x, GELU_A)], x.type)
    inner = emit.intermediate("Mul", [x, factor], x.type)
    above = emit.intermediate(
        "Add", [emit.intermediate("Tanh", [inner], x.type), number(emit, x, 1.0)], x.type
    )
    emit("Mul", [x, emit.intermediate("Mul", [above, number(emit, x, 0.5)], x.type)], node.outputs)


# ------------------------------------------------------------------ around the sigmoid


def silu_slope(x: Term, y: Term) -> Term:
    # s = sigmoid(x); y + s·(1 - y) would lose all digits where x is large
    s = x.then(sigmoid)
    return s * (1.0 + x * (1.0 - s))


def silu_onnx(emit, node):
    x, = node.inputs
    emit("Mul", [x, emit.intermediate("Sigmoid", [x], x.type)], node.outputs)


def softplus_forward(x: np.ndarray, beta: float = 1.0) -> np.ndarray:
    # max(x, 0) + log(1 + exp(-|x|)): NumPy's logaddexp takes fifty times as long
    scaled = beta * x
    return (np.maximum(scaled, 0) + np.log1p(np.exp(-np.abs(scaled)))) / beta


def softplus_onnx(emit, node):
    beta = node.attrs.beta
    scaled = (("Mul", beta), ("Softplus",), ("Div", beta))
    (steps(("Softplus",)) if beta == 1 else steps(*scaled))(emit, node)


def mish_slope(x: Term, y: Term) -> Term:
    # t + x·(1 - t²)·sigmoid(x) with t = tanh(softplus(x))
    bent = x.then(softplus).then(tanh)
    return bent + x * (1.0 - bent * bent) * x.then(sigmoid)


def mish_onnx(emit, node):
    x, = node.inputs
    bent = emit.intermediate("Tanh", [emit.intermediate("Softplus", [x], x.type)], x.type)
    emit("Mul", [x, bent], node.outputs)


# ------------------------------------------------------------------ exponential below 0

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def elu_forward(x: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def celu_forward(x: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


# ------------------------------------------------------------------ straight lines


def hard_sigmoid_slope(x: Term, y: Term) -> Term:
    return (x.then(abs_) < 3.0).choose(x.number(1 / 6), 0.0)


def hard_swish_slope(x: Term, y: Term) -> Term:
    middle = (x > -3.0).choose(x / 3.0 + 0.5, 0.0)
    return (x >= 3.0).choose(1.0, middle)


def relu6_onnx(emit, node):
    x, = node.inputs
    emit("Clip", [x, number(emit, x, 0.0), number(emit, x, 6.0)], node.outputs)


def hardtanh_onnx(emit, node):
    (x,), a = node.inputs, node.attrs
    emit("Clip", [x, number(emit, x, a.low), number(emit, x, a.high)], node.outputs)


# ------------------------------------------------------------------ the rows


@dataclass(frozen=True, slots=True)
class SoftplusAttrs(Attrs):
    beta: float = 1.0


@dataclass(frozen=True, slots=True)
class LeakyReluAttrs(Attrs):
    slope: float = 0.01


@dataclass(frozen=True, slots=True)
class EluAttrs(Attrs):
    alpha: float = 1.0


@dataclass(frozen=True, slots=True)
class HardtanhAttrs(Attrs):
    low: float = -1.0
    high: float = 1.0


def softplus_shape(a: SoftplusAttrs, x: TensorType) -> TensorType:
    if not a.beta > 0:
        raise ShapeError(f"`beta` must be above 0, not {a.beta:g}")
    return float_type(a, x)


def celu_shape(a: EluAttrs, x: TensorType) -> TensorType:
    if a.alpha == 0:
        raise ShapeError("`alpha` must not be 0: x is divided by it", suggestion="`relu`")
    return float_type(a, x)


def check_bounds(low: float | None, high: float | None) -> None:
    """Raises ShapeError for bounds with nothing between them."""
    if low is not None and high is not None and low > high:
        raise ShapeError(f"`low` is {low:g} and `high` {high:g}: nothing lies between them",
                         suggestion=f"`low = {high:g}, high = {low:g}`")


def hardtanh_shape(a: HardtanhAttrs, x: TensorType) -> TensorType:
    check_bounds(a.low, a.high)
    return float_type(a, x)


UNARY = (
    unary("gelu", gelu_forward, gelu_slope, gelu_onnx,
          "x · Φ(x), Φ the distribution function of the normal distribution: the exact form of "
          "Hendrycks & Gimpel 2016, by erf."),
    unary("gelu_tanh", gelu_tanh_forward, gelu_tanh_slope, gelu_tanh_onnx,
          "gelu approximated by tanh: x / 2 · (1 + tanh(√(2 / π) · (x + 0.044715 x³))), PyTorch's "
          '`approximate = "tanh"`.'),
    unary("silu", lambda x: x * sigmoid_forward(x), silu_slope, silu_onnx,
          "x · sigmoid(x), called swish too (Elfwing et al. 2018)."),
    unary("softplus", softplus_forward,
          lambda x, y, beta: (x if beta == 1 else beta * x).then(sigmoid), softplus_onnx,
          "log(1 + exp(beta · x)) / beta, a smooth relu, without overflow.", SoftplusAttrs,
          softplus_shape),
    unary("log_sigmoid", lambda x: -softplus_forward(-x), lambda x, y: (-x).then(sigmoid),
          steps(("Neg",), ("Softplus",), ("Neg",)),
          "log(sigmoid(x)), without its underflow."),
    unary("mish", lambda x: x * np.tanh(softplus_forward(x)), mish_slope, mish_onnx,
          "x · tanh(softplus(x)) (Misra 2020)."),
    unary("leaky_relu", lambda x, slope: np.where(x > 0, x, slope * x),
          lambda x, y, slope: (x > 0.0).choose(x.number(1.0), slope),
          lambda emit, node: emit("LeakyRelu", node.inputs, node.outputs, alpha=node.attrs.slope),
          "x above 0, slope · x below; its slope at 0 is that of the left side.", LeakyReluAttrs),
    unary("elu", elu_forward, lambda x, y, alpha: (x > 0.0).choose(1.0, y + alpha),
          lambda emit, node: emit("Elu", node.inputs, node.outputs, alpha=node.attrs.alpha),
          "x above 0, alpha · (exp(x) - 1) below (Clevert et al. 2016); its slope at 0 is that of "
          "the left side.", EluAttrs),
    unary("celu", celu_forward, lambda x, y, alpha: (x > 0.0).choose(1.0, y / alpha + 1.0),
          lambda emit, node: emit("Celu", node.inputs, node.outputs, alpha=node.attrs.alpha),
          "x above 0, alpha · (exp(x / alpha) - 1) below (Barron 2017): smooth for every alpha "
          "but 0, which it cannot be.", EluAttrs, celu_shape),
    unary("selu", lambda x: SELU_SCALE * elu_forward(x, SELU_ALPHA),
          lambda x, y: (x > 0.0).choose(x.number(SELU_SCALE), y + SELU_SCALE * SELU_ALPHA),
          lambda emit, node: emit("Selu", node.inputs, node.outputs, alpha=SELU_ALPHA,
                                  gamma=SELU_SCALE),
          "1.0507 · elu(x, alpha = 1.6733), which keeps mean 0 and variance 1 (Klambauer et al. "
          "2017)."),
    unary("relu6", lambda x: np.clip(x, 0, 6), lambda x, y: (x > 0.0) & (x < 6.0), relu6_onnx,
          "x between 0 and 6, those beyond; its slope at 0 and 6 is 0."),
    unary("hardtanh", lambda x, low, high: np.clip(x, low, high),
          lambda x, y, low, high: (x > low) & (x < high), hardtanh_onnx,
          "x between low and high, those beyond; its slope at both is 0, that of `clip` 1.",
          HardtanhAttrs, hardtanh_shape),
    unary("hard_sigmoid", lambda x: np.clip(x / 6 + 0.5, 0, 1), hard_sigmoid_slope,
          lambda emit, node: emit("HardSigmoid", node.inputs, node.outputs, alpha=1 / 6, beta=0.5),
          "x / 6 + 1 / 2 between 0 and 1, those beyond; its slope at -3 and 3 is 0."),
    unary("hard_swish", lambda x: x * np.clip(x / 6 + 0.5, 0, 1), hard_swish_slope,
          lambda emit, node: emit("HardSwish", node.inputs, node.outputs),
          "x · hard_sigmoid(x) (Howard et al. 2019); its slope at -3 is 0, at 3 it is 1."),
)
(
    gelu, gelu_tanh, silu, softplus, log_sigmoid, mish, leaky_relu, elu, celu, selu, relu6,
    hardtanh, hard_sigmoid, hard_swish,
) = UNARY


# ------------------------------------------------------------------ clip


@dataclass(frozen=True, slots=True)
class ClipAttrs(Attrs):
    """Without a bound (None) that side is open."""

    low: float | None = None
    high: float | None = None


def clip_shape(a: ClipAttrs, x: TensorType) -> TensorType:
    if x.dtype == "bool":
        raise ShapeError("bool tensors are not numbers", 0, suggestion="cast with `f32(…)`")
    return x


def clip_bounds(a: ClipAttrs, dtype: np.dtype) -> list[np.ndarray | None]:
    return [None if bound is None else np.array(bound, dtype) for bound in (a.low, a.high)]


def clip_kernel(a: ClipAttrs, x: np.ndarray) -> np.ndarray:
    low, high = clip_bounds(a, x.dtype)
    y = x if low is None else np.maximum(x, low)
    return y if high is None else np.minimum(y, high)


def clip_gradient(emit: Emitter, node, g: Value):
    x, a, flow = Term(emit, node.inputs[0]), node.attrs, Term(emit, g)
    if a.low is not None:
        flow = (x >= a.low).choose(flow, 0.0)
    if a.high is not None:
        flow = (x <= a.high).choose(flow, 0.0)
    return (flow.value,)


def clip_onnx(emit, node):
    bounds = clip_bounds(node.attrs, node.inputs[0].type.numpy_dtype)
    given = [None if bound is None else emit.constant(bound) for bound in bounds]
    emit("Clip", [*node.inputs, *given], node.outputs)


clip = Op(
    name="clip", inputs=("x",), attrs=ClipAttrs, shape=clip_shape, kernel=clip_kernel,
    gradient=clip_gradient, onnx=clip_onnx, origin=broadcast_origin, rows=broadcast_rows,
    doc="min(max(x, low), high); the slope at both bounds is 1.",
)

OPS = (*UNARY, clip)
