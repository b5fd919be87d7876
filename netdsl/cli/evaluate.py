"""`netdsl evaluate`: how good trained weights are."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np

from netdsl.cli import options
from netdsl.cli.opening import open_model, read_data, read_weights
from netdsl.cli.terminal import look, show, show_json
from netdsl.cli.verb import Verb
from netdsl.data.batches import Batches
from netdsl.data.dataset import row_count
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import EmptySet
from netdsl.model import Model
from netdsl.training.evaluate import Evaluation, Evaluator, Run
from netdsl.training.scheduled import at_the_end
from netdsl.views.confusion import confusion_text

BATCH = 256  # where there is no training program to say it
EXAMPLES = """\b
Examples:
  netdsl evaluate models/digits.net --weights runs/digits/best.safetensors
  netdsl evaluate models/digits.net --weights runs/digits/best.safetensors --runtime onnx
"""


@click.command(cls=Verb, epilog=EXAMPLES)
@options.target
@options.weights
@options.attributes
@options.root
@options.data
@click.option("--runtime", type=click.Choice(["numpy", "onnx"]), default="numpy",
              show_default=True, help="What computes the outputs.")
@options.as_json
def command(
    target: str, weights: str, attributes: dict[str, str], root: Path | None, data: str | None,
    runtime: str, as_json: bool,
) -> None:
    """Measure trained weights on a data set.

    Losses and metrics are averaged over the rows for validation. For a classifier the confusion
    matrix shows which classes are taken for which.
    """
    model = open_model(target, attributes, root, data=data)
    arrays = read_weights(model, weights)
    dataset = read_data(model, data)
    if not row_count(dataset.validate):
        raise Refused(EmptySet(dataset.name, "validation"))
    program = model.program
    run = onnx_run(model, arrays) if runtime == "onnx" else None
    evaluator = Evaluator(model.graph, arrays, run)
    batches = Batches(
        model.graph, dataset, BATCH if program is None else program.batch,
        feeds=() if program is None else program.feeds, needed=evaluator.inputs,
    )
    scheduled = {} if program is None else at_the_end(
        model.graph, program, max(row_count(dataset.train) // program.batch, 1))
    with closing(batches.validation()) as made:
        evaluation = evaluator.over({**batch, **scheduled} for batch in made)
    if as_json:
        show_json(model=model.name, data=dataset.name, runtime=runtime, classes=dataset.classes,
                  **asdict(evaluation))
        return
    show(f"{model.name} on {dataset.name}: {evaluation.rows:,} rows, by {runtime}\n")
    show(figures(evaluation))
    if evaluation.confusion is not None:
        show("\n" + confusion_text(evaluation.confusion, dataset.classes, **look()))


def onnx_run(model: Model, weights: dict[str, np.ndarray]) -> Run:
    """The model's outputs by ONNX Runtime, on the file that `netdsl compile` would write."""
    from netdsl.backends.onnx import Session, to_model
    from netdsl.rewrite.phases import infer

    return Session(to_model(infer(model.graph), weights).SerializeToString()).run


def figures(evaluation: Evaluation) -> str:
    named = {**evaluation.losses, **evaluation.metrics}
    width = max(map(len, named), default=0)
    return "\n".join(f"  {name:{width}}  {value:.4f}" for name, value in named.items())

