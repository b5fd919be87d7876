"""Train programs from the command line: which one is meant, what `--set` and `--data` change."""

from __future__ import annotations

import pytest
from commands import netdsl

TEXT = """
model M{size = 8} {
    input image: f32[B, 1, size, size]
    input label: i64[B] in 0..10
    output logits = image -> flatten -> body: linear{4} -> fc: linear{10}
    loss ce = cross_entropy(logits, label)
}
train quick: M { data digits()  epochs 1  minimize ce with sgd(lr = 0.1) }
train later: M {
    data digits()
    weights from_run(quick)
    step Body { minimize ce over body with sgd(lr = 0.1) }
    step Head { minimize ce over fc with sgd(lr = 0.2, momentum = 0.9) } every 2
}
sample M { decode(logits, image) }
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "m.net"
    path.write_text(TEXT, "utf-8")
    return path


def test_a_file_with_parts_that_are_not_carried_out_checks(file):
    result = netdsl("check", file)
    assert result.exit_code == 0 and "M  " in result.output


def test_a_program_is_named_behind_the_file(file, tmp_path):
    result = netdsl("train", f"{file}:quick", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert f"{file}:quick" in result.output  # in what to do next


@pytest.mark.parametrize("target", ["", ":later", ":M"])
def test_what_is_not_carried_out_is_refused_by_name(file, target):
    result = netdsl("train", f"{file}{target}")
    assert result.exit_code == 1
    for what in ("several steps", "`weights`"):
        assert f"error[N432]: {what}" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("settings", "code", "told"), [
    (["momentum=0.5"], 1, "say which: `--set Body.momentum=0.5`"),
    (["Head.momentum=0.5", "Body.lr=cosine(1)"], 0, ""),
    (["Head.momentum=1.5"], 1, "--> --set Head.momentum:1:1"),
    (["clip=0"], 1, "--> --set clip:1:1"),
    (["bach=3"], 1, "did you mean `batch`?"),
    (["a b=3"], 2, "not of the form name=value"),
    ([".lr=3"], 2, "not of the form name=value"),
])
def test_overrides_are_checked(file, settings, code, told):
    flags = [part for setting in settings for part in ("--set", setting)]
    result = netdsl("check", f"{file}:later", *flags)
    assert result.exit_code == code
    assert told in result.stderr


def test_other_data_take_the_place_of_the_files_own_before_anything_is_checked(file, tmp_path):
    other = tmp_path / "other.net"
    other.write_text(TEXT.replace("data digits()", 'data cifar10("x")'), "utf-8")
    assert "N446" in netdsl("check", other).stderr
    flags = ["--data", "digits(take = 64)", "--out", tmp_path / "out"]
    wrong = TEXT.partition("train later")[0].replace("data digits()", 'data cifar10("x")')
    other.write_text(wrong, "utf-8")
    assert netdsl("train", other, *flags).exit_code == 0
