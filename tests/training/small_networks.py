"""Networks of a few neurons and programs to train them, made by hand or from a text."""

from __future__ import annotations

from typing import Any

import numpy as np

from netdsl.build.modules import load_module
from netdsl.compiler import Built, build, choose
from netdsl.data.dataset import Dataset
from netdsl.diagnostics import Report
from netdsl.ir.dim import symbol
from netdsl.ir.graph import Emitter, Graph, Initializer, Value, Variable
from netdsl.ir.program import Minimize, Pattern, Recipe, Step, TrainProgram
from netdsl.ir.tensor import TensorType
from netdsl.ops.elementwise import cast, equal, multiply, relu
from netdsl.ops.loss import cross_entropy
from netdsl.ops.matmul import linear
from netdsl.ops.norm import batch_norm
from netdsl.ops.random import dropout
from netdsl.ops.reduction import argmax, mean, sum_
from netdsl.source import Source

B = symbol("B")
NORMAL, ZEROS, ONES = Initializer("normal", (0.0, 0.5)), Initializer("zeros"), Initializer("ones")


class Building:
    """A graph under construction: leaves by name, nodes by `emit`."""

    def __init__(self) -> None:
        self.emit = Emitter()
        self.inputs: dict[str, Value] = {}
        self.variables: dict[str, Variable] = {}
        self.updates: dict[str, Value] = {}

    def input(self, name: str, dtype: str, *shape: Any) -> Value:
        self.inputs[name] = Value(TensorType(dtype, shape), name=name)
        return self.inputs[name]

    def parameter(self, name: str, *shape: int, kind: str = "parameter",
                  begin: Initializer = NORMAL) -> Value:
        value = Value(TensorType("f32", shape), name=name)
        self.variables[name] = Variable(name, kind, value, begin)
        return value

    def linear(self, path: str, x: Value, outputs: int) -> Value:
        self.emit.path = path
        weight = self.parameter(f"{path}.weight", outputs, x.shape[-1])
        bias = self.parameter(f"{path}.bias", outputs, begin=ZEROS)
        return self.emit(linear, x, weight, bias)

    def batch_norm(self, path: str, x: Value) -> Value:
        self.emit.path = path
        count = x.shape[1]
        weight = self.parameter(f"{path}.weight", count, begin=ONES)
        bias = self.parameter(f"{path}.bias", count, begin=ZEROS)
        average = self.parameter(f"{path}.mean", count, kind="buffer", begin=ZEROS)
        variance = self.parameter(f"{path}.variance", count, kind="buffer", begin=ONES)
        y, average, variance, *_ = self.emit(batch_norm, x, weight, bias, average, variance)
        self.updates |= {f"{path}.mean": average, f"{path}.variance": variance}
        return y

    def loss(self, logits: Value, label: Value) -> Value:
        rows, _ = self.emit(cross_entropy, logits, label)
        return self.emit(mean, rows, axes=(0,))

    def accuracy(self, logits: Value, label: Value) -> Value:
        hits = self.emit(equal, self.emit(argmax, logits, axis=1), label)
        return self.emit(mean, self.emit(cast, hits, dtype="f32"), axes=(0,))


def perceptron(features: int = 4, hidden: int = 6, classes: int = 3) -> Graph:
    """x → fc1 → bn → relu → dropout → fc2 → logits, with a second head `aux` on the hidden layer:
    losses `ce`, `side` and their weighted sum `total`, metric `top1`."""
    made = Building()
    key = Value(TensorType("u64", (2,)), name="key")
    x, label = made.input("x", "f32", B, features), made.input("label", "i64", B)
    h = made.emit(relu, made.batch_norm("bn", made.linear("stem.fc1", x, hidden)))
    made.emit.path = "stem.drop"
    h, _ = made.emit(dropout, h, key, p=0.25, stream="stem.drop")
    logits, aux = made.linear("fc2", h, classes), made.linear("aux", h, classes)
    made.emit.path = ""
    ce, side = made.loss(logits, label), made.loss(aux, label)
    top1 = made.accuracy(logits, label)
    return Graph(
        name="Perceptron", nodes=tuple(made.emit.nodes), inputs=made.inputs,
        variables=made.variables, outputs={"logits": logits}, losses={"ce": ce, "side": side},
        metrics={"top1": top1}, updates=made.updates, key=key,
        ranges={"label": (0, classes)},
    )


def product(size: int = 4) -> Graph:
    """The loss Σ p·g: its gradient for the parameter p is the input g."""
    made = Building()
    g, p = made.input("g", "f32", size), made.parameter("p", size)
    total = made.emit(sum_, made.emit(multiply, p, g), axes=(0,))
    return Graph(
        name="Product", nodes=tuple(made.emit.nodes), inputs=made.inputs,
        variables=made.variables, outputs={}, losses={"total": total},
    )


def program(*minimize: Minimize, **fields: Any) -> TrainProgram:
    """A program; without a `minimize` it takes `ce` down with Adam."""
    steps = (Step("", minimize or (Minimize("ce", (), recipe("adam", 0.01)),)),)
    told = {"data": None, "batch": 8, "epochs": 2, "feeds": (), "steps": steps, **fields}
    return TrainProgram(name=None, model="Perceptron", **told)


def recipe(name: str, *arguments: Any, **keywords: Any) -> Recipe:
    return Recipe(name, arguments, keywords)


def paths(*written: str) -> tuple[Pattern, ...]:
    return tuple(map(Pattern.of, written))


def blobs(rows: int = 50, held: int = 19, features: int = 4, classes: int = 3) -> Dataset:
    """Rows around one point for each class: learnt in a few steps."""
    drawn = np.random.default_rng(7)
    centres = 2 * drawn.normal(size=(classes, features))

    def some(count: int) -> dict[str, np.ndarray]:
        label = drawn.integers(0, classes, count)
        x = centres[label] + drawn.normal(size=(count, features))
        return {"x": x.astype(np.float32), "label": label}

    return Dataset.of(some(rows), some(held), tuple("abc"[:classes]))


def built(text: str) -> Built:
    """The last model of a text with its program. Raises Refused."""
    report = Report()
    module = load_module(Source("test.net", text), report)
    return build(module, choose(module, None), report)
