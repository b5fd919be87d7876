"""Where a NaN or an infinity came from: a step is made again by the reference kernels, and the way
is followed back from the loss to what made the first of them out of finite numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from netdsl.backends.numpy.feed import sizes_of
from netdsl.diagnostics.training import Culprit
from netdsl.ir.graph import Graph, Value, ancestry, run_kernels
from netdsl.rewrite.rebuild import prune
from netdsl.rewrite.specialize import specialize

Arrays = Mapping[str, np.ndarray]


def culprit(
    graph: Graph, loss: str, inputs: Arrays, variables: Arrays, key: tuple[int, int]
) -> Culprit | None:
    """What made `loss` not finite, in a run of `graph` on these arrays: an operation, or an input
    or variable that holds such numbers itself. None where the run made again is sound.

    All values of the pass are in memory at once, in its own precision.
    """
    small = prune(_only(graph, loss))
    fed = {name: array for name, array in inputs.items() if name in small.inputs}
    sizes = sizes_of(small, fed)
    small = specialize(small, sizes) if sizes else small
    names: dict[Value, str] = {}
    arrays: dict[Value, np.ndarray] = {}
    held = {name: variable.value for name, variable in small.variables.items()}
    for kind, leaves, given in (("input", small.inputs, fed), ("variable", held, variables)):
        for name, value in leaves.items():
            names[value] = f"the {kind} `{name}`"
            arrays[value] = np.asarray(given[name], value.type.numpy_dtype)
    if small.key is not None:
        arrays[small.key] = np.array(key, np.uint64)
    with np.errstate(all="ignore"):
        run_kernels(ancestry(small.losses[loss])[0], arrays)
    return _followed(small.losses[loss], arrays, names)


def _only(graph: Graph, loss: str) -> Graph:
    """The slice of one loss, before its guard."""
    bare = {role: {} for role in ("outputs", "metrics", "updates", "gradients", "copies")}
    value = graph.losses[loss]
    guarded = value.node is not None and value.node.op.name == "finite"
    return replace(graph, **bare, losses={loss: value.node.inputs[0] if guarded else value})


def _followed(
    value: Value, arrays: Mapping[Value, np.ndarray], names: Mapping[Value, str]
) -> Culprit | None:
    """Back along operands that hold NaN, or where there are none, infinities that were computed:
    a constant such as the -inf of a mask is no culprit, but who makes a NaN of it."""
    if not _broken(arrays[value]):
        return None
    while value.node is not None:
        before = [v for v in value.node.inputs if v is not None and _broken(arrays.get(v))]
        made = [v for v in before if v.node is None or any(v.node.inputs)]
        worse = [v for v in made if np.isnan(arrays[v]).any()]
        if not made:
            return _told(value, arrays)
        value = (worse or made)[0]
    return Culprit(names[value], _sign_of(arrays[value]), None, "", "")


def _broken(array: np.ndarray | None) -> bool:
    return array is not None and array.dtype.kind not in "iub" and not np.isfinite(array).all()


def _told(value: Value, arrays: Mapping[Value, np.ndarray]) -> Culprit:
    node = value.node
    operands = ", ".join(_range_of(arrays[v]) for v in node.inputs if v in arrays)
    layer = re.sub(r"(^|\.)[a-z_]+_\d+$", "", node.path)  # a function's own name tells nothing
    return Culprit(f"`{node.op.name}`", _sign_of(arrays[value]), node.span, layer, operands)


def _sign_of(array: np.ndarray) -> str:
    wrong = array[~np.isfinite(array)]
    return "NaN" if np.isnan(wrong).any() else f"{wrong.flat[0]}"


def _range_of(array: np.ndarray) -> str:
    if not array.size:
        return "nothing"
    low, high = array.min(), array.max()
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"
