"""Arrays from `.npz` files, checked before they are read: no pickles, no hidden gigabytes."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from netdsl.data.dataset import Dataset, Field, Split, check_finite, numbered_classes
from netdsl.data.files import LARGEST, ordinary
from netdsl.data.source import Source
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import CannotRead, Damaged, TooLarge
from netdsl.registry import Text

ARRAYS = "a .npz archive of numeric arrays with plain names"


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a `.npz` file by name. Raises Refused for an archive that is damaged, unpacks
    to more than `LARGEST` bytes, holds a pickle, or has a name twice or with a path in it."""
    try:
        file = ordinary(path).open("rb")
    except OSError as error:
        raise Refused(CannotRead(str(path), error.strerror or str(error))) from None
    try:
        with file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_members(path, members)
            return {
                member.filename.removesuffix(".npy"): _read_member(path, archive, member)
                for member in members
            }
    except (Refused, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise a dozen types on damaged bytes
        reason = ascii(str(error))[1:200].strip("'\"")
        raise Refused(Damaged(str(path), f"it cannot be unpacked ({reason})", ARRAYS)) from None


def _check_members(path: Path, members: list[zipfile.ZipInfo]) -> None:
    total = sum(member.file_size for member in members)
    if total > LARGEST:
        raise Refused(TooLarge(str(path), LARGEST))
    seen: set[str] = set()
    for member in members:
        name = member.filename.removesuffix(".npy")
        if name == member.filename or not name.isidentifier():
            raise Refused(Damaged(str(path), f"it has a member called {name[:80]!a}", ARRAYS))
        if name in seen:
            raise Refused(Damaged(str(path), f"it has two members called {name[:80]!a}", ARRAYS))
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            found = f"{name[:80]!a} is packed by method {member.compress_type}"
            raise Refused(Damaged(str(path), found, "plain or deflated members, as NumPy writes"))
        seen.add(name)


def _read_member(
    path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo
) -> np.ndarray:
    with archive.open(member) as file:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read_header(file)
        if dtype.kind not in "buif":
            found = f"{member.filename} holds {dtype} elements"
            raise Refused(Damaged(str(path), found, ARRAYS))
        expected = prod(shape) * dtype.itemsize
        content = file.read()  # never more than member.file_size, which was checked
    if len(content) != expected:
        found = f"{member.filename} has {len(content):,} bytes of elements"
        raise Refused(Damaged(str(path), found, f"{expected:,} for {shape} of {dtype}"))
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)


@dataclass(frozen=True)
class Npz(Source):
    """The arrays of a `.npz` file: each is a field of its name, all with equally many rows [N, …].

    Bytes (uint8) with more axes than the rows' count as images, as floats 0 … 1; other numbers
    stay as they are. `validate` is the file of the validation rows; without it every fifth row of
    each class (of all rows where there is no `label`) is held out for validation. If `label` counts
    classes, they are called "0", "1", ….
    """

    file: Text
    validate: Text | None = None

    def read(self) -> Dataset:
        fields = _fields(Path(self.file))
        if self.validate is not None:
            others = _fields(Path(self.validate))
            return Dataset(self.file, fields, others, numbered_classes(fields, others))
        return Dataset(self.file, fields, {}, numbered_classes(fields))


def _fields(path: Path) -> Split:
    fields = {}
    for name, values in read_npz(path).items():
        if not values.ndim:
            raise Refused(Damaged(str(path), f"{name} is a single number", "an array of rows"))
        image = values.dtype == np.uint8 and values.ndim > 1
        fields[name] = Field(values, unit=255 if image else 1, origin=str(path))
    check_finite(fields)
    return fields
