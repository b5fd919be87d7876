"""Where `grammars/` and `models/` lie: beside the package in a checkout, inside it once built."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def grammar_file(name: str) -> Path:
    """The file `name` of `grammars/`, for instance `netdsl.lark`."""
    return _folder("grammars") / name


def models_folder() -> Path:
    """The folder of the models that come with netdsl."""
    return _folder("models")


def network(path: str | Path) -> Path:
    """The file at `path`; where there is none and it reads `models/NAME.net`, the one of that name
    that comes with netdsl, so that an installed netdsl knows the models of its README."""
    path = Path(path)
    shipped = models_folder() / path.name
    if path.parent == Path("models") and not path.exists() and shipped.is_file():
        return shipped
    return path


def _folder(name: str) -> Path:
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name
