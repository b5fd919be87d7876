"""Arrays that take long to make, kept between runs in the user's own cache folder as `.npy` files.

They are opened memory-mapped, so that a run reads what it uses. Nothing there is needed: where
there is no folder to write to, or what lies there is not what it should be, arrays are made again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import numpy as np


def cached(
    kind: str,
    origin: Path,
    state: str,
    sound: Callable[[np.ndarray], bool],
    make: Callable[[], np.ndarray],
) -> np.ndarray:
    """The array that `make` makes of the file or folder `origin`, or the one kept from a run
    before. `kind` names what is made and in which form; `state` is what changes when the origin
    does: its size and time. `sound` says whether an array can be the one meant."""
    beginning = f"{kind}-{_digest(str(origin.resolve()))}-"
    place = _folder() / f"{beginning}{_digest(state)}.npy"
    kept = _opened(place)
    if kept is not None and sound(kept):
        return kept
    made = make()
    if _keep(place, made):
        for older in place.parent.glob(f"{beginning}*.npy"):
            if older != place:
                with suppress(OSError):
                    older.unlink()
    return made


def state_of(*paths: Path) -> str:
    """Names, sizes and times of files."""
    stats = ((path, path.stat()) for path in paths)
    return "\n".join(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats)


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netdsl"


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:20]


def _opened(place: Path) -> np.ndarray | None:
    with suppress(OSError, ValueError, EOFError):
        if place.is_file():
            return np.asarray(np.load(place, mmap_mode="r", allow_pickle=False))
    return None


def _keep(place: Path, array: np.ndarray) -> bool:
    """Write the array, whole or not at all; False where that fails."""
    draft = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(draft, "wb") as file:
            np.save(file, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, place)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        return False
    return True
