"""The table of a network: its layers, what they give and cost, and the totals of each phase."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

from netdsl.analysis.summary import LayerRow, Summary
from netdsl.ir.dim import Dim
from netdsl.ir.tensor import TensorType, show_shape
from netdsl.rewrite.rebuild import prefixes
from netdsl.views.rendering import human, plain_table, to_text

HEAD = ("layer", "kind", "output", "parameters", "MACs", "only in")
LONG = 24  # characters of a formula: one beyond is written below the table
LONGEST = 600  # characters of a formula that is written anywhere
FORMULA = "formula"  # what stands for it in the table
MOST_ROWS = 500  # of a table in text
CONVENTION = "MACs are multiply-accumulates of convolutions and matrix products for one example."
Texts: TypeAlias = tuple[str, str, str, str, str, str]  # one for each of HEAD


@dataclass(frozen=True, slots=True)
class Cells:
    """A row of the table in words. `depth` indents the first cell; a `quiet` row is a function
    between layers."""

    depth: int
    texts: Texts
    quiet: bool = False


def summary_text(
    summary: Summary, depth: int | None = None, width: int = 100, color: bool = False
) -> str:
    """The table as text of at most `width` columns; `depth` 1 shows the outermost layers alone. Of
    more than MOST_ROWS rows the others are counted."""
    from rich.text import Text

    table = plain_table(show_footer=True)
    feet = [totals(summary, phase) for phase in phases_of(summary)]
    for i, name in enumerate(HEAD):
        right = name in ("parameters", "MACs")
        table.add_column(
            name, "\n".join(foot[i] for foot in feet), justify="right" if right else "left",
            min_width=min(len(name), width // len(HEAD) - 2),
            no_wrap=name != "output", overflow="ellipsis" if name != "output" else "fold",
        )
    shown = list(rows(summary, depth))
    for cells in shown[:MOST_ROWS]:
        first, *others = cells.texts
        style = "dim" if cells.quiet else ""
        name = Text("  " * cells.depth + first, style)
        table.add_row(name, *(Text(text, style) for text in others))
    title = Text(signature(summary), "bold")
    left = len(shown) - MOST_ROWS
    more = f"… {left:,} more rows: `--json` has all, `--depth 1` the outermost."
    below = "\n".join((*([more] if left > 0 else []), *notes(summary)))
    return "\n\n".join((
        to_text(title, width, color), to_text(table, width, color),
        to_text(Text(below, "dim"), width, color),
    ))


def summary_html(summary: Summary) -> str:
    """The table as HTML that needs nothing else on the page."""

    def line(texts: Texts, tag: str = "td", indent: int = 0, style: str = "") -> str:
        cells = []
        for i, (name, text) in enumerate(zip(HEAD, texts)):
            align = "right" if name in ("parameters", "MACs") else "left"
            pad = f";padding-left:{indent * 1.5 + 0.5}em" if i == 0 else ""
            cells.append(f'<{tag} style="text-align:{align}{pad}">{escape(text)}</{tag}>')
        return f'<tr style="{style}">' + "".join(cells) + "</tr>"

    body = (
        line(cells.texts, indent=cells.depth, style="opacity:0.6" if cells.quiet else "")
        for cells in rows(summary)
    )
    feet = (line(totals(summary, phase)) for phase in phases_of(summary))
    return "\n".join((
        f"<table><caption>{escape(signature(summary))}</caption>",
        f"<thead>{line(HEAD, 'th')}</thead>",
        "<tbody>", *body, "</tbody>", "<tfoot>", *feet, "</tfoot>", "</table>",
        *(f"<small>{escape(line)}</small>" for line in notes(summary)),
    ))


def notes(summary: Summary) -> list[str]:
    """What stands below the table."""
    return [CONVENTION, *formulas(summary), *assumed(summary)]


def assumed(summary: Summary) -> list[str]:
    """`Assumes H >= 7 (conv in stem, file.net:12).`"""
    return [f"Assumes {each.line}." for each in summary.assumptions]


def formulas(summary: Summary) -> list[str]:
    """The totals that are too long for the table: `MACs in inference: 432 * H * W + …`."""
    lines = []
    for phase in phases_of(summary):
        macs = getattr(summary, phase).macs
        if show_work(macs) == FORMULA:
            text = str(macs)
            text = text if len(text) <= LONGEST else "a long formula, which `--json` has whole"
            lines.append(f"MACs in {phase}: {text}.")
    return lines


def signature(summary: Summary) -> str:
    """`Digits: image f32[B, 1, 8, 8], label i64[B] -> logits f32[B, 10]`."""

    def shown(tensors: dict[str, TensorType]) -> str:
        return ", ".join(f"{name} {type}" for name, type in tensors.items())

    arrow = f" -> {shown(summary.outputs)}" if summary.outputs else ""
    return f"{summary.model}: {shown(summary.inputs)}{arrow}"


def rows(summary: Summary, depth: int | None = None) -> Iterator[Cells]:
    """The layers as words, none deeper than `depth` levels."""
    known, phases = {row.path for row in summary.layers}, phases_of(summary)
    for row in summary.layers:
        if depth is None or row.depth < depth:
            yield Cells(row.depth, cells_of(row, known, phases), quiet=row.is_function)


def phases_of(summary: Summary) -> tuple[str, ...]:
    """The phases that the model has: without a loss there is no training."""
    trains = any("training" in row.phases for row in summary.layers)
    return ("inference", "training") if trains else ("inference",)


def cells_of(row: LayerRow, known: set[str], phases: tuple[str, ...]) -> Texts:
    name = "·" if row.is_function else below(row.path, known)
    uses = f" ×{row.uses}" if row.uses > 1 else ""
    return (
        name + uses, row.kind, ", ".join(map(show_type, row.output)),
        f"{row.parameters:,}" if row.parameters else "", show_work(row.macs),
        only_in(row.phases, phases),
    )


def below(path: str, known: set[str]) -> str:
    """The part of a label path that the nearest layer around it does not say already."""
    _, *around = prefixes(path)
    nearest = next((prefix for prefix in around if prefix in known), None)
    return path if nearest is None else path[len(nearest) + 1 :]


def only_in(phases: tuple[str, ...], of: tuple[str, ...]) -> str:
    """Empty for a row that every phase of the model has; what none has, metrics need."""
    if len(phases) == len(of):
        return ""
    return phases[0] if phases else "validation"


def show_type(type: TensorType) -> str:
    """The shape, and the dtype where it is not f32."""
    return show_shape(type.shape) if type.dtype == "f32" else str(type)


def show_work(macs: Dim) -> str:
    if macs == 0:
        return ""
    if isinstance(macs, int):
        return human(macs)
    text = str(macs)
    return text if len(text) <= LONG else FORMULA


def totals(summary: Summary, phase: str) -> Texts:
    """The last rows: what a phase has and costs in all."""
    total = getattr(summary, phase)
    buffers = f"{total.buffers:,} in buffers" if total.buffers else ""
    return phase, "", buffers, f"{total.parameters:,}", show_work(total.macs) or "0", ""
