"""`netdsl predict`: a trained network at work."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click
import numpy as np

from netdsl.cli import options
from netdsl.cli.inputs import Inputs
from netdsl.cli.opening import open_model, read_weights
from netdsl.cli.terminal import show, show_json
from netdsl.cli.verb import Verb
from netdsl.ir.graph import Graph
from netdsl.rewrite.phases import infer
from netdsl.training.evaluate import Classifier, classifier
from netdsl.views.rendering import printable
from netdsl.weights import read_metadata

TOP = 3  # classes shown for each example
VALUES = 8  # values of an output shown in full
EXAMPLES = """\b
Examples:
  netdsl predict models/digits.net --weights runs/digits/best.safetensors three.png
  netdsl predict models/digits.net --weights runs/digits/best.safetensors images.npy --json
"""


@click.command(cls=Verb, epilog=EXAMPLES)
@options.target
@click.argument("files", metavar="INPUT...", nargs=-1, required=True)
@options.weights
@options.attributes
@options.root
@click.option("--top", type=click.IntRange(min=1), default=TOP, show_default=True, metavar="N",
              help="Show the N most likely classes.")
@options.as_json
def command(
    target: str, files: tuple[str, ...], weights: str, attributes: dict[str, str],
    root: Path | None, top: int, as_json: bool,
) -> None:
    """Run a trained network on images or arrays.

    INPUT is an image, a .npy file with one array or a .npz file with one for each input. It
    passes the transforms that validation uses. Nothing is resized.
    """
    model = open_model(target, attributes, root)
    arrays, classes = read_weights(model, weights), class_names(weights)
    inputs = Inputs(infer(model.graph), model.program)
    heads = classifiers(model.graph)
    predictions = []
    for file in files:
        outputs = model.run(inputs.read(file), arrays)
        predictions += rows(file, outputs, heads, classes, top) if heads else [raw(file, outputs)]
    if as_json:
        show_json(model=model.name, predictions=predictions)
        return
    for prediction in predictions:
        show(line(prediction))


def classifiers(graph: Graph) -> dict[str, Classifier]:
    """The outputs that score the classes of a label, the first of them before others."""
    found = {name: classifier(replace(graph, outputs={name: value}))
             for name, value in graph.outputs.items()}
    return {name: head for name, head in found.items() if head is not None}


def class_names(weights: str) -> list[str]:
    """The names stored beside the weights; none where they are not."""
    try:
        names = json.loads(read_metadata(weights).get("classes", "[]"))
    except ValueError:
        return []
    return [str(name) for name in names] if isinstance(names, list) else []


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Scores [N, C] as probabilities: themselves where they are some already, else the softmax."""
    wide = scores.astype(np.float64)
    if (wide >= 0).all() and np.allclose(wide.sum(1), 1, atol=1e-3):
        return wide
    powers = np.exp(wide - wide.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def rows(
    file: str, outputs: Mapping[str, np.ndarray], heads: Mapping[str, Classifier],
    classes: Sequence[str], top: int,
) -> Iterator[dict]:
    """Each row of a file: the classes of the first classifier, called `output`, and below `outputs`
    those of others, and the numbers of what is no classifier."""
    first = next(iter(heads))
    scores = {name: probabilities(outputs[name]) for name in heads}
    count = len(scores[first])
    for row in range(count):
        guesses = {}
        for name, head in heads.items():
            same = head.label == heads[first].label  # the names are those of its classes
            guesses[name] = ranked(scores[name][row], classes if same else (), top)
        others = {
            name: {"classes": guesses[name]} if name in heads else of_row(array, row, count)
            for name, array in outputs.items() if name != first
        }
        told = {"input": file, "row": row, "classes": guesses[first]}
        yield {**told, "output": first, "outputs": others} if others else told


def of_row(array: np.ndarray, row: int, count: int) -> np.ndarray:
    """The part of an output that belongs to one of so many rows; all of it where none does."""
    return array[row] if array.shape[:1] == (count,) else array


def ranked(scores: np.ndarray, classes: Sequence[str], top: int) -> list[dict]:
    """The most likely classes of probabilities [C], the likeliest first."""
    return [
        {
            "class": classes[number] if number < len(classes) else str(number),
            "index": int(number),
            "probability": float(scores[number]),
        }
        for number in np.argsort(-scores, kind="stable")[:top]
    ]


def raw(file: str, outputs: Mapping[str, np.ndarray]) -> dict:
    """The outputs themselves, of a network that is no classifier."""
    return {"input": file, "outputs": outputs}


def line(prediction: dict) -> str:
    """`images.npy[0]   3 99.1%   8 0.6%   5 0.2%`, and further outputs by name."""
    outputs = prediction.get("outputs", {})
    shown = [f"{name} {likely(each['classes']) if isinstance(each, dict) else brief(each)}"
             for name, each in outputs.items()]
    place = prediction["input"]
    if "classes" in prediction:
        place += f"[{prediction['row']}]"
        name = f"{prediction['output']} " if outputs else ""
        shown.insert(0, name + likely(prediction["classes"]))
    return f"{place}   {'   '.join(shown)}"


def likely(classes: Sequence[dict]) -> str:
    return "   ".join(f"{printable(c['class'])} {c['probability']:.1%}" for c in classes)


def brief(array: np.ndarray) -> str:
    """An output's shape, and its values where they are few."""
    shape = list(array.shape)
    if array.size <= VALUES:
        return f"{shape}: " + ", ".join(f"{value:.4g}" for value in array.ravel())
    return f"{shape} from {array.min():.4g} to {array.max():.4g}"
