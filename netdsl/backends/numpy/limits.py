"""How much memory there is, held against what is planned before any of it is taken: a system that
promises more than it has kills who believes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from netdsl.diagnostics import Refused
from netdsl.diagnostics.commands import OutOfMemory
from netdsl.ir.tensor import TensorType

NARROWER = "narrower layers, as with `-D width=16` where the model has such an attribute"
SMALLER = "a smaller batch (`--set batch=16`), or the same batch in parts: `accumulate 4`"


# What a container may take, as control groups of version 2 and 1 have it.
CONTAINER = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def available_memory() -> int:
    """How many bytes this process may take: the memory of the machine, or less where a container
    or `ulimit -v` bounds it; all that can be addressed where the system does not tell."""
    return min(_physical(), _of_container(), _of_process())


def _physical() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system answers
        return sys.maxsize


def _of_container() -> int:
    for file in CONTAINER:
        try:
            return int(Path(file).read_text())
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
    return sys.maxsize


def _of_process() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return sys.maxsize
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit


def bytes_of(types: Iterable[TensorType]) -> int:
    """The memory of tensors without free dimensions."""
    return sum(type.size * type.numpy_dtype.itemsize for type in types)


def check_memory(what: str, needed: int, way: str | None = None) -> None:
    """Raises Refused where so many bytes are more than there are; `way` is a way out."""
    have = available_memory()
    if needed > have:
        raise Refused(OutOfMemory(what, needed, have, way))
