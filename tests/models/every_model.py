"""The models of the repository with what is known of each by hand, and inputs to run them on.

A new file in `models/` needs a row here: `test_every_model_has_a_row` asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netdsl.compiler import Built, build, open_file
from netdsl.diagnostics import Report
from netdsl.ir.graph import Graph
from netdsl.resources import models_folder


@dataclass(frozen=True)
class Known:
    """Parameters of inference; `training_only` those that training has besides; `buffers` of
    training; multiply-accumulates of inference for one example where they are counted by hand."""

    parameters: int
    buffers: int = 0
    macs: int | None = None
    training_only: int = 0


def conv(cin: int, cout: int, k: int, bias: bool = False) -> int:
    """Parameters of a convolution with a square kernel."""
    return cin * cout * k * k + (cout if bias else 0)


def linear(features: int, out: int) -> int:
    return features * out + out


def norm(c: int) -> int:
    return 2 * c


def conv_bn(cin: int, cout: int, k: int) -> int:
    return conv(cin, cout, k) + norm(cout)


def residual() -> int:
    """Stem of 16, stages of one block each with 16, 32, 64 channels, 10 classes."""
    total, c = conv_bn(1, 16, 3), 16
    for wide in (16, 32, 64):
        total += conv_bn(c, wide, 3) + conv_bn(wide, wide, 3)
        total += conv_bn(c, wide, 1) if wide != c else 0
        c = wide
    return total + linear(64, 10)


def dense() -> tuple[int, int]:
    """Parameters and buffers: three blocks of four layers that add 12 channels each."""
    total, norms, c = conv(1, 24, 3), 0, 24
    for block in range(3):
        for _ in range(4):
            total += norm(c) + conv(c, 48, 1) + norm(48) + conv(48, 12, 3)
            norms += norm(c) + norm(48)
            c += 12
        if block < 2:
            total += norm(c) + conv(c, c // 2, 1)
            norms += norm(c)
            c //= 2
    return total + norm(c) + linear(c, 10), norms + norm(c)


def bottlenecks() -> tuple[int, int]:
    """Parameters and buffers of the ResNet below: one block of 64, one of 128, ten classes."""
    total, norms, cin = conv_bn(3, 64, 7), norm(64), 64
    for c in (64, 128):
        total += conv_bn(cin, c, 1) + conv_bn(c, c, 3) + conv_bn(c, 4 * c, 1)
        total += conv_bn(cin, 4 * c, 1)
        norms += norm(c) + norm(c) + norm(4 * c) + norm(4 * c)
        cin = 4 * c
    return total + linear(cin, 10), norms


def inception() -> tuple[int, int]:
    """Parameters of inference, and of the auxiliary head."""

    def module(c, one, reduce3, three, reduce5, five, pool):
        return (conv_bn(c, one, 1) + conv_bn(c, reduce3, 1) + conv_bn(reduce3, three, 3)
                + conv_bn(c, reduce5, 1) + conv_bn(reduce5, five, 5) + conv_bn(c, pool, 1))

    body = conv_bn(1, 32, 3) + module(32, 16, 16, 32, 8, 16, 16)
    body += module(80, 32, 24, 48, 8, 24, 24) + module(128, 48, 32, 64, 12, 32, 32)
    head = conv_bn(128, 32, 1) + linear(2 * 2 * 32, 64) + linear(64, 10)
    return body + linear(176, 10), head


def cifar(depth: int) -> Known:
    """A network for 32×32 pixels with 6n + 2 layers; the shortcuts have no parameters."""
    total, norms, macs, c = conv_bn(3, 16, 3), norm(16), 32 * 32 * conv(3, 16, 3), 16
    for wide, side in ((16, 32), (32, 16), (64, 8)):
        for _ in range(2 * (depth // 6)):
            total += conv_bn(c, wide, 3)
            norms += norm(wide)
            macs += side * side * conv(c, wide, 3)
            c = wide
    return Known(total + linear(64, 10), norms, macs + 640)


def vgg(channels: int, side: int, widths: tuple[int, ...], hidden: int) -> Known:
    """Two convolutions and a pool for each width, then two matrices."""
    total, macs, c = 0, 0, channels
    for wide in widths:
        total += conv(c, wide, 3, bias=True) + conv(wide, wide, 3, bias=True)
        macs += side * side * (conv(c, wide, 3) + conv(wide, wide, 3))
        c, side = wide, side // 2
    features = c * side * side
    total += linear(features, hidden) + linear(hidden, 10)
    return Known(total, macs=macs + features * hidden + hidden * 10)


def autoencoder() -> int:
    """Encoder and decoder around a code of 32 numbers; 7×7 pixels at the narrowest."""
    narrow = 32 * 7 * 7
    encoder = conv_bn(1, 16, 3) + conv_bn(16, 32, 3) + linear(narrow, 32)
    return encoder + linear(32, narrow) + conv_bn(32, 16, 4) + conv(16, 1, 4, bias=True)


# by file, or by file and model where a file's models differ
KNOWN = {
    "digits": Known(
        conv_bn(1, 16, 3) + conv_bn(16, 32, 3) + linear(32 * 4 * 4, 64) + linear(64, 10),
        buffers=norm(16) + norm(32),
        macs=64 * conv(1, 16, 3) + 64 * conv(16, 32, 3) + 512 * 64 + 640,
    ),
    # 61,706: the count that is published for it
    "lenet": Known(61_706, macs=784 * 150 + 100 * 16 * 150 + 120 * 400 + 84 * 120 + 840),
    "mlp": Known(linear(784, 256) + linear(256, 128) + linear(128, 10),
                 macs=784 * 256 + 256 * 128 + 1280),
    "fashion_resnet": Known(residual(), buffers=2 * (16 * 3 + 32 * 3 + 64 * 3)),
    "densenet_small": Known(dense()[0], buffers=dense()[1]),
    "inception_small": Known(
        inception()[0], training_only=inception()[1],
        buffers=2 * (32 + 104 + 160 + 220 + 32),
    ),
    "resnet": Known(bottlenecks()[0], buffers=bottlenecks()[1]),
    "resnet_cifar": cifar(8),
    "vgg_small:VggSmall": vgg(1, 28, (16, 32, 64), 128),
    "vgg_small:VggCifar": vgg(3, 32, (32, 64, 128), 256),
    "autoencoder": Known(autoencoder(), buffers=norm(16) + norm(32) + norm(16)),
    "two_heads": Known(
        conv(1, 16, 3, True) + conv(16, 32, 3, True) + linear(32 * 7 * 7, 64)
        + linear(64, 10) + linear(64, 4),
        macs=784 * 9 * 16 + 196 * 16 * 9 * 32 + 32 * 7 * 7 * 64 + 64 * 14,
    ),
    # the trunk is counted once in parameters and twice in work
    "siamese": Known(
        conv(1, 16, 5, True) + conv(16, 32, 5, True) + linear(32 * 4 * 4, 128) + 128 * 16,
        macs=2 * (24 * 24 * 25 * 16 + 8 * 8 * 16 * 25 * 32 + 512 * 128 + 128 * 16),
    ),
}
FILES = sorted(models_folder().glob("*.net"))
# Networks too large to run in a test: the models that stand for the file, and their attributes.
SMALLER: dict[str, list[tuple[str, dict[str, str]]]] = {
    "resnet": [("ResNet", {"depths": "[1, 1]", "size": "64", "classes": "10"})],
    "resnet_cifar": [("ResNet20", {"depth": "8"}), ("Plain20", {"depth": "8"})],
}
BATCH = 5


@dataclass(frozen=True)
class Case:
    """One model or preset of a file."""

    file: str
    model: str
    built: Built

    @property
    def graph(self) -> Graph:
        return self.built.graph

    @property
    def known(self) -> Known:
        return KNOWN.get(str(self)) or KNOWN[self.file]

    def __str__(self) -> str:
        return f"{self.file}:{self.model}"


def cases() -> list[Case]:
    """Every model and preset of every file, built; of large ones a smaller model."""
    return [case for path in FILES for case in cases_of(path)]


def cases_of(path: Path) -> list[Case]:
    report = Report()
    module = open_file(path, report)
    chosen = SMALLER.get(path.stem, [(name, {}) for name in module.models])
    return [
        Case(path.stem, name, build(module, module.models[name], report, attributes))
        for name, attributes in chosen
    ]


def random_inputs(graph: Graph, batch: int = BATCH, seed: int = 0) -> dict[str, np.ndarray]:
    """Standard normal floats, integers from their range; every free dimension is the batch."""
    generator = np.random.default_rng(seed)
    inputs = {}
    for name, value in graph.inputs.items():
        type = value.type.substitute(dict.fromkeys(graph.symbols, batch))
        if type.is_float:
            drawn = generator.standard_normal(type.shape)
        else:
            drawn = generator.integers(*graph.ranges.get(name, (0, 2)), type.shape)
        inputs[name] = drawn.astype(type.numpy_dtype)
    return inputs


def worn_weights(weights: Mapping[str, np.ndarray], seed: int = 0) -> dict[str, np.ndarray]:
    """Weights as training may leave them: statistics away from 0 and 1, biases away from 0."""
    generator = np.random.default_rng(seed)
    worn = {}
    for name, array in weights.items():
        moved = array + 0.1 * generator.standard_normal(array.shape)
        worn[name] = np.abs(moved).astype(array.dtype) if "var" in name else moved.astype(
            array.dtype)
    return worn
