"""The smallest examples of every op, odd ones included. All universal checks run over this table.

Sizes may use the free dimension `B`; a check picks a number for it. A new op needs rows here and
nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from netdsl.ir.dim import Dim, substitute, symbol
from netdsl.ir.op import Attrs
from netdsl.ir.tensor import NUMPY_DTYPES, TensorType
from netdsl.ops import OPS, elementwise
from netdsl.ops.pool import PoolAttrs, max_pool_kernel
from netdsl.rewrite.specialize import substituted

B = symbol("B")
Shape = tuple[Dim, ...]


@dataclass(frozen=True)
class Array:
    """An operand. Floats are spread evenly over `low..high` in random order, so that no two are
    equal and none is 0: away from every kink. `derive` computes it from the operands before."""

    shape: Shape
    dtype: str = "float"  # whichever float precision a check runs in
    low: float = -2.0
    high: float = 2.0
    derive: Callable[..., np.ndarray] | None = None

    def type(self, float_dtype: str, batch: int | None = None) -> TensorType:
        dtype = float_dtype if self.dtype == "float" else self.dtype
        shape = self.shape if batch is None else tuple(
            substitute(dim, {"B": batch}) for dim in self.shape
        )
        return TensorType(dtype, shape)

    def draw(self, rng: np.random.Generator, type: TensorType) -> np.ndarray:
        dtype, count = NUMPY_DTYPES[type.dtype], int(np.prod(type.shape, dtype=object))
        if type.dtype == "bool":
            return rng.integers(0, 2, type.shape).astype(bool)
        if not type.is_float:
            return rng.integers(int(self.low), int(self.high), type.shape).astype(dtype)
        places = rng.permutation(count) + rng.uniform(0.3, 0.7)
        values = self.low + (self.high - self.low) * places / max(count, 1)
        return values.reshape(type.shape).astype(dtype)


@dataclass(frozen=True)
class Example:
    """One call of an op. `through`: the outputs that a gradient may come back through."""

    op: str
    inputs: tuple[Array | None, ...]
    attrs: dict = field(default_factory=dict)
    through: tuple[int, ...] = (0,)
    note: str = ""

    def __str__(self) -> str:
        shapes = " ".join("-" if a is None else "x".join(map(str, a.shape)) or "()"
                          for a in self.inputs)
        return f"{self.op} {self.note or shapes}"

    def attributes(self, float_dtype: str = "f32", batch: int | None = None) -> Attrs:
        attrs = OPS[self.op].attrs(**self.attrs)
        sizes = {} if batch is None else {"B": batch}
        return substituted(attrs, sizes, {"f32": float_dtype})

    def arrays(self, float_dtype: str, batch: int, seed: int = 0) -> list[np.ndarray | None]:
        rng = np.random.default_rng(seed)
        made: list[np.ndarray | None] = []
        for array in self.inputs:
            if array is None:
                made.append(None)
            elif array.derive is not None:
                made.append(array.derive(self.attributes(float_dtype, batch), *made))
            else:
                made.append(array.draw(rng, array.type(float_dtype, batch)))
        return made


def example(op: str, *inputs: Array | Shape | None, through=(0,), note="", **attrs) -> Example:
    """A row; a plain shape stands for an array of floats."""
    arrays = tuple(Array(x) if isinstance(x, tuple) else x for x in inputs)
    return Example(op, arrays, attrs, through, note)


def positive(*shape: Dim) -> Array:
    return Array(shape, low=0.1, high=3.0)


def integers(*shape: Dim, low: int = -5, high: int = 6, dtype: str = "i64") -> Array:
    return Array(shape, dtype, low, high)


def booleans(*shape: Dim) -> Array:
    return Array(shape, "bool")


# ------------------------------------------------------------------ constant, elementwise

CONSTANT = (
    example("full", value=0.5, shape=(B, 3), dtype="f32"),
    example("full", value=-2, shape=(), dtype="f32", note="scalar"),
    example("full", value=B * 3, shape=(B, 2), dtype="f32", note="of a size"),
    example("full", value=7, shape=(2, 1), dtype="i64", note="integers"),
    example("full", value=True, shape=(4,), dtype="bool", note="bool"),
)

ABOVE_ZERO = ("log", "sqrt")  # what takes no negative numbers
UNARY = tuple(
    example(op.name, positive(*shape) if op.name in ABOVE_ZERO else Array(shape))
    for op in elementwise.UNARY
    for shape in ((B, 3, 2), ())
)

PAIRS = (
    ((B, 3), (B, 3)), ((B, 3), ()), ((), (B, 3)), ((B, 1, 4), (1, 3, 4)), ((), ()),
    ((B, 3), (1, 1)), ((1,), (1,)), ((B, 3, 2, 2), (1, 3, 1, 1)),
)
ARITHMETIC = tuple(
    example(op, left(x), right(y))
    for op, left, right in (
        ("add", Array, Array), ("subtract", Array, Array), ("multiply", Array, Array),
        ("divide", Array, lambda s: positive(*s)), ("power", lambda s: positive(*s), Array),
        ("maximum", Array, Array), ("minimum", Array, Array),
    )
    for x, y in PAIRS
)
INTEGER_ARITHMETIC = tuple(
    example(op, integers(B, 3), integers(B, 1), note="integers")
    for op in ("add", "subtract", "multiply", "maximum", "minimum")
)
COMPARISONS = tuple(
    example(op, x, y)
    for op in ("equal", "less", "less_equal", "greater", "greater_equal")
    for x, y in (
        ((B, 3), (B, 3)), ((B, 3), ()), ((B, 1, 2), (1, 3, 1)),
        (integers(B, 4, high=0), integers(B, 4, high=0)),
    )
)
CHOICES = (
    example("logical_not", booleans(B, 3)),
    example("logical_not", booleans()),
    example("where", booleans(B, 3), (B, 3), (B, 3)),
    example("where", booleans(B, 1), (1, 3), ()),
    example("where", booleans(), (B, 2), (B, 2)),
    example("where", booleans(B, 3), integers(B, 3), integers()),
    example("cast", (B, 3), dtype="f32"),
    example("cast", (B, 3), dtype="i64", note="floats to integers"),
    example("cast", integers(B, 3), dtype="f32", note="integers to floats"),
    example("cast", booleans(B, 3), dtype="f32", note="bool to floats"),
    example("cast", integers(B, 3), dtype="i32", note="integers to narrower ones"),
    example("stop_grad", (B, 3)),
    example("stop_grad", integers(B)),
)

# ------------------------------------------------------------------ reduction, layout

REDUCTION = tuple(
    example(op, shape, axes=axes, keep=keep, note=f"{axes} {keep}")
    for op in ("sum", "mean")
    for shape, axes in (
        ((B, 3, 4), (1,)), ((B, 3, 4), (0, 2)), ((B, 3, 4), (0, 1, 2)), ((B, 3), ()),
        ((B, 3, 1), (-1,)), ((B, 3, 2, 2), (0, 2, 3)), ((B, 4), (0,)),
    )
    for keep in (False, True)
) + (
    example("sum", integers(B, 3), axes=(1,), note="integers"),
    example("sum", (), axes=(), note="scalar"),
)
EXPAND = (
    example("expand", (1, 3), shape=(B, 3)),
    example("expand", (3,), shape=(B, 3), axes=(0,)),
    example("expand", (3,), shape=(B, 3, 2, 2), axes=(0, 2, 3)),
    example("expand", (), shape=(B, 2), axes=(0, 1)),
    example("expand", (B, 1, 2), shape=(B, 3, 2)),
    example("expand", (B, 2), shape=(B, 2), note="nothing to repeat"),
    example("expand", integers(1, 2), shape=(B, 2), note="integers"),
)
ALONG = tuple(
    example(op, shape, axis=axis, note=f"axis {axis} of {len(shape)}")
    for op in ("softmax", "log_softmax", "argmax")
    for shape, axis in (((B, 4), 1), ((B, 4), 0), ((B, 3, 2), -1), ((B, 5, 2, 2), 1), ((B, 1), 1))
) + (
    example("softmax", Array((B, 4), low=-300.0, high=300.0), axis=1, note="large"),
    example("log_softmax", Array((B, 4), low=-300.0, high=300.0), axis=1, note="large"),
    example("argmax", integers(B, 6, high=0), axis=1, note="first of equals"),
)
LAYOUT = (
    example("reshape", (B, 3, 4), shape=(B, 12)),
    example("reshape", (B, 3, 4), shape=(B * 2, 6)),
    example("reshape", (B, 6), shape=(B, 2, 1, 3)),
    example("reshape", (1, 1), shape=()),
    example("transpose", (B, 3), axes=(1, 0)),
    example("transpose", (B, 3, 2), axes=(1, 2, 0)),
    example("transpose", (B, 3, 2, 4), axes=(0, 2, 3, 1)),
    example("transpose", (), axes=()),
    example("concat", (B, 3), (B, 2), axis=1),
    example("concat", (B, 3), (B, 3), (2, 3), axis=0),
    example("concat", (B, 2, 3, 3), (B, 1, 3, 3), (B, 4, 3, 3), axis=1),
    example("concat", (B, 3), axis=1, note="of one"),
    example("concat", integers(B), integers(B), axis=0, note="integers"),
    example("slice", (B, 5), axis=1, start=1, stop=4),
    example("slice", (B, 5), axis=1, start=2, stop=2, note="nothing"),
    example("slice", (B + 2, 3), axis=0, start=1, stop=B + 1),
    example("slice", (B, 4, 2), axis=1, start=0, stop=4, note="everything"),
    example("pad", (B, 3), axis=1, before=1, after=2),
    example("pad", (B, 3), axis=0, before=0, after=B),
    example("pad", (B, 2, 2), axis=2, before=3, after=0),
    example("pad", (B, 2), axis=1, before=0, after=0, note="nothing"),
)

# ------------------------------------------------------------------ products

PRODUCTS = (
    example("matmul", (B, 3), (3, 4)),
    example("matmul", (B, 2, 3), (B, 3, 4)),
    example("matmul", (B, 2, 1, 3), (B, 2, 3, 1)),
    example("matmul", (1, 1), (1, 1)),
    example("matmul", (5, B), (B, 2)),
    example("linear", (B, 3), (4, 3), (4,)),
    example("linear", (B, 3), (4, 3), None),
    example("linear", (B, 2, 3), (4, 3), (4,)),
    example("linear", (3,), (4, 3), (4,)),
    example("linear", (B, 1), (1, 1), (1,)),
)


@dataclass(frozen=True)
class Window:
    """A convolution: sizes of x [B, C, …], of the weight [F, C / groups, …], and how."""

    sizes: tuple[int, ...]
    kernel: tuple[int, ...]
    channels: int = 2
    filters: int = 3
    stride: tuple[int, ...] | None = None
    pads: tuple[tuple[int, int], ...] | None = None
    dilation: tuple[int, ...] | None = None
    groups: int = 1
    bias: bool = False
    batch: Dim = B

    @property
    def attrs(self) -> dict:
        one = (1,) * len(self.sizes)
        return {
            "stride": self.stride or one, "pads": self.pads or ((0, 0),) * len(self.sizes),
            "dilation": self.dilation or one, "groups": self.groups,
        }

    @property
    def shapes(self) -> tuple[Shape, Shape, Shape]:
        """Of x, the weight and y."""
        counts = tuple(
            (n + sum(p) - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(self.sizes, self.kernel, self.attrs["stride"],
                                     self.attrs["pads"], self.attrs["dilation"])
        )
        return (
            (self.batch, self.channels, *self.sizes),
            (self.filters, self.channels // self.groups, *self.kernel),
            (self.batch, self.filters, *counts),
        )


WINDOWS = {
    "plain": Window((5, 4), (3, 3)),
    "bias": Window((4, 4), (3, 3), pads=((1, 1), (1, 1)), bias=True),
    "same": Window((6, 5), (3, 3), channels=3, pads=((1, 1), (1, 1))),
    "1x1": Window((3, 4), (1, 1), channels=4, filters=2),
    "1x1 stride 2": Window((5, 5), (1, 1), stride=(2, 2)),
    "1x1 padded": Window((3, 3), (1, 1), pads=((1, 1), (0, 2))),
    "stride 2": Window((6, 7), (3, 3), stride=(2, 2), pads=((1, 1), (1, 1))),
    "stride 3": Window((8, 7), (2, 2), stride=(3, 3)),
    "stride over kernel": Window((7, 7), (2, 1), stride=(4, 3)),
    "two strides": Window((6, 6), (3, 2), stride=(1, 2), pads=((0, 1), (1, 0))),
    "even kernel": Window((5, 5), (2, 4), pads=((1, 0), (1, 2))),
    "dilation": Window((7, 8), (3, 2), dilation=(2, 3)),
    "dilation and stride": Window((9, 9), (3, 3), stride=(2, 1), dilation=(2, 2),
                                  pads=((2, 2), (2, 2))),
    "asymmetric": Window((4, 4), (3, 3), pads=((2, 0), (0, 2))),
    "wide padding": Window((2, 2), (3, 3), pads=((3, 2), (2, 3))),
    "groups": Window((4, 4), (3, 3), channels=4, filters=6, groups=2, pads=((1, 1), (1, 1))),
    "depthwise": Window((5, 5), (3, 3), channels=3, filters=3, groups=3, pads=((1, 1), (1, 1))),
    "depthwise, twice": Window((4, 4), (2, 2), channels=2, filters=4, groups=2, stride=(2, 2)),
    "grouped 1x1": Window((3, 3), (1, 1), channels=4, filters=4, groups=2, bias=True),
    "one pixel": Window((1, 1), (3, 3), pads=((1, 1), (1, 1))),
    "whole image": Window((3, 4), (3, 4), filters=5),
    "one image": Window((4, 4), (3, 3), pads=((1, 1), (1, 1)), batch=1),
    "one channel": Window((4, 4), (3, 3), channels=1, filters=1),
    "one axis": Window((7,), (3,), pads=((1, 2),), stride=(2,), bias=True),
    "three axes": Window((3, 4, 3), (2, 3, 2), stride=(1, 2, 1), pads=((0, 1), (1, 1), (0, 0))),
    "leftover rows": Window((8, 6), (3, 3), stride=(3, 2)),
}


def window_examples():
    for note, window in WINDOWS.items():
        x, weight, y = window.shapes
        bias = (window.filters,) if window.bias else None
        yield example("conv", x, weight, bias, note=note, **window.attrs)
        yield example("conv_input_gradient", y, weight, note=note, shape=x, **window.attrs)
        yield example("conv_weight_gradient", y, x, note=note, shape=weight, **window.attrs)


# ------------------------------------------------------------------ pooling


def pool(kernel, stride=None, pads=None, dilation=None, ceil=False) -> dict:
    none = (0, 0)
    return {
        "kernel": kernel, "stride": stride or kernel,
        "pads": pads or (none,) * len(kernel), "dilation": dilation or (1,) * len(kernel),
        "ceil": ceil,
    }


POOLS = {
    "halves": ((B, 2, 4, 6), pool((2, 2))),
    "overlap": ((B, 2, 7, 6), pool((3, 3), (2, 2), ((1, 1), (1, 1)))),
    "leftover rows": ((B, 1, 5, 7), pool((2, 3))),
    "ceil": ((B, 2, 5, 6), pool((2, 2), (2, 2), ceil=True)),
    "ceil and padding": ((B, 1, 6, 7), pool((3, 3), (2, 2), ((1, 1), (1, 1)), ceil=True)),
    "ceil, stride 3": ((B, 1, 7, 5), pool((2, 2), (3, 3), ((1, 0), (0, 1)), ceil=True)),
    "gaps": ((B, 2, 7, 7), pool((2, 2), (3, 3))),
    "stride 1": ((B, 2, 4, 4), pool((2, 2), (1, 1))),
    "asymmetric": ((B, 1, 4, 4), pool((3, 2), (1, 2), ((1, 0), (0, 1)))),
    "one pixel": ((B, 3, 1, 1), pool((1, 1))),
    "whole image": ((B, 2, 3, 4), pool((3, 4))),
    "one image": ((1, 2, 4, 4), pool((2, 2))),
    "one axis": ((B, 2, 7), pool((3,), (2,), ((1, 1),))),
    "three axes": ((B, 1, 4, 2, 3), pool((2, 2, 1))),
    "dilation": ((B, 1, 7, 6), pool((2, 3), (1, 2), dilation=(3, 2))),
}


def pool_window(shape: Shape, attrs: dict) -> Shape:
    """The shape of what comes out, through the op's own rule."""
    y = OPS["max_pool"].shape(PoolAttrs(**attrs), TensorType("f32", shape))
    return y.shape


