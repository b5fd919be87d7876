"""Initialisers: moments, bounds and fans of what they draw. No threshold is tuned: an estimate from
N draws may be FAR of its own standard errors away, which chance alone exceeds once in two million
times."""

from __future__ import annotations

from math import erf, exp, log, pi, prod, sqrt

import numpy as np
import pytest

from netdsl.ir.graph import Initializer, Value, Variable
from netdsl.ir.tensor import TensorType
from netdsl.layers.initializers import INITIALIZERS, initial
import netdsl

FAR = 5.0
SHAPE = (128, 64, 3, 3)  # fans 64 · 9 and 128 · 9
COUNT = prod(SHAPE)
IN, OUT = 64 * 9, 128 * 9
KURTOSIS = {"normal": 3.0, "uniform": 9 / 5}  # E[(x - μ)⁴] / σ⁴


def drawn(name: str, *arguments, shape=SHAPE, fans=None, seed=0, of="w", dtype="f32") -> np.ndarray:
    value = Value(TensorType(dtype, shape), name=of)
    return initial(Variable(of, "parameter", value, Initializer(name, arguments, fans)), seed)


def phi(x: float) -> float:
    return exp(-x * x / 2) / sqrt(2 * pi)


def cut_moments() -> tuple[float, float]:
    """Variance and kurtosis of the standard normal distribution cut at ±2, from
    ∫ x² φ = Φ - x φ and ∫ x⁴ φ = 3 ∫ x² φ - x³ φ."""
    inside = erf(2 / sqrt(2))
    second = 1 - 4 * phi(2) / inside
    fourth = 3 * second - 16 * phi(2) / inside
    return second, fourth / second**2


def check_moments(draws: np.ndarray, mean: float, variance: float, kurtosis: float) -> None:
    """The mean's standard error is σ / √N, the variance's σ² √((κ - 1) / N)."""
    count, deviation = draws.size, sqrt(variance)
    assert abs(draws.mean(dtype=np.float64) - mean) < FAR * deviation / sqrt(count)
    found = np.mean((draws.astype(np.float64) - mean) ** 2)
    assert abs(found - variance) < FAR * variance * sqrt((kurtosis - 1) / count)


def check_distribution(draws: np.ndarray, below) -> None:
    """Kolmogorov and Smirnov: the largest gap to the distribution function exceeds √(ln(2/α) / 2N)
    with probability α, here that of FAR."""
    ranked = np.sort(draws, axis=None).astype(np.float64)
    steps = np.arange(ranked.size + 1) / ranked.size
    expected = np.array([below(x) for x in ranked])
    gap = max(np.abs(steps[1:] - expected).max(), np.abs(steps[:-1] - expected).max())
    alpha = 1 - erf(FAR / sqrt(2))
    assert gap < sqrt(log(2 / alpha) / (2 * ranked.size))


SCALED = {
    ("he_normal",): 2 / IN,
    ("he_normal", "out"): 2 / OUT,
    ("he_normal", "in", 0.5): 2 / (1.25 * IN),
    ("he_uniform",): 2 / IN,
    ("he_uniform", "out", 0.5): 2 / (1.25 * OUT),
    ("xavier_normal",): 2 / (IN + OUT),
    ("xavier_uniform",): 2 / (IN + OUT),
    ("xavier_uniform", 5 / 3): 25 / 9 * 2 / (IN + OUT),
    ("lecun_normal",): 1 / IN,
    ("lecun_uniform",): 1 / IN,
}


@pytest.mark.parametrize("row", SCALED, ids=str)
def test_variance_by_the_fans(row):
    draws, kind = drawn(*row), row[0].partition("_")[2]
    check_moments(draws, 0, SCALED[row], KURTOSIS[kind])
    if kind == "uniform":  # of variance b²/3
        assert np.abs(draws).max() <= np.float32(sqrt(3 * SCALED[row]))


def test_plain_draws():
    check_moments(drawn("normal", 0.5, 2.0), 0.5, 4.0, 3.0)
    check_distribution(drawn("normal", 0.5, 2.0)[:, 0],
                       lambda x: (1 + erf((x - 0.5) / sqrt(8))) / 2)
    even = drawn("uniform", -1.0, 3.0)
    check_moments(even, 1.0, 16 / 12, KURTOSIS["uniform"])
    check_distribution(even[:, 0], lambda x: (x + 1) / 4)
    assert -1 <= even.min() and even.max() <= 3


def test_a_normal_distribution_cut_at_two_deviations():
    draws = drawn("truncated_normal", 0.5, 0.02)
    variance, kurtosis = cut_moments()
    assert sqrt(variance) == pytest.approx(0.8796, abs=1e-4)  # what the page says: 0.88
    check_moments(draws, 0.5, 0.02**2 * variance, kurtosis)
    assert np.abs(draws.astype(np.float64) - 0.5).max() <= 0.04 + 1e-7
    inside = erf(2 / sqrt(2))
    check_distribution(draws[:, 0], lambda x: 0.5 + erf((x - 0.5) / 0.02 / sqrt(2)) / 2 / inside)


@pytest.mark.parametrize("shape", [(64, 16, 3, 3), (200, 3, 3, 3), (32, 32), (5, 1), (1, 7), (9,)])
@pytest.mark.parametrize("gain", [1.0, 1.5])
def test_orthogonal(shape, gain):
    rows = (shape[0], prod(shape[1:])) if len(shape) > 1 else (1, shape[0])
    w = drawn("orthogonal", gain, shape=shape).reshape(rows).astype(np.float64)
    product = w @ w.T if rows[0] <= rows[1] else w.T @ w
    assert np.abs(product / gain**2 - np.eye(min(rows))).max() < 1e-6


