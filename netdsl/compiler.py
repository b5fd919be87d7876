"""Read this first: how a `.net` file becomes a network, one stage after the other.

    text ── parse ──▶ AST ── build ──▶ graph ── slice ──▶ infer, train, validate
                                                    │
                 differentiate, updates ◀── train ──┼── infer ──▶ fold, export ──▶ ONNX
                           │                        │
                           └──▶ NumPy program ◀─────┘

Each stage is a function from data to data; `STAGES` names them with the room each lives in.
`open_file` and `build` below run the front half, which every verb needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from netdsl.build.model import build_model
from netdsl.build.modules import load_module
from netdsl.build.settings import recipe_from
from netdsl.build.training import check_targets, program_of
from netdsl.build.values import ModelDefinition, Module
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.names import UnknownModel
from netdsl.ir.graph import Graph
from netdsl.ir.program import Recipe, TrainProgram
from netdsl.language.text import read_source
from netdsl.resources import network

STAGES = (
    ("read", "netdsl.language.text", "read_source", "path -> Source"),
    ("parse", "netdsl.language.parser", "parse", "Source -> File, the syntax tree"),
    ("load", "netdsl.build.modules", "load_module", "File -> Module, with what it uses"),
    ("build", "netdsl.build.model", "build_model", "Module, attributes -> Graph, checked"),
    ("plan", "netdsl.build.training", "program_of", "Module -> TrainProgram"),
    ("slice", "netdsl.rewrite.phases", "phase", "Graph -> Graph of one phase"),
    ("differentiate", "netdsl.autodiff", "differentiate", "Graph -> Graph with gradients"),
    ("optimise", "netdsl.training.graph", "training_graph", "Graph -> Graph with updates"),
    ("lower", "netdsl.backends.numpy", "compile_program", "Graph -> NumPy Program"),
    ("export", "netdsl.backends.onnx", "to_model", "Graph, weights -> ONNX model"),
)


@dataclass(frozen=True)
class Built:
    """One model of a file: its whole graph, and its training program where there is one."""

    definition: ModelDefinition
    graph: Graph
    program: TrainProgram | None


def open_file(path: str | Path, report: Report) -> Module:
    """The file's declarations; `models/NAME.net` finds the networks that come with netdsl too.
    Raises Refused when it cannot be read or parsed."""
    module = load_module(read_source(network(path)), report)
    check_targets(module, report)
    return module


def choose(module: Module, name: str | None) -> ModelDefinition:
    """The model called `name`, or the file's last. Raises Refused when there is none."""
    models = module.models
    if name in models:
        return models[name]
    if name is None and models:
        return list(models.values())[-1]
    raise Refused(UnknownModel(module.source.name, name, tuple(models)))


def build(
    module: Module,
    definition: ModelDefinition,
    report: Report,
    attributes: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Built:
    """A model with its training program; `attributes` as in `-D`, `settings` as in `--set`.

    Raises Refused with everything in `report` when any of it is an error.
    """
    graph = build_model(definition, report, dict(attributes or {}))
    program = program_of(module, definition, report, settings)
    if graph is not None and program is not None:
        from netdsl.training.check import check_program

        for problem in check_program(graph, program):
            report.add(problem)
    report.stop_on_errors()
    return Built(definition, graph, program)


def data_source(text: str) -> Recipe:
    """What `--data` names: a source as a file writes it, `digits(take = 100)`, or the shorthand
    `fashion_mnist:DIR`. Raises Refused."""
    from netdsl.data.sources import parse_source

    return recipe_from(text, "--data") if "(" in text.partition(":")[0] else parse_source(text)


def split_target(target: str) -> tuple[str, str | None]:
    """`FILE:MODEL` in its parts; the model is None where none is named."""
    path, colon, model = target.rpartition(":")
    return (path, model) if colon and model.isidentifier() and path else (target, None)
