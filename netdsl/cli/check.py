"""`netdsl check`: what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import click

from netdsl.build.values import LayerDefinition, Module
from netdsl.cli import options
from netdsl.cli.terminal import show, show_json, tell
from netdsl.cli.verb import Verb
from netdsl.compiler import Built, build, choose, open_file, split_target
from netdsl.diagnostics import Refused, Report, in_order
from netdsl.diagnostics.render import render_json
from netdsl.ir.assumptions import strongest
from netdsl.ir.graph import Value

MOST_ASSUMPTIONS = 20  # listed below a model
EXAMPLES = """\b
Examples:
  netdsl check models/digits.net
  netdsl check models/digits.net:Digits -D width=32 --set "lr=cosine(1e-3)"
"""


@click.command(cls=Verb, epilog=EXAMPLES)
@options.target
@options.attributes
@options.root
@options.settings
@options.as_json
def command(
    target: str, attributes: dict[str, str], root: Path | None, settings: dict[str, str],
    as_json: bool,
) -> None:
    """Find what is wrong with a file, without running anything.

    Every model of the file is built and its training program checked, or only the one that is
    named. Prints a line for each: its name, parameters, inputs and outputs; below it, the relations
    between free sizes that it assumes and checks when data arrive. Names are
    checked in every layer, its shapes where a model uses it.
    """
    path, name = split_target(target)
    report = Report()
    module = open_file(path, report, root)
    built = build_all(module, name, attributes, report, settings)
    report.stop_on_errors()
    if as_json:
        problems = [render_json(problem.describe()) for problem in in_order(report.problems)]
        show_json(models=[described(each) for each in built], problems=problems)
        return
    tell(report.problems)
    for line in lines(built) or [without_models(module)]:
        show(line)


def build_all(
    module: Module, name: str | None, attributes: dict[str, str], report: Report,
    settings: dict[str, str] | None = None,
) -> list[Built]:
    """The model called `name`, or all; what is wrong with any of them is in the report."""
    if name is None:
        definitions = list(module.models.values())
    else:
        definitions = [choose(module, name)]
    built = []
    for definition in definitions:
        own = Report()
        try:
            built.append(build(module, definition, own, attributes, settings, name))
        except Refused as refused:
            for problem in refused.problems:
                report.add(problem)
        for problem in own.problems:
            report.add(problem)
    return built


def described(built: Built) -> dict:
    graph = built.graph
    return {
        "model": built.definition.name,
        "parameters": parameter_count(built),
        "inputs": {name: str(value.type) for name, value in graph.inputs.items()},
        "outputs": {name: str(value.type) for name, value in graph.outputs.items()},
        "assumptions": [assumption.as_data() for assumption in strongest(graph.assumptions)],
    }


def lines(built: list[Built]) -> list[str]:
    """A line for each model, names and counts aligned, and below it what it assumes."""
    names = [each.definition.name for each in built]
    counts = [f"{parameter_count(each):,}" for each in built]
    widths = max(map(len, names), default=0), max(map(len, counts), default=0)
    told = []
    for name, count, each in zip(names, counts, built):
        told.append(f"{name:{widths[0]}}  {count:>{widths[1]}} parameters  "
                    f"{shown(each.graph.inputs)} -> {shown(each.graph.outputs)}")
        assumptions = strongest(each.graph.assumptions)
        told += [f"  assumes {assumption.line}" for assumption in assumptions[:MOST_ASSUMPTIONS]]
        if len(assumptions) > MOST_ASSUMPTIONS:
            told.append(f"  and {len(assumptions) - MOST_ASSUMPTIONS} more, which --json lists")
    return told


def parameter_count(built: Built) -> int:
    return sum(variable.type.size for variable in built.graph.parameters.values())


def shown(values: dict[str, Value]) -> str:
    return ", ".join(f"{name} {value.type}" for name, value in values.items()) or "nothing"


def without_models(module: Module) -> str:
    layers = sum(isinstance(value, LayerDefinition) for value in module.names.values())
    return (f"{module.source.name}: {layers} layer{'s' * (layers != 1)}, no model; "
            "shapes in them are checked where a model uses them")
