"""`netdsl compile`: a network with its weights as an ONNX file."""

from __future__ import annotations

import os
from pathlib import Path

import click

from netdsl.backends.onnx import Exported
from netdsl.cli import options
from netdsl.cli.opening import open_model, read_weights, tell_of_drawing
from netdsl.cli.terminal import show, show_json
from netdsl.cli.verb import Verb
from netdsl.compiler import split_target

SUFFIX = ".onnx"  # so that nothing else is written over by a slip
EXAMPLES = """\b
Examples:
  netdsl compile models/digits.net --weights runs/digits/best.safetensors -o digits.onnx
  netdsl compile models/lenet.net -o untrained.onnx --seed 1
  netdsl compile translate.net -o decoder.onnx --weights W --outputs logits --from memory
"""


def names(
    context: click.Context, param: click.Parameter, text: str | None
) -> tuple[str, ...]:
    """The callback of an option that takes names with commas between them."""
    parts = () if text is None else tuple(part.strip() for part in text.split(","))
    if not all(parts):
        raise click.BadParameter(f"a name is missing in `{text}`", context, param)
    if len(set(parts)) < len(parts):
        raise click.BadParameter(f"a name stands twice in `{text}`", context, param)
    return parts


@click.command(cls=Verb, epilog=EXAMPLES)
@options.target
@click.option("-o", "--out", metavar="OUT.onnx", required=True, help="The file to write.")
@options.attributes
@options.root
@click.option("--weights", metavar="W", help="Weights to put in. Default: untrained ones.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S",
              help="What untrained weights are drawn from.")
@click.option("--outputs", "ends", metavar="NAMES", callback=names,
              help="Compute these named values instead of the model's outputs: logits,features.")
@click.option("--from", "begin", metavar="NAMES", callback=names,
              help="Begin at these named values: they become inputs.")
@click.option("--no-verify", is_flag=True, help="Do not compare the file with NumPy.")
@click.option("--no-fold", is_flag=True, help="Keep batch norms; do not fold them into the layers "
                                              "before them.")
@options.as_json
def command(
    target: str, out: str, attributes: dict[str, str], root: Path | None, weights: str | None,
    seed: int, ends: tuple[str, ...], begin: tuple[str, ...], no_verify: bool, no_fold: bool,
    as_json: bool,
) -> None:
    """Write a network with its weights as an ONNX file.

    The file holds what the outputs need, and its weights have the names of the checkpoint. It is
    checked, run on ONNX Runtime and compared with NumPy before it takes its place.
    """
    for source in (split_target(target)[0], weights):
        if source is not None and same_file(source, out):
            raise click.UsageError(f"{out} is what the file is made from; choose another name")
    if not out.lower().endswith(SUFFIX):
        raise click.UsageError(f"{out} is not named as an ONNX file: end it with {SUFFIX}")
    model = open_model(target, attributes, root)
    if weights is None:
        tell_of_drawing(model)
    arrays = model.initialize(seed) if weights is None else read_weights(model, weights)
    exported = model.to_onnx(out, arrays, ends or None, begin, verify=not no_verify,
                             fold_batch_norm=not no_fold)
    if as_json:
        show_json(**as_data(model.name, exported))
        return
    show(f"wrote {exported.path}: {size(exported.bytes)}, {exported.nodes} nodes, opset "
         f"{exported.opset}")
    if exported.data is not None:
        show(f"its weights lie beside it: {exported.data}")
    if exported.largest_difference is not None:
        show(f"ONNX Runtime and NumPy agree: they differ by {exported.largest_difference:.1e} of "
             "the largest output")
    if weights is None:
        show(f"its weights are untrained, drawn from seed {seed}; `--weights W` puts trained ones "
             "in")


def same_file(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of them is not there
        return False


def as_data(model: str, exported: Exported) -> dict:
    return {
        "model": model,
        "path": str(exported.path),
        "data": None if exported.data is None else str(exported.data),
        "bytes": exported.bytes,
        "nodes": exported.nodes,
        "opset": exported.opset,
        "largest_difference": exported.largest_difference,
    }


def size(count: int) -> str:
    """Bytes with a decimal prefix."""
    for unit, one in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= one:
            return f"{count / one:.1f} {unit}"
    return f"{count} bytes"
