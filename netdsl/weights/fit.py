"""Weights against the variables of a graph: names, shapes, dtypes, and whether they are finite."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from heapq import nlargest
from itertools import islice
from os.path import commonprefix
from typing import Protocol

import numpy as np

from netdsl.diagnostics import Report
from netdsl.diagnostics.suggest import nearest
from netdsl.diagnostics.weights import (
    LISTED,
    MisfitTensors,
    MissingTensors,
    NotFinite,
    UnexpectedTensors,
    shown,
)
from netdsl.ir.tensor import NUMPY_DTYPES, TensorType, is_floating

DTYPE_NAMES = {dtype: name for name, dtype in NUMPY_DTYPES.items()}
# Bounds of the search for the name that was meant: comparing two names costs the product of
# their lengths, and a file may hold any number of them.
COMPARED, CANDIDATES = 2_000, 8
LONGEST_COMPARED = 200  # characters


class Typed(Protocol):
    """What fit needs of a variable."""

    @property
    def type(self) -> TensorType: ...


def fit(
    weights: Mapping[str, np.ndarray],
    expected: Mapping[str, Typed],
    path: str,
    *,
    exact: bool = True,
    report: Report | None = None,
) -> dict[str, np.ndarray]:
    """The arrays in the order of `expected`, none missing, of the types it says.

    `path` is what messages call the weights. `exact=False` lets them hold more than is expected.
    Weights that are not finite are a warning, added to `report`. Raises Refused: N606 to N608.
    """
    types = {name: array_type(array) for name, array in weights.items()}
    check_fit(types, expected, path, exact=exact).stop_on_errors()
    fitted = {name: np.asarray(weights[name]) for name in expected}
    warning = None if report is None else not_finite(fitted, path)
    if warning is not None:
        report.add(warning)
    return fitted


def check_fit(
    found: Mapping[str, TensorType],
    expected: Mapping[str, Typed],
    path: str,
    *,
    exact: bool = True,
) -> Report:
    """One problem for each kind of disagreement."""
    report = Report()
    missing = [name for name in expected if name not in found]
    unexpected = [name for name in found if name not in expected] if exact else []
    if missing:
        lines = (missing_line(name, expected[name].type, unexpected) for name in missing)
        report.add(MissingTensors(path, len(missing), first(lines)))
    if unexpected:
        lines = (unexpected_line(name, found[name], missing) for name in unexpected)
        is_checkpoint = any("@" in name for name in unexpected)  # see `training.graph`
        report.add(UnexpectedTensors(path, len(unexpected), first(lines), is_checkpoint))
    for what in ("shape", "dtype"):
        wrong = [
            name for name, variable in expected.items()
            if name in found and getattr(found[name], what) != getattr(variable.type, what)
        ]
        if wrong:
            lines = (misfit_line(name, expected[name].type, found[name]) for name in wrong)
            report.add(MisfitTensors(path, what, len(wrong), first(lines)))
    return report


def not_finite(weights: Mapping[str, np.ndarray], path: str) -> NotFinite | None:
    """A warning that names the float arrays with NaN or infinite elements, if there are any."""
    broken = {}
    for name, array in weights.items():
        if is_floating(array.dtype) and not np.isfinite(array).all():
            broken[name] = array
    if not broken:
        return None
    return NotFinite(path, len(broken), first(finite_line(*item) for item in broken.items()))


def array_type(array: np.ndarray) -> TensorType:
    """The type of an array, by the language's name of its dtype where it has one."""
    array = np.asarray(array)
    return TensorType(DTYPE_NAMES.get(array.dtype, str(array.dtype)), array.shape)


def first(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(islice(lines, LISTED))


def missing_line(name: str, type: TensorType, unexpected: Collection[str]) -> str:
    meant = alike(name, unexpected)
    return f"{shown(name)}: {type}" + (f"; it holds {shown(meant)}" if meant else "")


def unexpected_line(name: str, type: TensorType, missing: Collection[str]) -> str:
    meant = alike(name, missing)
    return f"{shown(name)}: {type}" + (f"; did you mean {shown(meant)}?" if meant else "")


def misfit_line(name: str, expected: TensorType, found: TensorType) -> str:
    return f"{shown(name)}: the network has {expected}, here it is {found}"


def finite_line(name: str, array: np.ndarray) -> str:
    count = array.size - np.count_nonzero(np.isfinite(array))
    return f"{shown(name)}: {count:,} of {array.size:,}"


def alike(name: str, others: Collection[str]) -> str | None:
    """The name among `others` that this one most likely stands for."""
    if len(name) > LONGEST_COMPARED:
        return None
    short = (other for other in others if len(other) <= LONGEST_COMPARED)
    likely = nlargest(
        CANDIDATES, islice(short, COMPARED), key=lambda other: ends_in_common(name, other)
    )
    return nearest(name, likely)


def ends_in_common(a: str, b: str) -> int:
    """Length of the common beginning and end: cheap, and telling for label paths."""
    return len(commonprefix((a, b))) + len(commonprefix((a[::-1], b[::-1])))
