"""A sampler against its model: operands that exist and are of the right types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import get_type_hints

from netdsl.diagnostics import Problem, Report
from netdsl.diagnostics.sampling import OperandDoesNotFit, OperandUnneeded, UnknownOperand
from netdsl.generate.samplers import INPUT, OUTPUT, SAMPLERS, Operand, Sampler
from netdsl.ir.graph import Graph, ancestry
from netdsl.ir.program import Recipe, Reference, SampleProgram
from netdsl.registry import argument, kind_of, show


def check_sampler(graph: Graph, program: SampleProgram) -> list[Problem]:
    """Everything that is wrong with a sampler for this model (the whole one, not a slice)."""
    report, recipe = Report(), program.sampler
    sampler: Sampler | None = SAMPLERS.bind(recipe, report)
    if sampler is None:
        return report.problems
    names = _operands(sampler)
    for reference, role in names.values():
        known = graph.outputs if role == "output" else graph.inputs
        if str(reference) not in known:
            is_value = role == "output" and str(reference) in graph.names
            report.add(UnknownOperand(reference.span, role, str(reference), tuple(known), is_value))
    if not report.has_errors:
        _check_types(graph, recipe, sampler, names, report)
    return report.problems


def _operands(sampler: Sampler) -> dict[str, tuple[Reference, str]]:
    """The operands by the sampler's names for them: what each refers to, and in which role."""
    kinds = get_type_hints(type(sampler), include_extras=True)
    roles = {OUTPUT: "output", INPUT: "input"}
    return {
        field.name: (getattr(sampler, field.name), roles[kind_of(kinds[field.name])])
        for field in fields(sampler) if kind_of(kinds[field.name]) in roles
    }


def _check_types(
    graph: Graph, recipe: Recipe, sampler: Sampler,
    names: Mapping[str, tuple[Reference, str]], report: Report,
) -> None:
    given = {}
    for name, (reference, role) in names.items():
        values = graph.outputs if role == "output" else graph.inputs
        bound = str(reference)
        given[name] = Operand(values[bound].type, graph.ranges.get(bound))
    misfits = dict(reversed(list(sampler.misfits(given))))  # of each argument, the first
    order = [argument(field) for field in fields(sampler)]
    for name in sorted(misfits, key=order.index):
        if name in names:
            reference = names[name][0]
            told, span = f"{reference}: {given[name].type}", reference.span
        else:
            told, span = f"{name} = {show(recipe.keywords.get(name))}", recipe.spans.get(name)
        report.add(OperandDoesNotFit(span or recipe.span, recipe.name, name, told, misfits[name]))
    if not misfits:
        _check_dependence(graph, recipe, names, report)


def _check_dependence(
    graph: Graph, recipe: Recipe, names: Mapping[str, tuple[Reference, str]], report: Report
) -> None:
    """Every input must reach the output: else sampling would go on with the same numbers."""
    output = next(str(reference) for reference, role in names.values() if role == "output")
    _, leaves = ancestry(graph.outputs[output])
    for reference, role in names.values():
        if role == "input" and graph.inputs[str(reference)] not in leaves:
            report.add(OperandUnneeded(reference.span, str(reference), output))
