"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path

import click


class Pair(click.ParamType):
    """`name=value`, `path.name=value`; the value is an expression of the language, read later."""

    name = "name=value"

    def convert(self, value, param, context) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, text = value.partition("=")
        *path, last = name.strip().split(".")
        named = last.isidentifier() and all(part.isidentifier() or part.isdigit() for part in path)
        if not equals or not named or not text.strip():
            self.fail(f"`{value}` is not of the form name=value", param, context)
        return name.strip(), text.strip()


def as_dict(
    context: click.Context, param: click.Parameter, pairs: tuple[tuple[str, str], ...]
) -> dict[str, str]:
    """The callback of an option of pairs; of two values for one name the later counts."""
    return dict(pairs)


def whole_target(context: click.Context, param: click.Parameter, target: str) -> str:
    """The callback of FILE[:MODEL]: neither part is empty."""
    if not target or target.startswith(":"):
        raise click.BadParameter("the path of a file is missing", context, param)
    if target.endswith(":"):
        raise click.BadParameter(f"the name of a model is missing behind `{target}`",
                                 context, param)
    return target


def whole_targets(
    context: click.Context, param: click.Parameter, targets: tuple[str, ...]
) -> tuple[str, ...]:
    """The callback of several."""
    return tuple(whole_target(context, param, target) for target in targets)


targets = click.argument("targets", metavar="FILE[:MODEL]...", nargs=-1, required=True,
                         callback=whole_targets)
target = click.argument("target", metavar="FILE[:MODEL]", callback=whole_target)
attributes = click.option(
    "-D", "attributes", type=Pair(), multiple=True, callback=as_dict,
    help="Give one of the model's attributes another value: -D classes=100.",
)
settings = click.option(
    "--set", "settings", type=Pair(), multiple=True, callback=as_dict,
    help="Change the training program: --set batch=64, --set lr=0.2. What optimisers have "
         "differently is named by step, loss or pattern: --set D.lr=1e-4.",
)
root = click.option(
    "--root", metavar="FOLDER", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Let files import from this folder and below. Default: only from that of FILE.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, errors too.")
data = click.option(
    "--data", metavar="SPEC",
    help="Take these data: NAME, NAME:PATH or 'NAME(…)'. Default: the file's own.",
)
weights = click.option(
    "--weights", metavar="W", required=True, help="Trained weights, .safetensors or .npz.",
)
