"""`check` and `summary`: what they print, as text and as JSON, and their exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netdsl.cli.terminal import tell
from netdsl.diagnostics.commands import OutputLost
from netdsl.diagnostics.training import Interrupted

from commands import DIGITS, MODELS, netdsl, netdsl_json

BROKEN = """
model Broken {
    input x: f32[B, 4]
    output y = x -> linaer{3}
}
"""
LAYERS = "layer Twice(x) { return x + x }\nlayer Thrice(x) { return x + x + x }\n"
TWO = """
model Small{width = 2} {
    input x: f32[B, 4]
    output y = x -> fc: linear{width}
}
model Large = Small{width = 1000}
"""


@pytest.fixture
def write(tmp_path: Path):
    def written(text: str) -> Path:
        path = tmp_path / "some.net"
        path.write_text(text, "utf-8")
        return path

    return written


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.net")), ids=lambda path: path.stem)
def test_every_model_of_the_project_is_fine(path):
    result = netdsl("check", path)
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.search(r" parameters  \w+ f32\[B, ", result.stdout)


def test_check_prints_a_line_for_each_model(write):
    assert netdsl("check", write(TWO)).stdout.splitlines() == [
        "Small     10 parameters  x f32[B, 4] -> y f32[B, 2]",
        "Large  5,000 parameters  x f32[B, 4] -> y f32[B, 1000]",
    ]


def test_check_takes_the_model_that_is_named(write):
    assert netdsl("check", f"{write(TWO)}:Small", "-D", "width=3").stdout.splitlines() == [
        "Small  15 parameters  x f32[B, 4] -> y f32[B, 3]",
    ]


def test_check_of_layers_alone(write):
    result = netdsl("check", write(LAYERS))
    assert (result.exit_code, result.stderr) == (0, "")
    assert "some.net: 2 layers, no model; shapes in them are checked" in result.stdout


def test_check_tells_errors_on_stderr(write):
    result = netdsl("check", write(BROKEN))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error[N201]" in result.stderr and "did you mean `linear`?" in result.stderr
    assert result.stderr.endswith("1 error; `netdsl explain N201` tells more\n")


def test_check_tells_the_errors_of_every_model(write):
    other = BROKEN.replace("Broken", "Other").replace("linaer", "cnov")
    result = netdsl("check", write(BROKEN + other))
    assert "`linaer`" in result.stderr and "`cnov`" in result.stderr
    assert "2 errors; " in result.stderr


def test_self_is_answered_with_labels(write):
    result = netdsl("check", write(BROKEN.replace("x -> linaer{3}", "self.conv1(x)")))
    assert "try: name a layer by a label where it is used" in result.stderr


def test_the_last_line_names_the_first_error(capsys):
    tell([Interrupted(1, None), OutputLost("disk full")])
    assert capsys.readouterr().err.endswith("\n1 error; `netdsl explain N855` tells more\n")


def test_check_looks_at_the_training_program(write):
    result = netdsl("check", write(Path(DIGITS).read_text("utf-8").replace("adam", "admaa")))
    assert result.exit_code == 1
    assert "`admaa`" in result.stderr


def test_check_as_json(write):
    assert netdsl_json("check", write(TWO))["models"][1] == {
        "model": "Large", "parameters": 5000, "inputs": {"x": "f32[B, 4]"},
        "outputs": {"y": "f32[B, 1000]"}, "assumptions": [],
    }


@pytest.mark.parametrize("verb", ["check", "summary"])
def test_errors_as_json(write, verb):
    content = netdsl_json(verb, write(BROKEN), code=1)
    problem, = content["problems"]
    assert set(content) == {"version", "problems"}
    assert (problem["code"], problem["severity"]) == ("N201", "error")
    assert problem["marks"][0]["line"] == 4


@pytest.mark.parametrize("arguments, code, message", [
    (["check"], 2, "Missing argument"),
    (["check", DIGITS, "--depth", "1"], 2, "No such option"),
    (["check", ""], 2, "the path of a file is missing"),
    (["summary", ":Digits"], 2, "the path of a file is missing"),
    (["check", f"{DIGITS}:"], 2, "the name of a model is missing"),
    (["check", DIGITS, "-D", "width"], 2, "not of the form name=value"),
    (["check", DIGITS, "-D", "1x=2"], 2, "not of the form name=value"),
    (["check", DIGITS, "-D", "width="], 2, "not of the form name=value"),
    (["summary", DIGITS, "--depth", "0"], 2, "0 is not in the range"),
    (["chekc", DIGITS], 2, "No such command 'chekc'"),
    (["check", "nowhere.net"], 1, "cannot read `nowhere.net`"),
    (["check", "."], 1, "it is a folder"),
    (["check", f"{DIGITS}:Digitz"], 1, "has no model `Digitz`"),
    (["check", DIGITS, "-D", "widht=8"], 1, "did you mean `width`?"),
    (["check", DIGITS, "-D", "width=1 +"], 1, "error[N1"),
    (["check", DIGITS, "-D", "width=0.5"], 1, "error[N2"),
])
def test_exit_codes(arguments, code, message):
    result = netdsl(*arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""


def test_summary_of_one_level():
    lines = netdsl("summary", MODELS / "inception_small.net", "--depth", 1).stdout.splitlines()
    assert lines[0] == (
        "InceptionSmall: image f32[B, 1, 28, 28], label i64[B] -> logits f32[B, 10]"
    )
    assert any(line.split() == ["i1", "Inception", "[B,", "80,", "28,", "28]", "9,808", "7.53", "M"]
               for line in lines)
    assert not any(line.startswith("   ") for line in lines)


def test_summary_as_json():
    content = netdsl_json("summary", DIGITS)
    assert content["model"] == "Digits"
    assert content["phases"] == {
        "inference": {"parameters": 38330, "buffers": 96, "macs": 337536},
        "training": {"parameters": 38330, "buffers": 96, "macs": 337536},
    }
    assert content["layers"][0] == {
        "path": "conv1", "kind": "conv", "depth": 0, "output": ["B", 16, 8, 8],
        "outputs": [{"dtype": "f32", "shape": ["B", 16, 8, 8]}], "parameters": 144,
        "macs": 9216, "uses": 1, "phases": ["inference", "training"], "function": False,
    }
    assert content["inputs"]["label"] == {"dtype": "i64", "shape": ["B"]}


def test_summary_counts_what_is_there_in_training_only():
    phases = netdsl_json("summary", MODELS / "inception_small.net")["phases"]
    auxiliary_head = 4096 + 64 + (128 * 64 + 64) + (64 * 10 + 10)
    assert phases["training"]["parameters"] - phases["inference"]["parameters"] == auxiliary_head


def test_summary_with_attributes():
    wide = netdsl_json("summary", DIGITS, "-D", "width=32", "-D", "classes=3", "--depth", 1)
    assert wide["layers"][0]["output"] == ["B", 32, 8, 8]
    assert wide["outputs"]["logits"]["shape"] == ["B", 3]


def test_work_with_free_sizes_is_a_formula(write):
    text = "model M { input x: f32[B, 1, H, W]\n output y = x -> c: conv{2, k = 3, pad = 1} }"
    content = netdsl_json("summary", write(text))
    assert content["layers"][0]["output"] == ["B", 2, "H", "W"]
    assert content["phases"]["inference"]["macs"] == "18 * H * W"
