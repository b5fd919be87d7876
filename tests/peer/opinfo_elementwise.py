"""PyTorch's elementwise operators in our language: name -> what a sample's arguments become."""

from __future__ import annotations

from math import log, pi

import torch
from opinfo_phrases import (
    DTYPES,
    Operand,
    fitted,
    layer,
    number,
    unsaid,
)

# ------------------------------------------------------------------ one operand


def plainly(text: str):
    """A function of one tensor; `{x}` stands for it."""
    return lambda x, inplace=False: text.format(x=x)


def gelu(x, *, approximate="none"):
    return f"gelu_tanh({x})" if approximate == "tanh" else f"gelu({x})"


def softplus(x, *, beta=1, threshold=20):
    """PyTorch's threshold is where it takes the straight line; ours needs none."""
    line = f"{number(beta)} * {x} > {number(threshold)}"
    return f"where({line}, {x}, softplus({x}, beta = {number(beta)}))"


def leaky_relu(x, *, negative_slope=0.01, inplace=False):
    return f"leaky_relu({x}, slope = {number(negative_slope)})"


def with_alpha(word: str):
    return lambda x, *, alpha=1.0, inplace=False: f"{word}({x}, alpha = {number(alpha)})"


def threshold(x, threshold, value, inplace=False):
    return f"where({x} <= {number(threshold)}, {number(value)}, {x})"


def hardtanh(x, min_val=-1.0, max_val=1.0, inplace=False):
    return f"hardtanh({x}, {number(min_val)}, {number(max_val)})"


def softshrink(x, *, lambd=0.5):
    edge = number(lambd)
    return f"where({x} > {edge}, {x} - {edge}, where({x} < -{edge}, {x} + {edge}, 0 * {x}))"


def hardshrink(x, *, lambd=0.5):
    return f"where({x} > {number(lambd)}, {x}, where({x} < -{number(lambd)}, {x}, 0 * {x}))"


def sign(x):
    unsaid(x.tensor.isnan().any(), "the sign of NaN, which is NaN here")
    return f"sign({x})"


def prelu(x, weight):
    """One slope, or one for each channel."""
    unsaid(weight.rank != 1, "a slope that is no vector")
    return layer(f"prelu{{c = {weight.shape[0]}}}", x, weight=weight)


def cast(dtype):
    def to(x, *, memory_format=torch.preserve_format):
        return f"{DTYPES[dtype]}({x})"

    return to


UNARY = {
    **{name: plainly(f"{name}({{x}})") for name in (
        "abs", "ceil", "cos", "erf", "exp", "expm1", "floor", "log", "log1p", "reciprocal", "round",
        "rsqrt", "sigmoid", "sin", "sqrt", "square", "tanh",
    )},
    **{f"nn.functional.{name}": plainly(f"{word}({{x}})") for name, word in {
        "relu": "relu", "silu": "silu", "logsigmoid": "log_sigmoid", "mish": "mish",
        "selu": "selu", "relu6": "relu6", "hardsigmoid": "hard_sigmoid",
        "hardswish": "hard_swish",
    }.items()},
    "nn.functional.elu": with_alpha("elu"), "nn.functional.celu": with_alpha("celu"),
    "nn.functional.gelu": gelu, "nn.functional.softplus": softplus,
    "nn.functional.leaky_relu": leaky_relu, "nn.functional.hardtanh": hardtanh,
    "nn.functional.prelu": prelu, "nn.functional.threshold": threshold,
    "nn.functional.softshrink": softshrink, "nn.functional.hardshrink": hardshrink,
    "nn.functional.softsign": plainly("{x} / (1 + abs({x}))"),
    "nn.functional.tanhshrink": plainly("{x} - tanh({x})"),
    "sign": sign, "sgn": sign, "neg": plainly("-{x}"), "positive": plainly("{x}"),
    "exp2": plainly("2 ** {x}"), "erfc": plainly("1 - erf({x})"),
    "log2": plainly(f"log({{x}}) / {log(2)!r}"), "log10": plainly(f"log({{x}}) / {log(10)!r}"),
    "tan": plainly("sin({x}) / cos({x})"), "trunc": plainly("sign({x}) * floor(abs({x}))"),
    "deg2rad": plainly(f"{pi / 180!r} * {{x}}"), "rad2deg": plainly(f"{180 / pi!r} * {{x}}"),
    "isnan": plainly("{x} != {x}"), "logical_not": plainly("{x} == 0"),
    "long": cast(torch.int64), "int": cast(torch.int32), "bool": cast(torch.bool),
    "double": cast(torch.float64),
}

# ------------------------------------------------------------------ two and more


