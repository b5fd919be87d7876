"""The libraries that come with netdsl: folders of `.net` files here, `use`d by their names."""

from __future__ import annotations

from pathlib import Path

LIBRARIES: dict[str, Path] = {
    folder.name: folder
    for folder in sorted(Path(__file__).resolve().parent.iterdir())
    if folder.is_dir() and any(folder.glob("*.net"))
}
