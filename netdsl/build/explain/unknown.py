"""What a name that nothing defines most likely means: a label, a name that ended with its loop, one
that is bound further down, an attribute of another layer, a declaration of an imported file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from functools import cache, cached_property
from typing import Any, Literal

from netdsl.build.explain.translation import translated, word_meant
from netdsl.build.values import Module
from netdsl.diagnostics import Mark, Problem
from netdsl.diagnostics.names import UnknownName
from netdsl.diagnostics.scopes import LabelAsValue, OutOfScope
from netdsl.diagnostics.suggest import FOREIGN_PREFIXES, phrased
from netdsl.language import ast
from netdsl.layers.libraries import LIBRARIES
from netdsl.source import Span

MOST_SHOWN = 60  # characters of the user's text in a way out


def unknown_name(
    module: Module, node: ast.Name, known: tuple[str, ...], ended: Ended | None = None,
    role: str = "value", whole: ast.Expr | None = None,
) -> Problem:
    """The problem of a name that nothing defines. `ended` tells where a loop that is over bound it;
    `role` is "value", "layer" where it is applied, or "member" where something below it is meant;
    `whole` is the call or member around it."""
    if ended is not None:
        return OutOfScope(node.span, node.id, *ended)
    clues = clues_at(module, node.span)
    if clues is not None:
        label = clues.labels.get(node.id)
        if label is not None:
            if _in_braces(clues.body, node.span):
                role = "attribute"
            elif role == "value" and _in_call_of_layers(clues.body, node.span):
                role = "member"
            return LabelAsValue(node.span, node.id, label.span, label.way(role))
        branch = clues.in_branches.get(node.id)
        if branch is not None and branch.start < node.span.start:
            return OutOfScope(node.span, node.id, branch, "branch")
        later = clues.bound.get(node.id)
        if later is not None:
            return UnknownName(
                node.span, node.id, known, Mark(later, "bound only here"),
                way="statements run from top to bottom: bind it above its first use",
            )
    for name, other in module.names.items():
        if isinstance(other, Module) and node.id in other.names:
            return UnknownName(node.span, node.id, known, way=f"`{name}.{node.id}`")
    owner = None if clues is None else clues.owner_of(node.id)
    if owner is not None:
        name = clues.body.name.id
        attributes = ", ".join([*(a.name.id for a in clues.body.attributes), node.id])
        return UnknownName(node.span, node.id, known, owner,
                           way=f"give `{name}` an attribute: `layer {name}{{{attributes}}}`")
    return _foreign(node, whole, known)


def _foreign(node: ast.Name, whole: ast.Expr | None, known: tuple[str, ...]) -> UnknownName:
    """Another library's name with what it is here: `self.fc(x)`, `nn.Conv2d(1, 16, 3)`,
    `Dense(10)`."""
    applied = isinstance(whole, (ast.Call, ast.Construct))
    called = whole.callee if applied else whole
    if isinstance(called, ast.Member) and node.id in LIBRARIES:
        return UnknownName(node.span, node.id, known, way=f"`use {node.id}` at the top of the file")
    if not isinstance(called, ast.Member):
        word = word_meant(node.id) if applied else None
        way = None if word is None else translated(whole, node.id, word, operands=True)
        return UnknownName(node.span, node.id, known, way=way and f"`{way}`")
    if node.id not in (*FOREIGN_PREFIXES, "self", "this"):
        return UnknownName(node.span, node.id, known)
    text = whole.span.text
    if node.id in ("self", "this"):
        way = f"`{text.partition('.')[2].strip()}`"
        if re.split(r"\W", way[1:])[0] not in known or len(way) > MOST_SHOWN or "\n" in way:
            way = "name a layer by a label where it is used: `x -> conv1: conv{16}`"
        return UnknownName(node.span, node.id, known, way=way)
    word = word_meant(called.name)
    if word is None:
        return UnknownName(called.span, called.span.text, known, way=phrased(called.name))
    way = translated(whole, called.name, word, operands=True) if applied else None
    return UnknownName(called.span, called.span.text, known, way=f"`{way or word.name}`")


def _in_braces(body: Body, span: Span) -> bool:
    """Whether a name stands in the braces of a construction and in no call within them."""
    around = [
        (each.span.end - each.span.start, isinstance(each, ast.Construct))
        for each in walk(body.body) if isinstance(each, (ast.Call, ast.Construct))
        for argument in each.arguments
        if argument.span.start <= span.start < argument.span.end
    ]
    return bool(around) and min(around)[1]


OF_LAYERS = ("l1_penalty", "l2_penalty", "ema", "frozen")  # functions that take no tensors


def _in_call_of_layers(body: Body, span: Span) -> bool:
    """Whether a name stands in what such a function is given."""
    return any(
        each.span.start <= span.start < each.span.end
        for each in walk(body.body) if isinstance(each, ast.Call)
        and isinstance(each.callee, ast.Name) and each.callee.id in OF_LAYERS
    )


Ended = tuple[Span, Literal["turn", "header"]]  # where a loop bound a name, and how
Body = ast.LayerDeclaration | ast.ModelDeclaration


def clues_at(module: Module, span: Span) -> Clues | None:
    """What is known of the layer or model of the file that a place lies in."""
    if span.source is not module.source:
        return None
    for declaration in module.file.declarations:
        if declaration.span.start <= span.start < declaration.span.end:
            if isinstance(declaration, Body):
                return module.clues.setdefault(id(declaration), Clues(module, declaration))
            return None
    return None


@dataclass(eq=False)
class Clues:
    """Names that a body mentions otherwise, each with its first place. Worked out once, as a file
    may have many unknown names."""

    module: Module
    body: Body

    @cached_property
    def labels(self) -> dict[str, _Label]:
        return _first((label.name, label) for label in _labels(self.body.body))

    @cached_property
    def bound(self) -> dict[str, Span]:
        return _first((name.id, name.span) for name in _bound(self.body.body))

    @cached_property
    def in_branches(self) -> dict[str, Span]:
        return _first((name.id, name.span) for name in _bound_in_branches(self.body.body))

    def owner_of(self, name: str) -> Mark | None:
        """The attribute of another layer or model that has this name."""
        for other in self.module.names.values():
            declaration = getattr(other, "declaration", None)
            if declaration is self.body or not isinstance(declaration, Body):
                continue
            for attribute in declaration.attributes:
                if attribute.name.id == name:
                    text = f"an attribute of `{declaration.name.id}`, seen there alone"
                    return Mark(attribute.span, text)
        return None


def _first(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A table in which the first of several entries of one name stays."""
    table: dict[str, Any] = {}
    for name, entry in pairs:
        table.setdefault(name, entry)
    return table