def of_two(text: str):
    """A function of two operands or numbers; `{x}` and `{y}` stand for them."""

    def row(x, y):
        left, right = fitted(x, y)
        return text.format(x=left, y=right)

    return row


def summed(x, y, *, alpha=1):
    left, right = fitted(x, y)
    return f"{left} + {number(alpha)} * {right}"


def difference(x, y, *, alpha=1):
    left, right = fitted(x, y)
    return f"{left} - {number(alpha)} * {right}"


def divided(x, y, *, rounding_mode=None):
    left, right = fitted(x, y)
    unsaid(rounding_mode == "trunc", "division that cuts towards zero")
    return f"stop_grad({left} // {right})" if rounding_mode == "floor" else f"{left} / {right}"


def at_least(x, y, below="<") -> str:
    """The larger of two; where they are equal PyTorch gives x the whole gradient."""
    left, right = fitted(x, y)
    return f"where({left} {below} {right}, {right}, where({right} == {right}, {left}, {right}))"


def at_most(x, y) -> str:
    return at_least(x, y, ">")


def clamp(x, min=None, max=None):
    ends = {"low": min, "high": max}
    if not any(isinstance(end, Operand) for end in ends.values()):
        given = [f"{name} = {number(end)}" for name, end in ends.items() if end is not None]
        return f"clip({x}, {', '.join(given)})"
    x, low, high = fitted(x, 0 if min is None else min, 0 if max is None else max)
    y = x if min is None else f"maximum({x}, {low})"
    return y if max is None else f"minimum({y}, {high})"


def where(x, condition, other):
    """OpInfo calls it as x.where(condition, other)."""
    unsaid(not any(isinstance(side, Operand) for side in (x, other)), "numbers alone")
    chosen, yes, no = fitted(condition, x, other)
    return f"where({chosen}, {yes}, {no})"


def masked_fill(x, mask, value):
    wide, masked, filled = fitted(x, mask, value)
    return f"where({masked}, {filled}, {wide})"


def addc(operator: str):
    def row(x, first, second, *, value=1):
        wide, one, two = fitted(x, first, second)
        return f"{wide} + {number(value)} * {one} {operator} {two}"

    return row


def lerp(x, end, weight):
    start, stop, share = fitted(x, end, weight)
    return f"{start} + {share} * ({stop} - {start})"


def hypot(x, y):
    unfit = any(not operand.tensor.isfinite().all() for operand in (x, y))
    unsaid(unfit, "infinite sides of a triangle")
    return "sqrt({0} * {0} + {1} * {1})".format(*fitted(x, y))


def logical(phrase: str):
    """Of floats, by whether they are 0."""

    def row(x, y):
        left, right = fitted(x, y)
        return phrase.format(x=f"{left} != 0", y=f"{right} != 0")

    return row


BINARY = {
    "logical_and": logical("({x} and {y})"), "logical_or": logical("({x} or {y})"),
    "logical_xor": logical("logical_xor({x}, {y})"),
    "add": summed, "sub": difference, "mul": of_two("{x} * {y}"),
    "rsub": lambda x, y, *, alpha=1: "{1} - {2} * {0}".format(*fitted(x, y), number(alpha)),
    "div:no_rounding_mode": divided, "div:floor_rounding": divided, "true_divide": divided,
    "floor_divide": of_two("stop_grad({x} // {y})"), "remainder": of_two("{x} % {y}"),
    "pow": of_two("{x} ** {y}"), "float_power": of_two("{x} ** {y}"),
    "__radd__": of_two("{y} + {x}"), "__rsub__": of_two("{y} - {x}"),
    "__rmul__": of_two("{y} * {x}"), "__rdiv__": of_two("{y} / {x}"),
    "__rmod__": of_two("{y} % {x}"), "__rpow__": of_two("{y} ** {x}"),
    "maximum": of_two("maximum({x}, {y})"), "minimum": of_two("minimum({x}, {y})"),
    "max:binary": of_two("maximum({x}, {y})"), "min:binary": of_two("minimum({x}, {y})"),
    "clamp_min": at_least, "clamp_max": at_most,
    "eq": of_two("{x} == {y}"), "ne": of_two("{x} != {y}"), "lt": of_two("{x} < {y}"),
    "le": of_two("{x} <= {y}"), "gt": of_two("{x} > {y}"), "ge": of_two("{x} >= {y}"),
    "hypot": hypot,
    "clamp": clamp, "where": where, "masked_fill": masked_fill, "lerp": lerp,
    "addcmul": addc("*"), "addcdiv": addc("/"),
}

ROWS = UNARY | BINARY
