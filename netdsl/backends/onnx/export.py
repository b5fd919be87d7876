"""A graph into an ONNX file: built, checked, compared with NumPy, and only then put in place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from netdsl.backends.onnx.external import ExternalData, data_file_of, data_path
from netdsl.backends.onnx.model import build, prepared, store_inside
from netdsl.backends.onnx.session import Session
from netdsl.backends.onnx.verify import largest_difference
from netdsl.diagnostics import Refused
from netdsl.diagnostics.onnx import RejectedByChecker, TooLargeForOneFile
from netdsl.ir.graph import Graph
from netdsl.weights.atomic import replacing

# bytes of weights in one file: protobuf's 2 GiB, less room for the graph itself
EXTERNAL_DATA_ABOVE = 2**31 - 2**26


@dataclass(frozen=True)
class Exported:
    """What was written. `bytes` counts the model and `data`, the file of weights beside it if
    there is one; `largest_difference` from NumPy, as `largest_difference()` defines it, is None
    when it was not verified."""

    path: Path
    bytes: int
    nodes: int
    opset: int
    largest_difference: float | None
    data: Path | None = None


def export(
    graph: Graph,
    weights: Mapping[str, np.ndarray],
    path: str | os.PathLike,
    *,
    opset: int | None = None,
    fold_batch_norm: bool = True,
    verify: bool = True,
    external_data: bool | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Exported:
    """Write an inference slice to `path`, as `to_model` makes it.

    The file appears there after it has passed onnx's full check with strict shape inference and,
    with `verify`, agrees with NumPy on random inputs; what stood there stays until then.
    `external_data` puts the weights beside it (None: when they exceed `EXTERNAL_DATA_ABOVE`).

    Raises Refused: what `to_model` and `largest_difference` raise, N603, N805, N806.
    """
    path = Path(path)
    written, values = prepared(graph, weights, fold_batch_norm)
    previous = data_file_of(path)
    data = data_path(path, values) if goes_beside(values, external_data) else None
    try:
        model = build_with(data, written, values, opset, metadata)
        with replacing(path) as temporary:
            content = model.SerializeToString()
            temporary.write_bytes(content)
            checked = content if data is None else os.fspath(temporary)
            check(checked, path)
            difference = (
                largest_difference(Session(checked), graph, weights) if verify else None
            )
    except BaseException:
        discard(data, kept=previous)
        raise
    discard(previous, kept=data)
    size = len(content) + (0 if data is None else data.stat().st_size)
    imported, = model.opset_import
    return Exported(path, size, len(model.graph.node), imported.version, difference, data)


def goes_beside(weights: Mapping[str, np.ndarray], wish: bool | None) -> bool:
    """Whether the weights get a file of their own. Raises Refused (N805) where they must."""
    nbytes = sum(array.nbytes for array in weights.values())
    is_large = nbytes > EXTERNAL_DATA_ABOVE
    if is_large and wish is False:
        raise Refused(TooLargeForOneFile(nbytes))
    return is_large if wish is None else wish


def build_with(
    data: Path | None,
    graph: Graph,
    weights: Mapping[str, np.ndarray],
    opset: int | None,
    metadata: Mapping[str, str] | None,
) -> onnx.ModelProto:
    """The model, its weights inside or in the file `data`, which is written."""
    if data is None:
        return build(graph, weights, store_inside, opset, metadata)
    with replacing(data) as temporary, open(temporary, "wb") as file:
        return build(graph, weights, ExternalData(file, data.name), opset, metadata)


def check(model: bytes | str, path: Path) -> None:
    """onnx's full check, strict shape inference included. Raises Refused (N806)."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise Refused(RejectedByChecker(str(path), str(error))) from error


def discard(path: Path | None, kept: Path | None) -> None:
    if path is not None and path != kept:
        path.unlink(missing_ok=True)
