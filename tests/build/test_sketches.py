"""The eighteen sketches the language was designed with: all parse, and all check once the files are
there that four of them import from elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from building import compiled_source
from netdsl.build.modules import load_module
from netdsl.diagnostics import Refused, Report
from netdsl.language.formatter import format_text
from netdsl.language.parser import parse
from netdsl.language.text import read_source
from netdsl.source import Source

COMPANIONS = {
    "blocks.net": """
layer Stem{a, b}(x) {
    return x -> conv1: conv{a, 7, stride = 2, pad = 3} -> relu -> maxpool(3, stride = 2, pad = 1)
             -> conv2: conv{b, 3, pad = 1} -> relu -> maxpool(3, stride = 2, pad = 1)
}
""",
    "resnet.net": """
layer Encoder{d}(x) { return x -> backbone: Trunk{} -> head: linear{d} }
layer Trunk{}(x) { return x -> conv: conv{32, 7, stride = 4} -> bn: batchnorm{} -> global_avgpool }
""",
    "documented/doc_resnet.net": """
model ResNet50{classes = 1000} {
    input image: f32[B, 3, 224, 224]
    input label: i64[B] in 0..classes
    x = image -> stem: conv{8, 7, stride = 4}
    stage: for (i in 0..4) { x = x -> conv{8 * 2 ** i, 3, stride = 2, pad = 1} -> relu }
    output logits = x -> global_avgpool -> fc: linear{classes}
    loss ce = cross_entropy(logits, label)
    metric top1 = accuracy(logits, label)
}
""",
    "vit.net": """
layer Trunk{}(x) {
    x = x -> embed: conv{64, 16, stride = 16} -> rearrange("b d h w -> b (h w) d")
    h: for (i in 0..2) { x = Block{heads = 4, mlp = 128}(x) }
    return x[_, 0]
}
""",
}
PARAMETERS = {  # of the file's last model, as published or counted by hand
    "charlstm": 3_340_384, "dcgan": 6_342_336, "densenet": 20_013_928, "vae": 652_824,
    "vit": 304_326_632, "word2vec": 60_000_000,
}
WITHOUT_MODEL = {"inception3", "mha"}


@pytest.fixture
def sketches(shared, tmp_path) -> Path:
    """The sketches, with what four of them import."""
    for path in (shared / "design" / "examples").glob("*.net"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    for name, text in COMPANIONS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        before = path.read_text("utf-8") if path.exists() else "net 1\n"
        path.write_text(before + text, "utf-8")
    return tmp_path


def names(sketches: Path) -> list[str]:
    ours = {"blocks.net", "resnet.net"}
    return sorted(path.stem for path in sketches.glob("*.net") if path.name not in ours)


def test_there_are_eighteen(sketches):
    assert len(names(sketches)) == 18


def test_all_parse_and_print(sketches):
    for name in names(sketches):
        source = read_source(sketches / f"{name}.net")
        printed = format_text(source)
        assert parse(Source(name, printed)) == parse(source), name
        assert format_text(Source(name, printed)) == printed, name


def test_all_check(sketches):
    for name in names(sketches):
        source = read_source(sketches / f"{name}.net", f"{name}.net")
        report = Report()
        module = load_module(source, report)
        if name in WITHOUT_MODEL:
            assert not module.models and not report.has_errors
            continue
        try:
            built, report = compiled_source(source)
        except Refused as refused:
            pytest.fail(str(refused))
        count = sum(v.type.size for v in built.graph.parameters.values())
        if name in PARAMETERS:
            assert count == PARAMETERS[name], name
