"""Weights beside an ONNX file, for models larger than the 2 GB that one file can hold.

The second file is named after its content, so a model file always refers to the numbers it was
written with: the renaming that puts the model in its place exchanges both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto

from netdsl.backends.onnx.model import store_inside

ALIGNMENT = 4096  # bytes: a page, so that a runtime can map each tensor where it lies
SMALL = 1024  # bytes: smaller tensors stay in the model
DIGEST = 8  # bytes


class ExternalData:
    """Stores the numbers of initializers in `file`, which the model will find at `location`."""

    def __init__(self, file: BinaryIO, location: str):
        self._file, self._location = file, location

    def __call__(self, tensor: TensorProto, array: np.ndarray) -> None:
        if array.nbytes < SMALL:
            return store_inside(tensor, array)
        self._file.write(bytes(-self._file.tell() % ALIGNMENT))
        place = {
            "location": self._location,
            "offset": str(self._file.tell()),
            "length": str(array.nbytes),
        }
        self._file.write(little_endian(array))
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in place.items():
            tensor.external_data.add(key=key, value=value)


def data_path(path: Path, weights: Mapping[str, np.ndarray]) -> Path:
    """`resnet.onnx.1f0c….data` for the model `resnet.onnx` with these weights."""
    digest = blake2b(digest_size=DIGEST)
    for name, array in weights.items():
        digest.update(f"{name}\0{array.dtype}{array.shape}".encode())
        digest.update(little_endian(array))
    return path.with_name(f"{path.name}.{digest.hexdigest()}.data")


def data_file_of(path: Path) -> Path | None:
    """The file named by `data_path` that the model at `path` refers to, if it does to one."""
    ours = re.compile(rf"{re.escape(path.name)}\.[0-9a-f]{{{2 * DIGEST}}}\.data")
    try:
        beside = {name for name in os.listdir(path.parent) if ours.fullmatch(name)}
        if not beside or not os.path.isfile(path):
            return None
        model = onnx.load(path, load_external_data=False)
    except (OSError, ValueError, DecodeError):  # ValueError: NUL in the path
        return None
    locations = {
        entry.value for tensor in model.graph.initializer for entry in tensor.external_data
        if entry.key == "location" and entry.value in beside
    }
    return path.with_name(locations.pop()) if len(locations) == 1 else None


def little_endian(array: np.ndarray) -> memoryview:
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C").reshape(-1).data
