"""Files that appear whole or not at all: written beside their place, made durable, renamed."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netdsl.diagnostics import Refused
from netdsl.diagnostics.weights import UnwritableFile

RANDOM_BYTES = 8


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """A path in the same folder to write to; it takes the place of `path`, and its permissions,
    when the block ends well, and is removed when it does not. A link is replaced, not followed.
    Raises Refused (N603) for what the system refuses.

    Killed at any moment, the process leaves the old file or the new one: the content is on disk
    before the rename, and the rename before this returns.
    """
    path = Path(path)
    try:
        temporary = empty_file_beside(path)
        try:
            yield temporary
            flush(temporary)
            if path.exists():
                temporary.chmod(stat.S_IMODE(path.stat().st_mode))
            os.replace(temporary, path)
            flush(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise Refused(UnwritableFile(str(path), reason_of(error))) from error


def empty_file_beside(path: Path) -> Path:
    """A new file of a random name in the folder of `path`. Raises OSError."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise OSError("it exists and is not an ordinary file")
    if path.name == "":
        raise OSError("it names no file")
    temporary = path.with_name(f"{beginning(path)}{secrets.token_hex(RANDOM_BYTES)}.tmp")
    try:
        # O_EXCL follows no link that someone else put there; the mode obeys the umask
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except ValueError as error:  # NUL or a lone surrogate in the name
        raise OSError(str(error)) from error
    return temporary


def beginning(path: Path) -> str:
    """How the names of temporary files for `path` begin; random hexadecimal digits follow."""
    return f".{path.name[:60]}."


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files that killed processes left beside `path`. One that cannot be
    removed stays."""
    ours = re.compile(rf"{re.escape(beginning(path))}[0-9a-f]{{{2 * RANDOM_BYTES}}}\.tmp")
    for entry in path.parent.iterdir():
        if ours.fullmatch(entry.name) and entry.is_file() and not entry.is_symlink():
            with suppress(OSError):
                entry.unlink()


def flush(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk."""
    if path.is_file():
        handle = os.open(path, os.O_RDWR)
    elif hasattr(os, "O_DIRECTORY"):
        handle = os.open(path, os.O_RDONLY)
    else:
        return  # Windows keeps no handle on a folder
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def reason_of(error: Exception) -> str:
    """What the system says, without the path that the message names already."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
