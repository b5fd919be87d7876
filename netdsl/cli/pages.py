"""The pages of `netdsl explain`, taken from the docstrings of what they explain."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields
from importlib import import_module
from itertools import takewhile
from pkgutil import iter_modules
from re import split
from textwrap import fill
from typing import Any, get_type_hints

import netdsl.diagnostics
from netdsl.build.copies import EMA, FROZEN
from netdsl.build.modules import library
from netdsl.build.numbers import PAGES
from netdsl.build.penalties import PENALTIES
from netdsl.build.values import LayerDefinition
from netdsl.build.values import show as shown
from netdsl.cli import concepts
from netdsl.data.noise import RANDOM_DRAWS
from netdsl.data.source import Source
from netdsl.data.sources import SOURCES
from netdsl.data.transforms import TRANSFORMS
from netdsl.diagnostics import Problem
from netdsl.generate.samplers import SAMPLERS
from netdsl.ir.graph import Initializer
from netdsl.language.words import BELONGS, FORMS
from netdsl.layers import WORDS
from netdsl.layers.arguments import DType, dtype_name
from netdsl.layers.initializers import INITIALIZERS, InitializerRow
from netdsl.layers.libraries import LIBRARIES
from netdsl.layers.words import REQUIRED, Word, WordAttribute
from netdsl.registry import argument, kind_of, show
from netdsl.training.optimizers import OPTIMIZERS
from netdsl.training.schedules import SCHEDULES
from netdsl.training.settings import SETTINGS, STOPS, WEIGHTS

TABLES = (SOURCES, TRANSFORMS, RANDOM_DRAWS, OPTIMIZERS, SCHEDULES, STOPS, WEIGHTS, SAMPLERS)
PENDING = "This version checks it and does not carry it out yet."


@dataclass(frozen=True)
class Page:
    """One thing explained. `sort` says what it is: "error", "layer", "transform"; `title` is how
    it is written, with its arguments, or for an error what went wrong."""

    word: str
    sort: str
    title: str
    text: str

    @property
    def is_problem(self) -> bool:
        return self.sort in ("error", "warning", "note")


def all_pages() -> Iterator[Page]:
    """Every page, errors last."""
    for word in WORDS.values():
        yield word_page(word)
    for name in LIBRARIES:
        yield from library_pages(name)
    for row in INITIALIZERS.values():
        yield initializer_page(row)
    functions = (EMA, FROZEN, *PENALTIES.values())
    for name, doc in {**{each.name: each.doc for each in functions}, **PAGES}.items():
        title, _, text = doc.partition("\n\n")
        yield Page(name, "function", title, text)
    for table in TABLES:
        for name, row in table.rows.items():
            yield row_page(table.sort, name, row)
    for name, row in SETTINGS.rows.items():
        yield setting_page(name, row)
    for terminal, place in BELONGS.items():
        yield keyword_page(terminal, place)
    yield from concept_pages()
    for problem in problems():
        yield problem_page(problem)


def problems() -> list[type[Problem]]:
    """Every kind of problem, by its code."""
    for module in iter_modules(netdsl.diagnostics.__path__, "netdsl.diagnostics."):
        import_module(module.name)
    found, open = [], [Problem]
    while open:
        kinds = open.pop().__subclasses__()
        open += kinds
        found += [kind for kind in kinds if "code" in vars(kind)]
    return sorted(found, key=lambda kind: (kind.code, kind.__name__))


def problem_page(problem: type[Problem]) -> Page:
    title, _, text = inspect.getdoc(problem).partition("\n")
    return Page(problem.code, problem.severity, title.rstrip("."), text.strip())


def word_page(word: Word) -> Page:
    operands = [
        f"*{o.name}" if o.variadic else f"{o.name} = none" if o.optional else o.name
        for o in word.operands
    ]
    given = [(a.name, a.kind.expected, a.default is REQUIRED, default_of(a))
             for a in word.attributes]
    attributes = [written(name, needed, default) for name, _, needed, default in given]
    if word.more is not None:
        attributes.append("name = …")
        given.append(("name", word.more.expected, False, None))
    if word.owns:
        title = f"{word.name}{{{', '.join(attributes)}}}({', '.join(operands)})"
    else:
        title = f"{word.name}({', '.join((*operands, *attributes))})"
    rows = arguments([(name, expected) for name, expected, *_ in given])
    return Page(word.name, "layer" if word.owns else "function", title, below(word.doc, rows))


def default_of(attribute: WordAttribute) -> Any:
    """The default as a value of the language: a dtype is none of its texts."""
    is_dtype = attribute.kind.convert is dtype_name and isinstance(attribute.default, str)
    return DType(attribute.default) if is_dtype else attribute.default


def library_pages(name: str) -> Iterator[Page]:
    """The library with what it holds, and each of its layers."""
    layers = library(name).names
    held = "\n".join(
        f"    {name}.{header(layer).partition('(')[0]}\n        {first_sentence(layer)}"
        for layer in layers.values()
    )
    yield Page(name, "library", f"use {name}", below("Layers in the language itself:", held))
    for word, layer in layers.items():
        yield Page(f"{name}.{word}", "layer", f"{name}.{header(layer)}", documentation(layer))


def header(layer: LayerDefinition) -> str:
    """A layer's declaration up to its body, on one line."""
    span, body = layer.declaration.span, layer.declaration.body
    text = span.source.text[span.start : body[0].span.start]
    line = " ".join(text.split()).replace("( ", "(").replace(", )", ")")
    return line.removeprefix("layer ").removesuffix("{").strip()


