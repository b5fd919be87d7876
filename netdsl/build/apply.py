"""Application: `relu(x)`, `block(x)`, `f32(x)`, for words and layers alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from ml_dtypes import finfo

from netdsl.build import numbers
from netdsl.build.builder import Builder, BuildSite
from netdsl.build.construct import (
    Given,
    Label,
    bind,
    pattern_span,
    word_attributes,
    written,
)
from netdsl.build.explain.refusals import operand_refused
from netdsl.build.explain.ways import braced, hidden_word, moved_to_braces, of_row
from netdsl.build.frame import NOTHING, Frame
from netdsl.build.labels import Labels, join
from netdsl.build.signature import match_operand, match_results
from netdsl.build.values import UNKNOWN, Instance, LayerDefinition, Ratio, described, show
from netdsl.diagnostics import Mark
from netdsl.diagnostics.evaluation import (
    BadOperation,
    BadValue,
    BracesMissing,
    MissingArgument,
    NotApplicable,
    TooManyArguments,
    UnknownArgument,
    WrongKind,
)
from netdsl.diagnostics.names import NoReturn, ParametersChanged
from netdsl.diagnostics.shapes import OperandRefused
from netdsl.diagnostics.words import PatternMisfit
from netdsl.ir.dim import Expr
from netdsl.ir.graph import Initializer, Layer, Value
from netdsl.ir.op import ShapeError
from netdsl.ir.tensor import FLOATS, NUMPY_DTYPES
from netdsl.layers.arguments import BadArgument, DType, UnfitArgument
from netdsl.layers.initializers import INITIALIZERS, InitializerRow
from netdsl.layers.patterns import BadPattern
from netdsl.layers.words import Word
from netdsl.ops.constant import full
from netdsl.ops.elementwise import cast
from netdsl.source import Span


def apply(
    b: Builder, frame: Frame, callee: Any, given: list[Given], label: Label | None, span: Span
) -> Any:
    """`callee(given)`: a tensor, or a tuple of them."""
    if callee is UNKNOWN:
        return UNKNOWN
    if isinstance(callee, Word) and not given and callee.name in INITIALIZERS:
        callee = INITIALIZERS[callee.name]  # `zeros()` is the initialiser, `zeros(shape)` a tensor
    if isinstance(callee, Instance):
        return _apply_instance(b, frame, callee, given, span)
    if isinstance(callee, DType):
        return _cast(b, frame, callee, given, span)
    if isinstance(callee, InitializerRow):
        return _initializer(b, callee, given, span)
    if isinstance(callee, Word) and not callee.owns:
        return _apply_function(b, frame, callee, given, label, span)
    if isinstance(callee, (Word, LayerDefinition)):
        operands = [g for g in given if g.value is UNKNOWN or isinstance(g.value, Value)]
        attributes = written([g for g in given if g not in operands])
        called = span.text.partition("(")[0].strip()
        if not called.replace(".", "").isidentifier():
            called = callee.name
        made = f"{called}{{{attributes}}}" if attributes else braced(callee, called)
        piped = any(g.span.end <= span.start for g in operands)
        example = made if piped else f"{made}({written(operands) or 'x'})"
        b.complain(BracesMissing, span, callee.name, example)
        return UNKNOWN
    b.complain(NotApplicable, span, described(callee), *hidden_word(frame.module, callee, span))
    return UNKNOWN


def _apply_function(
    b: Builder, frame: Frame, word: Word, given: list[Given], label: Label | None, span: Span
) -> Any:
    values = [g.value for g in given]
    if UNKNOWN in values:
        return UNKNOWN
    if word.name in numbers.FUNCTIONS and not any(isinstance(v, Value) for v in values):
        return compile_time(b, word.name, given, span)
    labels = frame.labels
    split = _split_operands(b, word, given, labels.path, span)
    if split is None:
        return UNKNOWN
    operands, rest = split
    names = tuple(attribute.name for attribute in word.attributes)
    taken = () if word.more else tuple(operand.name for operand in word.operands)
    bound = bind(b, word.name, names, rest, taken, word.more is not None,
                 way=of_row(word, operands, rest, span))
    attributes = None if bound is None else word_attributes(b, word, bound, span)
    if attributes is None:
        return UNKNOWN
    dispute = None if label is None else labels.use(label.text, span)
    if dispute is not None and frame.creates:
        b.add(dispute)
    path = join(labels.path, labels.number(word.name) if label is None else label.text)
    site = BuildSite(b, frame, path, span)
    result = _run_word(b, word, site, operands, attributes, bound)
    _record(b, path, word.name, operands, result, span, is_function=True)
    return result


def compile_time(b: Builder, name: str, given: list[Given], span: Span) -> Any:
    """A function of `numbers.FUNCTIONS` on compile-time values."""
    if any(g.value is UNKNOWN for g in given):
        return UNKNOWN
    named = next((g for g in given if g.name is not None), None)
    if named is not None:
        b.complain(TooManyArguments, named.span, name, (), "it takes values without names")
        return UNKNOWN
    try:
        return numbers.call(name, [g.value for g in given])
    except numbers.Unworkable as reason:
        b.complain(BadOperation, span, name, str(reason))
        return UNKNOWN


def _split_operands(
    b: Builder, word: Word, given: list[Given], path: str, span: Span
) -> tuple[list[Given | None], list[Given]] | None:
    """The tensors of a call, in the word's order, and the other arguments; None after reporting."""
    rest = list(given)
    if word.operands and word.operands[0].variadic:
        found: list[Given | None] = list(_spread(rest))
    else:
        found = []
        for operand in word.operands:
            argument = _take(None if word.more else operand.name, rest)
            if argument is None and not operand.optional:
                b.complain(MissingArgument, span, word.name, operand.name)
                return None
            absent = operand.optional and (argument is None or argument.value is None)
            found.append(None if absent else argument)
    # a number becomes what the tensors beside it are; a bool there is the condition of `where`
    dtypes = (g.value.dtype for g in found if g is not None and isinstance(g.value, Value))
    dtype = next((dtype for dtype in dtypes if dtype != "bool"), "f32")
    own = [operand.dtype or dtype for operand in word.operands] + [dtype] * len(found)
    operands = [None if g is None else _as_tensor(b, g, of, path) for g, of in zip(found, own)]
    return None if UNKNOWN in operands else (operands, rest)


