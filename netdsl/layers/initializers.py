"""How variables begin. One row each; a row's draws depend on the seed and the variable's name
alone, so that adding a layer changes no other's weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, prod, sqrt

import numpy as np

from netdsl.ir.graph import Graph, Value, Variable, ancestry
from netdsl.streams import stream


@dataclass(frozen=True, slots=True)
class InitializerRow:
    """`draw(generator, shape, *arguments)`; `parameters` gives each argument its default;
    `refuses(*arguments)` is why they cannot be drawn with, or None."""

    name: str
    parameters: dict[str, float]
    draw: Callable[..., np.ndarray]
    doc: str
    refuses: Callable[..., str | None] = lambda *arguments: None


def fan_in(shape: tuple[int, ...]) -> int:
    """How many inputs one output element sums: all axes of a weight but the first."""
    return max(1, prod(shape[1:]) if len(shape) > 1 else max(shape, default=1))


def zeros(generator, shape):
    return np.zeros(shape)


def ones(generator, shape):
    return np.ones(shape)


def constant(generator, shape, value):
    return np.full(shape, value)


def normal(generator, shape, mean, std):
    return generator.normal(mean, std, shape)


def uniform(generator, shape, low, high):
    return generator.uniform(low, high, shape)


def negative_spread(mean, std):
    return "`std` is negative" if std < 0 else None


def no_interval(low, high):
    if not isfinite(high - low):
        return "the interval is too wide"
    return "`high` is below `low`" if high < low else None


def he_normal(generator, shape):
    return generator.normal(0, sqrt(2 / fan_in(shape)), shape)


def lecun_uniform(generator, shape):
    bound = sqrt(3 / fan_in(shape))
    return generator.uniform(-bound, bound, shape)


INITIALIZERS = {
    row.name: row
    for row in (
        InitializerRow("zeros", {}, zeros, "0 everywhere."),
        InitializerRow("ones", {}, ones, "1 everywhere."),
        InitializerRow("constant", {"value": 0.0}, constant, "One value everywhere."),
        InitializerRow("normal", {"mean": 0.0, "std": 1.0}, normal, "Gaussian draws.",
                       negative_spread),
        InitializerRow("uniform", {"low": -1.0, "high": 1.0}, uniform, "Even draws.",
                       no_interval),
        InitializerRow("he_normal", {}, he_normal,
                       "Gaussian with variance 2 / fan_in, for ReLU (He et al. 2015)."),
        InitializerRow("lecun_uniform", {}, lecun_uniform,
                       "Even draws with variance 1 / fan_in (LeCun et al. 1998)."),
    )
}


def initialize(graph: Graph, seed: int = 0) -> dict[str, np.ndarray]:
    """A fresh array for every variable of the graph, by name. Copies begin as their sources."""
    own = {n: initial(v, seed) for n, v in graph.variables.items() if n not in graph.copies}
    copied = {name: own[copy.source].copy() for name, copy in graph.copies.items()}
    return {name: own[name] if name in own else copied[name] for name in graph.variables}


def initial(variable: Variable, seed: int) -> np.ndarray:
    """The array with which a variable begins. Its shape must hold no free dimension."""
    chosen, dtype = variable.initializer, variable.type.numpy_dtype
    if isinstance(chosen, Value):
        return np.array(computed(chosen, seed), dtype, order="C")
    generator = np.random.Generator(stream(seed, variable.name))
    drawn = INITIALIZERS[chosen.name].draw(generator, variable.type.shape, *chosen.arguments)
    return np.ascontiguousarray(drawn, dtype=dtype).reshape(drawn.shape)


def computed(value: Value, seed: int) -> np.ndarray:
    """A value that depends on random draws and constants alone, by the reference kernels."""
    nodes, keys = ancestry(value)
    arrays = {key: np.array([seed, 0], np.uint64) for key in keys}
    for node in nodes:
        operands = (None if operand is None else arrays[operand] for operand in node.inputs)
        made = node.op.kernel(node.attrs, *operands)
        arrays.update(zip(node.outputs, made if isinstance(made, tuple) else (made,)))
    return arrays[value]
