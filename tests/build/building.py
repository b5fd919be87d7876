"""Texts to graphs, and graphs and refusals to pictures."""

from __future__ import annotations

from typing import Any

from netdsl.build.modules import load_module
from netdsl.build.training import check_targets
from netdsl.compiler import Built, build, choose
from netdsl.diagnostics import Problem, Refused, Report
from netdsl.diagnostics.render import render_text
from netdsl.ir.graph import Graph
from netdsl.ir.verify import verify
from netdsl.source import Source


def compiled(
    text: str, model: str | None = None, settings: dict[str, str] | None = None, **attributes: Any
) -> tuple[Built, Report]:
    """The model of a text, its graph verified, and what was said on the way. Raises Refused."""
    return compiled_source(Source("test.net", text), model, settings, **attributes)


def compiled_source(
    source: Source, model: str | None = None, settings: dict[str, str] | None = None,
    **attributes: Any,
) -> tuple[Built, Report]:
    report = Report()
    module = load_module(source, report)
    check_targets(module, report)
    written = {name: str(value) for name, value in attributes.items()}
    built = build(module, choose(module, model), report, written, settings)
    verify(built.graph)
    return built, report


def graph_of(text: str, model: str | None = None, **attributes: Any) -> Graph:
    built, _ = compiled(text, model, **attributes)
    return built.graph


def problems_of(text: str, model: str | None = None, **attributes: Any) -> tuple[Problem, ...]:
    """What is wrong with a text, warnings and notes included."""
    try:
        _, report = compiled(text, model, **attributes)
    except Refused as refusal:
        return refusal.problems
    return tuple(report.problems)


def codes_of(text: str, model: str | None = None, **attributes: Any) -> list[str]:
    return [problem.code for problem in problems_of(text, model, **attributes)]


def errors_of(text: str, **attributes: Any) -> list[str]:
    """Codes of the errors alone."""
    return [p.code for p in problems_of(text, **attributes) if p.severity == "error"]


def picture(problems: tuple[Problem, ...]) -> str:
    """The messages as a terminal shows them."""
    return "\n\n".join(render_text(problem.describe()) for problem in problems) + "\n"


def body(statements: str, before: str = "", x: str = "f32[B, 3]") -> str:
    """A file with a model of these statements, whose input is `x`."""
    return f"net 1\n{before}\nmodel M {{\n    input x: {x}\n{statements}\n}}\n"


def parameters(graph: Graph) -> dict[str, str]:
    """Parameter names with their shapes as the language writes them."""
    return {name: str(v.type).removeprefix("f32") for name, v in graph.parameters.items()}


def outputs(graph: Graph) -> dict[str, str]:
    return {name: str(value.type) for name, value in graph.outputs.items()}


def operations(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]