def _take(name: str | None, rest: list[Given]) -> Given | None:
    """The argument of this name, else the next by position, out of `rest`."""
    places = [i for i, g in enumerate(rest) if g.name == name] or [0]
    if rest and rest[places[0]].name in (name, None):
        return rest.pop(places[0])
    return None


def _spread(rest: list[Given]) -> Iterator[Given]:
    """Operands of `*xs` out of `rest`: the tensors without a name, or the items of lists; a
    text may stand before or between them."""
    given_here = list(rest)
    rest.clear()
    for given in given_here:
        if given.name is not None or not isinstance(given.value, (Value, list, tuple)):
            rest.append(given)
            continue
        items = [given.value] if isinstance(given.value, Value) else given.value
        yield from (Given(None, item, given.span) for item in items)


def _as_tensor(b: Builder, given: Given, dtype: str, path: str) -> Any:
    """The argument as a tensor, a number as one of this dtype; UNKNOWN after reporting."""
    if isinstance(given.value, Value):
        return given
    if numbers.is_size(given.value):
        value = constant(b, given.value, dtype, path, given.span)
        return UNKNOWN if value is UNKNOWN else Given(given.name, value, given.span)
    way, made = None, None
    if isinstance(given.value, (Instance, Word, LayerDefinition)):
        way = "apply it to a tensor first"
    if isinstance(given.value, Instance) and given.value.span != given.span:
        way, made = f"`{given.span.text}(…)` applies it", Mark(given.value.span, "made here")
    b.complain(WrongKind, given.span, described(given.value), "a tensor", way, made)
    return UNKNOWN


