"""How the size of an axis came to be: followed from a tensor back through operations, nested layers
and their attributes to what was written, and told in the words of the body that a message is about.

Nothing here runs before an error is told. A build only keeps what this reads: the arguments of each
instance, what names were bound to, and the stages that were skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from netdsl.build.builder import Builder
from netdsl.build.explain.trials import number_of, values_in
from netdsl.build.frame import NOTHING, Frame
from netdsl.build.labels import Labels
from netdsl.build.values import Instance, show
from netdsl.diagnostics.origins import AxisOrigin, Cause
from netdsl.ir.dim import TooComplex
from netdsl.ir.graph import Node, Value
from netdsl.ir.op import Origin
from netdsl.ir.tensor import show_shape
from netdsl.language import ast
from netdsl.layers.words import REQUIRED, Word
from netdsl.source import Span

MOST_FOLLOWED = 3_000  # operations on the way of one size
MOST_CAUSES = 3  # told of one size
MOST_SHOWN = 60  # characters of the user's text within a line


@dataclass(eq=False)
class Way:
    """How one size came to be. `name` is what such an axis is called, `written` the size as an
    expression of the body, where it is one there; `nodes` are the operations passed, last first;
    `skipped` is the stage that would have changed it; `entry` is the operand of the body, and its
    axis, that the way ends at."""

    causes: list[Cause] = field(default_factory=list)
    name: str = ""
    written: str = ""
    nodes: list[Node] = field(default_factory=list)
    skipped: ast.Stage | None = None
    entry: tuple[Value, int] | None = None

    def tell(self, *cause: Any, **more: Any) -> None:
        if len(self.causes) < MOST_CAUSES:
            self.causes.append(Cause(*cause, **more))


def axis_origins(
    b: Builder, frame: Frame, axes: list[tuple[tuple[Value, int, Span | None], ...]]
) -> tuple[tuple[AxisOrigin, ...], list[tuple[Way, ...]]]:
    """For each axis on which tensors disagree, given as (tensor, its axis, where the tensor
    stands): what is to be said, and the ways behind it."""
    told, ways = [], []
    for sides in axes:
        alone = len(sides) == 1  # then it is the body's surroundings that are at fault
        along = tuple((follow_outwards if alone else follow)(b, frame, *side) for side in sides)
        names = {way.name for way in along if way.name}
        causes = tuple(cause for way in along for cause in way.causes)
        sizes = tuple(str(value.shape[axis]) for value, axis, _ in sides)
        name = names.pop() if len(names) == 1 else ""
        told.append(AxisOrigin(tuple(axis for _, axis, _ in sides), name, sizes, causes))
        ways.append(along)
    return tuple(told), ways


def follow_outwards(b: Builder, frame: Frame, value: Value, axis: int, span: Span | None) -> Way:
    """As `follow`, and from the operand of the body on in the body that its layer was made in."""
    way = follow(b, frame, value, axis, span)
    instance = frame.body.instance
    if way.entry is not None and instance is not None and instance.frame is not None:
        beyond = follow(b, instance.frame, *way.entry)
        way.causes += beyond.causes[: MOST_CAUSES - len(way.causes)]
        way.name = way.name or beyond.name
    return way


def follow(b: Builder, frame: Frame, value: Value, axis: int, span: Span | None = None) -> Way:
    """How `value`, which stands at `span` in the body of `frame`, got the size of an axis."""
    way, changes = Way(), []
    region = None if span is None else behind(frame, span)
    try:
        for _ in range(MOST_FOLLOWED):
            stage = _skipped(b, frame, value, region)
            if _told_here(b, frame, way, value, axis, stage, not changes) or value.node is None:
                break
            origin = _origin(value, axis) or Origin(None)
            way.nodes.append(value.node)
            way.name = way.name or origin.name
            if origin.formula or origin.operand is None:
                changes.append((str(value.shape[axis]), origin, value.node))
            if origin.operand is None:
                break
            value, axis = value.node.inputs[origin.operand], origin.axis
    except TooComplex:
        pass
    way.causes[:0] = _changes(b, frame, changes, str(value.shape[axis]))
    return way


def _changes(
    b: Builder, frame: Frame, changes: list[tuple[str, Origin, Node]], start: str
) -> list[Cause]:
    """The operations that changed a size, last first: the last with its arithmetic, of several
    before it what each made of the size that it was at the `start`."""
    last, before = changes[:1], changes[1:]
    if len(before) == 1:
        last, before = changes, []
    causes = []
    for size, origin, node in last:
        made = f"`{label(b, frame, node)}`"
        made += f" with {origin.settings}" if origin.settings else ""
        formula = "" if origin.formula == size else origin.formula
        causes.append(Cause(size, formula, made, place=node.span))
    if before:
        sizes = [start, *(size for size, _, _ in reversed(before))]
        if before[-1][1].operand is None:
            del sizes[0]
        steps = tuple((label(b, frame, node), node.span) for _, _, node in reversed(before))
        causes.append(Cause(" → ".join(sizes), steps=steps))
    return causes


def _origin(value: Value, axis: int) -> Origin | None:
    node = value.node
    return node.op.origin and node.op.origin(node.attrs, node.inputs, value, axis)


def rank_cause(b: Builder, frame: Frame, value: Value, span: Span | None) -> Cause | None:
    """What gave a tensor its number of axes, unless that is plain to see at `span`."""
    rank = f"rank {value.type.rank}"
    for _ in range(MOST_FOLLOWED):
        node, operand = value.node, frame.body.operands.get(value)
        if operand is not None and operand.type is not None and not _is_open(operand.type):
            return Cause(rank, "", f"as in `{short(operand.span)}`", ", ", place=operand.span)
        if node is None:
            declared = b.declared.get(value)
            if declared is None:
                return None
            return Cause(rank, "", f"as declared: `{_declaration(declared[0])}`", " ",
                         place=declared[0].span)
        same = [x for x in node.inputs if x is not None and x.type.rank == value.type.rank]
        if not same:
            if not node.inputs or span is not None and _within(node.span, span):
                return None
            made = f"`{label(b, frame, node)}` of {show_shape(node.inputs[0].shape)}"
            return Cause(rank, "", made, place=node.span)
        value = same[0]
    return None


# ------------------------------------------------------------------ where a way ends


def _told_here(
    b: Builder, frame: Frame, way: Way, value: Value, axis: int, stage: ast.Stage | None,
    direct: bool,
) -> bool:
    """Tell the size where somebody wrote it: in a signature, a declaration, an attribute. It is
    `direct` if nothing changed it since."""
    size = str(value.shape[axis])
    way.skipped = way.skipped or stage
    operand = frame.body.operands.get(value)
    if operand is not None:
        dim = declared_dim(operand.type, axis, value.type.rank)
        if dim is not None:
            way.written, way.entry = dim.span.text if direct else "", (value, axis)
            _tell_operand(b, frame, way, size, operand, dim, stage)
            return True
    if stage is not None:
        way.tell(size, "", f"what `{_stage_name(stage)}` would take, skipped: its `when` is false",
                 place=stage.condition.span)
    if value.node is not None:
        return False
    if value in b.declared:
        node, at = b.declared[value]
        dim = node.type.dims[axis]
        way.written = dim.span.text if direct and at.body is frame.body else ""
        plain = dim.span.text == size
        way.tell(size, "" if plain else short(dim.span),
                 f"{'as declared: ' if plain else ''}`{_declaration(node)}`",
                 " " if plain else ": ", values_in(b, at, dim, value.shape[axis]), node.span)
        return True
    _tell_parameter(b, frame, way, value, axis, direct)
    return True


def _tell_operand(
    b: Builder, frame: Frame, way: Way, size: str, operand: ast.Operand, dim: ast.Expr,
    stage: ast.Stage | None,
) -> None:
    formula = "" if dim.span.text == size else short(dim.span)
    if stage is not None:
        way.tell(size, formula, f"because `{_stage_name(stage)}` was skipped: its `when` is false",
                 ", ", place=stage.condition.span)
        return
    values = () if isinstance(dim, ast.Name) else values_in(b, frame, dim, None)
    reason = f"`{short(operand.span)}`"
    way.tell(size, formula, f"as in {reason}", ", ", values, operand.span)


def _tell_parameter(
    b: Builder, frame: Frame, way: Way, value: Value, axis: int, direct: bool
) -> None:
    """The size of an axis of a parameter: that of an attribute of the word that owns it. A
    parameter's axes go by the attributes that must be given: conv's weight begins with c."""
    instance = b.instances.get(value.name.rpartition(".")[0])
    if instance is None or not isinstance(instance.definition, Word):
        return
    shaping = [a.name for a in instance.definition.attributes if a.default is REQUIRED]
    if axis < len(shaping) and instance.attributes[shaping[axis]] == value.shape[axis]:
        _tell_attribute(b, frame, way, instance, shaping[axis], direct)


def _tell_attribute(
    b: Builder, frame: Frame, way: Way, instance: Instance, name: str, direct: bool
) -> None:
    """An attribute, followed through layers that pass it on by its plain name."""
    for _ in range(MOST_FOLLOWED):
        value, given = instance.attributes[name], instance.given.get(name)
        if given is None:
            _tell_default(b, way, instance, name)
            return
        at, expr = instance.frame, given.expr
        if expr is None:
            return
        expr = _unbound(b, at, expr, value)
        own, outer = at.body is frame.body, at.body.instance
        passed = isinstance(expr, ast.Name) and outer is not None and not own
        if not passed or outer.attributes.get(expr.id, NOTHING) != value:
            break
        instance, name = outer, expr.id
    size, plain = show(value), isinstance(expr, ast.Number)
    way.written = expr.span.text if own and direct else ""
    if plain:
        way.tell(size, "", f"as given: `{short(instance.span)}`", " ", place=expr.span)
        return
    within = "" if own else f"in `{outer.kind if outer is not None else b.name}`"
    way.tell(size, short(expr.span), within, " ", values_in(b, at, expr, value), expr.span)


def declared_cause(b: Builder, frame: Frame, dim: ast.Expr, value: Any) -> Cause:
    """Where a signature has a size from: `frame` is the body of its layer."""
    size, instance = show(value), frame.instance
    text = "" if dim.span.text == size else short(dim.span)
    name = dim.id if isinstance(dim, ast.Name) else ""
    if instance is not None and instance.given.get(name) is not None:
        return Cause(size, text, f"as in `{short(instance.span)}`", ", ", place=instance.span)
    for operand in frame.operands.values():
        dims = () if operand.type is None else operand.type.dims
        if any(isinstance(d, ast.Name) and d.id == name for d in dims):
            return Cause(size, text, f"as in `{short(operand.span)}`", ", ", place=operand.span)
    if not text:
        return Cause(size, "", "as declared", " ", place=dim.span)
    return Cause(size, text, values=values_in(b, frame, dim, value), place=dim.span)


def _tell_default(b: Builder, way: Way, instance: Instance, name: str) -> None:
    size = show(instance.attributes[name])
    reason = f"the default of `{name}` in `{instance.kind}`"
    if isinstance(instance.definition, Word):
        way.tell(size, "", reason, place=instance.span)
        return
    declared = instance.definition.declaration.attributes
    default = next(a.default for a in declared if a.name.id == name)
    formula = "" if default.span.text == size else short(default.span)
    own = Frame(instance.definition.module, Labels("", "none"), names=instance.attributes)
    values = values_in(b, own, default, instance.attributes[name])
    way.tell(size, formula, reason, ": ", values, default.span)


def _unbound(b: Builder, frame: Frame, expr: ast.Expr, value: Any) -> ast.Expr:
    """What a name that the body bound stands for, as long as that still has this value."""
    for _ in range(MOST_FOLLOWED):
        bound = frame.expression(expr.id) if isinstance(expr, ast.Name) else None
        if bound is None or number_of(b, frame, bound) != value:
            break
        expr = bound
    return expr


# ------------------------------------------------------------------ the user's text


def behind(frame: Frame, span: Span) -> Span:
    """What was written for the value at a place: behind a name, what it was bound to."""
    for _ in range(MOST_FOLLOWED):
        expr = frame.expression(span.text) if span.text.isidentifier() else None
        if expr is None or expr.span == span:
            break
        span = expr.span
    return span


def _skipped(
    b: Builder, frame: Frame, value: Value, region: Span | None
) -> ast.Stage | None:
    """The stage in the text of `region` that left `value` as it is, for its `when` was false."""
    for stage, at in b.skipped.get(value, ()):
        if at.body is frame.body and region is not None and _within(stage.value.span, region):
            return stage
    return None


def _within(inner: Span | None, outer: Span) -> bool:
    return (inner is not None and inner.source is outer.source
            and outer.start <= inner.start and inner.end <= outer.end)


def _stage_name(stage: ast.Stage) -> str:
    return stage.label or short(stage.value.span)


def _declaration(node: ast.Input | ast.Declared) -> str:
    role = "input" if isinstance(node, ast.Input) else node.role
    return f"{role} {node.name.id}: {short(node.type.span)}"


def short(span: Span) -> str:
    """The user's text on one line, a long one cut."""
    text = " ".join(span.text[: 4 * MOST_SHOWN].split())
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"