def first_sentence(layer: LayerDefinition) -> str:
    text = " ".join(documentation(layer).split())
    return split(r"\. (?=[A-Z`])", text)[0].rstrip(".") + "."  # `et al. 2018` goes on


def documentation(layer: LayerDefinition) -> str:
    """The comment lines that touch a declaration from above."""
    span = layer.declaration.span
    above = span.source.text[: span.start].splitlines()
    lines = list(takewhile(lambda line: line.startswith("#"), reversed(above)))
    return "\n".join(line.removeprefix("#").strip() for line in reversed(lines))


def initializer_page(row: InitializerRow) -> Page:
    given = ", ".join(written(name, False, value) for name, value in row.parameters.items())
    rows = arguments([(name, row.kind(name).expected) for name in row.parameters])
    title = f"{row.name}({given})" if given else row.name
    return Page(row.name, "initialiser", title, below(filled(row.doc), rows))


def row_page(sort: str, name: str, row: type) -> Page:
    kinds = get_type_hints(row, include_extras=True)
    in_order = sorted(fields(row), key=lambda field: field.kw_only)
    given = [(argument(f), kind_of(kinds[f.name]).expected, f.default) for f in in_order]
    settings = [written(name, default is MISSING, default) for name, _, default in given]
    shared = inspect.getdoc(Source) if issubclass(row, Source) else ""
    rows = arguments([(name, expected) for name, expected, _ in given])
    return Page(name, sort, f"{name}({', '.join(settings)})",
                below(inspect.getdoc(row), rows, shared, pending(row)))


def setting_page(name: str, row: type) -> Page:
    """An entry of a train program, as it is written."""
    kinds = get_type_hints(row, include_extras=True)
    expected = kind_of(kinds[fields(row)[0].name]).expected
    return Page(name, "setting", row.form,
                below(inspect.getdoc(row), f"    {name}  {expected}", pending(row)))


def pending(row: type) -> str:
    return PENDING if getattr(row, "pending", False) else ""


def keyword_page(terminal: str, place: str) -> Page:
    word, form = terminal.lower(), FORMS.get(terminal)
    meaning = concepts.KEYWORDS.get(terminal, "")
    return Page(word, "keyword", word, below(f"{place}.", f"    {form}" if form else "",
                                             filled(meaning)))


def concept_pages() -> Iterator[Page]:
    """Signs, dtypes, and terms that are no words of the language."""
    for sign, (title, text) in concepts.SIGNS.items():
        yield Page(sign, "sign", title, filled(text))
    for dtype, text in concepts.DTYPES.items():
        yield Page(dtype, "dtype", dtype, filled(text))
    for term, page in concepts.TERMS.items():
        title, _, text = page.partition("\n\n")
        yield Page(term, "term", title, filled(text))


def filled(text: str) -> str:
    """Sentences in lines of 100 columns."""
    return fill(text, 100, break_long_words=False, break_on_hyphens=False)


def arguments(named: list[tuple[str, str]]) -> str:
    """A line for each argument: its name and what it may be."""
    width = max((len(name) for name, _ in named), default=0)
    return "\n".join(f"    {name:{width}}  {expected}" for name, expected in named)


def below(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def written(name: str, is_needed: bool, default: Any) -> str:
    return name if is_needed else f"{name} = {value_text(default)}"


def value_text(value: Any) -> str:
    """A default as the language writes it."""
    if isinstance(value, (Initializer, DType)):
        return shown(value)
    if isinstance(value, float):
        return f"{value:g}"
    return show(value)
