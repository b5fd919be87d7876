"""lark's tables for the grammar, kept between runs: making them takes longer than checking a file.

They lie in the user's own cache folder under a name that holds everything they depend on. They are
containers of numbers and texts; what is read may hold nothing else, so that a file somebody else
put there cannot run code. Where there is no folder to write to, tables are made each time.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import lark


class _PlainReader(pickle.Unpickler):
    """Reads containers, numbers and texts; refuses whatever would import something."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a table")


def kept_tables(grammar: str) -> dict[str, Any] | None:
    """The tables kept for this grammar, as `Lark.load` takes them; None where there are none."""
    with suppress(OSError, pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError,
                  AttributeError, TypeError, ImportError):
        return _PlainReader(io.BytesIO(_place(grammar).read_bytes())).load()
    return None


def keep_tables(grammar: str, parser: lark.Lark) -> None:
    """Write the tables for the next run, whole or not at all; silently not where that fails."""
    place = _place(grammar)
    draft = place.with_name(f"{place.name}.{os.getpid()}")
    with suppress(OSError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(draft, "wb") as file:
            parser.save(file, exclude_options=("transformer", "lexer_callbacks"))
        os.replace(draft, place)


def _place(grammar: str) -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    made_of = (grammar, lark.__version__, *map(str, sys.version_info[:3]))
    name = sha256("\0".join(made_of).encode()).hexdigest()[:32]
    return Path(folder) / "netdsl" / f"grammar-{name}.tables"
