"""The tables of grammars/README.md, made from the tables of the code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from netdsl.build import builder, model, modules, numbers, work
from netdsl.cli.pages import Page, initializer_page, row_page, word_page
from netdsl.data.noise import RANDOM_DRAWS
from netdsl.data.sources import SOURCES
from netdsl.data.transforms import TRANSFORMS
from netdsl.generate.samplers import SAMPLERS
from netdsl.language import bounds, text, words
from netdsl.layers import WORDS
from netdsl.layers.initializers import INITIALIZERS
from netdsl.registry import Table
from netdsl.training.optimizers import OPTIMIZERS
from netdsl.training.schedules import SCHEDULES
from netdsl.training.settings import SETTINGS, STOPS, WEIGHTS

Row = tuple[str, ...]  # the cells, in Markdown


def described(made: Iterable[Page]) -> list[Row]:
    """How each word is written, and what it is in a few words."""
    return [(f"`{page.title}`", beginning(page.text)) for page in made]


def beginning(text: str) -> str:
    """The first sentence, or what stands before its colon."""
    return re.split(r"(?<! al)[.:](?: |$)", " ".join(text.partition("\n\n")[0].split()))[0]


def of_rows(table: Table) -> list[Row]:
    """The rows of a table, those marked that are checked and not carried out."""
    pages = described(row_page(table.sort, *row) for row in table.rows.items())
    marks = ("checked only" if getattr(row, "pending", False) else ""
             for row in table.rows.values())
    return [(*page, mark) for page, mark in zip(pages, marks)]


def of_std() -> list[Row]:
    """The layers of `use std`, each with the comment above it."""
    rows = []
    for layer in modules.library("std").names.values():
        node, lines = layer.declaration, layer.module.source.text.splitlines()
        given = ", ".join(attribute.span.text for attribute in node.attributes)
        taken = ", ".join(operand.name.id for operand in node.operands)
        above = node.span.line - 2
        first = above
        while lines[first].startswith("#"):
            first -= 1
        doc = " ".join(line.lstrip("# ") for line in lines[first + 1 : above + 1])
        rows.append((f"`{layer.name}{{{given}}}({taken})`", beginning(doc)))
    return rows


BOUNDS = [
    (text.MOST_TEXT, "of text in a file"),
    (bounds.MOST_TOKENS, "words and signs in a file"),
    (bounds.MOST_BRACKETS, "brackets one in another"),
    (bounds.MOST_LEVELS, "expressions and blocks one in another"),
    (bounds.MOST_DIGITS, "digits of a number"),
    (bounds.MOST_LETTERS, "letters of a name"),
    (modules.MOST_FILES, "files that use each other"),
    (model.MOST_PRESETS, "presets of presets"),
    (model.MOST_INPUTS, "inputs of one list"),
    (numbers.MOST_ITEMS, "items of a list; a range may be longer"),
    (numbers.MOST_BITS, "bits of an exact number"),
    (builder.MOST_TURNS, "turns of all loops of a model together"),
    (builder.MOST_STEPS, "expressions evaluated for a model"),
    (work.MOST_WORK, "expressions evaluated for all models of a file"),
    (builder.MOST_NODES, "operations of a model"),
    (builder.MOST_LETTERS, "letters of all label paths of a model"),
    (builder.MOST_NESTED, "layers applied one in another"),
    (builder.MOST_ELEMENTS, "elements of a tensor, free dimensions taken as 1"),
    (builder.MOST_PROBLEMS, "errors told in one run"),
]


def keyword_rows() -> list[Row]:
    rows = []
    for type, place in words.BELONGS.items():
        form = words.FORMS.get(type)
        rows.append((f"`{type.lower()}`", f"`{form}`" if form else place))
    return [*rows, ("`and` `or` `not`", "`if (a and not b) { … }`")]


def setting_rows() -> list[Row]:
    return [(f"`{row.form}`", beginning(row.__doc__), "checked only" if row.pending else "")
            for row in SETTINGS.rows.values()]


TABLES: dict[str, Callable[[], list[Row]]] = {
    "keywords": keyword_rows,
    "compile time": lambda: [(f"`{title}`", beginning(doc)) for title, _, doc in
                             (page.partition("\n\n") for page in numbers.PAGES.values())],
    "layers": lambda: described(word_page(word) for word in WORDS.values() if word.owns),
    "std": of_std,
    "functions": lambda: described(word_page(word) for word in WORDS.values() if not word.owns),
    "initialisers": lambda: described(map(initializer_page, INITIALIZERS.values())),
    "settings": setting_rows,
    "stops": lambda: of_rows(STOPS),
    "weights": lambda: of_rows(WEIGHTS),
    "sources": lambda: of_rows(SOURCES),
    "transforms": lambda: of_rows(TRANSFORMS),
    "draws": lambda: of_rows(RANDOM_DRAWS),
    "optimisers": lambda: of_rows(OPTIMIZERS),
    "schedules": lambda: of_rows(SCHEDULES),
    "samplers": lambda: of_rows(SAMPLERS),
    "bounds": lambda: [(n if isinstance(n, str) else f"{n:,}", what) for n, what in BOUNDS],
}