def guards_block(stage: ast.Stage) -> bool:
    """`x -> f when (c) { … }`: what was meant for a block reads as the braces of a construction."""
    made = stage.condition
    return isinstance(made, ast.Construct) and not isinstance(made.callee, CONSTRUCTIBLE)


CONSTRUCTIBLE = (ast.Name, ast.Member, ast.Construct, ast.Index, ast.Choose)


# ------------------------------------------------------------------ walks over a body


@cache
def _inner(kind: type) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.name != "span")


def walk(part: Any) -> Iterator[ast.Syntax]:
    """Every node below, from top to bottom, without recursion."""
    pending = [part]
    while pending:
        part = pending.pop()
        if isinstance(part, tuple):
            pending.extend(reversed(part))
        elif isinstance(part, ast.Syntax):
            yield part
            pending.extend(getattr(part, name) for name in reversed(_inner(type(part))))


def names_in(part: Any) -> Iterator[ast.Name]:
    """The names below, without `_`."""
    return (node for node in walk(part) if isinstance(node, ast.Name) and node.id != "_")


def _bound(body: tuple[ast.Statement, ...]) -> Iterator[ast.Name]:
    """Every name that a statement binds, wherever it stands."""
    for node in walk(body):
        match node:
            case ast.Bind():
                yield from node.names
            case ast.Input() | ast.Declared() | ast.Result(value=ast.Syntax()):
                yield node.name


