"""From what the command line names to what the verbs work on: models, weights, data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from netdsl.cli.terminal import tell
from netdsl.compiler import build, choose, data_source, open_file, split_target
from netdsl.diagnostics import Refused, Report
from netdsl.model import Model

MANY_WEIGHTS = 10**8  # a second's work

if TYPE_CHECKING:
    from netdsl.data.dataset import Dataset


def open_model(
    target: str, attributes: Mapping[str, str], root: Path | None,
    settings: Mapping[str, str] | None = None, data: str | None = None,
) -> Model:
    """The model that FILE[:MODEL] means, with `-D`, `--root`, `--set` and `--data` applied.
    Warnings are told; raises Refused for errors."""
    path, name = split_target(target)
    report = Report()
    module = open_file(path, report, root)
    source = None if data is None else data_source(data)
    definition = choose(module, name)
    model = Model(build(module, definition, report, attributes, settings, name, source))
    tell(report.problems)
    return model


def read_weights(model: Model, path: str) -> dict[str, np.ndarray]:
    """The weights of a file, which must be those of the model. Raises Refused."""
    from netdsl.weights import load_weights, not_finite

    arrays = load_weights(path, model.graph.variables)
    warning = not_finite(arrays, path)
    if warning is not None:
        tell([warning])
    return arrays


def tell_of_drawing(model: Model) -> None:
    """That random weights are drawn, where there are so many that it takes a while."""
    count = sum(variable.type.size for variable in model.graph.variables.values()
                if not variable.type.symbols)
    if count > MANY_WEIGHTS:
        click.echo(f"drawing {count:,} random weights …", err=True)


def read_data(model: Model, specification: str | None) -> Dataset:
    """The data of `--data`, else those that the model's training program names. Raises Refused."""
    from netdsl.data.sources import load_source
    from netdsl.diagnostics.training import NoData

    if specification is not None:
        return load_source(data_source(specification))
    if model.program is None or model.program.data is None:
        raise Refused(NoData(None if model.program is None else model.program.span))
    return load_source(model.program.data)
