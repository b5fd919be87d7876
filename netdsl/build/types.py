"""Tensor types as declared: `f32[B, 3, H, W]` to a `TensorType`."""

from __future__ import annotations

from fractions import Fraction

from netdsl.build.builder import Builder
from netdsl.build.evaluate import evaluate
from netdsl.build.frame import NOTHING, Frame
from netdsl.build.signature import check_dtype
from netdsl.build.values import UNKNOWN, Ratio, described
from netdsl.diagnostics.evaluation import WrongKind
from netdsl.diagnostics.shapes import NotASize
from netdsl.ir.dim import Dim, Expr, symbol
from netdsl.ir.tensor import TensorType
from netdsl.language import ast


def tensor_type(
    b: Builder, node: ast.TypeOf, frame: Frame, declares: bool
) -> TensorType | None:
    """The declared type; None after reporting. With `declares` (inputs), a name that stands for
    nothing becomes a free dimension of that name."""
    if node.dtype is not None and not check_dtype(b, node):
        return None
    dims = [_size(b, dim, frame, declares) for dim in node.dims]
    return None if None in dims else TensorType(node.dtype or "f32", tuple(dims))


def _size(b: Builder, dim: ast.Expr, frame: Frame, declares: bool) -> Dim | None:
    if isinstance(dim, (ast.Hole, ast.Rest)) or isinstance(dim, ast.Name) and dim.id == "_":
        b.complain(WrongKind, dim.span, f"`{dim.span.text}`", "a size")
        return None
    if declares and isinstance(dim, ast.Name) and frame.find(dim.id) is NOTHING:
        frame.names[dim.id] = symbol(dim.id)
    value = evaluate(b, dim, frame)
    if value is UNKNOWN:
        return None
    if isinstance(value, Expr):
        return value
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        way = "`floor(…)`, `ceil(…)` or `//`" if isinstance(value, (Fraction, Ratio)) else None
        if value == -1:
            way = "a size that is not known yet has a name: `B`"
        b.complain(NotASize, dim.span, described(value).removeprefix("the number "), way)
        return None
    return value
