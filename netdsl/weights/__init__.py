"""Weights in files: `.safetensors` and `.npz`, read with suspicion, written whole or not at all.

A format is a row in `FORMATS`: a module with `headers`, `read`, `read_metadata` and `write`.
"""

from __future__ import annotations

from netdsl.weights.files import load_weights, read_metadata, save_weights
from netdsl.weights.fit import fit, not_finite

__all__ = ["fit", "load_weights", "not_finite", "read_metadata", "save_weights"]
