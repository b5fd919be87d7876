"""Data sources: the table of them, the options that all share, and how one is asked for.

To add a source, write a file with a frozen dataclass after `Source` and enter it into `SOURCES`.
"""

from __future__ import annotations

from dataclasses import replace

from netdsl.data.characters import Characters
from netdsl.data.cifar import Cifar10
from netdsl.data.dataset import Dataset
from netdsl.data.digits import Digits
from netdsl.data.idx import FashionMnist, Mnist
from netdsl.data.images import Images
from netdsl.data.later import LATER
from netdsl.data.npz import Npz
from netdsl.data.pairs import Pairs
from netdsl.data.source import Source
from netdsl.data.table import Csv
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.data import BadSpecification
from netdsl.ir.program import Recipe
from netdsl.registry import Table, show

SOURCES = Table("data source", {
    "digits": Digits,
    "mnist": Mnist,
    "fashion_mnist": FashionMnist,
    "npz": Npz,
    "images": Images,
    "imagefolder": Images,
    "cifar10": Cifar10,
    "csv": Csv,
    "text": Characters,
    **LATER.rows,
    "pairs": Pairs,
})


def load_source(recipe: Recipe) -> Dataset:
    """The data that a recipe names, read into memory. Raises Refused, at the recipe's span."""
    report = Report()
    source: Source | None = SOURCES.bind(recipe, report)
    report.stop_on_errors()
    try:
        return replace(source.load(), name=show(recipe))
    except Refused as refused:
        raise Refused(*(replace(p, span=recipe.span) for p in refused.problems)) from None


def parse_source(text: str) -> Recipe:
    """`digits`, or `fashion_mnist:DIR` for `fashion_mnist("DIR")`. Raises Refused."""
    name, colon, path = text.partition(":")
    if name not in SOURCES.rows or (colon and not path):
        raise Refused(BadSpecification(text, tuple(SOURCES.rows)))
    return Recipe(name, (path,) if colon else ())
