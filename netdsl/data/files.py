"""Reading files that may be anything: ordinary files only, never more than a bound in memory."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO

from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import CannotRead, Damaged, TooLarge

LARGEST = 2**30  # bytes of one file once unpacked
CHUNK = 2**20


def ordinary(path: Path) -> Path:
    """The path, if an ordinary file is there. Raises Refused for a folder, a device, a pipe."""
    try:
        if path.is_file():
            return path
        reason = "it is no ordinary file" if path.exists() else "there is no such file"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or "the path cannot be used"
    raise Refused(CannotRead(str(path), reason))


def existing(folder: Path, name: str) -> Path:
    """`folder/name`, or `folder/name.gz` where only that exists. Raises Refused when neither does,
    naming the first."""
    plain, packed = folder / name, folder / f"{name}.gz"
    try:
        return packed if packed.is_file() and not plain.is_file() else ordinary(plain)
    except (OSError, ValueError):
        return ordinary(plain)


def read_whole(path: Path) -> bytearray:
    """The contents of an ordinary file, unpacked if the name ends in `.gz`. Memory grows with what
    is really there, up to `LARGEST`. Raises Refused."""
    try:
        with _opened(ordinary(path)) as file:
            content = bytearray()
            while chunk := file.read(CHUNK):
                content += chunk
                if len(content) > LARGEST:
                    raise Refused(TooLarge(str(path), LARGEST))
            return content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        found = f"the gzip data are damaged or cut off ({error})"
        raise Refused(Damaged(str(path), found, "a whole gzip file")) from None
    except OSError as error:
        raise Refused(CannotRead(str(path), error.strerror or str(error))) from None


def read_text(path: Path) -> str:
    """The characters of a file in UTF-8, unpacked if its name ends in `.gz`, without a byte order
    mark. Raises Refused, naming the line of what is no UTF-8."""
    content = read_whole(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"line {line:,} holds the byte 0x{content[error.start]:02x}, which is no UTF-8"
        raise Refused(Damaged(str(path), found, "a text in UTF-8")) from None


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")