def _bound_in_branches(body: tuple[ast.Statement, ...]) -> Iterator[ast.Name]:
    """Those that a branch of an `if` binds."""
    end = 0  # of the branches around
    for node in walk(body):
        if isinstance(node, ast.If):
            end = max(end, node.span.end)
        elif isinstance(node, ast.Bind) and node.span.start < end:
            yield from node.names


# ------------------------------------------------------------------ labels


@dataclass(frozen=True)
class _Label:
    """A label, and what to write for the value that was meant by it.

    `result` binds what the labelled stage gives, `instance` the layer itself; `bound` is the name
    that has the result already. None where there is no such thing.
    """

    name: str
    span: Span
    result: str | None = None
    instance: str | None = None
    bound: str | None = None

    def way(self, role: str) -> str:
        if role == "attribute":
            count = re.search(r"\{\s*([^,{}=]+?)\s*[,}]", self.instance or "")
            number = "…" if count is None else count[1]
            return f"bind the number above: `{self.name} = {number}`"
        if role != "value" and self.instance is not None:
            if role == "member":
                return (f"bind the layer above, `{self.name} = {self.instance}`, and write "
                        f"`-> {self.name}` in place of the label")
            return f"bind the layer first: `{self.name} = {self.instance}`, then `{self.name}(x)`"
        if self.bound is not None:
            return f"`{self.bound}` is what it gives"
        if self.result is not None:
            return f"bind what it gives: `{self.name} = {self.result}`, and go on from there"
        return "bind the value with `=` and use that name"


def _labels(body: tuple[ast.Statement, ...]) -> Iterator[_Label]:
    """The labels of a body, in order."""
    for node in walk(body):
        match node:
            case ast.Bind(names=(name,), values=(value,)) | ast.Result(name=name, value=value):
                if isinstance(value, ast.Pipeline) and value.stages[-1].label is not None:
                    last = value.stages[-1]
                    yield _Label(last.label, _word(last), None, _made(last.value), name.id)
            case ast.Pipeline():
                if isinstance(node.head, ast.Labelled):
                    yield _of_value(node.head, bound=None)
                for stage in node.stages:
                    if stage.label is not None:
                        before = node.span.source.text[node.span.start : stage.value.span.end]
                        yield _Label(stage.label, _word(stage), _brief(before, stage),
                                     _made(stage.value))
            case ast.Labelled():
                yield _of_value(node, bound=None)
            case ast.For() | ast.If() if node.label is not None:
                yield _Label(node.label, _word(node))


def _of_value(node: ast.Labelled, bound: str | None) -> _Label:
    return _Label(node.label, _word(node), _brief(node.span.text, node), _made(node.value), bound)


def _word(node: ast.Stage | ast.Labelled | ast.For | ast.If) -> Span:
    """The label itself, with which a labelled thing begins."""
    return Span(node.span.source, node.span.start, node.span.start + len(node.label))


def _brief(text: str, labelled: ast.Stage | ast.Labelled) -> str:
    """The user's text on one line; what goes before a long one's labelled stage is left out."""
    text = " ".join(text.split())
    if len(text) <= MOST_SHOWN:
        return text
    source = labelled.span.source.text
    return "… -> " + " ".join(source[labelled.span.start : labelled.value.span.end].split())


def _made(value: ast.Expr) -> str | None:
    """The construction in `conv{16}(x)` or `conv{16}`, as written."""
    made = value.callee if isinstance(value, ast.Call) else value
    return " ".join(made.span.text.split()) if isinstance(made, ast.Construct) else None
