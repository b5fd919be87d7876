"""Elementwise operations: one row each, formula and slope visible.

A unary row gives `forward(x)` in NumPy and `slope(x, y)`, the derivative dy/dx written with the
same operators over graph values. To add an activation, add a row to `UNARY`: shape, gradient,
engine, ONNX, the universal tests and the word of the language follow from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

import numpy as np

from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Absent, Attrs, Op, ShapeError, broadcast, broadcast_origin, broadcast_rows
from netdsl.ir.tensor import NUMPY_DTYPES, TensorType
from netdsl.ops.comparison import equal, greater, greater_equal, less, less_equal, logical_and
from netdsl.ops.constant import full

# ------------------------------------------------------------------ formulas over graph values


class Term:
    """A graph value that can be calculated with: `(1 - y * y)` emits the nodes that compute it."""

    __slots__ = ("emit", "value")

    def __init__(self, emit: Emitter, value: Value):
        self.emit, self.value = emit, value

    def _apply(self, op: Op, *operands: Term | float) -> Term:
        return Term(self.emit, self.emit(op, *(self._value(operand) for operand in operands)))

    def _value(self, operand: Term | float) -> Value:
        if isinstance(operand, Term):
            return operand.value
        return self.emit(full, value=operand, dtype=self.value.dtype)

    def __add__(self, other): return self._apply(add, self, other)
    def __radd__(self, other): return self._apply(add, other, self)
    def __sub__(self, other): return self._apply(subtract, self, other)
    def __rsub__(self, other): return self._apply(subtract, other, self)
    def __mul__(self, other): return self._apply(multiply, self, other)
    def __rmul__(self, other): return self._apply(multiply, other, self)
    def __truediv__(self, other): return self._apply(divide, self, other)
    def __rtruediv__(self, other): return self._apply(divide, other, self)
    def __pow__(self, other): return self._apply(power, self, other)
    def __neg__(self): return self._apply(negative, self)
    def __gt__(self, other): return self._apply(greater, self, other)
    def __lt__(self, other): return self._apply(less, self, other)
    def __ge__(self, other): return self._apply(greater_equal, self, other)
    def __le__(self, other): return self._apply(less_equal, self, other)
    def __and__(self, other): return self._apply(logical_and, self, other)

    def equals(self, other: Term | float) -> Term:
        """Where both are equal."""
        return self._apply(equal, self, other)

    def number(self, value: float) -> Term:
        """A number of this dtype."""
        return Term(self.emit, self._value(value))

    def then(self, op: Op) -> Term:
        """This value through a unary op."""
        return self._apply(op, self)

    def choose(self, yes: Term | float, no: Term | float) -> Term:
        """`yes` where this condition holds, else `no`; at least one of them is a Term."""
        like = yes if isinstance(yes, Term) else no
        return Term(self.emit, self.emit(where, self.value, like._value(yes), like._value(no)))


def unbroadcast(emit: Emitter, gradient: Value, shape: tuple) -> Value:
    """A gradient summed back to the shape of an operand that was broadcast."""
    from netdsl.ops.reduction import sum_  # sums and broadcasts are each other's gradients

    if gradient.shape == shape:
        return gradient
    if not shape:
        return emit(sum_, gradient, axes=tuple(range(len(gradient.shape))))
    axes = tuple(i for i, (g, s) in enumerate(zip(gradient.shape, shape)) if s == 1 and g != 1)
    return emit(sum_, gradient, axes=axes, keep=True) if axes else gradient


# ------------------------------------------------------------------ one operand


def same_type(a: Attrs, x: TensorType) -> TensorType:
    return x


def float_type(a: Attrs, x: TensorType) -> TensorType:
    if not x.is_float:
        raise ShapeError(f"needs a float tensor, not {x.dtype}", 0)
    return x


def unary(
    name: str,
    forward: Callable[..., np.ndarray],
    slope: Callable[..., Any],
    onnx: str | Callable,
    doc: str,
    attrs: type[Attrs] = Attrs,
    shape: Callable[..., TensorType] = float_type,
) -> Op:
    """The op y = forward(x) on floats, with dy/dx = slope(x, y). Both take the numbers of `attrs`
    by name, if there are any. `onnx` is the operator's name, or the whole facet."""
    names = [field.name for field in fields(attrs)]

    def numbers(a: Attrs) -> dict[str, float]:
        return {name: getattr(a, name) for name in names}

    def kernel(a: Attrs, x: np.ndarray) -> np.ndarray:
        # NumPy 1 widens scalars beside Python numbers
        return np.asarray(forward(x, **numbers(a)), x.dtype)

    def gradient(emit: Emitter, node, g: Value):
        x, y = Term(emit, node.inputs[0]), Term(emit, node.outputs[0])
        rate = slope(x, y, **numbers(node.attrs))
        flow = Term(emit, g)
        if isinstance(rate, Term) and rate.value.dtype == "bool":
            return (rate.choose(flow, 0.0).value,)
        return ((flow * rate).value,)

    def by_name(emit, node):
        emit(onnx, node.inputs, node.outputs)

    return Op(
        name=name, inputs=("x",), attrs=attrs, shape=shape, kernel=kernel,
        gradient=gradient, onnx=by_name if isinstance(onnx, str) else onnx,
        origin=broadcast_origin,
        rows=broadcast_rows, word=True,
        doc=doc,
    )


