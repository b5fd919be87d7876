"""The format `.npz`: a zip of `.npy` members. Nothing is unpacked before the sizes that directory
and header declare agree and are bounded. Texts lie beside the arrays in `metadata.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO
from zipfile import ZipFile, ZipInfo

import numpy as np
from numpy.lib import format as npy

from netdsl.diagnostics import Refused
from netdsl.diagnostics.weights import UnreadableWeights, UnsafeWeights, UnstorableTensor
from netdsl.ir.tensor import TensorType
from netdsl.weights.atomic import reason_of
from netdsl.weights.fit import DTYPE_NAMES

METADATA = "metadata.json"
METADATA_BYTES = 1 << 24
# Stored arrays unpack to their own size, trained weights deflate to about nine tenths; only
# arrays of zeros come near this ratio, and those matter only when they are large.
LARGEST_RATIO = 100
SMALL = 1 << 26  # bytes that any file may unpack to
LONGEST_NAME = 0xFFFF  # bytes, a field of two bytes in the zip format


def headers(path: Path) -> dict[str, TensorType]:
    """The type of each array, its data left packed. Raises Refused, OSError."""
    types = {}
    with opened(path) as archive:
        for name, info in members(path, archive):
            with reading(path, name), archive.open(info) as member:
                types[name] = header(path, name, info, member)
    return types


def read(path: Path) -> dict[str, np.ndarray]:
    """Every array by name: the member's name without `.npy`, whatever it looks like."""
    arrays = {}
    with opened(path) as archive:
        for name, info in members(path, archive):
            with reading(path, name), archive.open(info) as member:
                type = header(path, name, info, member)
            with reading(path, name), archive.open(info) as member:
                array = npy.read_array(member, allow_pickle=False)
            arrays[name] = np.asarray(array, type.numpy_dtype, order="C")
    return arrays


def read_metadata(path: Path) -> dict[str, str]:
    with opened(path) as archive:
        if METADATA not in archive.namelist():
            return {}
        if archive.getinfo(METADATA).file_size > METADATA_BYTES:
            raise Refused(UnsafeWeights(str(path), f"its texts exceed {METADATA_BYTES:,} bytes"))
        with reading(path, METADATA):
            found = json.loads(archive.read(METADATA))
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise Refused(UnreadableWeights(str(path), "it is no table of texts", METADATA))
    return found


def write(
    path: Path, temporary: Path, weights: Mapping[str, np.ndarray], metadata: dict[str, str]
) -> None:
    """Write to `temporary`; messages speak of `path`. The same arrays give the same bytes.
    Raises OSError, Refused."""
    with ZipFile(temporary, "w") as archive:
        for name, array in weights.items():
            with archive.open(entry(path, name), "w", force_zip64=True) as member:
                npy.write_array(member, array, allow_pickle=False)
        if metadata:
            archive.writestr(plain_info(METADATA), json.dumps(metadata, indent=1))


# ---------------------------------------------------------------- the archive


@contextmanager
def opened(path: Path) -> Iterator[ZipFile]:
    """The archive, once its directory is known to hold each name once and to stay in bounds."""
    with reading(path):
        archive = ZipFile(path)
    with archive:
        infos = archive.infolist()
        names = {info.filename for info in infos}
        if len(names) != len(infos):
            twice = next(name for name in names if count(infos, name) > 1)
            raise Refused(UnsafeWeights(str(path), "it is there more than once", stem(twice)))
        packed, unpacked = path.stat().st_size, sum(info.file_size for info in infos)
        if unpacked > max(SMALL, LARGEST_RATIO * packed):
            reason = f"its {packed:,} bytes would unpack to {unpacked:,}"
            raise Refused(UnsafeWeights(str(path), reason))
        yield archive


def count(infos: list[ZipInfo], name: str) -> int:
    return sum(info.filename == name for info in infos)


def stem(member: str) -> str:
    return member.removesuffix(".npy")


def members(path: Path, archive: ZipFile) -> Iterator[tuple[str, ZipInfo]]:
    """The arrays' names and places. Raises Refused (N602) for what is no array."""
    for info in archive.infolist():
        if info.filename == METADATA:
            continue
        if not info.filename.endswith(".npy"):
            raise Refused(UnreadableWeights(str(path), "it is no array (`.npy`)", info.filename))
        yield stem(info.filename), info


@contextmanager
def reading(path: Path, name: str | None = None) -> Iterator[None]:
    """Around calls into zipfile, NumPy and json alone: whatever they raise on damaged bytes (a
    dozen types, from BadZipFile to TokenError) says that the file cannot be read."""
    try:
        yield
    except (Refused, OSError, MemoryError):
        raise
    except Exception as error:
        raise Refused(UnreadableWeights(str(path), reason_of(error), name)) from error


# ---------------------------------------------------------------- one member


def header(path: Path, name: str, info: ZipInfo, member: IO[bytes]) -> TensorType:
    """The array's type. Raises Refused for objects and foreign dtypes, and where the header does
    not account for every byte that the directory declares."""
    version = npy.read_magic(member)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise Refused(UnreadableWeights(str(path), f"its version is {version}", name))
    shape, _, dtype = readers[version](member)
    if dtype.hasobject:
        raise Refused(UnsafeWeights(str(path), "it holds Python objects", name))
    native = dtype.newbyteorder("=")
    if native not in DTYPE_NAMES:
        reason = f"its dtype {dtype} is not one of {', '.join(map(str, DTYPE_NAMES))}"
        raise Refused(UnreadableWeights(str(path), reason, name))
    declared = info.file_size - member.tell()
    if any(size < 0 for size in shape) or prod(shape) * dtype.itemsize != declared:
        reason = f"its header says {native}{list(shape)}, which is not {declared:,} bytes"
        raise Refused(UnreadableWeights(str(path), reason, name))
    return TensorType(DTYPE_NAMES[native], tuple(shape))


def entry(path: Path, name: str) -> ZipInfo:
    """The place of an array. Raises Refused (N605) for a name that zip would change."""
    member = f"{name}.npy"
    info = plain_info(member)
    if info.filename != member or len(member.encode()) > LONGEST_NAME:
        reason = "the format cannot hold this name"
        raise Refused(UnstorableTensor(str(path), name, reason))
    return info


def plain_info(member: str) -> ZipInfo:
    """A stored member without a time of its own: readable by all once unzipped."""
    info = ZipInfo(member)
    info.external_attr = 0o644 << 16
    return info
