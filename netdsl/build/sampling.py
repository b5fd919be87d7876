"""`sample` declarations to `SampleProgram`s: numbers worked out, names kept. The sampler and what
it is bound to are looked up in `generate`."""

from __future__ import annotations

from netdsl.build.model import lineage
from netdsl.build.settings import Settings, described_setting
from netdsl.build.values import ModelDefinition, Module
from netdsl.diagnostics import Report
from netdsl.diagnostics.evaluation import WrongKind
from netdsl.ir.program import Recipe, Reference, SampleProgram
from netdsl.language import ast


def sampler_of(
    module: Module, model: ModelDefinition, report: Report
) -> SampleProgram | None:
    """The sampler of a model: its own, else that of the model it is a preset of. None when there
    is none or `report` was told something."""
    declaration = _declaration_of(module, model)
    if declaration is None:
        return None
    own, span = Report(), declaration.value.span
    value = Settings(module.names, own).value(declaration.value)
    if own.problems:
        for problem in own.problems:
            report.add(problem)
        return None
    if isinstance(value, Reference) and len(value.path) == 1:
        value = Recipe(value.path[0], span=span, bare=True)
    if isinstance(value, Recipe):
        return SampleProgram(model.name, value, declaration.model.span)
    report.add(WrongKind(span, described_setting(value), "a sampler",
                         "`autoregressive(logits, tok, length = 500)`"))
    return None


def _declaration_of(module: Module, model: ModelDefinition) -> ast.SampleDeclaration | None:
    samples = {sample.model.id: sample for sample in module.samples}
    for definition in lineage(model):
        if module.names.get(definition.name) is definition and definition.name in samples:
            return samples[definition.name]
    return None