def sigmoid_forward(x: np.ndarray) -> np.ndarray:
    # 1 / (1 + e^-x) through tanh, which does not overflow
    return 0.5 * np.tanh(0.5 * x) + 0.5


def steps(*operators: tuple) -> Callable:
    """The ONNX facet of operators one after the other, each with the numbers it takes beside:
    steps(("Exp",), ("Sub", 1.0))."""

    def onnx(emit, node):
        made, = node.inputs
        type = made.type
        for op_type, *numbers in operators:
            beside = [emit.constant(np.array(number, type.numpy_dtype)) for number in numbers]
            made = emit.intermediate(op_type, [made, *beside], type)
        emit("Identity", [made], node.outputs)

    return onnx


exact_erf = np.frompyfunc(math.erf, 1, 1)  # NumPy has none


def erf_forward(x: np.ndarray) -> np.ndarray:
    return np.asarray(exact_erf(x), np.float64)


UNARY = (
    unary("relu", lambda x: np.maximum(x, 0), lambda x, y: y > 0.0, "Relu",
          "max(x, 0); its slope at 0 is 0."),
    unary("sigmoid", sigmoid_forward, lambda x, y: y * (1.0 - y), "Sigmoid",
          "1 / (1 + exp(-x))."),
    unary("tanh", np.tanh, lambda x, y: 1.0 - y * y, "Tanh", "Hyperbolic tangent."),
    unary("exp", np.exp, lambda x, y: y, "Exp", "e to the power of x."),
    unary("log", np.log, lambda x, y: 1.0 / x, "Log", "Natural logarithm."),
    unary("expm1", np.expm1, lambda x, y: y + 1.0, steps(("Exp",), ("Sub", 1.0)),
          "exp(x) - 1, exact near 0."),
    unary("log1p", np.log1p, lambda x, y: 1.0 / (1.0 + x), steps(("Add", 1.0), ("Log",)),
          "log(1 + x), exact near 0."),
    unary("sqrt", np.sqrt, lambda x, y: 0.5 / y, "Sqrt", "Square root."),
    unary("rsqrt", lambda x: 1 / np.sqrt(x), lambda x, y: -0.5 * y / x,
          steps(("Sqrt",), ("Reciprocal",)), "1 / √x."),
    unary("reciprocal", lambda x: 1 / x, lambda x, y: -y * y, "Reciprocal", "1 / x."),
    unary("square", np.square, lambda x, y: 2.0 * x,
          lambda emit, node: emit("Mul", [*node.inputs, *node.inputs], node.outputs), "x · x."),
    unary("abs", np.abs, lambda x, y: x.then(sign), "Abs",
          "Absolute value; its slope at 0 is 0."),
    unary("sign", np.sign, lambda x, y: 0.0, "Sign", "-1, 0 or 1; its slope is 0."),
    unary("floor", np.floor, lambda x, y: 0.0, "Floor",
          "The largest whole number that is at most x, as a float; its slope is 0."),
    unary("ceil", np.ceil, lambda x, y: 0.0, "Ceil",
          "The smallest whole number that is at least x, as a float; its slope is 0."),
    unary("round", np.rint, lambda x, y: 0.0, "Round",
          "The nearest whole number, as a float: of two the even one. Its slope is 0; "
          "x + stop_grad(round(x) - x) has the slope 1."),
    unary("negative", np.negative, lambda x, y: -1.0, "Neg", "-x."),
    unary("sin", np.sin, lambda x, y: x.then(cos), "Sin", "Sine of an angle in radians."),
    unary("cos", np.cos, lambda x, y: -x.then(sin), "Cos", "Cosine of an angle in radians."),
    unary("erf", erf_forward, lambda x, y: 2 / math.sqrt(math.pi) * (-x * x).then(exp), "Erf",
          "The error function, 2 / √π times the integral of exp(-t²) from 0 to x."),
)
(
    relu, sigmoid, tanh, exp, log, expm1, log1p, sqrt, rsqrt, reciprocal, square, abs_, sign, floor,
    ceil, round_, negative, sin, cos, erf,
) = UNARY


