"""Construction: arguments to names, attributes to values, `conv{64}` to an instance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from netdsl.build.builder import Builder
from netdsl.build.explain.ways import (
    braced,
    of_argument,
    of_one_behind_names,
    of_one_too_many,
    to_be_layer,
)
from netdsl.build.frame import Frame
from netdsl.build.labels import Labels
from netdsl.build.values import UNKNOWN, Instance, LayerDefinition, described, show, usable
from netdsl.diagnostics import Mark
from netdsl.diagnostics.evaluation import (
    BadValue,
    MissingArgument,
    ParenthesesMissing,
    TooManyArguments,
    UnknownArgument,
    WrongKind,
)
from netdsl.diagnostics.names import Recursive
from netdsl.diagnostics.scopes import TensorInBraces
from netdsl.diagnostics.words import PatternMalformed
from netdsl.ir.dim import Expr, free_symbols
from netdsl.ir.graph import Value
from netdsl.language import ast
from netdsl.layers.arguments import BadArgument
from netdsl.layers.patterns import BadPattern
from netdsl.layers.words import REQUIRED, Word, WordAttribute
from netdsl.source import Span


@dataclass(frozen=True, slots=True)
class Given:
    """An argument as written, evaluated: `name` is None for one given by position. `span` is that
    of the value, `place` that of the whole argument, `expr` the value as written."""

    name: str | None
    value: Any
    span: Span
    place: Span | None = None
    expr: ast.Expr | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """What names a new instance: `label: …`, or the name it is bound to."""

    text: str


# ------------------------------------------------------------------ binding arguments


def bind(
    b: Builder, of: str, names: tuple[str, ...], given: list[Given], taken: tuple[str, ...] = (),
    any_name: bool = False, in_row: int | None = None, way: str | None = None,
) -> dict[str, Given] | None:
    """Arguments by name; None after reporting one that has no place. `taken` are names that come
    before these and have their argument; `any_name`: others than `names` may be given too;
    `in_row`: only so many of them go by position; `way`: what to write for too many."""
    bound: dict[str, Given] = {}
    places = iter(names[:in_row])
    sound = True
    for argument in given:
        name = argument.name if argument.name is not None else next(places, None)
        place = argument.place or argument.span
        if name is None or name in bound or name in taken:
            way = way if name is None else f"`{name}` is given already"
            if argument.name is None and name in bound:
                way = of_one_behind_names(names, given, argument)
            if name is None and in_row is not None and in_row < len(names):
                way = of_one_too_many(of, names, in_row, given)
                b.complain(TooManyArguments, place, of, names, way, in_row)
                return None
            b.complain(TooManyArguments, place, of, (*taken, *names), way)
            sound = False
        elif name not in names and not any_name:
            b.complain(UnknownArgument, place, of, name, names)
            sound = False
        else:
            bound[name] = argument
    return bound if sound else None


def written(given: list[Given]) -> str:
    """Arguments as the user wrote them."""
    return ", ".join((g.place or g.span).text for g in given)


def word_attributes(
    b: Builder, word: Word, bound: dict[str, Given], span: Span
) -> dict[str, Any] | None:
    """Attributes converted by their kinds; None after reporting one that cannot be taken."""
    attributes: dict[str, Any] = {}
    sound = True
    declared = {attribute.name for attribute in word.attributes}
    others = tuple(WordAttribute(n, word.more) for n in bound if n not in declared)
    for attribute in word.attributes + others:
        given = bound.get(attribute.name)
        if given is None:
            if attribute.default is REQUIRED:
                b.complain(MissingArgument, span, word.name, attribute.name, not word.owns)
                sound = False
            else:
                attributes[attribute.name] = attribute.default
            continue
        if given.value is UNKNOWN:
            sound = False
            continue
        try:
            attributes[attribute.name] = attribute.kind(given.value)
        except BadPattern as wrong:
            b.complain(PatternMalformed, pattern_span(given.span, wrong), word.name, str(wrong),
                       wrong.suggestion)
            sound = False
        except BadArgument as reason:
            _refuse(b, word, attribute, bound, reason)
            sound = False
    return attributes if sound else None


def _refuse(
    b: Builder, word: Word, attribute: WordAttribute, bound: dict[str, Given], reason: BadArgument
) -> None:
    """Report a value that an argument cannot take, or the one in its list that is to blame."""
    given = bound[attribute.name]
    if reason.item is not None and isinstance(given.expr, ast.ListOf):
        expr = given.expr.items[reason.item]
        given = replace(given, value=given.value[reason.item], span=expr.span, expr=expr)
    way = of_argument(word, attribute, {**bound, attribute.name: given}, given.value)
    free = free_symbols(given.value) if isinstance(given.value, Expr) else ()
    declared = (
        Mark(dim.span, f"`{dim.span.text}` is free here") for node, _ in b.declared.values()
        if isinstance(node, ast.Input) for dim in node.type.dims if dim.span.text in free
    )
    b.complain(BadValue, given.span, word.name, attribute.name, show(given.value), str(reason),
               attribute.kind.expected, way, next(declared, None))


def pattern_span(literal: Span, wrong: BadPattern) -> Span:
    """The characters of a pattern that are to blame; the whole of it where it does not stand
    there as it is read."""
    text = literal.text
    if len(text) < 2 or text[0] != '"' or "\\" in text:
        return literal
    start = literal.start + 1
    return replace(literal, start=start + wrong.start, end=start + max(wrong.stop, 1))


# ------------------------------------------------------------------ construction


def construct(
    b: Builder, frame: Frame, definition: Any, given: list[Given], label: Label | None, span: Span
) -> Any:
    """`definition{given}`: a new instance, named by the rule of `labels`."""
    if definition is UNKNOWN:
        return UNKNOWN
    if isinstance(definition, Instance) and not given:
        return definition
    if isinstance(definition, Word) and not definition.owns:
        if given:
            takes = written(given) if len(given) <= len(definition.attributes) else "…"
            b.complain(ParenthesesMissing, span, definition.name, takes)
            return UNKNOWN
        return definition
    if not isinstance(definition, (Word, LayerDefinition)):
        b.complain(WrongKind, span, described(definition), "a layer", to_be_layer(definition))
        return UNKNOWN
    if any(outer.definition is definition for outer in b.trail):
        b.complain(Recursive, span, definition.name, is_layer=True)
        return UNKNOWN
    tensor = next((g for g in given if g.name is None and isinstance(g.value, Value)), None)
    if tensor is not None:
        others = written([g for g in given if g is not tensor])
        made = f"{definition.name}{{{others}}}" if others else braced(definition)
        b.complain(TensorInBraces, tensor.span, definition.name, str(tensor.value.type),
                   f"{made}({tensor.span.text})")
        return UNKNOWN
    path, problem = frame.labels.claim(definition.name, label and label.text, span)
    if problem is not None and (frame.creates or frame.labels.loop == "none"):
        b.dispute(path, problem)
    if frame.labels.loop == "none":
        return UNKNOWN
    bound, attributes = _attributes(b, definition, given, span)
    if attributes is None:
        return UNKNOWN
    instance = Instance(definition, attributes, path, span, frame.creates, given=bound,
                        frame=frame)
    if frame.creates and b.foreseen.arrives(path):
        b.instances[path].given, b.instances[path].frame = bound, frame
        return b.instances[path]
    if frame.creates:
        b.instances[path] = instance
    return instance


def _attributes(
    b: Builder, definition: Word | LayerDefinition, given: list[Given], span: Span
) -> tuple[dict[str, Given], dict[str, Any] | None]:
    """The arguments by name and what they make of the attributes: None after reporting."""
    if isinstance(definition, Word):
        names = tuple(attribute.name for attribute in definition.attributes)
        in_row = definition.in_row
    else:
        declared = definition.declaration.attributes
        names = tuple(attribute.name.id for attribute in declared)
        in_row = None
    bound = bind(b, definition.name, names, given, in_row=in_row)
    if bound is None:
        return {}, None
    if isinstance(definition, Word):
        return bound, word_attributes(b, definition, bound, span)
    module = definition.module
    return bound, declared_attributes(b, definition.name, declared, module, bound, span)


def declared_attributes(
    b: Builder, of: str, declared, module, bound: dict[str, Given], span: Span
) -> dict[str, Any] | None:
    """The attributes of a layer or model: defaults may use those to their left, as overridden.
    None after reporting."""
    from netdsl.build.evaluate import evaluate

    frame = Frame(module, Labels("", "none"), creates=False)
    for attribute in declared:
        argument = bound.get(attribute.name.id)
        if argument is not None and not usable(argument.value):
            b.complain(WrongKind, argument.span, described(argument.value), "a value")
            value = UNKNOWN
        elif argument is not None:
            value = argument.value
        elif attribute.default is not None:
            value = evaluate(b, attribute.default, frame)
        else:
            b.complain(MissingArgument, span, of, attribute.name.id)
            value = UNKNOWN
        frame.names[attribute.name.id] = value
    return None if UNKNOWN in frame.names.values() else frame.names
