"""How variables begin. One row each; a row's draws depend on the seed and the variable's name
alone, so that adding a layer changes no other's weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, prod, sqrt
from typing import TypeAlias

import numpy as np

from netdsl.ir.graph import Graph, Value, Variable, ancestry, run_kernels
from netdsl.layers.arguments import BadArgument, Kind, real
from netdsl.streams import stream

Fans: TypeAlias = tuple[int, int]  # inputs that an output sums, outputs that an input reaches


def fan(value: object) -> str:
    if value not in ("in", "out"):
        raise BadArgument('is neither "in" nor "out"')
    return value


NUMBER, FAN = Kind("a number", real), Kind('"in" or "out"', fan)


@dataclass(frozen=True, slots=True)
class InitializerRow:
    """`draw(generator, shape, fans, *arguments)`; `parameters` gives each argument its default;
    `refuses(*arguments)` is why they cannot be drawn with, or None."""

    name: str
    parameters: dict[str, float | str]
    draw: Callable[..., np.ndarray]
    doc: str
    refuses: Callable[..., str | None] = lambda *arguments: None

    def kind(self, name: str) -> Kind:
        """What an argument may be."""
        return FAN if isinstance(self.parameters[name], str) else NUMBER


def fans_of(shape: tuple[int, ...]) -> Fans:
    """Those of a weight [outputs, inputs, …]: the axes behind the first two are windows. All
    elements of a vector count as both."""
    if len(shape) < 2:
        return (max(shape, default=1),) * 2
    window = prod(shape[2:])
    return max(1, shape[1] * window), max(1, shape[0] * window)


# ------------------------------------------------------------------ plain numbers and draws


def zeros(generator, shape, fans):
    return np.zeros(shape)


def ones(generator, shape, fans):
    return np.ones(shape)


def constant(generator, shape, fans, value):
    return np.full(shape, value)


def normal(generator, shape, fans, mean, std):
    return generator.normal(mean, std, shape)


def uniform(generator, shape, fans, low, high):
    return generator.uniform(low, high, shape)


CUT = 2.0  # standard deviations


def truncated_normal(generator, shape, fans, mean, std):
    drawn = generator.standard_normal(shape)
    beyond = np.abs(drawn) > CUT
    while beyond.any():
        drawn[beyond] = generator.standard_normal(np.count_nonzero(beyond))
        beyond = np.abs(drawn) > CUT
    return mean + std * drawn


def negative_spread(mean, std):
    return "`std` is negative" if std < 0 else None


def no_interval(low, high):
    if not isfinite(high - low):
        return "the interval is too wide"
    return "`high` is below `low`" if high < low else None


# ------------------------------------------------------------------ scaled by fans


def he_deviation(fans: Fans, fan: str, slope: float) -> float:
    return sqrt(2 / ((1 + slope**2) * fans[fan == "out"]))


def he_normal(generator, shape, fans, fan, slope):
    return generator.normal(0, he_deviation(fans, fan, slope), shape)


def he_uniform(generator, shape, fans, fan, slope):
    return spread(generator, shape, he_deviation(fans, fan, slope))


def xavier_normal(generator, shape, fans, gain):
    return generator.normal(0, abs(gain) * sqrt(2 / sum(fans)), shape)


def xavier_uniform(generator, shape, fans, gain):
    return spread(generator, shape, abs(gain) * sqrt(2 / sum(fans)))


def lecun_normal(generator, shape, fans):
    return generator.normal(0, sqrt(1 / fans[0]), shape)


def lecun_uniform(generator, shape, fans):
    return spread(generator, shape, sqrt(1 / fans[0]))


def spread(generator, shape, deviation: float) -> np.ndarray:
    """Even draws of this standard deviation: those from -b to b have b / √3."""
    bound = sqrt(3) * deviation
    return generator.uniform(-bound, bound, shape)


def orthogonal(generator, shape, fans, gain):
    rows, columns = (shape[0], prod(shape[1:])) if len(shape) > 1 else (1, prod(shape))
    q, r = np.linalg.qr(generator.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)  # else not every rotation is as likely
    return gain * (q if rows >= columns else q.T).reshape(shape)


HE = {"fan": "in", "slope": 0.0}
HE_TEXT = (
    " with variance 2 / ((1 + slope²) · fan), for ReLUs and leaky ones (He et al. 2015). It keeps "
    "the size of what passes through: with fan = \"in\", the inputs that an output sums, on the "
    "way forward, with \"out\", the outputs that an input reaches, of gradients on the way back. "
    "Strides do not count."
)
XAVIER_TEXT = (
    " with variance gain² · 2 / (fan_in + fan_out), for tanh and its like (Glorot & Bengio 2010). "
    "`gain` makes up for what an activation takes away: 5/3 is usual for tanh."
)
LECUN_TEXT = (
    " with variance 1 / fan_in, for linear and self-normalising layers (LeCun et al. 1998)."
)

INITIALIZERS = {
    row.name: row
    for row in (
        InitializerRow("zeros", {}, zeros, "0 everywhere."),
        InitializerRow("ones", {}, ones, "1 everywhere."),
        InitializerRow("constant", {"value": 0.0}, constant, "One value everywhere."),
        InitializerRow("normal", {"mean": 0.0, "std": 1.0}, normal, "Gaussian draws.",
                       negative_spread),
        InitializerRow("truncated_normal", {"mean": 0.0, "std": 1.0}, truncated_normal,
                       "Gaussian draws, those beyond two standard deviations drawn again. `std` is "
                       "that of the Gaussian before it is cut, as in PyTorch's trunc_normal_; what "
                       "is left has 0.88 of it.", negative_spread),
        InitializerRow("uniform", {"low": -1.0, "high": 1.0}, uniform, "Even draws.",
                       no_interval),
        InitializerRow("he_normal", HE, he_normal, "Gaussian" + HE_TEXT),
        InitializerRow("he_uniform", HE, he_uniform, "Even draws" + HE_TEXT),
        InitializerRow("xavier_normal", {"gain": 1.0}, xavier_normal, "Gaussian" + XAVIER_TEXT),
        InitializerRow("xavier_uniform", {"gain": 1.0}, xavier_uniform,
                       "Even draws" + XAVIER_TEXT),
        InitializerRow("lecun_normal", {}, lecun_normal, "Gaussian" + LECUN_TEXT),
        InitializerRow("lecun_uniform", {}, lecun_uniform, "Even draws" + LECUN_TEXT),
        InitializerRow("orthogonal", {"gain": 1.0}, orthogonal,
                       "A random rotation times `gain` (Saxe et al. 2014). The weight is taken as "
                       "a matrix with a row for each place of its first axis; its rows, or its "
                       "columns where these are fewer, are orthogonal and of length `gain`."),
    )
}


# ------------------------------------------------------------------ the variables of a graph


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
    row, shape = INITIALIZERS[chosen.name], variable.type.shape
    defaults = tuple(row.parameters.values())
    arguments = (*chosen.arguments, *defaults[len(chosen.arguments):])
    generator = np.random.Generator(stream(seed, variable.name))
    drawn = row.draw(generator, shape, chosen.fans or fans_of(shape), *arguments)
    return np.ascontiguousarray(drawn, dtype=dtype).reshape(drawn.shape)


def computed(value: Value, seed: int) -> np.ndarray:
    """A value that depends on random draws and constants alone, by the reference kernels."""
    nodes, keys = ancestry(value)
    arrays = {key: np.array([seed, 0], np.uint64) for key in keys}
    run_kernels(nodes, arrays)
    return arrays[value]
