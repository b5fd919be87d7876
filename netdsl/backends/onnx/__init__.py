"""Graphs as ONNX files, and ONNX files run: the only room that imports onnx and onnxruntime.

`to_model` writes a graph as an ONNX model, each op by its `onnx` facet. `export` puts it into a
file that has passed the checker and agrees with NumPy. `Session` runs a file on ONNX Runtime.
"""

from __future__ import annotations

from netdsl.backends.onnx.export import Exported, export
from netdsl.backends.onnx.model import to_model
from netdsl.backends.onnx.session import Session

__all__ = ["Exported", "Session", "export", "to_model"]
