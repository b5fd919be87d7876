"""Operations that draw, each from a stream of its own, named by the layer's path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netdsl import streams
from netdsl.ir.graph import Emitter, Value
from netdsl.ir.op import Absent, Attrs, Op, ShapeError
from netdsl.ir.tensor import TensorType
from netdsl.ops.elementwise import Term, float_type

KEY = TensorType("u64", (2,))  # seed, step


def uniform(key: np.ndarray, stream: str, count: int) -> np.ndarray:
    """`count` float32 numbers in [0, 1), multiples of 2⁻²⁴, for this seed, step and stream."""
    return uniform_from(generator(key, stream), count)


def generator(key: np.ndarray, stream: str) -> np.random.Philox:
    """The generator of an op's stream for this seed and step."""
    seed, step = map(int, key)
    return streams.stream(seed, stream, step)


def uniform_from(draws: np.random.Philox, count: int) -> np.ndarray:
    """The next `count` numbers of a stream, two of each 64 bits, low half first; a half that an
    odd count leaves over is lost."""
    bits = draws.random_raw(-(-count // 2)).astype("<u8", copy=False).view("<u4")[:count]
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


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
    inference=lambda emit, node: (node.inputs[0], node.inputs[0]),
    doc="Zeroes each element with probability p and divides the others by 1 - p (inverted "
        "dropout, Srivastava et al. 2014); `mask` holds the factors.",
)

OPS = (dropout,)
