"""`netdsl predict`: a trained network at work."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import numpy as np

from netdsl.cli import options
from netdsl.cli.inputs import Inputs
from netdsl.cli.opening import open_model, read_weights
from netdsl.cli.terminal import show, show_json
from netdsl.cli.verb import Verb
from netdsl.rewrite.phases import infer
from netdsl.training.evaluate import classifier
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

    INPUT is a PNG or JPEG, a .npy file with one array or a .npz file with one for each input. It
    passes the transforms that validation uses. Nothing is resized.
    """
    model = open_model(target, attributes, root)
    arrays, classes = read_weights(model, weights), class_names(weights)
    inputs = Inputs(infer(model.graph), model.program)
    found = classifier(model.graph)
    predictions = []
    for file in files:
        outputs = model.run(inputs.read(file), arrays)
        if found is None:
            predictions.append(raw(file, outputs))
        else:
            scores = probabilities(outputs[found.output])
            predictions += ranked(file, scores, classes, top)
    if as_json:
        show_json(model=model.name, predictions=predictions)
        return
    for prediction in predictions:
        show(line(prediction))


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


def ranked(file: str, scores: np.ndarray, classes: Sequence[str], top: int) -> Iterator[dict]:
    """For each row of a file its most likely classes, the likeliest first."""
    for row, likely in enumerate(np.argsort(-scores, axis=1, kind="stable")[:, :top]):
        yield {
            "input": file,
            "row": row,
            "classes": [
                {
                    "class": classes[number] if number < len(classes) else str(number),
                    "index": int(number),
                    "probability": float(scores[row, number]),
                }
                for number in likely
            ],
        }


def raw(file: str, outputs: Mapping[str, np.ndarray]) -> dict:
    """The outputs themselves, of a network that is no classifier."""
    return {"input": file, "outputs": outputs}


def line(prediction: dict) -> str:
    """`images.npy[0]   3 99.1%   8 0.6%   5 0.2%`."""
    file = prediction["input"]
    if "outputs" in prediction:
        shown = (f"{name} {brief(array)}" for name, array in prediction["outputs"].items())
        return f"{file}   {'   '.join(shown)}"
    place = f"{file}[{prediction['row']}]"
    likely = (f"{printable(c['class'])} {c['probability']:.1%}" for c in prediction["classes"])
    return f"{place}   {'   '.join(likely)}"


def brief(array: np.ndarray) -> str:
    """An output's shape, and its values where they are few."""
    shape = list(array.shape)
    if array.size <= VALUES:
        return f"{shape}: " + ", ".join(f"{value:.4g}" for value in array.ravel())
    return f"{shape} from {array.min():.4g} to {array.max():.4g}"
