"""`netdsl train`: weights from data, by the program in the file."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from math import isfinite
from pathlib import Path

import click

from netdsl.cli import options
from netdsl.cli.opening import open_model, read_weights, tell_of_drawing
from netdsl.cli.progress import progress
from netdsl.cli.terminal import look, show, tell
from netdsl.cli.verb import Verb
from netdsl.compiler import split_target
from netdsl.diagnostics import Refused
from netdsl.diagnostics.commands import NoTrainingProgram
from netdsl.diagnostics.training import FolderTaken
from netdsl.training.check import MOST, only_warmups
from netdsl.training.checkpoints import (
    BEST,
    CHECKPOINT,
    HISTORY,
    WEIGHTS,
    epoch_file,
    holds_training,
)
from netdsl.training.history import History
from netdsl.training.loop import fit
from netdsl.views.curves import curves_text

RUNS = Path("runs")
EXAMPLES = """\b
Examples:
  netdsl train models/digits.net
  netdsl train models/fashion_resnet.net --data fashion_mnist:data/fashion-mnist --out runs/fashion
  netdsl train models/digits.net --epochs 30 --set batch=64 --set lr=1e-3 --seed 7
  netdsl train models/digits.net --out runs/digits --resume
"""


@click.command(cls=Verb, epilog=EXAMPLES)
@options.target
@options.attributes
@options.root
@options.data
@click.option("--epochs", type=click.IntRange(1, MOST), metavar="N",
              help="Train so long. Default: as the file says.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S",
              help="What weights, order and dropout are drawn from.")
@click.option("--out", metavar="DIR", help="Where results go. Default: runs/MODEL, or the next "
                                           "free runs/MODEL-2, ….")
@click.option("--init", metavar="W", help="Begin with these weights instead of random ones.")
@click.option("--keep-best", type=click.IntRange(min=0), default=0, metavar="N",
              help="Keep the weights of the N best epochs beside each other.")
@click.option("--resume", is_flag=True, help="Go on from what is saved in the folder.")
@click.option("--overwrite", is_flag=True, help="Replace the training that --out holds.")
@options.settings
def command(
    target: str, attributes: dict[str, str], root: Path | None, data: str | None,
    epochs: int | None, seed: int, out: str | None, init: str | None, keep_best: int,
    resume: bool, overwrite: bool, settings: dict[str, str],
) -> None:
    """Train a network by the program in its file.

    Every epoch is saved as a whole. After Ctrl-C, or worse, `--resume` goes on as if nothing had
    happened.
    """
    if resume and overwrite:
        raise click.UsageError("--resume goes on with what --overwrite replaces: give one of them")
    if resume and init is not None:
        raise click.UsageError("--resume goes on with the weights that are saved, --init begins "
                               "with others: give one of them")
    if out == "":
        raise click.UsageError("`--out` names no folder; `--out .` is this one")
    model = open_model(target, attributes, root, settings, data)
    if model.program is None:
        raise Refused(NoTrainingProgram(split_target(target)[0], model.name))
    folder = latest_run(model.name, fresh=not resume) if out is None else Path(out)
    if not (resume or overwrite) and holds_training(folder):
        raise Refused(FolderTaken(str(folder)))
    if init is not None and lies_in(init, folder):
        raise click.UsageError(f"{init} is what the training begins with, and {folder} is where "
                               "such files are replaced; choose another folder")
    run = replace(model.program, epochs=epochs or model.program.epochs)
    tell(only_warmups(model.graph, run))
    if init is None and not resume:
        tell_of_drawing(model)
    with progress() as observer:
        history = fit(
            model.graph, model.program, seed=seed, epochs=epochs,
            weights=None if init is None else read_weights(model, init),
            out=folder, keep=keep_best, resume=resume, observer=observer, attributes=attributes,
        )
    again = [target, *(f"-D{name}={value}" for name, value in attributes.items())]
    again += [] if root is None else ["--root", str(root)]
    show(conclusion(history, folder, keep_best))
    show(next_steps(best_weights(history, folder), again, [] if data is None else ["--data", data]))


def latest_run(model: str, fresh: bool) -> Path:
    """The last of runs/MODEL, runs/MODEL-2, …; `fresh`: the first that does not exist."""
    folder, number = RUNS / model, 1
    while True:
        following = RUNS / f"{model}-{number + 1}"
        if not (folder if fresh else following).exists():
            return folder
        folder, number = following, number + 1


def lies_in(file: str, folder: Path) -> bool:
    """Whether a file stands in a folder itself, whatever the two are called."""
    return os.path.realpath(os.path.dirname(file) or ".") == os.path.realpath(folder)


def best_weights(history: History, folder: Path) -> Path:
    """The weights of the best epoch, or the last ones where none is known to be better."""
    return folder / (WEIGHTS if history.best is None else BEST)


def conclusion(history: History, folder: Path, keep: int = 0) -> str:
    """The curves, which epoch was best, and where everything lies."""
    lines = []
    if history.stopped:
        last = history.epochs[-1].number
        lines.append(f"stopped early, after epoch {last}: {why_stopped(history)}")
    if len(history.epochs) > 1:
        lines += ["", curves_text(history, **look()), ""]
    if history.best is not None:
        value = history.epochs[history.best - 1].validation[history.judge]
        lines.append(f"best {history.judge}: {value:.4f}, after epoch {history.best}")
    kept = sorted(path.name for path in folder.glob(epoch_file("*"))) if keep else []
    files = [*([] if history.best is None else [BEST]), CHECKPOINT, *kept, HISTORY, WEIGHTS]
    return "\n".join([*lines, f"saved in {folder}: {', '.join(files)}"])


def why_stopped(history: History) -> str:
    """What early stopping saw in its figure."""
    figure, values = f"val.{history.judge}", history.figures[history.judge]
    if isfinite(values[-1]):
        return f"{figure} was not getting better any more"
    first = next(i for i in range(len(values)) if not any(map(isfinite, values[i:])))
    since = "from the first epoch on" if not first else f"since epoch {first + 1}"
    return (f"{figure} was no number (NaN or infinite) {since}; look at its operands, or watch "
            "another figure")


def next_steps(weights: Path, model: list[str], data: list[str]) -> str:
    """The commands to go on with."""
    evaluate = ["netdsl", "evaluate", *model, *data, "--weights", str(weights)]
    onnx = str(weights.with_name("model.onnx"))
    export = ["netdsl", "compile", *model, "--weights", str(weights), "-o", onnx]
    return "\n".join(("", "next:", f"  {shlex.join(evaluate)}", f"  {shlex.join(export)}"))
