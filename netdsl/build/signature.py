"""Shapes in signatures: names bound by matching operands, results checked against the promise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from netdsl.build.builder import Builder
from netdsl.build.explain.refusals import operand_mismatch, result_mismatch
from netdsl.build.explain.trials import apart
from netdsl.build.frame import NOTHING, Frame
from netdsl.build.numbers import is_size
from netdsl.build.values import UNKNOWN, described, show
from netdsl.diagnostics import Mark
from netdsl.diagnostics.evaluation import MissingArgument, WrongKind
from netdsl.diagnostics.names import NearName
from netdsl.diagnostics.shapes import HoleFound, OperandMismatch, ResultMismatch, UnknownDType
from netdsl.diagnostics.suggest import did_you_mean, nearest
from netdsl.ir.assumptions import agree
from netdsl.ir.dim import Dim, Expr
from netdsl.ir.graph import Value
from netdsl.ir.tensor import NUMPY_DTYPES
from netdsl.language import ast
from netdsl.source import Span

MOST_SIZES = 50  # names that a new one is compared with
DTYPES = tuple(name for name in NUMPY_DTYPES if name != "u64")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a tensor does not have the declared type. Where it is one size: its axis, what is
    declared of it, and what that comes to."""

    reason: str
    axis: int | None = None
    dim: ast.Expr | None = None
    wanted: Any = None


def match_operand(
    b: Builder, frame: Frame, layer: str, operand: ast.Operand, given: Any, span: Span,
    caller: Frame,
) -> bool:
    """Bind an operand of a layer and the sizes its type names; False after reporting. `caller`
    is the body that applies the layer."""
    from netdsl.build.evaluate import evaluate

    name = operand.name.id
    if given is None:
        if operand.default is None:
            b.complain(MissingArgument, span, layer, name)
            return False
        frame.names[name] = evaluate(b, operand.default, frame)
        return frame.names[name] is not UNKNOWN
    value = given.value
    frame.names[name] = value
    if isinstance(value, Value):
        frame.operands.setdefault(value, operand)
    if operand.type is None or (value is None and operand.default is not None):
        return True
    if not isinstance(value, Value):
        b.complain(WrongKind, given.span, described(value), "a tensor")
        return False
    b.asks(f"`{name}` of {layer}", frame.labels.path, given.span, for_all=True)
    found = mismatch(b, frame, operand.type, value)
    if found is not None:
        b.explain(OperandMismatch, given.span, operand_mismatch, frame, caller, operand, given,
                  span, found, partial(_matches, b, frame, operand.type))
        return False
    return True


def count_of(count: int, noun: str) -> str:
    """1 value, 2 values."""
    return f"{count} {noun}" + ("" if count == 1 else "s")


def match_results(
    b: Builder, frame: Frame, layer: str, declaration: ast.LayerDeclaration, results: list
) -> bool:
    """Check what a layer returns against its signature; False after reporting."""
    if any(result.value is UNKNOWN for result in results):
        return False
    if not declaration.results:
        return True
    if len(results) != len(declaration.results):
        b.complain(
            ResultMismatch, results[0].span, Mark(declaration.results[0].span, "declared here"),
            layer, count_of(len(results), "value"),
            f"{count_of(len(declaration.results), 'result')} declared",
        )
        return False
    for result, declared in zip(results, declaration.results):
        if not isinstance(result.value, Value):
            b.complain(WrongKind, result.span, described(result.value), "a tensor")
            return False
        b.asks(f"the result of {layer}", frame.labels.path, declared.span, for_all=True)
        found = mismatch(b, frame, declared, result.value)
        if found is not None:
            b.explain(ResultMismatch, result.span, result_mismatch, frame, layer, declared, result,
                      found, partial(_matches, b, frame, declared))
            return False
    return True


def _matches(b: Builder, frame: Frame, declared: ast.TypeOf, value: Value) -> bool:
    """Whether a tensor would have the declared type, asked without a trace."""
    beside = Frame(frame.module, frame.labels, names=dict(frame.names))
    return mismatch(apart(b), beside, declared, value) is None


def mismatch(
    b: Builder, frame: Frame, declared: ast.TypeOf, value: Value
) -> Mismatch | None:
    """Why a tensor does not have the declared type, or None when it has it. A name that stands
    for nothing yet takes the size it meets."""
    if declared.dtype is not None and check_dtype(b, declared):
        if value.dtype != declared.dtype:
            return Mismatch(f"the dtype is {value.dtype}, not {declared.dtype}")
    dims, axes = list(declared.dims), list(enumerate(value.shape))
    rest = next((i for i, dim in enumerate(dims) if isinstance(dim, ast.Rest)), None)
    if rest is not None:
        behind = len(dims) - rest - 1
        if len(axes) < len(dims) - 1:
            return Mismatch(f"the rank is {len(axes)}, at least {len(dims) - 1} is declared")
        del axes[rest : len(axes) - behind]
        del dims[rest]
    if len(dims) != len(axes):
        return Mismatch(f"the rank is {len(axes)}, {len(dims)} is declared")
    for dim, (axis, size) in zip(dims, axes):
        found = _axis_mismatch(b, frame, axis, dim, size)
        if found is not None:
            return found
    return None


def _axis_mismatch(
    b: Builder, frame: Frame, axis: int, dim: ast.Expr, size: Dim
) -> Mismatch | None:
    from netdsl.build.evaluate import evaluate

    if isinstance(dim, ast.Name):
        if dim.id == "_":
            return None
        if frame.find(dim.id) is NOTHING:
            _note_near_name(b, frame, dim)
            frame.names[dim.id] = size
            return None
    if isinstance(dim, ast.Hole):
        b.complain(HoleFound, dim.span, axis, str(size))
        return None
    wanted = evaluate(b, dim, frame)
    if wanted is UNKNOWN:
        return None
    if not isinstance(wanted, (int, Expr)) or not agree(wanted, size):
        text, found = dim.span.text, show(wanted)
        shown = found if text == found else f"{text} = {found}"
        return Mismatch(f"axis {axis} is {size}, but {shown} is declared", axis, dim, wanted)
    return None


def _note_near_name(b: Builder, frame: Frame, dim: ast.Name) -> None:
    """A new name that looks like a known size is most likely mistyped."""
    sizes = (name for name, value in frame.names.items() if is_size(value))
    near = nearest(dim.id, islice(sizes, MOST_SIZES))
    if near is not None and (len(dim.id) > 2 or near.lower() == dim.id.lower()):
        b.complain(NearName, dim.span, dim.id, near)


def check_dtype(b: Builder, declared: ast.TypeOf) -> bool:
    """Whether the dtype of a type exists; reports one that does not."""
    if declared.dtype in DTYPES:
        return True
    b.complain(UnknownDType, declared.span, declared.dtype,
               did_you_mean(declared.dtype, DTYPES))
    return False
