"""The views: pictures of tables and charts, and what becomes of hostile names."""

from __future__ import annotations

from html.parser import HTMLParser
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest

import netdsl
from netdsl.resources import models_folder
from netdsl.training.history import Epoch, History
from netdsl.views.chart import chart
from netdsl.views.confusion import confusion_text
from netdsl.views.curves import curves_text
from netdsl.views.rendering import human, to_text
from netdsl.views.summary import summary_html, summary_text

GOLDEN = Path(__file__).parent / "golden"
SHARED = """
layer Pair(x) { return x -> a: linear{4} -> relu }
model Twice {
    input x: f32[B, 4]
    twin = Pair{}
    y = twin(x)
    output z = twin(y)
}
"""


def history(epochs: int) -> History:
    made = [
        Epoch(number, {"ce": 2.0 / number**2}, {"ce": 2.2 / number**2, "top1": 1 - 0.5 / number},
              {"rate": 0.1}, 1.0)
        for number in range(1, epochs + 1)
    ]
    return History(made, "top1", epochs)


# ------------------------------------------------------------------ summary


@pytest.mark.parametrize("model, depth", [
    ("digits", None), ("inception_small", 2), ("fashion_resnet", 1),
])
def test_summary(golden, model, depth):
    loaded = netdsl.load(models_folder() / f"{model}.net")
    golden(GOLDEN / f"{model}.txt", summary_text(loaded.summary(), depth) + "\n")


def test_a_model_shows_as_its_table():
    model = netdsl.load(models_folder() / "digits.net")
    assert repr(model) == summary_text(model.summary())


def test_a_shared_instance_counts_once(tmp_path):
    (tmp_path / "twice.net").write_text(SHARED, "utf-8")
    lines = summary_text(netdsl.load(tmp_path / "twice.net").summary()).splitlines()
    assert any(line.split() == ["twin", "×2", "Pair", "[B,", "4]", "20", "32"] for line in lines)
    assert any(line.split() == ["inference", "20", "32"] for line in lines)
    assert not any("training" in line for line in lines)  # there is no loss


def test_a_narrow_summary_keeps_its_width():
    summary = netdsl.load(models_folder() / "fashion_resnet.net").summary()
    assert max(map(len, summary_text(summary, width=60).splitlines())) <= 60


def network(tmp_path: Path, body: str) -> netdsl.Model:
    path = tmp_path / "made.net"
    path.write_text(f"model M {{ {body} }}", "utf-8")
    return netdsl.load(path)


def test_a_long_formula_stands_below_the_table(tmp_path):
    model = network(tmp_path, """input x: f32[B, 3, H, W]
        output y = x -> c1: conv{8, k = 3, stride = 2} -> c2: conv{8, k = 3, stride = 2}""")
    summary = model.summary()
    lines = summary_text(summary).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[2].split() == ["layer", "kind", "output", "parameters", "MACs", "only", "in"]
    assert any(line.split()[:2] == ["c2", "conv"] and line.endswith("formula") for line in lines)
    assert f"MACs in inference: {summary.inference.macs}." in " ".join(lines)


def test_of_very_many_rows_the_others_are_counted(tmp_path):
    model = network(tmp_path, """input x: f32[B, 3]
        y = x  for (i in 0..800) { y = relu(y) }  output y""")
    text = summary_text(model.summary())
    assert text.count("relu") == 500
    assert "… 300 more rows: `--json` has all" in text


def test_summary_in_colour_says_the_same():
    import re

    summary = netdsl.load(models_folder() / "digits.net").summary()
    painted = summary_text(summary, color=True)
    assert "\x1b[" in painted
    bare = re.sub(r"\x1b\[[0-9;]*m", "", painted)
    assert [line.rstrip() for line in bare.splitlines()] == summary_text(summary).splitlines()


