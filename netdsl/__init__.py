"""netdsl: a declarative graph compiler for neural networks.

    model = netdsl.load("models/digits.net")      # see `netdsl.Model`
    weights = netdsl.load_weights("runs/digits/weights.safetensors")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from netdsl.diagnostics import Refused
    from netdsl.model import Model, load
    from netdsl.weights import load_weights, save_weights

__all__ = ["Model", "Refused", "load", "load_weights", "save_weights"]

_HOMES = {
    "Model": "netdsl.model", "load": "netdsl.model", "Refused": "netdsl.diagnostics",
    "load_weights": "netdsl.weights", "save_weights": "netdsl.weights",
}


def __getattr__(name: str):
    """Loaded when first asked for, so that `import netdsl` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'netdsl' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
