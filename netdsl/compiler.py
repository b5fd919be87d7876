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
from dataclasses import dataclass, replace
from pathlib import Path

from netdsl.build.model import build_model
from netdsl.build.modules import load_module
from netdsl.build.overrides import Vocabulary
from netdsl.build.sampling import sampler_of
from netdsl.build.settings import recipe_from
from netdsl.build.training import check_targets, declarations_of, programs_of, related_to
from netdsl.build.values import ModelDefinition, Module
from netdsl.diagnostics import Problem, Refused, Report
from netdsl.diagnostics.names import UnknownModel
from netdsl.ir.graph import Graph
from netdsl.ir.program import Recipe, SampleProgram, TrainProgram
from netdsl.language.text import read_source
from netdsl.resources import network

STAGES = (
    ("read", "netdsl.language.text", "read_source", "path -> Source"),
    ("parse", "netdsl.language.parser", "parse", "Source -> File, the syntax tree"),
    ("load", "netdsl.build.modules", "load_module", "File -> Module, with what it uses"),
    ("build", "netdsl.build.model", "build_model", "Module, attributes -> Graph, checked"),
    ("plan", "netdsl.build.training", "programs_of", "Module -> TrainPrograms"),
    ("slice", "netdsl.rewrite.phases", "phase", "Graph -> Graph of one phase"),
    ("differentiate", "netdsl.autodiff", "differentiate", "Graph -> Graph with gradients"),
    ("optimise", "netdsl.training.graph", "training_graph", "Graph -> Graph with updates"),
    ("lower", "netdsl.backends.numpy", "compile_program", "Graph -> NumPy Program"),
    ("export", "netdsl.backends.onnx", "to_model", "Graph, weights -> ONNX model"),
)


@dataclass(frozen=True)
class Built:
    """One model of a file: its whole graph, and its training program and sampler where there are
    such."""

    definition: ModelDefinition
    graph: Graph
    program: TrainProgram | None
    sampler: SampleProgram | None = None


def open_file(path: str | Path, report: Report, root: Path | None = None) -> Module:
    """The file's declarations; `models/NAME.net` finds the networks that come with netdsl too.
    Imports lead to its own folder and below, or to `root` and below. Raises Refused when it cannot
    be read or parsed."""
    module = load_module(read_source(network(path)), report, root)
    check_targets(module, report)
    return module


def choose(module: Module, name: str | None) -> ModelDefinition:
    """The model called `name`, that of the train program called so, or the file's last. Raises
    Refused when there is none."""
    models = module.models
    if name is None and models:
        return list(models.values())[-1]
    programs = {train.name.id: train.model.id for train in module.trains if train.name}
    found = models.get(programs.get(name, name))
    if found is None:
        raise Refused(UnknownModel(module.source.name, name, (*models, *programs)))
    return found


def build(
    module: Module,
    definition: ModelDefinition,
    report: Report,
    attributes: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    program: str | None = None,
    data: Recipe | None = None,
) -> Built:
    """A model with its training program, the one called `program` or the last, and its sampler;
    `attributes` as in `-D`, `settings` as in `--set`, `data` in place of the program's own. All
    programs of the model are checked.

    Raises Refused with everything in `report` when any of it is an error.
    """
    graph = build_model(definition, report, dict(attributes or {}))
    own = declarations_of(module, definition)
    vocabulary = _vocabulary() if settings else None
    programs = programs_of(
        module, definition, own or related_to(module, definition), report, settings, vocabulary,
        program,
    )
    if data is not None and programs and programs[-1] is not None:
        programs = (*programs[:-1], replace(programs[-1], data=data))
    sampler = sampler_of(module, definition, report)
    if graph is not None:
        misfits = _misfits_of_programs(graph, programs)
        if not own:  # those of another preset, of use where they fit this one as they are
            programs = () if any(p.severity == "error" for p in misfits) else programs
        for problem in (*(misfits if own else ()), *_misfits_of_sampler(graph, sampler)):
            report.add(problem)
    report.stop_on_errors()
    return Built(definition, graph, programs[-1] if programs else None, sampler)


def _misfits_of_programs(
    graph: Graph, programs: tuple[TrainProgram | None, ...]
) -> list[Problem]:
    if not programs:
        return []
    from netdsl.training.check import check_program

    return [problem for each in programs if each for problem in check_program(graph, each)]


def _misfits_of_sampler(graph: Graph, sampler: SampleProgram | None) -> list[Problem]:
    if sampler is None:
        return []
    from netdsl.generate.check import check_sampler

    return check_sampler(graph, sampler)


def _vocabulary() -> Vocabulary:
    from netdsl.training.check import vocabulary

    return Vocabulary(*vocabulary())


def data_source(text: str) -> Recipe:
    """What `--data` names: a source as a file writes it, `digits(take = 100)`, or the shorthand
    `fashion_mnist:DIR`. Raises Refused."""
    from netdsl.data.sources import parse_source

    return recipe_from(text, "--data") if "(" in text.partition(":")[0] else parse_source(text)


def split_target(target: str) -> tuple[str, str | None]:
    """`FILE:MODEL` in its parts; the model is None where none is named."""
    path, colon, model = target.rpartition(":")
    return (path, model) if colon and model.isidentifier() and path else (target, None)