class Cells(HTMLParser):
    """The cells of a table, row by row."""

    def __init__(self, html: str):
        super().__init__()
        self.rows, self.open = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_summary_as_html():
    model = netdsl.load(models_folder() / "digits.net")
    html = model._repr_html_()
    assert html == summary_html(model.summary())
    parsed = Cells(html)
    assert parsed.open == []
    assert parsed.rows[1] == ["conv1", "conv", "[B, 16, 8, 8]", "144", "9.22 k", ""]
    assert parsed.rows[-1][:4] == ["training", "", "96 in buffers", "38,330"]


@pytest.mark.parametrize("number, shown", [
    (0, "0"), (999, "999"), (1000, "1.00 k"), (9216, "9.22 k"), (9_995, "10.0 k"),
    (294_912, "295 k"), (999_499, "999 k"), (999_500, "1.00 M"), (4_111_514_624, "4.11 G"),
    (10**21, "1,000 E"),
])
def test_human_numbers(number, shown):
    assert human(number) == shown


# ------------------------------------------------------------------ curves


def test_curves(golden):
    golden(GOLDEN / "curves.txt", curves_text(history(12)) + "\n")
    golden(GOLDEN / "curves_narrow.txt", curves_text(history(12), width=60) + "\n")


def test_curves_of_one_epoch_and_of_none():
    assert "top1" in curves_text(history(1))
    assert curves_text(History()) == ""


def test_a_chart_rises_and_falls():
    up, down = (
        [line[5:] for line in chart({"a": values}, width=20, height=4).splitlines()[1:5]]
        for values in ([1, 2, 3, 4], [4, 3, 2, 1])
    )
    assert [bool(line[0].strip()) for line in up] == [False, False, False, True]
    assert [bool(line[0].strip()) for line in down] == [True, False, False, False]
    assert [len(line) for line in up] == sorted((len(line) for line in up), reverse=True)
    assert [len(line) for line in down] == sorted(len(line) for line in down)
    assert len(up[0]) == len(down[3]) == 15


@pytest.mark.parametrize("values", [[nan], [nan, inf, 1.0], [5.0], [0.0, 0.0], [-1.0, 1e30]])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_charts_of_odd_values(values, logarithmic):
    drawn = chart({"a": values}, logarithmic=logarithmic, title="t").splitlines()
    assert drawn[0].startswith("t")
    assert max(map(len, drawn)) <= 60 + 40 * (1e30 in values)


def test_a_diverging_loss_does_not_break_the_curves():
    broken = history(3)
    broken.epochs[1].losses["ce"] = nan
    broken.epochs[2].losses["ce"] = inf
    assert "ce in training" in curves_text(broken)


# ------------------------------------------------------------------ confusion


def test_confusion(golden):
    counts = np.array([[50, 2, 0], [0, 48, 1], [0, 0, 0]])
    golden(GOLDEN / "confusion.txt", confusion_text(counts, ["T-shirt/top", "Coat", "2"]) + "\n")


def test_a_large_confusion_is_a_list_of_misses():
    counts = np.diag(np.full(200, 7))
    counts[3, 150], counts[9, 8] = 2, 5
    lines = confusion_text(counts).splitlines()
    assert [line.split() for line in lines[2:]] == [["9", "8", "5"], ["3", "150", "2"]]


def test_a_confusion_is_never_wider_than_asked():
    for classes in range(1, 30):
        text = confusion_text(np.full((classes, classes), 12_345), width=100)
        assert max(map(len, text.splitlines())) <= 100
        assert "…" not in text


def test_class_names_move_no_cursor():
    text = confusion_text(np.eye(2, dtype=int), ["\x1b[2Jbad", "[red]markup[/red] :smile:"])
    assert "\x1b" not in text and "\\x1b[2Jbad" in text
    assert "[red]markup" in text


def test_text_is_not_markup():
    from rich.text import Text

    assert to_text(Text("[bold]x[/bold] :smile:"), 80, color=False) == "[bold]x[/bold] :smile:"
