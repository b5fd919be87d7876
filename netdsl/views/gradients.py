"""Gradients by layer and step: a table with small bars for terminals, heat maps for paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from netdsl.views.rendering import plain_table, to_text

if TYPE_CHECKING:
    from netdsl.training.gradients import GradientProfile

BARS = "▁▂▃▄▅▆▇█"
LONGEST = 40  # bars in a row
ENDS = 10  # the beginning and the end of a training are this part of its steps
STAGES = 400  # of a heat map


def gradients_text(profile: GradientProfile, width: int = 100, color: bool = False) -> str:
    """A row for each layer in the network's order: its norm at the beginning and at the end, the
    means of a tenth of the steps, and over the whole time as bars on a logarithmic scale."""
    from rich.text import Text

    table = plain_table()
    table.add_column("layer", overflow="fold")
    for name in ("at first", "at last"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("over the steps", no_wrap=True)
    longest = max(map(len, profile.layers), default=0)
    stages = profile.by_stage(max(8, min(LONGEST, width - longest - 28)))
    low, high = span_of(stages)
    tenth = max(len(profile.norms) // ENDS, 1)
    for place, path in enumerate(profile.layers):
        ends = profile.norms[:tenth, place].mean(), profile.norms[-tenth:, place].mean()
        table.add_row(path, *map(number, ends), bars(stages[:, place], low, high))
    told = (f"Norms of the gradients of each layer's parameters over {len(profile.norms):,} steps, "
            f"before clipping; bars from {number(low)} to {number(high)}, logarithmic.")
    return "\n\n".join((
        to_text(Text(profile.model, "bold"), width, color), to_text(table, width, color),
        to_text(Text(told, "dim"), width, color),
    ))


def span_of(norms: np.ndarray) -> tuple[float, float]:
    """The smallest and largest norm above 0."""
    above = norms[norms > 0]
    return (float(above.min()), float(above.max())) if above.size else (1.0, 1.0)


def bars(values: Sequence[float], low: float, high: float) -> str:
    """A bar for each value; what is 0 has none."""
    signs = []
    for value in values:
        share = np.log(value / low) / np.log(high / low) if value > 0 and high > low else 0.0
        signs.append(BARS[round(share * (len(BARS) - 1))] if value > 0 else " ")
    return "".join(signs)


def number(value: float) -> str:
    return f"{value:.2g}" if 0 < abs(value) < 0.01 or abs(value) >= 1000 else f"{value:.3f}"


def draw_gradients(profiles: Sequence[GradientProfile], path: Path, format: str) -> None:
    """A heat map for each training, layers from the input at the top to the loss at the bottom,
    all on one logarithmic scale; below them losses and validation. Raises ImportError without
    matplotlib, ValueError for a format that it does not write."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    count = len(profiles)
    figure = Figure(figsize=(max(4.6 * count, 7), 7.2), layout="constrained")
    FigureCanvasAgg(figure)
    above, below = figure.subfigures(2, 1, height_ratios=(1.5, 1))
    maps = [profile.by_stage(STAGES) for profile in profiles]
    low, high = span_of(np.concatenate([norms.ravel() for norms in maps]))
    panels = above.subplots(1, count, squeeze=False)[0]
    for axes, profile, norms in zip(panels, profiles, maps):
        shown = axes.imshow(
            norms.T, aspect="auto", cmap="magma", interpolation="nearest",
            norm=LogNorm(low, high if high > low else low * 10),
            extent=(0, len(profile.norms), len(profile.layers), 0),
        )
        axes.set(title=profile.model, xlabel="step", ylabel="layer, input at the top")
        ticks = np.unique(np.linspace(0, len(profile.layers) - 1, 8).round().astype(int))
        axes.set_yticks(ticks + 0.5, [profile.layers[i] for i in ticks], fontsize=7)
    above.colorbar(shown, ax=list(panels), label="norm of the gradient")
    draw_curves(below.subplots(1, 2), profiles)
    figure.savefig(path, format=format, dpi=110)


def draw_curves(axes: Sequence, profiles: Sequence[GradientProfile]) -> None:
    """The minimised losses by step on the left, what validation measured by epoch on the right."""
    from matplotlib.ticker import MaxNLocator

    left, right = axes
    for profile in profiles:
        stops = [stop for _, stop in profile.stages()]
        for name, values in profile.losses.items():
            means = [values[a:b].mean() for a, b in profile.stages()]
            left.plot(stops, means, label=f"{profile.model}: {name}", linewidth=1)
        numbers = [epoch.number for epoch in profile.epochs]
        for name in profile.epochs[0].validation if profile.epochs else ():
            if name not in profile.losses:
                figures = [epoch.validation[name] for epoch in profile.epochs]
                right.plot(numbers, figures, "o-", label=f"{profile.model}: {name}", markersize=3)
    left.set(xlabel="step", ylabel="loss in training")
    right.set(xlabel="epoch", ylabel="validation")
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    for panel in axes:
        panel.grid(alpha=0.3)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(fontsize=7)
