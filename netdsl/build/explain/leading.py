"""Axes of size 1 in front of an operand that has too few: `reshape(mask, [1, 1, L, L])`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netdsl.build.frame import Frame
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Value


def written(frame: Frame, dim: Dim) -> str | None:
    """A size as an expression of this body."""
    if isinstance(dim, int):
        return str(dim)
    return next((name for name in frame.visible() if frame.find(name) == dim), None)


def leading_axes(
    frame: Frame, given: list[Any], fits: Callable[[int, Value], bool]
) -> str | None:
    """The `reshape` of the one operand of lower rank whose sizes are the last ones of the others;
    `fits(i, value)` is whether all is well with this value as that operand."""
    rank = max(each.value.type.rank for each in given)
    low = [i for i, each in enumerate(given) if 0 < each.value.type.rank < rank]
    if len(low) != 1:
        return None
    (i,) = low
    type, span = given[i].value.type, given[i].span
    sizes = [written(frame, dim) for dim in type.shape]
    shape = (*(1,) * (rank - type.rank), *type.shape)
    if None in sizes or "\n" in span.text or not fits(i, Value(type.with_shape(*shape))):
        return None
    text = ", ".join(["1"] * (rank - type.rank) + sizes)
    return f"`reshape({span.text}, [{text}])` in place of `{span.text}`"
