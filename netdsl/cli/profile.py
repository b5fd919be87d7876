"""`netdsl profile`: what happens inside a network while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from netdsl.cli import options
from netdsl.cli.opening import open_model
from netdsl.cli.progress import progress
from netdsl.cli.terminal import look, show, show_json
from netdsl.cli.verb import Verb
from netdsl.compiler import split_target
from netdsl.diagnostics import Refused
from netdsl.diagnostics.commands import NoPlots, NoTrainingProgram, UnknownPicture
from netdsl.diagnostics.weights import UnwritableFile
from netdsl.model import Model
from netdsl.training.gradients import GradientLog, GradientProfile
from netdsl.training.history import Observer
from netdsl.training.loop import fit
from netdsl.views.gradients import draw_gradients, gradients_text
from netdsl.weights.atomic import reason_of, replacing

PICTURES = (".png", ".svg", ".pdf")
EXAMPLES = """\b
Examples:
  netdsl profile models/digits.net --gradients
  netdsl profile models/digits.net --gradients --epochs 3 --depth 1 --json
  netdsl profile models/resnet_cifar.net:Plain20 models/resnet_cifar.net:ResNet20 --gradients \
         --data cifar10:data/cifar10 --plot gradients.png
"""


@click.command(cls=Verb, epilog=EXAMPLES)
@options.targets
@click.option("--gradients", is_flag=True, required=True,
              help="Norm of the gradient of each layer, over a training.")
@options.attributes
@options.root
@options.data
@click.option("--epochs", type=click.IntRange(min=1), metavar="N",
              help="Train so long. Default: as the file says.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, metavar="S",
              help="What weights, order and dropout are drawn from.")
@click.option("--depth", type=click.IntRange(min=1), metavar="N",
              help="Count deeper layers with the one above that lies N levels deep.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Draw a picture: .png, .svg or .pdf. Needs matplotlib.")
@options.settings
@options.as_json
def command(
    targets: tuple[str, ...], gradients: bool, attributes: dict[str, str], root: Path | None,
    data: str | None, epochs: int | None, seed: int, depth: int | None, plot: Path | None,
    settings: dict[str, str], as_json: bool,
) -> None:
    """Train, and show how large each layer's gradient was over time.

    Nothing is saved but the picture. Several networks are trained one after the other, and shown
    on one scale.
    """
    if plot is not None:
        check_picture(plot)
    models = []
    for target in targets:
        models.append(open_model(target, attributes, root, settings, data))
        if models[-1].program is None:
            raise Refused(NoTrainingProgram(split_target(target)[0], models[-1].name))
    profiles = []
    for model, name in zip(models, told_apart(targets, models)):
        if not as_json:
            show(f"{name}:")
        profile = watched(model, name, epochs, seed, quiet=as_json)
        profiles.append(profile if depth is None else profile.to_depth(depth))
        if not as_json:
            show(f"\n{gradients_text(profiles[-1], **look())}\n")
    if plot is not None:
        draw(profiles, plot)
    if as_json:
        show_json(profiles=[profile.to_json() for profile in profiles])


def told_apart(targets: Sequence[str], models: Sequence[Model]) -> list[str]:
    """The models' names; where several have one, FILE:MODEL, numbered where these are equal too."""
    names = [model.name for model in models]
    told: list[str] = []
    for target, name in zip(targets, names):
        whole = f"{split_target(target)[0]}:{name}" if names.count(name) > 1 else name
        turn = sum(each == whole or each.startswith(f"{whole} (") for each in told)
        told.append(f"{whole} ({turn + 1})" if turn else whole)
    return told


def watched(
    model: Model, name: str, epochs: int | None, seed: int, quiet: bool
) -> GradientProfile:
    """The gradients of a training, under a name."""
    with progress() as observer:
        log = GradientLog(name, Observer() if quiet else observer)
        fit(model.graph, model.program, seed=seed, epochs=epochs, norms=True, observer=log)
    return log.profile


def check_picture(path: Path) -> None:
    """Raises Refused before anything is trained where a picture could not be drawn."""
    from importlib.util import find_spec

    if path.suffix not in PICTURES:
        raise Refused(UnknownPicture(str(path), PICTURES))
    if find_spec("matplotlib") is None:
        raise Refused(NoPlots())
    if not path.parent.is_dir():
        raise Refused(UnwritableFile(str(path), "there is no such folder"))


def draw(profiles: list[GradientProfile], path: Path) -> None:
    try:
        with replacing(path) as file:
            draw_gradients(profiles, file, path.suffix[1:])
    except OSError as error:
        raise Refused(UnwritableFile(str(path), reason_of(error))) from error
    show(f"drawn in {path}")
