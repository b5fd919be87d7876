"""Registered rows: what the recipes of train and sample programs name. Sources and transforms
(`data`), optimisers, schedules and settings (`training`), samplers (`generate`) are rows, and this
is the one place that binds recipes to them, so it lies below those rooms.

A row is a frozen dataclass. Its docstring explains it, its fields are its arguments, each annotated
with a `Kind` that says what it may be; fields marked `kw_only` are given by name alone, and one
called `except_` is the argument `except`. Checks over several arguments belong into `__post_init__`
and raise ValueError. A row that this version checks and does not execute is marked `pending`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, dataclass, fields
from fractions import Fraction
from math import inf, isfinite
from typing import Annotated, Any, TypeAlias, get_args, get_type_hints

from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.evaluation import MissingArgument, TooManyArguments, UnknownArgument
from netdsl.diagnostics.names import UnknownName
from netdsl.diagnostics.rows import ArgumentsDisagree, BareWord, UnknownRow, WrongArgument
from netdsl.ir.program import UNKNOWN, Flow, Pattern, Recipe, Reference, Setting
from netdsl.layers.arguments import BadArgument, Kind
from netdsl.source import Span

MOST_PROBLEMS = 50  # told of one sort: the rest of a file as wrong as that is left alone


@dataclass(frozen=True)
class Table:
    """The rows of one sort by their words; `sort` is what messages call one: "data source"."""

    sort: str
    rows: Mapping[str, type]

    def bind(self, recipe: Recipe, report: Report) -> Any | None:
        """The row that a recipe names, made with its arguments. What is wrong with the recipe is
        reported at its place, and the result is None."""
        own = Report()  # `report` may have been told of this recipe before
        row = self._row(recipe, own)
        for problem in own.problems:
            report.add(problem)
        return row

    def _row(self, recipe: Recipe, report: Report) -> Any | None:
        row = self.rows.get(recipe.name)
        if row is None and not recipe.name:
            return None
        if row is None:
            span = recipe.span and recipe.span.beginning(len(recipe.name))
            report.add(UnknownRow(span, self.sort, recipe.name, tuple(self.rows)))
            return None
        known = {argument(field): field for field in fields(row)}
        if recipe.bare:
            needed = [name for name, field in known.items() if field.default is MISSING]
            report.add(BareWord(recipe.span, self.sort, recipe.name, tuple(needed)))
            return None
        given = _named(row, recipe, known, report)
        return None if given is None else _made(row, given, recipe, report)

    def name_of(self, row: type) -> str:
        """The word for a row."""
        return next(name for name, each in self.rows.items() if each is row)


Given: TypeAlias = dict[str, tuple[Setting, Span | None]]  # by argument, each with its place


def argument(field: Field) -> str:
    """What the argument behind a row's field is called: `except` is no name in Python."""
    return field.name.rstrip("_")


def _named(row: type, recipe: Recipe, known: Mapping[str, Field], report: Report) -> Given | None:
    """The settings of a recipe by the names of the arguments they are for; None after reporting."""
    places = [name for name, field in known.items() if not field.kw_only]
    if len(recipe.arguments) > len(places):
        named = [name for name, field in known.items() if field.kw_only]
        way = _by_name(row, recipe.arguments[len(places)], {*named} - {*recipe.keywords})
        report.add(TooManyArguments(recipe.span, recipe.name, (*places, *named), way, len(places)))
    given = {
        name: (setting, recipe.spans.get(number, recipe.span))
        for number, (name, setting) in enumerate(zip(places, recipe.arguments))
    }
    for name, setting in recipe.keywords.items():
        span = recipe.spans.get(name, recipe.span)
        if len(report.problems) >= MOST_PROBLEMS:
            break
        if name not in known:
            report.add(UnknownArgument(span, recipe.name, name, tuple(known)))
        elif name in given:
            report.add(ArgumentsDisagree(span, recipe.name, f"`{name}` is given twice"))
        given[name] = (setting, span)
    if not report.problems:  # a mistyped name is not missing too
        for name, field in known.items():
            if name not in given and field.default is MISSING:
                report.add(MissingArgument(recipe.span, recipe.name, name))
    return None if report.problems else given


