"""Rich tables as strings, and what every table does with names and numbers."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def to_text(renderable: RenderableType, width: int, color: bool) -> str:
    """What rich would print on a terminal of `width` columns, without empty lines around it."""
    from rich.console import Console

    console = Console(
        file=StringIO(), width=width, force_terminal=color, no_color=not color,
        color_system="standard" if color else None, legacy_windows=False,
        markup=False, emoji=False, highlight=False,
    )
    console.print(renderable)
    lines = (line.rstrip() for line in console.file.getvalue().splitlines())
    return "\n".join(lines).strip("\n")


def plain_table(**options) -> Table:
    """A table with one rule below its head and one above its foot."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE, header_style="bold", pad_edge=False, padding=(0, 1), **options)


def printable(text: str) -> str:
    """A foreign name that moves no cursor: control characters as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def human(number: int) -> str:
    """Three digits and a decimal prefix: `9.22 k`, `295 k`, `4.11 G`; below 1,000 as it is."""
    size, prefix = float(number), ""
    for prefix in ("", "k", "M", "G", "T", "P", "E"):
        if size < 999.5 or prefix == "E":
            break
        size /= 1000
    if not prefix:
        return str(number)
    decimals = 2 if size < 9.995 else 1 if size < 99.95 else 0
    return f"{size:,.{decimals}f} {prefix}"
