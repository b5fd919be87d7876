"""`train`: going on with another network is refused; figures that are NaN and warm-ups without an
end are told; two processes write the same bytes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from netdsl.training.history import History
from netdsl.weights import load_weights, read_metadata, save_weights

from commands import netdsl, start

TINY = """net 1
model Tiny{p = 0.1} {
    input image: f32[B, 1, 8, 8]
    input label: i64[B] in 0..10
    output logits = image -> flatten -> fc1: linear{8} -> relu -> dropout(p) -> fc2: linear{10}
    loss ce = cross_entropy(logits, label, smooth = 0.1)
    metric top1 = accuracy(logits, label)
}
train Tiny { data digits(take = 200)  batch 20  epochs 1  minimize ce with adam(lr = 0.01) }
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(text: str, *arguments: object):
    Path("tiny.net").write_text(text, "utf-8")
    return netdsl("train", "tiny.net", "--out", "run", *arguments)


@pytest.mark.parametrize(("old", "new", "arguments", "differs"), [
    ("", "", ["-D", "p=0.9"], "-D p: not given then, 0.9 now"),
    ("-> relu", "-> tanh", [], "the network: "),
    ("smooth = 0.1", "smooth = 0.5", [], "the network: "),
    ("p = 0.1}", "p = 0.2}", [], "the network: "),
    ("", "", ["-D", "p=0.1"], None),
    ("    input image", "    # a comment\n\n    input  image", [], None),
])
def test_going_on_with_another_network_is_refused(here, old, new, arguments, differs):
    assert train(TINY).exit_code == 0
    before = (here / "run" / "checkpoint.safetensors").read_bytes()
    text = TINY.replace(old, new) if old else TINY
    result = train(text, "--resume", "--epochs", 2, *arguments)
    if differs is None:
        assert result.exit_code == 0, result.stderr
        return
    assert result.exit_code == 1 and "error[N464]" in result.stderr
    assert differs in result.stderr
    assert ("-D p" in result.stderr) == bool(arguments)
    assert (here / "run" / "checkpoint.safetensors").read_bytes() == before


def test_an_older_checkpoint_goes_on(here):
    """It has no fingerprint of its network, and names the learning rate otherwise."""
    assert train(TINY).exit_code == 0
    path = here / "run" / "checkpoint.safetensors"
    texts = read_metadata(path)
    identity, history = json.loads(texts["identity"]), json.loads(texts["history"])
    del identity["the network"], texts["attributes"]
    history["epochs"][0]["rates"] = {"@rate.0": 0.01}
    texts |= {"identity": json.dumps(identity), "history": json.dumps(history)}
    save_weights(path, load_weights(path), texts)
    assert train(TINY, "--resume", "--epochs", 2).exit_code == 0
    epochs = json.loads((here / "run" / "history.json").read_text())["epochs"]
    assert [epoch["rates"] for epoch in epochs] == [{"lr": 0.01}] * 2


def test_two_processes_write_the_same_bytes(here):
    """But for the seconds in the history, which the checkpoint holds as well."""
    assert train(TINY).exit_code == 0
    other = start("train", "tiny.net", "--out", "again", PYTHONHASHSEED="1")
    assert other.wait(60) == 0, other.communicate()
    for name in ("weights.safetensors", "best.safetensors"):
        assert (here / "run" / name).read_bytes() == (here / "again" / name).read_bytes()
    ours, theirs = (read_metadata(here / each / "checkpoint.safetensors")
                    for each in ("run", "again"))
    assert ours["identity"] == theirs["identity"]


def test_resume_and_init_exclude_each_other(here):
    result = train(TINY, "--resume", "--init", "other.safetensors")
    assert result.exit_code == 2 and "give one of them" in result.stderr


def test_a_cut_off_file_of_weights_has_a_way_out(here):
    assert train(TINY).exit_code == 0
    whole = (here / "run" / "weights.safetensors").read_bytes()
    (here / "cut.safetensors").write_bytes(whole[:-40])
    result = netdsl("train", "tiny.net", "--out", "more", "--init", "cut.safetensors")
    assert result.exit_code == 1 and "error[N602]" in result.stderr
    assert "copy or download it again" in result.stderr


# ------------------------------------------------------------------ what is told


def test_stopping_at_nan_says_so_and_the_history_is_json(here):
    text = TINY.replace("loss ce", "loss odd = mean(log(0 - mean(image) + 0 * mean(logits)))\n"
                                   "    loss ce").replace(
        "epochs 1", "epochs 5  stop early(val.odd, patience = 2)")
    result = train(text)
    assert result.exit_code == 0, result.stderr
    assert "val.odd was no number (NaN or infinite) from the first epoch on" in result.stdout
    saved = json.loads((here / "run" / "history.json").read_text(), parse_constant=pytest.fail)
    assert [epoch["validation"]["odd"] for epoch in saved["epochs"]] == [None, None]
    assert all(map(math.isnan, History.from_json(saved).figures["odd"]))
    assert train(text, "--resume").exit_code == 0


@pytest.mark.parametrize(("rate", "epochs", "told"), [
    ("warmup(10) -> cosine(0.1)", 1, "`warmup(10)` in a run of 1 epoch"),
    ("warmup(2) -> cosine(0.1)", 2, "such as `warmup(0.2)`"),
    ("warmup(1) -> cosine(0.1)", 2, ""),
    ("steps(0.1, at = [30])", 1, ""),
])
def test_a_warmup_that_never_ends_is_told(here, rate, epochs, told):
    result = train(TINY.replace("0.01)", f"{rate})"), "--epochs", epochs)
    assert result.exit_code == 0
    assert ("note[N479]" in result.stderr) == bool(told) and told in result.stderr


@pytest.mark.parametrize(("how", "shown", "rates"), [
    ("adam(lr = 0.01)", None, {"lr": [0.01, 0.01]}),
    ("adam(lr = steps(0.01, at = [1]))", "   lr 0.001   ", {"lr": [0.01, 0.001]}),
    ("adam(lr = 0.01, betas = [steps(0.8, at = [1]), 0.99])", None,
     {"lr": [0.01, 0.01], "beta1": [0.8, 0.08]}),
    ("adam(lr = steps(0.1, at = [1])) over fc1\n minimize side over fc2 with sgd(lr = 0.1)", "   "
     "ce.lr 0.01   ", {"ce.lr": [0.1, 0.01], "side.lr": [0.1, 0.1]}),
])
def test_rates_have_names_and_show_where_they_change(here, how, shown, rates):
    text = TINY.replace("metric", "loss side = mean(logits * logits)\n    metric")
    if " over fc1" in how:
        how = how.replace(" over fc1", "")
        text = text.replace("minimize ce with", "minimize ce over fc1 with")
    result = train(text.replace("adam(lr = 0.01)", how), "--epochs", 2)
    assert result.exit_code == 0, result.stderr
    last = next(line for line in result.stdout.splitlines() if line.startswith("2/2"))
    assert shown in last if shown else "lr " not in last
    epochs = json.loads((here / "run" / "history.json").read_text())["epochs"]
    told = {name: [epoch["rates"][name] for epoch in epochs] for name in epochs[0]["rates"]}
    assert told == {name: pytest.approx(values) for name, values in rates.items()}
