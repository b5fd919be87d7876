"""Paddings that would make the sizes of windows agree, tried on the graph as it is so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netdsl.build.builder import Builder
from netdsl.build.explain.origins import short
from netdsl.build.explain.trials import parsed
from netdsl.ir.dim import TooComplex
from netdsl.ir.graph import Node, Value
from netdsl.ir.op import Attrs, ShapeError
from netdsl.ir.tensor import TensorType
from netdsl.language import ast
from netdsl.layers import WORDS
from netdsl.source import Span

MOST_NODES = 20_000  # that a changed padding is followed through
MOST_PLACES = 20  # whose paddings are tried


class Types(dict[Value, TensorType]):
    """The types of the tensors that change."""

    def of(self, value: Value) -> TensorType:
        return self.get(value, value.type)


def padding(
    b: Builder, passed: list[Node], good: Callable[[Types], bool]
) -> str | None:
    """A window on the way that keeps sizes if it is padded by half of itself, or all of them;
    `good` is asked with the types that tensors would have then."""
    nodes = b.emitter.nodes
    odd = [node for node in passed if (kernel := _kernel(node)) and all(k % 2 for k in kernel)]
    places = dict.fromkeys(_place(b, node) for node in odd if max(_kernel(node)) > 1)
    if len(nodes) > MOST_NODES or len(places) > MOST_PLACES:
        return None
    halves = {place: half for place in places if (half := _half(parsed(place.text))) is not None}
    bare = [place for place, (_, old) in halves.items() if old is None]
    for chosen in (*([place] for place in halves), bare):
        changed = {node: replace(node.attrs, pads=tuple((k // 2, k // 2) for k in kernel))
                   for node in nodes if (kernel := _kernel(node)) and _place(b, node) in chosen}
        types = _retyped(nodes, changed)
        if chosen and types is not None and good(types):
            return _told({place: halves[place] for place in chosen})
    return None


def window_that_fits(error: ShapeError) -> str | None:
    """Another window where one does not fit: a convolution keeps its size and is padded, a pool is
    made as small as what it works on."""
    if error.node is None or not hasattr(error.node[1], "pads") or error.node[2][0] is None:
        return None
    op, attrs, inputs = error.node
    types = [None if v is None else v.type for v in inputs]
    kernel = getattr(attrs, "kernel", None)
    if kernel is None:
        axes, widest = len(attrs.pads), max(max(types[1].shape[2:]), 2)
        tries = [(f"`pad = {p}`", {"pads": ((p, p),) * axes}) for p in range(1, widest)]
    else:
        small = tuple(min(k, n) if isinstance(n, int) else k
                      for k, n in zip(kernel, types[0].shape[2:]))
        said = small[0] if len(set(small)) == 1 else f"({', '.join(map(str, small))})"
        tries = [(f"`k = {said}`", {"kernel": small})] if max(small) > 1 else []
    for way, changed in tries[:MOST_PLACES]:
        try:
            op.shape(replace(attrs, **changed), *types)
        except (ShapeError, TooComplex):
            continue
        return way
    return None


def _told(halves: dict[Span, tuple[str, str | None]]) -> str:
    """`pad = 1` in `conv{b, 3}` and `maxpool(3, stride = 1)` (line 3)."""
    written: dict[tuple[str, int], list[str]] = {}
    for place, (half, old) in halves.items():
        if old is not None:
            return f"`pad = {half}` in place of `{old}` (line {place.line})"
        written.setdefault((half, place.line), []).append(f"`{short(place)}`")
    return " and ".join(
        f"`pad = {half}` in {' and '.join(texts)} (line {line})"
        for (half, line), texts in written.items()
    )


def _kernel(node: Node) -> tuple[int, ...]:
    """The window of a convolution or pooling; () of other operations, which have none."""
    if not hasattr(node.attrs, "pads"):
        return ()
    return getattr(node.attrs, "kernel", None) or node.inputs[1].shape[2:]


def _place(b: Builder, node: Node) -> Span:
    """Where the attributes of a node are written."""
    instance = b.instances.get(node.path)
    return node.span if instance is None else instance.span


def _half(expr: ast.Expr | None) -> tuple[str, str | None] | None:
    """Half of the window of `conv{c, k}` or `maxpool(3, stride = 1)` as it is written there, and
    the padding it has already; None where it is dilated, which would want more."""
    if not isinstance(expr, (ast.Construct, ast.Call)) or not isinstance(expr.callee, ast.Name):
        return None
    word = WORDS.get(expr.callee.id)
    names = [attribute.name for attribute in word.attributes] if word is not None else []
    given = {a.name or (names[i] if i < len(names) else ""): a
             for i, a in enumerate(expr.arguments)}
    if "k" not in given or "pad" not in names or "dilation" in given:
        return None
    k, old = given["k"].value, short(given["pad"].span) if "pad" in given else None
    if isinstance(k, (ast.TupleOf, ast.ListOf)):
        return f"({', '.join(map(_half_of, k.items))})", old
    return _half_of(k), old


def _half_of(size: ast.Expr) -> str:
    if isinstance(size, ast.Number):
        return str(size.value // 2)
    return f"{size.id} // 2" if isinstance(size, ast.Name) else f"({short(size.span)}) // 2"


def _retyped(nodes: list[Node], changed: dict[Node, Attrs]) -> Types | None:
    """The types if some nodes had these attributes; None if a node then refuses its operands."""
    types = Types()
    for node in nodes:
        if node not in changed and types.keys().isdisjoint(node.inputs):
            continue
        operands = (None if v is None else types.of(v) for v in node.inputs)
        try:
            made = node.op.shape(changed.get(node, node.attrs), *operands)
        except (ShapeError, TooComplex):
            return None
        types.update(zip(node.outputs, made if isinstance(made, tuple) else (made,)))
    return types