# ------------------------------------------------------------------ two operands


def arithmetic_shape(a: Attrs, x: TensorType, y: TensorType) -> TensorType:
    if x.dtype != y.dtype:
        raise ShapeError(f"{x.dtype} and {y.dtype} do not mix", 0, 1,
                         suggestion=f"cast one of them, as in `{x.dtype}(…)`")
    if x.dtype == "bool":
        raise ShapeError("bool tensors are not numbers", 0, 1, suggestion="cast with `f32(…)`")
    return TensorType(x.dtype, broadcast(x.shape, y.shape))


def float_arithmetic_shape(a: Attrs, x: TensorType, y: TensorType) -> TensorType:
    """For functions that lead out of the integers."""
    result = arithmetic_shape(a, x, y)
    if not result.is_float:
        raise ShapeError(f"needs float tensors, not {x.dtype}", 0, 1,
                         suggestion="cast with `f32(…)`")
    return result


def binary(
    name: str,
    forward: Callable[[np.ndarray, np.ndarray], np.ndarray],
    slopes: Callable[[Term, Term, Term, Term], tuple[Term, Term]],
    onnx: str,
    doc: str,
    word: bool = False,
    shape: Callable[..., TensorType] = arithmetic_shape,
) -> Op:
    """z = forward(x, y); `slopes(x, y, z, g)` gives the gradients of both before unbroadcast."""

    def kernel(a: Attrs, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return forward(x, y)

    def gradient(emit: Emitter, node, g: Value):
        terms = (Term(emit, value) for value in (*node.inputs, *node.outputs, g))
        flows = slopes(*terms)
        return tuple(
            unbroadcast(emit, flow.value, operand.shape)
            for flow, operand in zip(flows, node.inputs)
        )

    return Op(
        name=name, inputs=("x", "y"), shape=shape, kernel=kernel, gradient=gradient,
        onnx=lambda emit, node: emit(onnx, node.inputs, node.outputs), origin=broadcast_origin,
        rows=broadcast_rows, word=word, doc=doc,
    )


def power_slopes(x: Term, y: Term, z: Term, g: Term) -> tuple[Term, Term]:
    # y · x ** (y - 1) and z · log x; 0 where y is 0, and where x is 0 and y not below it
    exponent = literal(y.value)
    if exponent is None:
        rate = y.equals(0.0).choose(0.0, y * x ** (y - 1.0))
    elif exponent == 2:
        rate = 2.0 * x
    else:
        rate = exponent * x ** (exponent - 1) if exponent else x.number(0.0)
    flat = x.equals(0.0) & (y >= 0.0)
    return g * rate, g * flat.choose(0.0, z * x.then(log))


def literal(value: Value) -> float | None:
    """The number that a value is, where it is one of the text."""
    if value.shape or value.node is None or value.node.op is not full:
        return None
    number = value.node.attrs.value
    return float(number) if isinstance(number, (int, float, Fraction)) else None


def larger_slopes(x: Term, y: Term, z: Term, g: Term) -> tuple[Term, Term]:
    share = x.equals(y).choose(0.5 * g, g)
    return (x < y).choose(0.0, share), (x > y).choose(0.0, share)


BINARY = (
    binary("add", np.add, lambda x, y, z, g: (g, g), "Add", "x + y."),
    binary("subtract", np.subtract, lambda x, y, z, g: (g, -g), "Sub", "x - y."),
    binary("multiply", np.multiply, lambda x, y, z, g: (g * y, g * x), "Mul", "x * y."),
    binary("divide", np.divide, lambda x, y, z, g: (g / y, -(g * z) / y), "Div", "x / y.",
           shape=float_arithmetic_shape),
    binary("power", np.power, power_slopes, "Pow", "x to the power of y.",
           shape=float_arithmetic_shape),
    binary("maximum", np.maximum, larger_slopes, "Max",
           "The larger of x and y; equal ones share the gradient evenly.", word=True),
    binary("minimum", np.minimum, lambda x, y, z, g: larger_slopes(-x, -y, z, g), "Min",
           "The smaller of x and y; equal ones share the gradient evenly.", word=True),
)
add, subtract, multiply, divide, power, maximum, minimum = BINARY


def quotient_onnx(emit, x: Value, y: Value, type: TensorType) -> str:
    """⌊x / y⌋. ONNX divides integers towards zero: ⌊x / y⌋ = (x - x mod y) / y."""
    if type.is_float:
        return emit.intermediate("Floor", [emit.intermediate("Div", [x, y], type)], type)
    rest = emit.intermediate("Mod", [x, y], type)
    return emit.intermediate("Div", [emit.intermediate("Sub", [x, rest], type), y], type)


def remainder_gradient(emit: Emitter, node, g: Value):
    (x, y), flow = node.inputs, Term(emit, g)
    down = -flow * Term(emit, emit(floor_divide, x, y))
    return unbroadcast(emit, g, x.shape), unbroadcast(emit, down.value, y.shape)


def remainder_onnx(emit, node):
    (x, y), z = node.inputs, node.outputs[0]
    if not z.type.is_float:
        return emit("Mod", [x, y], [z])
    whole = emit.intermediate("Mul", [quotient_onnx(emit, x, y, z.type), y], z.type)
    emit("Sub", [x, whole], [z])


floor_divide = Op(
    name="floor_divide", inputs=("x", "y"), shape=arithmetic_shape,
    kernel=lambda a, x, y: np.floor_divide(x, y),
    gradient=Absent("a staircase: its slope is 0 wherever there is one"),
    onnx=lambda emit, node: emit(
        "Identity", [quotient_onnx(emit, *node.inputs, node.outputs[0].type)], node.outputs
    ),
    origin=broadcast_origin, rows=broadcast_rows, doc="x // y: the quotient rounded down.",
)
remainder = Op(
    name="remainder", inputs=("x", "y"), shape=arithmetic_shape,
    kernel=lambda a, x, y: np.remainder(x, y), gradient=remainder_gradient, onnx=remainder_onnx,
    origin=broadcast_origin, rows=broadcast_rows,
    doc="x % y = x - x // y · y, which has the sign of y.",
)


# ------------------------------------------------------------------ not, where, cast, stop_grad


def logical_not_shape(a: Attrs, x: TensorType) -> TensorType:
    if x.dtype != "bool":
        raise ShapeError(f"`not` needs a bool tensor, not {x.dtype}", 0)
    return x


logical_not = Op(
    name="logical_not", inputs=("x",), shape=logical_not_shape,
    kernel=lambda a, x: np.logical_not(x),
    gradient=Absent("bool output"),
    onnx=lambda emit, node: emit("Not", node.inputs, node.outputs), origin=broadcast_origin,
    rows=broadcast_rows,
    doc="not x.",
)


def where_shape(a: Attrs, condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
    if condition.dtype != "bool":
        raise ShapeError(f"the condition must be bool, not {condition.dtype}", 0)
    if x.dtype != y.dtype:
        raise ShapeError(f"{x.dtype} and {y.dtype} do not mix", 1, 2)
    return TensorType(x.dtype, broadcast(condition.shape, x.shape, y.shape))


def where_kernel(a: Attrs, condition: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(condition, x, y)


def where_gradient(emit: Emitter, node, g: Value):
    condition, x, y = node.inputs
    chosen, flow = Term(emit, condition), Term(emit, g)
    return (
        None,
        unbroadcast(emit, chosen.choose(flow, 0.0).value, x.shape),
        unbroadcast(emit, chosen.choose(0.0, flow).value, y.shape),
    )


where = Op(
    name="where", inputs=("condition", "x", "y"), shape=where_shape, kernel=where_kernel,
    gradient=where_gradient, onnx=lambda emit, node: emit("Where", node.inputs, node.outputs),
    origin=broadcast_origin, rows=broadcast_rows, word=True,
    doc="x where the condition holds, else y.",
)


@dataclass(frozen=True, slots=True)
class CastAttrs(Attrs):
    dtype: str


def cast_gradient(emit: Emitter, node, g: Value):
    source = node.inputs[0].type
    return (emit(cast, g, dtype=source.dtype) if source.is_float else None,)


cast = Op(
    name="cast", inputs=("x",), attrs=CastAttrs,
    shape=lambda a, x: x.with_dtype(a.dtype),
    kernel=lambda a, x: x.astype(NUMPY_DTYPES[a.dtype]),
    gradient=cast_gradient,
    onnx=lambda emit, node: emit(
        "Cast", node.inputs, node.outputs, to=emit.dtype(node.attrs.dtype)
    ),
    origin=broadcast_origin, rows=broadcast_rows,
    doc="The same numbers in another dtype; floats are cut towards zero, bool becomes 0 and 1.",
)

stop_grad = Op(
    name="stop_grad", inputs=("x",), shape=same_type, kernel=lambda a, x: x,
    gradient=lambda emit, node, g: (None,),
    onnx=lambda emit, node: emit("Identity", node.inputs, node.outputs),
    inference=lambda emit, node: node.inputs, origin=broadcast_origin, rows=broadcast_rows,
    stops=True, word=True, doc="x itself, through which no gradient flows back.",
)

OPS = (*UNARY, *BINARY, floor_divide, remainder, logical_not, where, cast, stop_grad)
