"""Operations that draw, each from a stream of its own, named by the layer's path."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from netdsl import streams
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Absent, Attrs, ElementError, Op, ShapeError, broadcast_origin, leading_rows
from netdsl.ir.tensor import NUMPY_DTYPES, TensorType
from netdsl.ops.elementwise import Term, float_type

KEY = TensorType("u64", (2,))  # seed, step
PART_KEY = TensorType("u64", (3,))  # and the parts of the batch that come before this one
NOT_IN_INFERENCE = Absent("inference does not draw: make what is drawn an input")


def uniform(key: np.ndarray, stream: str, count: int) -> np.ndarray:
    """`count` float32 numbers in [0, 1), multiples of 2⁻²⁴, for this seed, step and stream."""
    return Uniform(key, stream, count).take(count)


def generator(key: np.ndarray, stream: str) -> np.random.Philox:
    """The generator of an op's stream for this seed and step."""
    seed, step = map(int, key)
    return streams.stream(seed, stream, step)


class Uniform:
    """The numbers of an op's stream, multiples of 2⁻²⁴ in [0, 1), two of each 64 bits, low half
    first. A key of three words is that of a part: it begins behind those of the parts before,
    `count` numbers each, so that the parts of a batch draw what the whole would."""

    def __init__(self, key: np.ndarray, stream: str, count: int):
        seed, step, *parts = map(int, key)
        before = sum(parts) * count
        self._draws = streams.stream(seed, stream, step, skip=before // 2)
        self._left = np.empty(0, np.uint32)  # the second half of bits whose first is taken
        self.take(before % 2)

    def take(self, count: int) -> np.ndarray:
        """The next `count` numbers, as float32."""
        words = (count - len(self._left) + 1) // 2
        bits = self._draws.random_raw(words).astype("<u8", copy=False).view("<u4")
        if len(self._left):
            bits = np.concatenate([self._left, bits])
        self._left = bits[count:]
        return (bits[:count] >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


@dataclass(frozen=True, slots=True)
class DropoutAttrs(Attrs):
    p: float
    stream: str


def dropout_shape(a: DropoutAttrs, x: TensorType, key: TensorType) -> tuple[TensorType, ...]:
    if not 0 <= a.p <= 1:
        raise ShapeError(f"the probability {a.p} does not lie between 0 and 1", 0)
    return float_type(a, x), x


def dropout_kernel(
    a: DropoutAttrs, x: np.ndarray, key: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    kept = uniform(key, a.stream, x.size).reshape(x.shape) >= np.float32(a.p)
    mask = kept.astype(x.dtype) / x.dtype.type(1 - a.p if a.p < 1 else 1)
    return x * mask, mask


def dropout_gradient(emit: Emitter, node, g: Value, *unused):
    return (Term(emit, g) * Term(emit, node.outputs[1])).value, None


dropout = Op(
    name="dropout", inputs=("x", "key"), outputs=("y", "mask"), attrs=DropoutAttrs,
    shape=dropout_shape, kernel=dropout_kernel, gradient=dropout_gradient,
    onnx=Absent("training form; inference passes its input through"),
    inference=lambda emit, node: (node.inputs[0], node.inputs[0]), origin=broadcast_origin,
    rows=leading_rows(0),
    doc="Zeroes each element with probability p and divides the others by 1 - p (inverted "
        "dropout, Srivastava et al. 2014); `mask` holds the factors.",
)


# ------------------------------------------------------------------ draws of a shape


@dataclass(frozen=True, slots=True)
class DrawAttrs(Attrs):
    shape: tuple[Dim, ...]
    stream: str
    dtype: str = "f32"


def normal(key: np.ndarray, stream: str, count: int) -> np.ndarray:
    """`count` float64 numbers of the standard normal distribution, for this seed, step and
    stream."""
    return streams.normal(generator(key, stream).random_raw(-(-count // 2)), count)


def drawn(name: str, numbers, doc: str) -> Op:
    """An op of floats: `numbers(key, stream, count)` fill the shape in row-major order."""

    def kernel(a: DrawAttrs, key: np.ndarray) -> np.ndarray:
        made = numbers(key, a.stream, math.prod(a.shape))
        return made.reshape(a.shape).astype(NUMPY_DTYPES[a.dtype])

    return Op(
        name=name, inputs=("key",), attrs=DrawAttrs,
        shape=lambda a, key: float_type(a, TensorType(a.dtype, a.shape)), kernel=kernel,
        gradient=lambda emit, node, g: (None,), onnx=NOT_IN_INFERENCE, doc=doc,
    )


random_uniform = drawn(
    "random_uniform", uniform, "Numbers in [0, 1), each as likely as another."
)
random_normal = drawn(
    "random_normal", normal, "Numbers of the normal distribution of mean 0 and variance 1."
)


@dataclass(frozen=True, slots=True)
class IntegersAttrs(Attrs):
    """Whole numbers from `low` to below `high`."""

    shape: tuple[Dim, ...]
    low: int
    high: int
    stream: str


def integers_shape(a: IntegersAttrs, key: TensorType) -> TensorType:
    if not -(2**63) <= a.low < a.high <= 2**63:
        raise ShapeError(f"{a.low}..{a.high} holds no whole number of 64 bits to draw")
    return TensorType("i64", a.shape)


def integers_kernel(a: IntegersAttrs, key: np.ndarray) -> np.ndarray:
    # the remainder favours small numbers by less than (high - low) / 2⁶⁴
    bits = generator(key, a.stream).random_raw(math.prod(a.shape))
    return (bits % np.uint64(a.high - a.low)).astype(np.int64).reshape(a.shape) + a.low


random_integers = Op(
    name="random_integers", inputs=("key",), attrs=IntegersAttrs,
    shape=integers_shape, kernel=integers_kernel,
    gradient=Absent("integer output"), onnx=NOT_IN_INFERENCE,
    doc="Whole numbers from `low` to below `high`, each as likely as another.",
)


@dataclass(frozen=True, slots=True)
class CategoricalAttrs(Attrs):
    shape: tuple[Dim, ...]
    stream: str


def categorical_shape(a: CategoricalAttrs, weights: TensorType, key: TensorType) -> TensorType:
    if float_type(a, weights).rank != 1:
        raise ShapeError(f"the weights are one for each place, [n], not {weights}", 0)
    return TensorType("i64", a.shape)


def categorical_kernel(
    a: CategoricalAttrs, weights: np.ndarray, key: np.ndarray
) -> np.ndarray:
    # the place whose share of the total holds a number drawn from [0, total)
    ends = np.cumsum(weights, dtype=np.float64)
    if not (len(ends) and weights.min() >= 0 and 0 < ends[-1] < np.inf):
        raise ElementError("the weights of `categorical` must be at least 0, some above it")
    bits = generator(key, a.stream).random_raw(math.prod(a.shape)) >> np.uint64(11)
    places = np.searchsorted(ends, bits * 2.0**-53 * ends[-1], side="right")
    return np.minimum(places, np.flatnonzero(weights)[-1]).astype(np.int64).reshape(a.shape)


random_categorical = Op(
    name="random_categorical", inputs=("weights", "key"), attrs=CategoricalAttrs,
    shape=categorical_shape, kernel=categorical_kernel,
    gradient=Absent("integer output"), onnx=NOT_IN_INFERENCE,
    doc="Whole numbers 0..n, each drawn as often as its weight says.",
)

OPS = (dropout, random_uniform, random_normal, random_integers, random_categorical)