def declared_dim(type: ast.TypeOf | None, axis: int, rank: int) -> ast.Expr | None:
    """What a signature says of an axis; None where it leaves it open."""
    if type is None:
        return None
    dims = list(type.dims)
    rest = next((i for i, dim in enumerate(dims) if isinstance(dim, ast.Rest)), None)
    if rest is not None:
        dims[rest : rest + 1] = [dims[rest]] * (rank - len(dims) + 1)
    dim = dims[axis] if len(dims) == rank else None
    loose = isinstance(dim, (ast.Hole, ast.Rest)) or isinstance(dim, ast.Name) and dim.id == "_"
    return None if loose else dim


def _is_open(type: ast.TypeOf) -> bool:
    return any(isinstance(dim, ast.Rest) for dim in type.dims)


def label(b: Builder, frame: Frame, node: Node) -> str:
    """What the user calls an operation in this body: its layer's label, a function's name, or the
    text that made it."""
    here = frame.body.labels.path
    path = node.path.removeprefix(f"{here}.") if here else node.path
    instance = b.instances.get(node.path)
    if instance is not None and isinstance(instance.definition, Word):
        return path
    layer = next((layer for layer in reversed(b.layers) if layer.path == node.path), None)
    if layer is not None and layer.is_function:
        last = path.rpartition(".")[2]
        return layer.kind if last.removeprefix(f"{layer.kind}_").isdigit() else path
    return node.op.name if node.span is None else short(node.span)
