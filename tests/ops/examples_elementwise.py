"""Examples of constants and of what works element by element."""

from __future__ import annotations

from netdsl.ops import activation, elementwise
from operands import Array, B, booleans, example, integers, positive

CONSTANT = (
    example("full", value=0.5, shape=(B, 3), dtype="f32"),
    example("full", value=-2, shape=(), dtype="f32", note="scalar"),
    example("full", value=B * 3, shape=(B, 2), dtype="f32", note="of a size"),
    example("full", value=7, shape=(2, 1), dtype="i64", note="integers"),
    example("full", value=True, shape=(4,), dtype="bool", note="bool"),
    example("arange", count=B, note="as many as rows"),
    example("arange", count=5, start=-1.5, step=0.25, note="in steps"),
    example("arange", count=B * 2 + 1, start=3, step=-2, dtype="i64", note="integers"),
    example("arange", count=0, note="none"),
    example("vector", values=(1.0, -2.5, 0.0)),
    example("vector", values=(3,), dtype="i64", note="integers"),
    example("vector", values=(), note="none"),
)

ABOVE_ZERO = ("log", "log1p", "sqrt", "rsqrt", "reciprocal")  # away from where they end
UNARY = tuple(
    example(op.name, positive(*shape) if op.name in ABOVE_ZERO else Array(shape))
    for op in (*elementwise.UNARY, *activation.UNARY)
    for shape in ((B, 3, 2), ())
)
ACTIVATION = (
    example("leaky_relu", (B, 3, 2), slope=0.2),
    example("leaky_relu", (), slope=0.01),
    example("elu", (B, 3, 2), alpha=0.4), example("celu", (B, 3, 2), alpha=0.5),
    example("softplus", (B, 3, 2), beta=3.0), example("softplus", (), beta=0.5),
    example("hardtanh", (B, 7), low=-0.25, high=1.5),
    example("clip", (B, 7), low=-0.3, high=0.6), example("clip", (B, 7), low=0.2),
    example("clip", (B, 3, 2), high=0.1), example("clip", (), low=0.0, high=6.0),
    example("clip", integers(B, 5), low=-2.0, high=3.0, note="integers"),
    example("clip", (B, 5), low=0.5, high=-0.5, note="crossed bounds: the upper one"),
    example("floor", Array((B, 9), low=-3.0, high=4.0), note="across several"),
    example("round", Array((B, 9), low=-3.0, high=4.0), note="across several"),
    example("relu6", Array((B, 9), low=-3.0, high=9.0), note="across both ends"),
    example("hard_sigmoid", Array((B, 9), low=-5.0, high=5.5), note="across both ends"),
    example("hard_swish", Array((B, 9), low=-5.0, high=5.5), note="across both ends"),
) + tuple(
    example(op, Array((B, 40), low=-60.0, high=60.0), note="large")
    for op in ("sigmoid", "erf", "gelu", "gelu_tanh", "silu", "softplus", "log_sigmoid", "mish",
               "elu", "celu", "selu", "hardtanh")
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
QUOTIENTS = tuple(
    example(op, x, y, note=note)
    for op in ("floor_divide", "remainder")
    for note, x, y in (
        ("floats", (B, 3), positive(B, 3)), ("negative divisor", (B, 3), Array((1, 3), high=-0.5)),
        ("integers", integers(B, 9), integers(low=3, high=4)),
        ("integers, negative divisor", integers(B, 9), integers(1, 1, low=-3, high=-2)),
    )
)
COMPARISONS = tuple(
    example(op, x, y)
    for op in ("equal", "less", "less_equal", "greater", "greater_equal")
    for x, y in (
        ((B, 3), (B, 3)), ((B, 3), ()), ((B, 1, 2), (1, 3, 1)),
        (integers(B, 4, high=0), integers(B, 4, high=0)),
    )
)
LOGIC = tuple(
    example(op, booleans(*x), booleans(*y))
    for op in ("logical_and", "logical_or", "logical_xor")
    for x, y in (((B, 3), (B, 3)), ((B, 1), (1, 3)), ((), (B,)))
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
    example("finite", (B, 3), name="x"),
    example("finite", (), name="a loss"),
)

EXAMPLES = (
    *CONSTANT, *UNARY, *ACTIVATION, *ARITHMETIC, *INTEGER_ARITHMETIC, *QUOTIENTS, *COMPARISONS,
    *LOGIC, *CHOICES,
)
