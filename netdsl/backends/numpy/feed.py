"""What is fed, against what is declared: names, dtypes, shapes, ranges, and the sizes of free
dimensions, which are read off the arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.feeding import (
    InputMissing, InputUnknown, OutOfRange, SizeUndetermined, WrongDtype, WrongRank, WrongSize,
)
from netdsl.ir.dim import Dim, free_symbols, substitute
from netdsl.ir.graph import Graph


def checked_inputs(
    graph: Graph, inputs: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """The arrays by name, and the sizes of the graph's free dimensions.

    Raises Refused with everything that does not fit.
    """
    report = Report()
    for name in inputs:
        if name not in graph.inputs:
            report.add(InputUnknown(name, tuple(graph.inputs)))
    arrays: dict[str, np.ndarray] = {}
    for name, value in graph.inputs.items():
        if name not in inputs:
            report.add(InputMissing(name, str(value.type)))
            continue
        array = np.asarray(inputs[name])
        if not converts(array.dtype, value.type.numpy_dtype):
            report.add(WrongDtype(name, str(array.dtype), str(value.type)))
        elif array.ndim != value.type.rank:
            report.add(WrongRank(name, array.shape, str(value.type)))
        else:
            arrays[name] = array
    if report.has_errors:
        raise Refused(*report.problems)
    sizes = free_sizes(graph, arrays, report)
    for name, (low, high) in graph.ranges.items():
        if name in arrays:
            check_range(name, arrays[name], low, high, report)
    if report.has_errors:
        raise Refused(*report.problems)
    return arrays, sizes


def converts(given: np.dtype, declared: np.dtype) -> bool:
    """Whether numbers go over by themselves: floats to floats, integers to wider integers."""
    if given.kind != declared.kind:
        return False
    return given.kind == "f" or np.can_cast(given, declared, "safe")


def free_sizes(
    graph: Graph, arrays: Mapping[str, np.ndarray], report: Report
) -> dict[str, int]:
    """The free dimensions, each from the first axis that determines it; then every axis of every
    input is held against what its declaration says with these sizes."""
    sizes: dict[str, int] = {}
    given: dict[str, str] = {}  # the input that determined a dimension
    axes = [
        (name, axis, dim, arrays[name].shape[axis])
        for name, value in graph.inputs.items()
        for axis, dim in enumerate(value.shape)
    ]
    # B itself comes before 2 * B, which comes before B * T
    for name, _, dim, size in sorted(axes, key=lambda entry: _difficulty(entry[2])):
        left = substitute(dim, sizes)
        if len(free_symbols(left)) == 1:
            symbol, = free_symbols(left)
            sizes[symbol], given[symbol] = solve(left, symbol, size), name
    for symbol in sorted(graph.symbols - sizes.keys()):
        report.add(SizeUndetermined(symbol))
    for name, axis, dim, size in axes:
        expected = substitute(dim, sizes)
        if isinstance(expected, int) and expected != size:
            others = {given[s] for s in free_symbols(dim)} - {name}
            report.add(WrongSize(name, axis, size, expected, str(dim), tuple(sorted(others))))
    return sizes


def _difficulty(dim: Dim) -> tuple[int, int]:
    return len(free_symbols(dim)), len(str(dim))


def solve(dim: Dim, symbol: str, size: int) -> int:
    """The value of the symbol that makes a linear expression equal to `size`, at least 1; for
    others a guess that the check which follows will refuse."""
    at_one, at_two = substitute(dim, {symbol: 1}), substitute(dim, {symbol: 2})
    slope = at_two - at_one
    return max(1, 1 + (size - at_one) // slope) if slope else 1


def check_range(name: str, array: np.ndarray, low: int, high: int, report: Report) -> None:
    """Report the first element outside `low..high`, which excludes `high`."""
    if array.size and (array.min() < low or array.max() >= high):
        outside = np.argwhere((array < low) | (array >= high))
        where = tuple(int(i) for i in outside[0])
        report.add(OutOfRange(name, where, int(array[where]), low, high, len(outside)))


