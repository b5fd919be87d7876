"""The files of a folder, a tar or a zip archive, one after the other and never unpacked to disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias

from netdsl.data.files import LARGEST, ordinary, read_whole
from netdsl.diagnostics import Refused
from netdsl.diagnostics.data import CannotRead, Damaged, TooLarge, UnsafeMember

Member: TypeAlias = tuple[str, bytes]  # its name, with `/`, and its contents
PACKED = {".gz": gzip.open, ".tgz": gzip.open, ".xz": lzma.open, ".txz": lzma.open,
          ".bz2": bz2.open, ".tbz2": bz2.open, ".tar": open}
SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".zip")


def is_archive(path: Path) -> bool:
    """Whether a name is one of an archive that `members` reads."""
    return path.name.lower().endswith(SUFFIXES)


def members(
    path: Path, patterns: tuple[str, ...], wanted: Callable[[str], bool]
) -> Iterator[Member]:
    """The wanted ones, by name, of the ordinary files of an archive, or of those of a folder that
    match one of the glob patterns. Raises Refused for what is damaged, unpacks to more than
    `LARGEST` bytes, or holds a link, a device or a path out of the archive."""
    if is_archive(path):
        ordinary(path)
        read = _of_zip if path.suffix.lower() == ".zip" else _of_tar
        yield from read(path, wanted)
        return
    for file in sorted(entry for pattern in patterns for entry in path.glob(pattern)):
        name = file.relative_to(path).as_posix()
        if wanted(name):
            yield name, bytes(read_whole(file))


class _Bounded(io.RawIOBase):
    """A stream that refuses to go beyond `LARGEST` bytes, whatever the archive's headers claim."""

    def __init__(self, file: IO[bytes], path: Path):
        self._file, self._path, self._left = file, path, LARGEST

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise Refused(TooLarge(str(self._path), LARGEST))
        return content


def _of_tar(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    try:
        opener = PACKED[path.suffix.lower()]
        with opener(path, "rb") as file, tarfile.open(fileobj=_Bounded(file, path),
                                                      mode="r|") as archive:
            for entry in archive:
                if entry.isdir():
                    continue
                if not entry.isreg():
                    raise Refused(UnsafeMember(str(path), entry.name, "it is a link or a device"))
                _check_name(path, entry.name)
                if wanted(entry.name):
                    yield entry.name, archive.extractfile(entry).read()
    except OSError as error:
        if isinstance(error, gzip.BadGzipFile) or error.errno is None:
            raise Refused(_damaged(path, error)) from None
        raise Refused(CannotRead(str(path), error.strerror or str(error))) from None
    except MemoryError:
        raise Refused(TooLarge(str(path), LARGEST)) from None
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, ValueError) as error:
        raise Refused(_damaged(path, error)) from None


def _of_zip(path: Path, wanted: Callable[[str], bool]) -> Iterator[Member]:
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > LARGEST:
                raise Refused(TooLarge(str(path), LARGEST))
            for entry in entries:
                _check_name(path, entry.filename)
                if wanted(entry.filename):
                    yield entry.filename, archive.read(entry)
    except OSError as error:
        raise Refused(CannotRead(str(path), error.strerror or str(error))) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError,
            NotImplementedError, lzma.LZMAError) as error:
        raise Refused(_damaged(path, error)) from None


def _check_name(path: Path, name: str) -> None:
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name:
        raise Refused(UnsafeMember(str(path), name, "its path leads out of the archive"))


def _damaged(path: Path, error: Exception) -> Damaged:
    reason = ascii(str(error))[1:-1][:200]
    return Damaged(str(path), f"it cannot be unpacked ({reason})", f"a whole {path.suffix} archive")
