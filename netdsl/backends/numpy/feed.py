"""What is fed, against what is declared: names, dtypes, shapes, ranges, and the sizes of free
dimensions, which are read off the arrays and held against what the network assumes of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from netdsl.diagnostics import Report
from netdsl.diagnostics.feeding import (
    AssumptionBroken,
    InputMissing,
    InputUnknown,
    OutOfRange,
    SizeUndetermined,
    WrongDtype,
    WrongRank,
    WrongSize,
)
from netdsl.ir.assumptions import strongest
from netdsl.ir.dim import Dim, free_symbols, substitute
from netdsl.ir.graph import Graph
from netdsl.ir.tensor import is_floating

Arrays = Mapping[str, np.ndarray]


def sizes_of(graph: Graph, arrays: Arrays) -> dict[str, int]:
    """The sizes of the graph's free dimensions in what is fed.

    Raises Refused with everything that does not fit.
    """
    report = Report()
    for name in arrays:
        if name not in graph.inputs:
            report.add(InputUnknown(name, tuple(graph.inputs)))
    for name, value in graph.inputs.items():
        if name not in arrays:
            report.add(InputMissing(name, str(value.type)))
        elif not converts(arrays[name].dtype, value.type.numpy_dtype):
            report.add(WrongDtype(name, str(arrays[name].dtype), str(value.type)))
        elif arrays[name].ndim != value.type.rank:
            report.add(WrongRank(name, arrays[name].shape, str(value.type)))
    report.stop_on_errors()
    sizes = free_sizes(graph, arrays, report)
    if not report.has_errors:
        check_assumptions(graph, sizes, report)
    check_ranges(graph, arrays, report)
    report.stop_on_errors()
    return sizes


def refuse_outside(graph: Graph, arrays: Arrays) -> None:
    """Raises Refused for integers outside their declared ranges."""
    report = Report()
    check_ranges(graph, arrays, report)
    report.stop_on_errors()


def converts(given: np.dtype, declared: np.dtype) -> bool:
    """Whether numbers go over by themselves: floats to floats, integers to wider integers."""
    if is_floating(given) or is_floating(declared):
        return is_floating(given) and is_floating(declared)
    return given.kind == declared.kind and np.can_cast(given, declared, "safe")


def free_sizes(graph: Graph, arrays: Arrays, report: Report) -> dict[str, int]:
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


def check_assumptions(graph: Graph, sizes: Mapping[str, int], report: Report) -> None:
    """Report relations that the graph rests on and these sizes break."""
    for each in strongest(graph.assumptions):
        if not each.relation.holds(sizes):
            report.add(AssumptionBroken(
                each.span, str(each.relation), each.relation.seen_in(sizes), each.said(sizes),
                each.layer))


def check_ranges(graph: Graph, arrays: Arrays, report: Report) -> None:
    """Report the first element of each input outside its range, which excludes its end, but for
    what a loss ignores."""
    for name, (low, high) in graph.ranges.items():
        array = arrays.get(name)
        if array is None or not array.size or (array.min() >= low and array.max() < high):
            continue
        ignored = np.isin(array, [*graph.besides.get(name, ())])
        outside = np.argwhere(((array < low) | (array >= high)) & ~ignored)
        if not len(outside):
            continue
        where = tuple(int(i) for i in outside[0])
        report.add(OutOfRange(name, where, int(array[where]), low, high, len(outside)))
