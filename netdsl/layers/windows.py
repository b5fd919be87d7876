"""Windows as they are written, `k = 3, stride = 2, pad = same`, in the form that operations take:
an entry for each spatial axis."""

from __future__ import annotations

from typing import Any

from netdsl.ir.assumptions import known
from netdsl.ir.dim import Dim
from netdsl.ir.graph import Value
from netdsl.ir.op import RankError, ShapeError
from netdsl.layers.arguments import SamePadding
from netdsl.ops.window import Pads, Sizes


def spatial_axes(x: Value) -> int:
    """How many axes of [N, C, …] are spatial. Raises RankError unless 1 to 3."""
    axes = x.type.rank - 2
    if axes not in (1, 2, 3):
        raise RankError(f"needs [N, C, …] with 1 to 3 spatial axes, not rank {x.type.rank}", 0)
    return axes


def window(x: Value, k: Any, stride: Any, pad: Any, dilation: Any = 1) -> dict[str, tuple]:
    """The attributes `kernel`, `stride`, `pads` and `dilation`, which `ops.window` explains.

    Raises RankError for what has no spatial axes, ShapeError for a list of another length and
    where the padding `same` depends on a free size.
    """
    kernel, steps, gaps = spatial(x, k=k), spatial(x, stride=stride), spatial(x, dilation=dilation)
    if isinstance(pad, SamePadding):
        pads = same_pads(x, kernel, steps, gaps, pad)
    else:
        pads = spatial_pads(x, pad)
    return {"kernel": kernel, "stride": steps, "pads": pads, "dilation": gaps}


def spatial(x: Value, **named: Any) -> tuple:
    """One entry of the argument for each spatial axis of x: `spatial(x, k = 3)`. Raises ShapeError
    for a list of another length."""
    (name, value), = named.items()
    axes = spatial_axes(x)
    if not isinstance(value, tuple):
        return (value,) * axes
    if len(value) != axes:
        raise ShapeError(f"`{name}` has {len(value)} entries, {x.type} has {axes} spatial axes", 0)
    return value


def spatial_pads(x: Value, pad: int | tuple) -> Pads:
    """(before, after) for each spatial axis."""
    if not isinstance(pad, tuple):
        return ((pad, pad),) * spatial_axes(x)
    return spatial(x, pad=pad)


def same_pads(x: Value, kernel: Sizes, stride: Sizes, dilation: Sizes, pad: SamePadding) -> Pads:
    """The padding with which windows leave ⌈n / stride⌉ of n places (ONNX's SAME_UPPER and
    SAME_LOWER): the last window starts r = (n - 1) % stride + 1 places before the end, and needs
    its span."""
    pads = []
    for axis, (n, k, step, gap) in enumerate(zip(x.shape[2:], kernel, stride, dilation), 2):
        span = gap * (k - 1) + 1
        last = 1 if span == 1 or step == 1 else places_of_last(n, step, axis)
        pads.append(halves(max(0, span - last), pad))
    return tuple(pads)


def places_of_last(n: Dim, step: int, axis: int) -> int:
    """How many of n places lie from the start of the last window on: 1 to `step`."""
    rest = n % step
    if not isinstance(rest, int):
        if known(rest, "==", 0) is not True:
            raise ShapeError(
                f"the padding `same` depends on {n} % {step}, which is free", 0, axes=((0, axis),),
                suggestion=f"`assert {n} % {step} == 0 else \"…\"` above it",
            )
        rest = 0
    return rest or step


def halves(total: int, pad: SamePadding) -> tuple[int, int]:
    """(before, after): the larger half after, with `same_lower` before."""
    small, large = total // 2, total - total // 2
    return (large, small) if pad.name == "same_lower" else (small, large)
