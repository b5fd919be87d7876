"""`xs[i]` and `xs[a..b]` of lists; `x[_, 0]` and `x[_, a..b]` of tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from netdsl.build.builder import Builder
from netdsl.build.explain.refusals import index_outside
from netdsl.build.frame import NOTHING, Frame
from netdsl.build.values import UNKNOWN, described
from netdsl.diagnostics.evaluation import BadIndex
from netdsl.ir.assumptions import known
from netdsl.ir.dim import Expr
from netdsl.ir.graph import Value
from netdsl.ir.op import ShapeError
from netdsl.ops.layout import reshape, slice_
from netdsl.source import Span


@dataclass(frozen=True, slots=True)
class Ends:
    """`start..stop` as an index: in a tensor's they may be free dimensions."""

    start: Any
    stop: Any


def index(b: Builder, frame: Frame, target: Any, items: list[Any], span: Span) -> Any:
    """`target[items]`: an item is a value, the Ends of a range, or NOTHING for `_`."""
    items = [Ends(item.start, item.stop) if isinstance(item, range) else item for item in items]
    if isinstance(target, Value):
        return _tensor(b, frame, target, items, span)
    if not isinstance(target, (list, tuple, range)):
        b.complain(BadIndex, span, f"{described(target)} has no elements")
        return UNKNOWN
    if len(items) != 1 or items[0] is NOTHING:
        b.complain(BadIndex, span, "a list takes one index")
        return UNKNOWN
    item = items[0]
    if isinstance(item, Ends):
        start, stop = item.start, item.stop
        if _is_whole(start) and _is_whole(stop) and 0 <= start <= stop <= len(target):
            return list(target[start:stop])
        b.complain(BadIndex, span, f"{start}..{stop} does not lie within a list of {len(target)}")
        return UNKNOWN
    if _is_whole(item) and 0 <= item < len(target):
        return target[item]
    shown = item if _is_whole(item) else described(item)
    way = None
    if _is_whole(item) and -len(target) <= item < 0:
        way = f"`{span.text.partition('[')[0]}[{len(target) + item}]`: counted from 0"
    b.complain(BadIndex, span, f"a list of {len(target)} has no element {shown}", way=way)
    return UNKNOWN


def _tensor(b: Builder, frame: Frame, x: Value, items: list[Any], span: Span) -> Any:
    if len(items) > x.type.rank:
        b.complain(BadIndex, span, f"{len(items)} indices for {x.type}")
        return UNKNOWN
    path = frame.labels.path
    dropped = []
    try:
        for axis, item in enumerate(items):
            if item is NOTHING:
                continue
            if isinstance(item, Ends):
                start, stop = item.start, item.stop
            else:
                start, stop = item, item + 1 if _is_size(item) else item
                dropped.append(axis)
            if not _is_size(start) or not _is_size(stop):
                b.complain(BadIndex, span, f"axis {axis} takes `_`, a whole number or a range")
                return UNKNOWN
            if isinstance(start, int) and start < 0:
                b.complain(BadIndex, span, f"axis {axis}: an index is counted from 0",
                           way=f"`{x.shape[axis] + start}`")
                return UNKNOWN
            if not isinstance(item, Ends) and known(stop, "<=", x.shape[axis]) is False:
                b.explain(BadIndex, span, index_outside, frame, x, axis,
                          f"axis {axis} of {x.type} has no element {item}")
                return UNKNOWN
            if (start, stop) != (0, x.shape[axis]):
                part = {"axis": axis, "start": start, "stop": stop}
                x = b.emit(slice_, (x,), part, path, span)
        if dropped:
            shape = tuple(dim for i, dim in enumerate(x.shape) if i not in dropped)
            x = b.emit(reshape, (x,), {"shape": shape}, path, span)
    except ShapeError as error:
        if known(stop, "<=", x.shape[axis]) is False:
            b.explain(BadIndex, span, index_outside, frame, x, axis, error.message)
        else:
            b.complain(BadIndex, span, error.message)
        return UNKNOWN
    return x


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_size(value: Any) -> bool:
    return _is_whole(value) or isinstance(value, Expr)