def test_every_rotation_is_as_likely():
    """An element of a rotation of n axes has mean 0 and variance 1/n; those of a QR
    decomposition as it comes have a sign of their own."""
    size, count = 4, 2000
    corners = np.array([
        drawn("orthogonal", shape=(size, size), seed=seed)[[0, 1, 3], [0, 1, 3]]
        for seed in range(count)
    ])
    assert (np.abs(corners.mean(0)) < FAR * sqrt(1 / size / count)).all()
    # E x⁴ = 3 / n (n + 2): the variance of x² is 3 / n (n + 2) - 1 / n²
    error = sqrt((3 / (size * (size + 2)) - 1 / size**2) / count)
    assert (np.abs((corners**2).mean(0) - 1 / size) < FAR * error).all()


def test_constants():
    assert (drawn("zeros") == 0).all() and (drawn("ones") == 1).all()
    assert (drawn("constant", 0.25) == 0.25).all()
    assert (drawn("normal", 0.5, 0.0) == 0.5).all() and (drawn("orthogonal", 0.0) == 0).all()


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4), (0, 3), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["f16", "f64"])
def test_any_shape_and_dtype(name, shape, dtype):
    array = drawn(name, shape=shape, dtype=dtype)
    assert array.shape == shape and array.dtype == {"f16": np.float16, "f64": np.float64}[dtype]
    assert np.isfinite(array).all()


@pytest.mark.parametrize("name", [name for name in INITIALIZERS
                                  if name not in ("zeros", "ones", "constant")])
def test_draws_depend_on_seed_and_name_alone(name):
    assert np.array_equal(drawn(name), drawn(name))
    assert not np.array_equal(drawn(name), drawn(name, seed=1))
    assert not np.array_equal(drawn(name), drawn(name, of="v"))


# ------------------------------------------------------------------ fans, from the text of a layer

LAYERS = {  # in a text: the layer, what goes in, inputs that an output sums, outputs of an input
    "conv{8, k = 3}": ("f32[B, 4, 9, 9]", 36, 72),
    "conv{8, k = (3, 5), stride = 2, groups = 2}": ("f32[B, 4, 9, 9]", 30, 60),
    "conv{8, k = 3}(1d)": ("f32[B, 4, 9]", 12, 24),
    "deconv{8, k = 4, stride = 2}": ("f32[B, 4, 9, 9]", 64, 128),
    "deconv{8, k = 4, groups = 4}": ("f32[B, 4, 9, 9]", 16, 32),
    "local_conv{8, k = 3}": ("f32[B, 4, 9, 9]", 36, 72),
    "linear{24}": ("f32[B, 6]", 6, 24),
    "weightnorm_linear{24}": ("f32[B, 6]", 6, 24),
}


def weight_of(layer: str, type: str, init: str, tmp_path) -> np.ndarray:
    """The first parameter of a layer that begins so."""
    file = tmp_path / "m.net"
    made = layer.partition("}")[0] + f", init = {init}}}"
    file.write_text(f"net 1\nmodel M {{\n    input x: {type}\n    output y = x -> a: {made}\n}}\n")
    return next(iter(netdsl.load(str(file)).initialize(0).values()))


@pytest.mark.parametrize("layer", LAYERS)
def test_fans_of_layers(layer, tmp_path):
    """Even draws of a known bound tell the fans: over N of them, the largest falls short of it by
    more than a share s with probability (1 - s)^N."""
    type, fan_in, fan_out = LAYERS[layer]
    for init, variance in ((f'he_uniform(fan = "{side}")', 2 / fan) for side, fan in
                           (("in", fan_in), ("out", fan_out))):
        weight = weight_of(layer, type, init, tmp_path)
        bound, largest = sqrt(3 * variance), float(np.abs(weight).max())
        short = 1 - 1e-6 ** (1 / weight.size)
        assert (1 - short) * bound < largest <= bound * (1 + 1e-6), init


def test_an_embedding_sums_nothing(tmp_path):
    """Its rows come out as they are, so that LeCun's variance is 1."""
    weight = weight_of("embedding{500, 40}", "i64[B] in 0..500", "lecun_normal()", tmp_path)
    check_moments(weight, 0, 1.0, 3.0)


RESIDUAL = """net 1
layer Residual{c}(x) {
    main = x -> conv1: conv{c, k = 3, pad = 1, init = orthogonal(gain = 0.5)} -> bn1: batchnorm{}
             -> relu -> conv2: conv{c, k = 3, pad = 1} -> bn2: batchnorm{init = zeros()}
    return x + main
}
model M {
    input x: f32[B, 6, 5, 5]
    output y = x -> block: Residual{6}
    loss apart = mean((y - 2 * x) ** 2)
}
"""


def test_a_residual_branch_that_begins_as_zero(tmp_path):
    """The block is the identity at first, and its branch learns nevertheless."""
    file = tmp_path / "m.net"
    file.write_text(RESIDUAL)
    model = netdsl.load(str(file))
    weights = model.initialize(0)
    x = np.random.default_rng(0).normal(size=(4, 6, 5, 5)).astype(np.float32)
    assert np.array_equal(model.run({"x": x}, weights)["y"], x)
    _, gradients = model.gradients({"x": x}, weights)
    assert np.abs(gradients["block.bn2.weight"]).max() > 0.01
    assert (gradients["block.conv1.weight"] == 0).all()  # until the scale has moved
