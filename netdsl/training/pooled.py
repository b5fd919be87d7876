"""Figures of a whole data set from batches, where a mean of means would be wrong.

A loss that leaves rows out or weighs them is Σ losses / Σ weights. Over several batches both sums
are added up before they are divided, so that every row that counts counts the same: what is pooled
are the reductions over rows from which a figure is worked out by numbers alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from netdsl.ir.graph import Node, Value, run_kernels

SUM, MEAN = "sum", "mean"  # how a reduction over rows is pooled: added up, or averaged by rows
KEEPS = ("add", "subtract", "maximum", "minimum", "negative", "cast", "stop_grad", "finite")


@dataclass(frozen=True, eq=False)
class Pooled:
    """How a figure follows from reductions over rows: `leaves` maps each to SUM or MEAN, `nodes`
    work on single numbers from there to `root`."""

    root: Value
    leaves: Mapping[Value, str]
    nodes: tuple[Node, ...]

    def figure(self, totals: Mapping[Value, float]) -> float:
        """The figure for leaves that are pooled over the data set."""
        numbers = {leaf: np.asarray(totals[leaf], leaf.type.numpy_dtype) for leaf in self.leaves}
        with np.errstate(all="ignore"):
            run_kernels(self.nodes, numbers)
        return float(numbers[self.root])


def pooled(root: Value) -> Pooled | None:
    """How a figure is pooled; None where its mean over rows is all there is to say: for a plain
    mean, and for what is no ratio of sums.

    Sums grow with the rows (degree 1), means do not (0). The figure must not, and somewhere a sum
    must be divided by another.
    """
    walk = _Walk()
    try:
        degree = walk.degree(root)
    except _NotPooled:
        return None
    if degree or not walk.divides:
        return None
    return Pooled(root, walk.leaves, tuple(walk.nodes))


class _NotPooled(Exception):
    """A figure that cannot be worked out of pooled reductions."""


class _Walk:
    """From a figure back to the reductions over rows. Figures are a few nodes deep."""

    def __init__(self) -> None:
        self.leaves: dict[Value, str] = {}
        self.nodes: dict[Node, None] = {}
        self.divides = False  # a sum by a sum
        self._degrees: dict[Value, int | None] = {}

    def degree(self, value: Value) -> int | None:
        """How a number grows with the rows; None for what rests on no row. Raises _NotPooled."""
        if value not in self._degrees:
            self._degrees[value] = self._of(value)
        return self._degrees[value]

    def _of(self, value: Value) -> int | None:
        node = value.node
        if value.shape or len(self.nodes) > 1000:
            raise _NotPooled
        if node is None or any(v is not None and v.shape for v in node.inputs):
            return self._leaf(value)
        degrees = [self.degree(v) for v in node.inputs if v is not None]
        self.nodes[node] = None
        known = {degree for degree in degrees if degree is not None}
        if not known:
            return None
        if node.op.name in KEEPS and len(known) == 1:
            return known.pop()
        if node.op.name in ("multiply", "divide"):
            first, second = (degree or 0 for degree in degrees)
            self.divides |= node.op.name == "divide" and first == second == 1
            return first + second if node.op.name == "multiply" else first - second
        if known == {0}:
            return 0
        raise _NotPooled

    def _leaf(self, value: Value) -> int | None:
        node = value.node
        by_rows = node is not None and any(v is not None and v.type.symbols for v in node.inputs)
        if by_rows and node.op.name not in (SUM, MEAN):
            raise _NotPooled
        self.leaves[value] = SUM if by_rows and node.op.name == SUM else MEAN
        return (1 if node.op.name == SUM else 0) if by_rows else None
