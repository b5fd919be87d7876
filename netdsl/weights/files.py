"""Load and save: the format by the file's suffix, every failure one of the N60x problems."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import numpy as np

from netdsl.diagnostics import Refused
from netdsl.diagnostics.weights import UnknownFormat, UnreadableWeights, UnstorableTensor
from netdsl.ir.tensor import NUMPY_DTYPES
from netdsl.weights import npz, safetensors
from netdsl.weights.atomic import reason_of, replacing
from netdsl.weights.fit import DTYPE_NAMES, Typed, check_fit

FORMATS: dict[str, ModuleType] = {".safetensors": safetensors, ".npz": npz}
T = TypeVar("T")


def load_weights(
    path: str | os.PathLike, expected: Mapping[str, Typed] | None = None
) -> dict[str, np.ndarray]:
    """The arrays of a `.safetensors` or `.npz` file by name, in the file's order; bf16 becomes
    f32, unless bf16 is expected. With `expected`, names and types are compared before any array is
    read.

    Raises Refused: N601, N602, N604; with `expected` also N606 to N608.
    """
    path, format = ordinary_file(path)
    if expected is None:
        return guarded(format.read, path)
    stored = guarded(format.headers, path)
    wanted = {name: each.type.dtype for name, each in expected.items()}
    found = {
        name: type.with_dtype("f32") if (type.dtype, wanted.get(name)) == ("bf16", "f32") else type
        for name, type in stored.items()
    }
    check_fit(found, expected, str(path)).stop_on_errors()
    arrays = guarded(format.read, path)
    for name in (name for name, dtype in wanted.items() if dtype == "bf16"):
        arrays[name] = arrays[name].astype(NUMPY_DTYPES["bf16"])  # as exact as it was widened
    return arrays


def read_metadata(path: str | os.PathLike) -> dict[str, str]:
    """The texts stored beside the arrays. Raises Refused: N601, N602, N604."""
    path, format = ordinary_file(path)
    return guarded(format.read_metadata, path)


def save_weights(
    path: str | os.PathLike,
    weights: Mapping[str, np.ndarray],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays and texts in the format that the suffix names. What stood there stays whole
    until the new file is complete. Raises Refused: N601, N603, N605."""
    path = Path(path)
    format = format_of(path)
    arrays = {name: storable(path, name, array) for name, array in weights.items()}
    with replacing(path) as temporary:
        format.write(path, temporary, arrays, dict(metadata or {}))


def format_of(path: Path) -> ModuleType:
    format = FORMATS.get(path.suffix.lower())
    if format is None:
        raise Refused(UnknownFormat(str(path), tuple(FORMATS)))
    return format


def ordinary_file(path: str | os.PathLike) -> tuple[Path, ModuleType]:
    """The path and its format, once it is sure that opening it cannot block."""
    path = Path(path)
    format = format_of(path)
    if not os.path.isfile(path):
        raise Refused(UnreadableWeights(str(path), why_no_file(path)))
    return path, format


def why_no_file(path: Path) -> str:
    try:
        os.lstat(path)
    except PermissionError as error:
        return reason_of(error)
    except (OSError, ValueError):
        return "it does not exist"
    return "it is no ordinary file"


def guarded(reader: Callable[[Path], T], path: Path) -> T:
    """reader(path), the system's errors told as ours."""
    try:
        return reader(path)
    except (OSError, MemoryError) as error:
        raise Refused(UnreadableWeights(str(path), reason_of(error))) from error


def storable(path: Path, name: str, array: np.ndarray) -> np.ndarray:
    """The array in row-major order and the machine's byte order. Raises Refused (N605)."""
    array = np.asarray(array)
    native = array.dtype.newbyteorder("=")
    no_bf16 = path.suffix.lower() == ".npz" and native == NUMPY_DTYPES["bf16"]
    if native not in DTYPE_NAMES or no_bf16:
        reason = f"{array.dtype} is no dtype of {path.suffix} files"
        raise Refused(UnstorableTensor(str(path), name, reason))
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise Refused(UnstorableTensor(str(path), name, "its name is not valid text")) from error
    return np.asarray(array, native, order="C")
