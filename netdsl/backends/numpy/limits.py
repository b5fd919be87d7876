"""How much memory there is, held against what is planned before any of it is taken: a system that
promises more than it has kills who believes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from netdsl.diagnostics import Refused
from netdsl.diagnostics.commands import OutOfMemory
from netdsl.ir.tensor import TensorType

NARROWER = "narrower layers, as with `-D width=16` where the model has such an attribute"
SMALLER = "a smaller batch (`--set batch=16`), or the same batch in parts: `accumulate 4`"


def physical_memory() -> int:
    """How many bytes this machine has, or could address where it does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not every system answers
        return sys.maxsize


def bytes_of(types: Iterable[TensorType]) -> int:
    """The memory of tensors without free dimensions."""
    return sum(type.size * type.numpy_dtype.itemsize for type in types)


def check_memory(what: str, needed: int, way: str | None = None) -> None:
    """Raises Refused where so many bytes are more than the machine has; `way` is a way out."""
    have = physical_memory()
    if needed > have:
        raise Refused(OutOfMemory(what, needed, have, way))
