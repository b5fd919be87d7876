"""Warnings of a file as a whole: what is declared and never used, names that hide words of the
language."""

from __future__ import annotations

from itertools import islice

from netdsl.build import numbers
from netdsl.build.builder import MOST_PROBLEMS
from netdsl.build.evaluate import BUILT_IN
from netdsl.build.explain.unknown import Body, names_in
from netdsl.build.scopes import FIXED, Mentions, kind_of
from netdsl.build.values import Module
from netdsl.diagnostics import Report
from netdsl.diagnostics.scopes import FixedName, HiddenWord, NeverUsed
from netdsl.diagnostics.suggest import nearest
from netdsl.language import ast


def warn_of_file(module: Module, mentions: Mentions, report: Report) -> None:
    """Add the warnings for the file that is checked. Of those that it uses, only errors are told:
    what it leaves unused of them, others may use."""
    _hidden_words(module, mentions, report)
    if not report.has_errors:  # a mistyped name makes the right one look unused
        _unused_of_layers(module, mentions, report)
        _unused_of_file(module, mentions, report)


def _hidden_words(module: Module, mentions: Mentions, report: Report) -> None:
    for declaration in module.file.declarations:
        name = getattr(declaration, "name", None)
        if name is None or isinstance(declaration, ast.TrainDeclaration):
            continue
        if name.id in FIXED:
            report.add(FixedName(name.span, name.id))
        elif name.id in BUILT_IN or name.id in numbers.FUNCTIONS:
            if name.id not in mentions.of_bodies.get(name.id, ()):  # it needs itself: an error
                report.add(HiddenWord(name.span, name.id, kind_of(name.id)))


def _unused_of_layers(module: Module, mentions: Mentions, report: Report) -> None:
    """Attributes and operands that a body does not mention. A layer that is handed over as a value
    takes what others of its kind take, so nothing is said of it."""
    handed_over = mentions.as_values.union(
        node.id for declaration in module.file.declarations
        if isinstance(declaration, (ast.Preset, ast.Let))
        for node in names_in(declaration.value)
    )
    unused = (
        (kind, each.name, declaration.name.id)
        for declaration in module.file.declarations
        if isinstance(declaration, Body) and declaration.name.id not in handed_over
        for kind in ("attribute", "operand")
        for each in getattr(declaration, f"{kind}s", ())
        if each.name.id not in mentions.of_bodies[declaration.name.id]
    )
    for kind, name, of in islice(unused, MOST_PROBLEMS):
        if nearest(name.id, mentions.sizes.get(of, ())) is None:  # else a note tells of the size
            report.add(NeverUsed(name.span, f"the {kind} `{name.id}` of `{of}`"))


def _unused_of_file(module: Module, mentions: Mentions, report: Report) -> None:
    """Lets and imports, in a file with a model: others are made to be used elsewhere."""
    if not module.models:
        return
    used = set().union(*mentions.of_bodies.values())
    for declaration in module.file.declarations:
        match declaration:
            case ast.Let() | ast.Preset() | ast.SampleDeclaration():
                used.update(node.id for node in names_in(declaration.value))
            case ast.TrainDeclaration():
                used.update(node.id for node in names_in(declaration.body))
    unused = (
        declaration for declaration in module.file.declarations
        if isinstance(declaration, (ast.Let, ast.Use)) and declaration.name.id not in used
    )
    for declaration in islice(unused, MOST_PROBLEMS):
        what = "let" if isinstance(declaration, ast.Let) else "file"
        report.add(NeverUsed(declaration.name.span, f"the {what} `{declaration.name.id}`"))
