"""Files that use files: relative, below the root, once each, in no circle."""

from __future__ import annotations

import os

import pytest

from building import compiled_source, outputs, picture
from netdsl.diagnostics import Refused
from netdsl.language.text import read_source

MAIN = """use "./blocks.net" as blk
model M { input x: f32[B, 3]  output y = x -> block: blk.Block{4} }
"""
BLOCK = "layer Block{c}(x) { return x -> fc: linear{c} }\n"


@pytest.fixture
def build(tmp_path, monkeypatch):
    """Writes files, builds the first, gives the outputs or what was said."""
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.chdir(root)

    def run(**files: str):
        for name, text in files.items():
            path = root / name.replace("__", "/").replace("_net", ".net")
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(text, "utf-8")
        try:
            built, _ = compiled_source(read_source("main.net"))
        except Refused as refusal:
            return [problem.code for problem in refusal.problems], picture(refusal.problems)
        return outputs(built.graph)

    return run


def test_a_file_beside(build):
    assert build(main_net=MAIN, blocks_net=BLOCK) == {"y": "f32[B, 4]"}


def test_paths_are_relative_to_the_file_that_names_them(build):
    main = MAIN.replace("./blocks.net", "parts/blocks.net")
    blocks = 'use "../base.net" as base\nlayer Block{c}(x) { return x -> b: base.Block{c} }\n'
    assert build(main_net=main, parts__blocks_net=blocks, base_net=BLOCK) == {"y": "f32[B, 4]"}


def test_a_diamond_is_one_file(build):
    main = ('use "./a.net" as a\nuse "./b.net" as b\n'
            "model M { input x: f32[B, 3]  output y = if a.c.Block == b.c.Block then x else 3 }")
    half = 'use "./c.net" as c\n'
    assert build(main_net=main, a_net=half, b_net=half, c_net=BLOCK) == {"y": "f32[B, 3]"}


def test_a_layer_sees_the_names_of_its_own_file(build):
    blocks = "let width = 7\n" + BLOCK.replace("linear{c}", "linear{width}")
    assert build(main_net="let width = 5\n" + MAIN, blocks_net=blocks) == {"y": "f32[B, 7]"}


def test_a_model_of_another_file_as_a_preset(build):
    main = 'let c = 9\nuse "./blocks.net" as blk\nmodel M = blk.N{width = c}\n'
    model = ("let out = 5\n"
             "model N{width = 3} { input x: f32[B, width]  output y = x -> f: Block{out} }")
    assert build(main_net=main, blocks_net=BLOCK + model) == {"y": "f32[B, 5]"}


def test_messages_name_files_as_the_user_would(build):
    main = MAIN.replace("./blocks.net", "parts/../parts/blocks.net")
    codes, text = build(main_net=main, parts__blocks_net=BLOCK.replace("fc: linear", "fc: linaer"))
    assert codes == ["N201"]
    assert "--> parts/blocks.net:1:37" in text


def test_a_circle(build):
    codes, text = build(main_net=MAIN, blocks_net='use "./main.net" as m\n' + BLOCK)
    assert codes == ["N221"] and "blocks.net:1:5" in text
    assert build(main_net='use "./main.net" as m\n' + MAIN, blocks_net=BLOCK)[0] == ["N221"]


def test_a_file_with_mistakes_is_told_once(build):
    main = 'use "./blocks.net" as a\nuse "./blocks.net" as b\n' + MAIN
    assert build(main_net=main, blocks_net="layer {")[0] == ["N110"]


def test_nothing_follows_from_a_file_that_cannot_be_had(build):
    assert build(main_net=MAIN)[0] == ["N224"]


OUTSIDE = {
    "above the root": "../secret.net", "absolute": "/etc/hosts.net", "home": "~/x.net",
    "an address": "https://example.org/x.net", "another ending": "./secret.txt",
    "a folder": "./folder.net", "a pipe": "./pipe.net", "a link out": "./link.net",
    "a linked folder": "./linked/secret.net", "a circle of links": "./circle.net",
    "too long a name": "./" + "a" * 5000 + ".net", "a link to what never ends": "./zero.net",
    "nothing": "", "unreadable": "./locked.net",
}


@pytest.mark.parametrize("path", OUTSIDE.values(), ids=OUTSIDE)
def test_what_may_not_be_used(build, tmp_path, path):
    secret = "layer Block{c}(x) { return x }  # SECRET\n"
    (tmp_path / "secret.net").write_text(secret)
    root = tmp_path / "root"
    (root / "folder.net").mkdir()
    os.mkfifo(root / "pipe.net")
    (root / "link.net").symlink_to(tmp_path / "secret.net")
    (root / "linked").symlink_to(tmp_path)
    (root / "circle.net").symlink_to(root / "circle.net")
    (root / "zero.net").symlink_to("/dev/zero")
    (root / "locked.net").symlink_to(root / "nowhere.net")
    codes, text = build(main_net=MAIN.replace("./blocks.net", path))
    assert codes == ["N224"]
    assert "SECRET" not in text


def test_a_long_chain_of_files_ends(build):
    main = 'use "./f0.net" as f\nmodel M { input x: f32[B]  output x }'
    files = {f"f{i}_net": f'use "./f{i + 1}.net" as next_\n' for i in range(400)}
    codes, _ = build(main_net=main, **files)
    assert codes == ["N224"]
    assert build(main_net=main, **{**files, "f60_net": BLOCK}) == {"x": "f32[B]"}


def test_many_uses_of_one_broken_file_are_read_once(build):
    uses = "\n".join(f'use "./blocks.net" as b{i}' for i in range(3000))
    codes, _ = build(main_net=uses + "\n" + MAIN, blocks_net="layer L{}(x) {" * 40)
    assert set(codes) <= {"N112", "N110"}