def _by_name(row: type, setting: Setting, names: Collection[str]) -> str | None:
    """How to write a setting that goes by name, where there is one argument that it can be."""
    kinds, takers = get_type_hints(row, include_extras=True), []
    for field in fields(row):
        if argument(field) in names:
            with suppress(BadArgument, Refused):
                _converted(setting, kinds[field.name])
                takers.append(argument(field))
    return f"by name: `{takers[0]} = {show(setting)}`" if len(takers) == 1 else None


def _made(
    row: type, given: Given, recipe: Recipe, report: Report
) -> Any | None:
    """The row with its arguments converted; None after reporting."""
    kinds = get_type_hints(row, include_extras=True)
    names = {argument(field): field.name for field in fields(row)}
    arguments = {}
    for name, (setting, span) in given.items():
        kind = kind_of(kinds[names[name]])
        try:
            arguments[names[name]] = _converted(setting, kinds[names[name]])
        except BadArgument:
            if not failed(setting):
                report.add(misnamed(setting, kind) or WrongArgument(
                    span, recipe.name, name, show(setting), kind.expected))
        except Refused as refused:
            for problem in refused.problems:
                report.add(problem)
    if len(arguments) < len(given):
        return None
    try:
        return row(**arguments)
    except ValueError as error:
        report.add(ArgumentsDisagree(recipe.span, recipe.name, str(error)))
        return None


def kind_of(annotation: Any) -> Kind:
    """The Kind in `Annotated[…, Kind(…)]` or `Annotated[…, Kind(…)] | None`."""
    for part in (annotation, *get_args(annotation)):
        for extra in getattr(part, "__metadata__", ()):
            if isinstance(extra, Kind):
                return extra
    raise TypeError(f"a row's field is annotated with no Kind: {annotation}")


def _converted(setting: Setting, annotation: Any) -> Any:
    if setting is None and type(None) in get_args(annotation):
        return None
    return kind_of(annotation).convert(setting)


def failed(setting: Setting) -> bool:
    """Whether something in a setting failed before, so that no more is to be said of it."""
    return setting is UNKNOWN or isinstance(setting, tuple) and any(map(failed, setting))


def misnamed(setting: Setting, kind: Kind) -> UnknownName | None:
    """What to say of a name that nothing defines, where no name belongs."""
    parts = setting if isinstance(setting, tuple) else (setting,)
    for part in parts:
        if isinstance(part, Reference) and len(part.path) == 1 and kind not in _OF_WORDS:
            return UnknownName(part.span, str(part), tuple(part.known))
    return None


def show(setting: Setting) -> str:
    """A setting as the language writes it: `warmup(5) -> cosine(0.1)`. Long lists are cut."""
    match setting:
        case None:
            return "none"
        case bool():
            return "true" if setting else "false"
        case int() | Fraction():
            return _show_number(setting)
        case str():
            return '"' + setting.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case tuple():
            cut = [*map(show, setting[:20]), *(["…"] if len(setting) > 20 else [])]
            return "[" + ", ".join(cut) + "]"
        case Recipe():
            if setting.bare:
                return setting.name
            named = (f"{name} = {show(value)}" for name, value in setting.keywords.items())
            return f"{setting.name}({', '.join([*map(show, setting.arguments), *named])})"
        case Reference():
            return str(setting)
        case Flow():
            stages = (
                show(stage.recipe) + (f" when {show(stage.condition)}" if stage.condition else "")
                for stage in setting.stages
            )
            return " -> ".join([show(setting.head), *stages])
    return str(setting)


def _show_number(number: int | Fraction) -> str:
    if abs(number) >= 10**30:
        return "1e30 or more" if number > 0 else "-1e30 or less"
    if isinstance(number, Fraction) and number.denominator != 1:
        return repr(float(number))
    return str(int(number))


# ------------------------------------------------------------------ kinds


def real(low: float = -inf, high: float = inf, open_high: bool = False) -> Callable:
    """A converter to a finite float of at least `low` and at most (or below) `high`."""

    def convert(setting: Setting) -> float:
        if isinstance(setting, bool) or not isinstance(setting, (int, Fraction, float)):
            raise BadArgument
        try:
            value = float(setting)
        except OverflowError:
            raise BadArgument from None
        if not isfinite(value) or not low <= value <= high or (open_high and value == high):
            raise BadArgument
        return value

    return convert


