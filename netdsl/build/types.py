"""Tensor types as declared: `f32[B, 3, H, W]` to a `TensorType`."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from netdsl.build.builder import Builder
from netdsl.build.evaluate import BUILT_IN, evaluate
from netdsl.build.frame import NOTHING, Frame
from netdsl.build.signature import check_dtype
from netdsl.build.values import UNKNOWN, LayerDefinition, ModelDefinition, Ratio, described
from netdsl.diagnostics import Mark
from netdsl.diagnostics.evaluation import WrongKind
from netdsl.diagnostics.shapes import NotASize
from netdsl.ir.dim import Dim, Expr, symbol
from netdsl.ir.tensor import TensorType
from netdsl.language import ast


def tensor_type(
    b: Builder, node: ast.TypeOf, frame: Frame, declares: bool
) -> TensorType | None:
    """The declared type; None after reporting. With `declares` (inputs), a name that stands for
    nothing becomes a free dimension of that name, in sums and products too: `2 * n + 1`."""
    if node.dtype is not None and not check_dtype(b, node):
        return None
    dims = [_size(b, dim, frame, declares) for dim in node.dims]
    return None if None in dims else TensorType(node.dtype or "f32", tuple(dims))


def sizes_named(dim: ast.Expr) -> Iterator[ast.Name]:
    """The names in a size that what is fed can settle: alone, or in sums and products."""
    match dim:
        case ast.Name():
            yield dim
        case ast.Chain():
            if {operator for operator, _ in dim.rest} <= {"+", "-", "*"}:
                for part in (dim.first, *(operand for _, operand in dim.rest)):
                    yield from sizes_named(part)


def _size(b: Builder, dim: ast.Expr, frame: Frame, declares: bool) -> Dim | None:
    if isinstance(dim, (ast.Hole, ast.Rest)) or isinstance(dim, ast.Name) and dim.id == "_":
        b.complain(WrongKind, dim.span, f"`{dim.span.text}`", "a size")
        return None
    for name in sizes_named(dim) if declares else ():
        if frame.find(name.id) is NOTHING and name.id not in BUILT_IN:
            frame.names[name.id] = symbol(name.id)
    value = evaluate(b, dim, frame)
    if value is UNKNOWN:
        return None
    if isinstance(value, Expr):
        return value
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        way = "`floor(…)`, `ceil(…)` or `//`" if isinstance(value, (Fraction, Ratio)) else None
        if value == -1:
            way = "a size that is not known yet has a name: `B`"
        where = None
        if isinstance(value, (ModelDefinition, LayerDefinition)):
            where = Mark(value.declaration.name.span, "declared here")
        if isinstance(dim, ast.Name) and not isinstance(value, (int, float, Fraction, Ratio)):
            way = f"call the size otherwise, such as `{dim.id}_`"
        b.complain(NotASize, dim.span, described(value).removeprefix("the number "), way, where)
        return None
    return value
