"""`netdsl summary`: a network as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from netdsl.analysis.summary import LayerRow, PhaseTotals, Summary
from netdsl.cli import options
from netdsl.cli.opening import open_model
from netdsl.cli.terminal import look, show, show_json
from netdsl.cli.verb import Verb
from netdsl.ir.dim import Dim
from netdsl.ir.tensor import TensorType
from netdsl.views.summary import summary_text

EXAMPLES = """\b
Examples:
  netdsl summary models/inception_small.net --depth 1
  netdsl summary models/digits.net -D width=32 --json
"""


@click.command(cls=Verb, epilog=EXAMPLES)
@options.target
@options.attributes
@options.root
@click.option("--depth", type=click.IntRange(min=1), metavar="N",
              help="Show N levels of layers; 1 means the outermost alone.")
@options.as_json
def command(
    target: str, attributes: dict[str, str], root: Path | None, depth: int | None, as_json: bool
) -> None:
    """Show a network's layers, parameters and work as a table.

    A layer counts what lies in it. `×2` marks a layer that is applied twice; its parameters count
    once. What only training or validation needs is marked.
    """
    summary = open_model(target, attributes, root).summary()
    if as_json:
        show_json(**as_data(summary, depth))
    else:
        show(summary_text(summary, depth, **look()))


def as_data(summary: Summary, depth: int | None) -> dict[str, Any]:
    """The summary for JSON. Sizes and MACs are numbers, or text where dimensions are free."""
    return {
        "model": summary.model,
        "inputs": {name: tensor(type) for name, type in summary.inputs.items()},
        "outputs": {name: tensor(type) for name, type in summary.outputs.items()},
        "layers": [layer(row) for row in summary.layers if depth is None or row.depth < depth],
        "phases": {"inference": phase(summary.inference), "training": phase(summary.training)},
        "assumptions": [assumption.as_data() for assumption in summary.assumptions],
    }


def layer(row: LayerRow) -> dict[str, Any]:
    return {
        "path": row.path,
        "kind": row.kind,
        "depth": row.depth,
        "output": [size(dim) for dim in row.output[0].shape] if row.output else [],
        "outputs": [tensor(type) for type in row.output],
        "parameters": row.parameters,
        "macs": size(row.macs),
        "uses": row.uses,
        "phases": list(row.phases),
        "function": row.is_function,
    }


def phase(totals: PhaseTotals) -> dict[str, Any]:
    return {
        "parameters": totals.parameters, "buffers": totals.buffers, "macs": size(totals.macs),
    }


def tensor(type: TensorType) -> dict[str, Any]:
    return {"dtype": type.dtype, "shape": [size(dim) for dim in type.shape]}


def size(dim: Dim) -> int | str:
    return dim if isinstance(dim, int) else str(dim)
