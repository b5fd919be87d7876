"""Evaluation: losses and metrics averaged over rows, and the confusion matrix of a classifier.

Another engine than NumPy (ONNX Runtime, say) gives the model's outputs; losses and metrics are then
computed from those outputs by what remains of the graph once it is cut there, so that both engines
are measured by the same definitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from netdsl.backends.numpy import Results, Runner
from netdsl.data.draws import MEASURING
from netdsl.ir.graph import Emitter, Graph, Node, Value
from netdsl.ir.tensor import INTEGERS
from netdsl.rewrite.phases import infer, validate
from netdsl.rewrite.rebuild import rebuild
from netdsl.training.pooled import MEAN, pooled
from netdsl.weights import fit

Arrays = Mapping[str, np.ndarray]
Run = Callable[[Arrays], Arrays]


@dataclass(frozen=True)
class Evaluation:
    """`losses` and `metrics` by name, averaged over those of the `rows` that count. `confusion`
    [C, C] counts rows by true class (first axis) and predicted class; None where the model is no
    classifier."""

    rows: int
    losses: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    confusion: np.ndarray | None = None


@dataclass(frozen=True)
class Classifier:
    """The output that scores each class, float [B, C], and the input that holds the true one."""

    output: str
    label: str
    classes: int


def classifier(graph: Graph) -> Classifier | None:
    """The first output [B, C] for whose C there is an integer input [B] of range 0..C."""
    for output, scores in graph.outputs.items():
        if not scores.type.is_float or scores.type.rank != 2:
            continue
        for label, value in graph.inputs.items():
            if value.dtype not in INTEGERS or value.type.rank != 1:
                continue
            if label in graph.besides:  # some rows have no class
                continue
            if graph.ranges.get(label) == (0, scores.shape[1]):
                return Classifier(output, label, scores.shape[1])
    return None


class Evaluator:
    """Measures a model again and again, as its weights change in place.

    Losses that draw random numbers draw the same at every measurement, anew for each batch.
    `run` maps inputs to outputs, both by name; None: the NumPy engine. Losses and metrics that need
    inputs the batches lack are not an option: `inputs` are the names that every batch must have.
    Raises Refused for weights that do not fit.
    """

    def __init__(self, graph: Graph, weights: Arrays, run: Run | None = None):
        self._classifier, self._run = classifier(graph), run
        kept = [] if self._classifier is None else [self._classifier.output]
        outputs = {name: graph.outputs[name] for name in kept}
        sliced = validate(replace(graph, outputs=outputs))
        self.inputs = set(sliced.inputs)
        if self._classifier is not None:
            self.inputs.add(self._classifier.label)
        self._fed_outside: tuple[str, ...] = ()
        if run is not None:
            self._fed_outside = tuple(infer(graph).inputs)
            self.inputs.update(self._fed_outside)
            sliced = cut_at_outputs(validate(graph))
        figures = {**sliced.losses, **sliced.metrics}
        found = {name: pooled(value) for name, value in figures.items()}
        self._pooled = {name: each for name, each in found.items() if each is not None}
        kinds = {leaf: k for each in self._pooled.values() for leaf, k in each.leaves.items()}
        self._leaves = {leaf_output(i): leaf for i, leaf in enumerate(kinds)}
        self._means = {name for name, leaf in self._leaves.items() if kinds[leaf] == MEAN}
        sliced = replace(sliced, outputs={**sliced.outputs, **self._leaves})
        variables = fit(weights, sliced.variables, "the weights", exact=False)
        self._runner = Runner(sliced, variables)

    def over(self, batches: Iterable[Arrays]) -> Evaluation:
        """The averages over batches of inputs by name, each row that counts counting the same."""
        rows, totals, sums = 0, ({}, {}), dict.fromkeys(self._leaves, 0.0)
        confusion = None
        if self._classifier is not None:
            confusion = np.zeros((self._classifier.classes,) * 2, np.int64)
        for number, batch in enumerate(batches):
            outputs, results = self._measure(batch, (MEASURING, number))
            count = len(next(iter(batch.values())))
            rows += count
            for total, measured in zip(totals, (results.losses, results.metrics)):
                for name, value in measured.items():
                    total[name] = total.get(name, 0.0) + float(value) * count
            for name in sums:
                by = count if name in self._means else 1
                sums[name] += by * float(results.outputs[name])
            if confusion is not None:
                predicted = outputs[self._classifier.output].argmax(1)
                np.add.at(confusion, (batch[self._classifier.label], predicted), 1)
        losses, metrics = ({n: sum_ / rows for n, sum_ in total.items()} for total in totals)
        whole = {leaf: sums[name] / (rows if name in self._means else 1)
                 for name, leaf in self._leaves.items() if rows}
        for name, each in self._pooled.items() if rows else ():
            (losses if name in losses else metrics)[name] = each.figure(whole)
        return Evaluation(rows, losses, metrics, confusion)

    def _measure(self, batch: Arrays, key: tuple[int, int]) -> tuple[Arrays, Results]:
        """Outputs of one batch, and what was worked out of it."""
        if self._run is None:
            fed = {name: batch[name] for name in self._runner.graph.inputs}
            results = self._runner.run(fed, key)
            return results.outputs, results
        outputs = self._run({name: batch[name] for name in self._fed_outside})
        known = {**batch, **{output_input(name): array for name, array in outputs.items()}}
        fed = {name: known[name] for name in self._runner.graph.inputs}
        return outputs, self._runner.run(fed, key)


def evaluate(
    graph: Graph, weights: Arrays, batches: Iterable[Arrays], run: Run | None = None
) -> Evaluation:
    """A whole model measured once; see `Evaluator`."""
    return Evaluator(graph, weights, run).over(batches)


def leaf_output(number: int) -> str:
    """The output that holds a reduction over rows which is pooled."""
    return f"@leaf.{number}"


def output_input(name: str) -> str:
    """The input of a cut graph that takes the output `name`."""
    return f"@output.{name}"


def cut_at_outputs(graph: Graph) -> Graph:
    """What computes losses and metrics once the outputs are known: the outputs become inputs, and
    what only they needed is gone."""
    leaves = {
        value: Value(value.type, name=output_input(name))
        for name, value in graph.outputs.items() if value.node is not None
    }
    fed = {leaf.name: leaf for leaf in leaves.values()}

    def cut(node: Node, inputs: tuple[Value | None, ...], emit: Emitter):
        if not any(value in leaves for value in node.outputs):
            return None
        fresh = emit.outputs(node.op, inputs, node.attrs)
        return tuple(leaves.get(old, new) for old, new in zip(node.outputs, fresh))

    return rebuild(replace(graph, inputs={**graph.inputs, **fed}, outputs={}), cut)
