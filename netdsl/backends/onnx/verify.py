"""An ONNX file against the network it was made from: both run on random inputs and compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, product

import numpy as np

from netdsl.backends.onnx.session import Session
from netdsl.diagnostics import Refused
from netdsl.diagnostics.onnx import Disagreement, NoSizesFit, OutputNotFinite
from netdsl.ir.dim import free_symbols
from netdsl.ir.graph import Graph, Value
from netdsl.ir.op import ShapeError
from netdsl.rewrite.specialize import specialize

TOLERANCE = 1e-4
HALF_TOLERANCE = 1e-2  # f16 resolves 1e-3
LEADING_SIZES = (1, 3)  # of free first axes: the batch, and one that is no special case
MORE_ROWS = (2, 4, 6, 8, 64)  # where these do not fit what the graph assumes of the batch
OTHER_SIZES = (8, 32, 128, 224, 1024, 7, 9, 16, 17)  # of other free axes
MOST_CANDIDATES = 10_000  # held against what the graph assumes
MOST_TRIED = 20  # of those against its shape rules


def largest_difference(
    session: Session, graph: Graph, weights: Mapping[str, np.ndarray], seed: int = 0
) -> float:
    """The largest difference of any output on random inputs, relative to the output's largest
    element, with two sizes of the batch where it is free.

    Raises Refused: N808 above the tolerance, N809 for outputs that are NaN, N810 where no sizes
    fit, N807 for what the runtime refuses.
    """
    from netdsl.backends.numpy import Runner

    runner = Runner(graph, weights)
    generator = np.random.default_rng(seed)
    largest = 0.0
    for sizes, sized in trials(graph):
        inputs = {
            name: random_input(generator, value, graph.ranges.get(name))
            for name, value in sized.inputs.items()
        }
        with np.errstate(all="ignore"):
            expected = runner.run(inputs).outputs
        found = session.run(inputs)
        largest = max(largest, compare(graph, found, expected, shown_sizes(sizes)))
    return largest


def trials(graph: Graph) -> Iterator[tuple[dict[str, int], Graph]]:
    """Sizes for the free dimensions, and the graph with them. Raises Refused (N810)."""
    leading = set().union(
        *(free_symbols(value.shape[0]) for value in graph.inputs.values() if value.shape)
    )
    for batch in LEADING_SIZES if leading else LEADING_SIZES[:1]:
        yield fitting(graph, sorted(leading), sorted(graph.symbols - leading), batch)


def fitting(
    graph: Graph, leading: list[str], others: list[str], batch: int
) -> tuple[dict[str, int], Graph]:
    """The first sizes that fit every assumption and shape rule."""
    reason, tried = "", 0
    for sizes in islice(candidates(leading, others, batch), MOST_CANDIDATES):
        if not all(each.relation.holds(sizes) for each in graph.assumptions):
            reason = reason or "none that were tried fit what it assumes of them"
            continue
        try:
            return sizes, specialize(graph, sizes)
        except (ShapeError, ZeroDivisionError) as error:
            reason, tried = str(error), tried + 1
        if tried == MOST_TRIED:
            break
    raise Refused(NoSizesFit(graph.name, (*leading, *others), reason))


def candidates(leading: list[str], others: list[str], batch: int) -> Iterator[dict[str, int]]:
    """All other axes growing together, for several batches; then each with each."""
    rows, sizes = (batch, *MORE_ROWS), OTHER_SIZES if others else OTHER_SIZES[:1]
    for count, size in product(rows, sizes):
        yield {**dict.fromkeys(leading, count), **dict.fromkeys(others, size)}
    for chosen in product(*[rows] * len(leading), *[sizes] * len(others)):
        yield dict(zip((*leading, *others), chosen))


def random_input(
    generator: np.random.Generator, value: Value, bounds: tuple[int, int] | None
) -> np.ndarray:
    """Standard normal floats; integers from their range, or 0 and 1; fair bools."""
    dtype = value.type.numpy_dtype
    if value.type.is_float:
        return generator.standard_normal(value.shape).astype(dtype)
    low, high = bounds or (0, 2)
    return generator.integers(low, high, value.shape).astype(dtype)


def compare(
    graph: Graph, found: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], sizes: str
) -> float:
    """The largest difference over the outputs. Raises Refused (N808, N809)."""
    differences = {name: difference(found[name], expected[name]) for name in graph.outputs}
    broken = tuple(name for name, apart in differences.items() if apart is None)
    if broken:
        raise Refused(OutputNotFinite(broken, sizes))
    problems = []
    for name, apart in differences.items():
        value = graph.outputs[name]
        tolerance = HALF_TOLERANCE if value.dtype in ("f16", "bf16") else TOLERANCE
        if apart > tolerance:
            span = None if value.node is None else value.node.span
            problems.append(Disagreement(name, apart, tolerance, sizes, span))
    if problems:
        raise Refused(*problems)
    return max(differences.values(), default=0.0)


def difference(found: np.ndarray, expected: np.ndarray) -> float | None:
    """max |found - expected| / max |expected|; of integers and bools the share of elements that
    differ. Infinite elements must agree and do not count. None: both are NaN somewhere."""
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return float("inf")
    if not expected.size:
        return 0.0
    if expected.dtype.kind != "f":
        return float(np.mean(found != expected))
    if np.isnan(expected).any():
        return None if np.array_equal(np.isnan(found), np.isnan(expected)) else float("inf")
    finite = np.isfinite(expected)
    if not np.where(finite, np.isfinite(found), found == expected).all():
        return float("inf")
    scale = float(np.abs(expected[finite], dtype=np.float64).max(initial=0.0))
    apart = np.abs(np.subtract(found[finite], expected[finite], dtype=np.float64))
    largest = float(apart.max(initial=0.0))
    if not largest:
        return 0.0
    return largest / scale if scale else float("inf")


def shown_sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes.items())
