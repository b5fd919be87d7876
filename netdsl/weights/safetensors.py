"""The format `.safetensors`: a JSON header, then raw little-endian arrays. The library checks
sizes, overlaps and holes; what it cannot give to NumPy (bf16) is widened here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np

from netdsl.diagnostics import Refused
from netdsl.diagnostics.weights import UnreadableWeights, UnstorableTensor
from netdsl.ir.tensor import TensorType

DTYPES = {"F16": "f16", "BF16": "bf16", "F32": "f32", "F64": "f64",
          "I32": "i32", "I64": "i64", "U64": "u64", "BOOL": "bool"}

T = TypeVar("T")


def headers(path: Path) -> dict[str, TensorType]:
    """The type that each tensor is stored in, without reading one."""

    def types(file) -> dict[str, TensorType]:
        return {name: tensor_type(path, name, file) for name in file.keys()}

    return opened(path, types)


def read(path: Path) -> dict[str, np.ndarray]:
    """Every tensor by name; bf16 widened to f32, which is exact."""

    def arrays(file) -> dict[str, np.ndarray]:
        read = {}
        for name in file.keys():
            tensor_type(path, name, file)
            narrow = file.get_slice(name).get_dtype() == "BF16"
            read[name] = widened(path, name) if narrow else file.get_tensor(name)
        return read

    return opened(path, arrays)


def read_metadata(path: Path) -> dict[str, str]:
    return opened(path, lambda file: dict(file.metadata() or {}))


def write(
    path: Path, temporary: Path, weights: Mapping[str, np.ndarray], metadata: dict[str, str]
) -> None:
    """Write to `temporary`; messages speak of `path`. The same arrays and texts give the same
    bytes. Raises OSError, Refused."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    if "__metadata__" in weights:
        reason = "the format keeps this name for itself"
        raise Refused(UnstorableTensor(str(path), "__metadata__", reason))
    mode = temporary.stat().st_mode
    try:
        save_file(dict(weights), temporary, metadata=metadata or None)
        if metadata:
            _sort_texts(temporary)
        temporary.chmod(mode)  # the library's own file is for its owner alone
    except SafetensorError as error:  # it wraps what the system says, a full disk for instance
        raise OSError(str(error)) from error


def _sort_texts(path: Path) -> None:
    """Bring the texts in the header, which the library writes in the order of a hash map that each
    process has for itself, into that of their names. Raises OSError."""
    with open(path, "r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) > length:
            raise OSError("its header does not fit in its place")
        file.seek(8)
        file.write(text.ljust(length))  # the format has it end in spaces


def opened(path: Path, question: Callable[..., T]) -> T:
    """question(file) on the open file. Raises Refused (N602) for what the library refuses."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return question(file)
    except SafetensorError as error:
        raise Refused(UnreadableWeights(str(path), str(error))) from error


def tensor_type(path: Path, name: str, file) -> TensorType:
    """Raises Refused (N602) for a dtype that NumPy lacks."""
    part = file.get_slice(name)
    if part.get_dtype() not in DTYPES:
        reason = f"its dtype {part.get_dtype()} is not one of {', '.join(DTYPES)}"
        raise Refused(UnreadableWeights(str(path), reason, name))
    return TensorType(DTYPES[part.get_dtype()], tuple(part.get_shape()))


def widened(path: Path, name: str) -> np.ndarray:
    """A bf16 tensor as f32: bf16 is the upper half of the bits of f32. The header has passed the
    library's checks when this is called."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        entry = json.loads(file.read(length))[name]
        begin, end = entry["data_offsets"]
        file.seek(8 + length + begin)
        halves = np.fromfile(file, "<u2", (end - begin) // 2)
    return (halves.astype(np.uint32) << 16).view(np.float32).reshape(entry["shape"])