def pooled(a: PoolAttrs, g: np.ndarray, x: np.ndarray) -> np.ndarray:
    return max_pool_kernel(a, x)


def pool_examples():
    for note, (shape, attrs) in POOLS.items():
        out = pool_window(shape, attrs)
        yield example("max_pool", shape, note=note, **attrs)
        yield example("max_pool_input_gradient", out, shape, Array(out, derive=pooled),
                      note=note, **attrs)
        for counted in (True, False):
            named = f"{note}, {'with' if counted else 'without'} padding"
            yield example("average_pool", shape, note=named, count_pad=counted, **attrs)
            yield example("average_pool_input_gradient", out, note=named, shape=shape,
                          count_pad=counted, **attrs)
    shape, attrs = POOLS["overlap"]
    out = pool_window(shape, attrs)
    ties = Array(shape, derive=lambda a, g: np.round(g.sum()) * np.ones((len(g), *shape[1:]),
                                                                        g.dtype))
    yield example("max_pool_input_gradient", out, ties, Array(out, derive=pooled),
                  note="first of equals", **attrs)


# ------------------------------------------------------------------ norm, random, loss, update

NORM = tuple(
    case
    for shape in ((B, 3, 4, 2), (B, 2), (B, 1, 5), (4, 3, 1, 1), (B, 2, 2, 3, 2))
    for c in (shape[1],)
    for case in (
        example("batch_norm", shape, (c,), (c,), (c,), positive(c), momentum=0.3),
        example("batch_norm_input_gradient", shape, shape, (c,), (c,), positive(c)),
        example("normalize", shape, (c,), (c,), (c,), positive(c), eps=1e-3),
    )
)
KEY = Array((2,), "u64", 1, 1000)
RANDOM = (
    example("dropout", (B, 5), KEY, p=0.4, stream="drop"),
    example("dropout", (B, 2, 3, 3), KEY, p=0.0, stream="none dropped"),
    example("dropout", (B, 3), KEY, p=1.0, stream="all dropped"),
)
LABELLED = (
    ((B, 4), (B,), {}), ((B, 4), (B,), {"smooth": 0.1}), ((B, 3, 2, 2), (B, 2, 2), {}),
    ((B, 2, 3), (B, 2), {"axis": 2, "smooth": 0.3}), ((3,), (), {"axis": 0}), ((B, 1), (B,), {}),
)
LOSS = tuple(
    case
    for shape, rows, attrs in LABELLED
    for label in (integers(*rows, low=0, high=shape[attrs.get("axis", 1)]),)
    for case in (
        example("cross_entropy", shape, label, **attrs),
        example("cross_entropy_logits_gradient", rows, shape, label, positive(*rows), **attrs),
    )
) + (
    example("cross_entropy", Array((B, 4), low=-300.0, high=300.0), integers(B, low=0, high=4),
            note="large"),
    example("cross_entropy", (B, 4), integers(B, low=0, high=4, dtype="i32"), note="i32 labels"),
)
RATE = Array((), low=0.1, high=0.3)
UPDATE = tuple(
    example("sgd", (4, 3), (4, 3), RATE, velocity, note=note, **attrs)
    for note, velocity, attrs in (
        ("plain", None, {}),
        ("decay", None, {"weight_decay": 0.1}),
        ("momentum", (4, 3), {"momentum": 0.9}),
        ("nesterov", (4, 3), {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    )
) + tuple(
    example("adam", (4, 3), (4, 3), RATE, (4, 3), positive(4, 3),
            integers(low=1, high=9), note=f"decay {decay}", weight_decay=decay)
    for decay in (0.0, 0.1)
)

EXAMPLES: tuple[Example, ...] = (
    *CONSTANT, *UNARY, *ARITHMETIC, *INTEGER_ARITHMETIC, *COMPARISONS, *CHOICES, *REDUCTION,
    *EXPAND, *ALONG, *LAYOUT, *PRODUCTS, *window_examples(), *pool_examples(), *NORM, *RANDOM,
    *LOSS, *UPDATE,
)