def constant(b: Builder, value: Any, dtype: str, path: str, span: Span) -> Any:
    """A number as a scalar tensor; UNKNOWN after reporting that the dtype does not hold it."""
    if isinstance(value, Ratio):
        b.complain(WrongKind, span, described(value), "a whole size", "`floor(…)` or `ceil(…)`")
        return UNKNOWN
    if not _holds(dtype, value):
        b.complain(WrongKind, span, described(value), f"a number that {dtype} holds")
        return UNKNOWN
    return b.emit(full, (), {"value": value, "dtype": dtype}, path, span)


def _holds(dtype: str, value: Any) -> bool:
    if dtype in FLOATS:
        return isinstance(value, Expr) or abs(value) <= float(finfo(NUMPY_DTYPES[dtype]).max)
    if dtype == "bool" or not isinstance(value, (int, Expr)):
        return False
    limits = np.iinfo(NUMPY_DTYPES[dtype])
    return isinstance(value, Expr) or limits.min <= value <= limits.max


def _run_word(
    b: Builder, word: Word, site: BuildSite, operands: list, attributes: dict,
    bound: dict[str, Given] | None = None,
) -> Any:
    values = [None if g is None else g.value for g in operands]
    b.asks(word.name, site.path, site.span)
    try:
        result = word.apply(site, *values, **attributes)
    except ShapeError as error:
        refused = (tuple(operand.name for operand in word.operands), tuple(values))
        if len(values) > 1 and refused in b.refused:  # a loss and a metric of the same tensors
            return UNKNOWN
        b.refused.add(refused)
        b.explain(OperandRefused, site.span, operand_refused, site.frame, word, operands,
                  attributes, site.span, error)
        return UNKNOWN
    except BadPattern as wrong:
        _misfit(b, word, wrong, operands, attributes, bound or {})
        return UNKNOWN
    except UnfitArgument as wrong:
        b.complain(OperandRefused, bound[wrong.argument].span, word.name, str(wrong),
                   way=wrong.suggestion)
        return UNKNOWN
    except BadArgument as reason:
        if str(reason) != "reported":
            b.complain(OperandRefused, site.span, word.name, f"an argument {reason}")
        return UNKNOWN
    return result


def _misfit(
    b: Builder, word: Word, wrong: BadPattern, operands: list, attributes: dict,
    bound: dict[str, Given],
) -> None:
    """Report a pattern that does not fit its tensors, or a length of no axis of it."""
    if wrong.argument is not None:
        given = bound[wrong.argument]
        names = attributes["pattern"].names
        b.complain(UnknownArgument, given.place or given.span, word.name, wrong.argument, names)
        return
    marks = tuple(Mark(g.span, str(g.value.type)) for g in operands if g is not None)
    b.complain(PatternMisfit, pattern_span(bound["pattern"].span, wrong), word.name, str(wrong),
               marks, wrong.suggestion)


def _apply_instance(
    b: Builder, frame: Frame, instance: Instance, given: list[Given], span: Span
) -> Any:
    """Apply an instance; the first application creates its parameters, later ones find them. What
    failed once was reported and stays silent."""
    if instance.failed or any(g.value is UNKNOWN for g in given):
        instance.failed = True
        return UNKNOWN
    creates = instance.creates and instance.uses == 0
    instance.uses += 1
    instance.applied = (*instance.applied[:1], span)
    if isinstance(instance.definition, Word):
        result = _apply_word_layer(b, frame, instance, given, span, creates)
    else:
        result = _apply_layer(b, frame, instance, given, span, creates)
    instance.failed = result is UNKNOWN
    return result