def whole(low: int) -> Callable[[Setting], int]:
    """A converter to an integer of at least `low`, below 2⁶³."""

    def convert(setting: Setting) -> int:
        if isinstance(setting, Fraction) and setting.denominator == 1:
            setting = setting.numerator
        if isinstance(setting, bool) or not isinstance(setting, int):
            raise BadArgument
        if not low <= setting < 2**63:
            raise BadArgument
        return setting

    return convert


def instance(type: type) -> Callable[[Setting], Any]:
    """A converter that takes settings of one Python type as they are."""

    def convert(setting: Setting) -> Any:
        if not isinstance(setting, type):
            raise BadArgument
        return setting

    return convert


def positive(setting: Setting) -> float:
    value = real(0)(setting)
    if not value:
        raise BadArgument
    return value


def list_of(each: Callable[[Setting], Any], count: int | None = None, lone: bool = False):
    """A converter to a tuple of at least one entry, of `count` if given; `lone`: a single entry
    needs no brackets."""

    def convert(setting: Setting) -> tuple:
        entries = (setting,) if lone and not isinstance(setting, tuple) else setting
        if not isinstance(entries, tuple) or not entries or len(entries) != (count or len(entries)):
            raise BadArgument
        return tuple(map(each, entries))

    return convert


def row_of(table: Callable[[], Table]) -> Callable[[Setting], Any]:
    """A converter to a row of a table. It raises Refused with what is wrong with the recipe."""

    def convert(setting: Setting) -> Any:
        if isinstance(setting, Reference) and len(setting.path) == 1:
            setting = Recipe(setting.path[0], span=setting.span, bare=True)
        if not isinstance(setting, Recipe):
            raise BadArgument
        report = Report()
        row = table().bind(setting, report)
        if row is None:
            raise Refused(*report.problems)
        return row

    return convert


def word_among(*words: str) -> Callable[[Setting], str]:
    """A converter that takes one of some words, written without quotes."""

    def convert(setting: Setting) -> str:
        if not isinstance(setting, Reference) or str(setting) not in words:
            raise BadArgument
        return str(setting)

    return convert


def pattern(setting: Setting) -> Pattern:
    if not isinstance(setting, Reference):
        raise BadArgument
    return Pattern(setting.path, setting.span)


def word_or_number(setting: Setting) -> str | int:
    return setting if isinstance(setting, str) else whole(0)(setting)


Real = Annotated[float, Kind("a number", real())]
NotNegative = Annotated[float, Kind("a number of at least 0", real(0))]
Positive = Annotated[float, Kind("a number above 0", positive)]
Portion = Annotated[float, Kind("a number from 0 to 1", real(0, 1))]
BelowOne = Annotated[float, Kind("a number from 0 to below 1", real(0, 1, open_high=True))]
Whole = Annotated[int, Kind("a whole number of at least 0", whole(0))]
Count = Annotated[int, Kind("a whole number of at least 1", whole(1))]
Flag = Annotated[bool, Kind("true or false", instance(bool))]
Text = Annotated[str, Kind('a text in quotes, as in "data/train"', instance(str))]
Reals = Annotated[
    tuple[float, ...], Kind("a number or a list of numbers", list_of(real(), lone=True))
]
Positives = Annotated[
    tuple[float, ...],
    Kind("a number above 0 or a list of such", list_of(positive, lone=True)),
]
TwoBelowOne = Annotated[
    tuple[float, float],
    Kind("two numbers from 0 to below 1", list_of(real(0, 1, open_high=True), count=2)),
]
Names = Annotated[
    tuple[str | int, ...], Kind("a list of class names or numbers", list_of(word_or_number))
]
Paths = Annotated[
    tuple[Pattern, ...], Kind("a label path such as `stage.0`, or a list of such",
                              list_of(pattern, lone=True)),
]
_OF_WORDS = frozenset({kind_of(Text), kind_of(Names)})  # where a name lacks its quotes