def _apply_word_layer(
    b: Builder, frame: Frame, instance: Instance, given: list[Given], span: Span, creates: bool
) -> Any:
    word = instance.definition
    split = _split_operands(b, word, given, instance.path, span)
    if split is None:
        return UNKNOWN
    operands, rest = split
    if rest:
        names = tuple(operand.name for operand in word.operands)
        attribute = rest[0].name in {attribute.name for attribute in word.attributes}
        way = moved_to_braces(instance, rest[0]) if attribute else None
        b.complain(TooManyArguments, rest[0].place or rest[0].span, word.name, names, way)
        return UNKNOWN
    first = operands[0].value.type  # parameters are of the kind of what goes in
    float_type = first.dtype if first.is_float else "f32"
    site = BuildSite(b, frame, instance.path, span, creates, float_type)
    result = _run_word(b, word, site, operands, instance.attributes)
    _record(b, instance.path, instance.kind, operands, result, span)
    return result


def _apply_layer(
    b: Builder, caller: Frame, instance: Instance, given: list[Given], span: Span, creates: bool
) -> Any:
    """Run the body of a layer from a file."""
    from netdsl.build.body import run  # bodies hold expressions, which apply layers

    definition = instance.definition
    declaration = definition.declaration
    names = tuple(operand.name.id for operand in declaration.operands)
    bound = bind(b, definition.name, names, given)
    if bound is None:
        return UNKNOWN
    frame = Frame(definition.module, Labels(instance.path), creates, instance=instance)
    frame.names.update(instance.attributes)
    place = len(b.layers)  # a layer is listed before what it is made of
    with b.inside(instance) as used:
        for operand in declaration.operands:
            argument = bound.get(operand.name.id)
            if not match_operand(b, frame, definition.name, operand, argument, span, caller):
                return UNKNOWN
        run(b, declaration.body, frame)
        results = frame.returned
        if results is NOTHING:
            b.complain(NoReturn, declaration.name.span, definition.name)
            return UNKNOWN
        if not match_results(b, frame, definition.name, declaration, results):
            return UNKNOWN
    if instance.uses == 1:
        instance.variables = frozenset(used)
    for name in sorted(instance.variables - used):
        b.complain(ParametersChanged, span, name, str(b.variables[name].type), "absent")
    result = results[0].value if len(results) == 1 else tuple(r.value for r in results)
    _record(b, instance.path, instance.kind, list(bound.values()), result, span, place=place)
    return result


def _record(
    b: Builder, path: str, kind: str, operands: list, result: Any, span: Span,
    is_function: bool = False, place: int | None = None,
) -> None:
    """Enter an application in the list that tables and drawings are made of."""
    outputs = result if isinstance(result, tuple) else (result,)
    types = tuple(value.type for value in outputs if isinstance(value, Value))
    taken = tuple(
        g.value.type for g in operands if g is not None and isinstance(g.value, Value)
    )
    layer = Layer(path, kind, taken, types, is_function, span)
    b.layers.insert(len(b.layers) if place is None else place, layer)


def _cast(b: Builder, frame: Frame, dtype: DType, given: list[Given], span: Span) -> Any:
    if len(given) != 1 or given[0].name is not None:
        b.complain(TooManyArguments, span, dtype.name, ("x",))
        return UNKNOWN
    if given[0].value is UNKNOWN:
        return UNKNOWN
    operand = _as_tensor(b, given[0], dtype.name, frame.labels.path)
    if operand is UNKNOWN or operand.value.dtype == dtype.name:
        return operand if operand is UNKNOWN else operand.value
    return b.emit(cast, (operand.value,), {"dtype": dtype.name}, frame.labels.path, span)


def _initializer(b: Builder, row: InitializerRow, given: list[Given], span: Span) -> Any:
    bound = bind(b, row.name, tuple(row.parameters), given)
    if bound is None or any(g.value is UNKNOWN for g in bound.values()):
        return UNKNOWN
    arguments = dict(row.parameters)
    for name, argument in bound.items():
        try:
            arguments[name] = row.kind(name)(argument.value)
        except BadArgument as reason:
            b.complain(BadValue, argument.span, row.name, name, show(argument.value),
                       str(reason), row.kind(name).expected)
            return UNKNOWN
    reason = row.refuses(*arguments.values())
    if reason is not None:
        b.complain(BadOperation, span, row.name, reason)
        return UNKNOWN
    return Initializer(row.name, tuple(arguments.values()))
