"""`train`, `evaluate`, `compile` and `predict`, one after the other, on the digits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import netdsl as package
from netdsl.backends.onnx import Session
from netdsl.cli.progress import Lines
from netdsl.data.digits import Digits
from netdsl.training.history import Plan

from commands import DIGITS, MODELS, netdsl, netdsl_json


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder of a short training with `-D width=8`."""
    folder = tmp_path_factory.mktemp("train") / "run"
    result = netdsl("train", DIGITS, "-D", "width=8", "--epochs", 3, "--out", folder)
    assert (result.exit_code, result.stderr) == (0, "")
    (folder / "printed.txt").write_text(result.stdout, "utf-8")
    return folder


@pytest.fixture(scope="module")
def weights(trained) -> Path:
    return trained / "best.safetensors"


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def image(row: int) -> np.ndarray:
    """A digit for validation as f32 [1, 8, 8] in 0 … 1."""
    field = Digits().load().validate["image"]
    return field.rows(slice(row, row + 1), np.dtype(np.float32))[0]


# ------------------------------------------------------------------ train


def test_training_tells_that_nothing_validates(capsys):
    Lines().on_start(Plan(epochs=3, done=0, steps_per_epoch=45, training_rows=1442,
                          validation_rows=0))
    told = "training on 1,442 examples for 3 epochs of 45 steps; no validation rows\n"
    assert capsys.readouterr().out == told


def test_training_tells_what_happens(trained):
    first, *lines = (trained / "printed.txt").read_text("utf-8").splitlines()
    assert first == "training on 1,442 examples for 3 epochs of 45 steps, validating on 355"
    for number, line in enumerate(lines[:3], 1):
        assert line.startswith(f"{number}/3   ce 0.") or line.startswith(f"{number}/3   ce 1.")
        assert "   validation: ce " in line and "  top1 0." in line
    assert "loss by epoch" in lines[4]
    printed = "\n".join(lines)
    history = json.loads((trained / "history.json").read_text("utf-8"))
    best = history["epochs"][history["best"] - 1]["validation"]["top1"]
    assert f"best top1: {best:.4f}, after epoch {history['best']}" in printed
    assert f"netdsl evaluate {DIGITS} -Dwidth=8 --weights {trained}/best.safetensors" in printed
    assert f"-o {trained}/model.onnx" in printed


def test_training_goes_on(here):
    assert netdsl("train", DIGITS, "--epochs", 1).exit_code == 0
    assert netdsl("train", DIGITS, "--epochs", 1, "--seed", 1).exit_code == 0
    assert sorted(path.name for path in (here / "runs").iterdir()) == ["Digits", "Digits-2"]
    result = netdsl("train", DIGITS, "--epochs", 2, "--seed", 1, "--resume")
    assert result.exit_code == 0, result.stderr
    assert "going on after epoch 1\n2/2 " in result.stdout
    assert "saved in runs/Digits-2: " in result.stdout


def test_training_with_settings(here):
    result = netdsl("train", DIGITS, "--epochs", 1, "--set", "batch=700", "--set", "lr=1e-4")
    assert "for 1 epoch of 2 steps" in result.stdout


def test_training_from_weights(here, trained, weights):
    result = netdsl("train", DIGITS, "-D", "width=8", "--epochs", 1, "--set", "lr=0.0",
                    "--init", weights, "--out", "again")
    assert result.exit_code == 0, result.stderr
    before, after = map(package.load_weights, (weights, here / "again" / "weights.safetensors"))
    assert np.array_equal(before["conv1.weight"], after["conv1.weight"])


def test_a_training_is_not_overwritten_by_the_way(here):
    one = ("train", DIGITS, "--epochs", 1, "--out", "run")
    assert netdsl(*one).exit_code == 0
    saved = here / "run" / "checkpoint.safetensors"
    before = saved.read_bytes()
    refused = netdsl(*one, "--seed", 1)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "error[N466]: run holds a training already" in refused.stderr
    both = netdsl(*one, "--resume", "--overwrite")
    assert both.exit_code == 2 and "give one of them" in both.stderr
    assert saved.read_bytes() == before
    assert netdsl(*one, "--seed", 1, "--overwrite").exit_code == 0
    assert saved.read_bytes() != before


def test_what_is_listed_as_saved(here):
    (here / "run").mkdir()
    (here / "run" / "notes.txt").write_text("mine")
    result = netdsl("train", DIGITS, "--epochs", 1, "--out", "run")
    assert ("saved in run: best.safetensors, checkpoint.safetensors, history.json, "
            "weights.safetensors\n") in result.stdout


def test_nothing_is_left_to_do(here):
    assert netdsl("train", DIGITS, "--epochs", 2, "--out", "run").exit_code == 0
    result = netdsl("train", DIGITS, "--epochs", 1, "--out", "run", "--resume")
    assert result.exit_code == 0
    assert result.stdout.startswith("nothing is left to do: 2 epochs done before, 1 asked for\n")


@pytest.mark.parametrize("setting, marked", [
    ("lr=abc", "--set lr:1:1"), ("lr=-1", "--set lr:1:1"), ("batch=0", "--set batch:1:1"),
    ("foo=1", "it has `data`, `batch`, `epochs`"),
])
def test_a_wrong_setting_is_shown_where_it_was_written(here, setting, marked):
    result = netdsl("train", MODELS / "fashion_resnet.net", "--set", setting)
    assert result.exit_code == 1
    assert marked in result.stderr and ".net:" not in result.stderr


@pytest.mark.parametrize("arguments, code, message", [
    ([DIGITS, "--epochs", "0"], 2, "0 is not in the range"),
    ([DIGITS, "--seed", "-1"], 2, "-1 is not in the range"),
    ([DIGITS, "--set", "batch"], 2, "not of the form name=value"),
    ([DIGITS, "--set", "bach=3"], 1, "did you mean `batch`?"),
    ([DIGITS, "--set", "batch=0"], 1, "at least 1"),
    ([DIGITS, "--set", "batch=5000"], 1, "a batch of 5,000 does not fit"),
    ([DIGITS, "--data", "digts"], 1, "did you mean `digits`?"),
    ([DIGITS, "--data", "mnist:nowhere"], 1, "no such file"),
    ([DIGITS, "--init", "nowhere.safetensors"], 1, "it does not exist"),
    ([DIGITS, "--resume", "--out", "nowhere"], 1, "error[N463]"),
    ([MODELS / "mlp.net", "--data", "digits"], 1, "its rows are [1, 8, 8]"),
])
def test_training_refuses(here, arguments, code, message):
    result = netdsl("train", *arguments)
    assert result.exit_code == code, result.output
    assert message in result.stderr
    assert not (here / "runs").exists()


def test_no_training_program(here):
    (here / "m.net").write_text("model M { input x: f32[B, 4]\n output y = relu(x) }", "utf-8")
    result = netdsl("train", "m.net")
    assert result.exit_code == 1
    assert "error[N851]: m.net has no training program for M" in result.stderr


# ------------------------------------------------------------------ evaluate


def test_both_runtimes_measure_the_same(weights):
    ours = netdsl_json("evaluate", DIGITS, "-D", "width=8", "--weights", weights)
    theirs = netdsl_json("evaluate", DIGITS, "-D", "width=8", "--weights", weights,
                         "--runtime", "onnx")
    assert ours["rows"] == 355 and ours["classes"] == list("0123456789")
    assert sum(map(sum, ours["confusion"])) == 355
    hits = sum(row[number] for number, row in enumerate(ours["confusion"]))
    assert hits / 355 == pytest.approx(ours["metrics"]["top1"])
    assert hits / 355 > 0.8
    assert theirs["confusion"] == ours["confusion"]
    assert theirs["losses"]["ce"] == pytest.approx(ours["losses"]["ce"], rel=1e-4)


def test_evaluation_as_text(weights):
    result = netdsl("evaluate", DIGITS, "-Dwidth=8", "--weights", weights, "--data", "digits")
    assert result.stdout.startswith("Digits on digits(): 355 rows, by numpy\n\n  ce    0.")
    assert "true \\ predicted" in result.stdout


def test_json_knows_no_nan(here):
    model = package.load(DIGITS)
    weights = model.initialize()
    weights["fc2.bias"][:] = np.nan
    package.save_weights("nan.npz", weights)
    result = netdsl("evaluate", DIGITS, "--weights", "nan.npz", "--json")
    assert json.loads(result.stdout, parse_constant=pytest.fail)["losses"] == {"ce": None}
    assert "warning[N609]" in result.stderr


@pytest.mark.parametrize("arguments, code, message", [
    ([], 1, "have another shape than the network's"),
    (["-D", "width=8", "--data", "npz"], 1, "error[N"),
    (["-D", "width=8", "--runtime", "tpu"], 2, "is not one of"),
])
def test_evaluation_refuses(weights, arguments, code, message):
    result = netdsl("evaluate", DIGITS, "--weights", weights, *arguments)
    assert result.exit_code == code
    assert message in result.stderr


# ------------------------------------------------------------------ compile


def test_compiled(here, weights):
    content = netdsl_json("compile", DIGITS, "-Dwidth=8", "--weights", weights, "-o", "d.onnx")
    model = onnx.load("d.onnx")
    assert content["model"] == "Digits" and content["path"] == "d.onnx"
    assert content["bytes"] == (here / "d.onnx").stat().st_size
    assert content["nodes"] == len(model.graph.node)
    assert content["opset"] == model.opset_import[0].version >= 18
    assert content["largest_difference"] <= 1e-5
    names = {tensor.name for tensor in model.graph.initializer}
    assert "conv1.weight" in names and "bn1.running_mean" not in names


def test_compiled_as_it_stands(here):
    result = netdsl("compile", DIGITS, "-o", "d.onnx", "--no-verify", "--no-fold", "--seed", 3)
    assert result.exit_code == 0
    assert "untrained, drawn from seed 3" in result.stdout and "agree" not in result.stdout
    names = {tensor.name for tensor in onnx.load("d.onnx").graph.initializer}
    assert "bn1.running_mean" in names


def test_compile_overwrites_no_input(here, weights):
    before = weights.read_bytes()
    result = netdsl("compile", DIGITS, "-Dwidth=8", "--weights", weights, "-o", weights)
    assert result.exit_code == 2
    assert "is what the file is made from" in result.stderr
    assert weights.read_bytes() == before


@pytest.mark.parametrize("arguments, code, message", [
    (["-o", "nowhere/d.onnx"], 1, "cannot write"),
    ([], 2, "Missing option '-o'"),
    (["-o", "d.onnx", "--weights", "w.pth"], 1, "error[N601]"),
])
def test_compile_refuses(here, arguments, code, message):
    result = netdsl("compile", DIGITS, *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert list(here.iterdir()) == []


def test_a_slice_between_named_values(here, weights):
    """The network in two files gives what it gives in one."""
    common = ["compile", DIGITS, "-Dwidth=8", "--weights", weights]
    assert netdsl(*common, "-o", "whole.onnx").exit_code == 0
    assert netdsl(*common, "-o", "trunk.onnx", "--outputs", "x").exit_code == 0
    assert netdsl(*common, "-o", "head.onnx", "--from", "x", "--outputs", "logits").exit_code == 0
    image = np.random.default_rng(0).random((2, 1, 8, 8), np.float32)
    whole = Session("whole.onnx").run({"image": image})["logits"]
    middle = Session("trunk.onnx").run({"image": image})
    parts = Session("head.onnx").run(middle)["logits"]
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options, message", [
    (["--outputs", "logist"], "error[N856]: `Digits` has no value named `logist`"),
    (["--from", "memory"], "there are `image`"),
    (["--outputs", "x,"], "a name is missing"),
    (["--outputs", ""], "a name is missing"),
    (["--outputs", "x,x"], "a name stands twice"),
    (["--outputs", "x", "--from", "logits"], "error[N857]: `x` does not depend on `logits`"),
    (["--from", "label"], "error[N857]: `logits` does not depend on `label`"),
])
def test_a_slice_between_names_that_exist(here, options, message):
    result = netdsl("compile", DIGITS, "-o", "d.onnx", *options)
    assert result.exit_code != 0 and message in result.stderr
    assert not (here / "d.onnx").exists()


def test_what_no_memory_holds_is_refused_before_it_is_made(here):
    (here / "large.net").write_text(
        "net 1\nmodel M {\n input x: f32[B, 1000000]\n output y = x -> fc: linear{500000} }\n")
    result = netdsl("compile", "large.net", "-o", "d.onnx")
    assert result.exit_code == 1
    assert "N858" in result.stderr and "it needs 2,000.0 GB" in result.stderr


# ------------------------------------------------------------------ predict


@pytest.fixture
def files(here) -> Path:
    """The same digit in several files, and others that do not fit."""
    digit = image(3)
    pixels = np.rint(digit[0] * 255).astype(np.uint8)
    np.save("one.npy", digit)
    np.save("two.npy", np.stack([digit, digit]))
    np.save("plane.npy", digit[0])
    np.save("bytes.npy", pixels[None])
    np.save("whole.npy", np.rint(digit * 16).astype(np.int64))
    np.save("nan.npy", np.where(digit > 0.5, np.nan, digit))
    np.savez("bytes.npz", image=pixels[None, None])
    np.savez("one.npz", image=digit[None])
    np.savez("other.npz", picture=digit[None])
    np.save("flat.npy", digit.ravel())
    np.save("texts.npy", np.array(["a", "b"]))
    Image.fromarray(pixels).save("grey.png")
    Image.fromarray(pixels).convert("RGBA").save("colour.png")
    Image.fromarray(pixels).convert("P").save("palette.png")
    Image.fromarray(pixels).save("grey.jpg", quality=100)
    Image.fromarray(pixels).resize((9, 8)).save("wide.png")
    for suffix in ("bmp", "gif", "tiff", "webp"):
        options = {"lossless": True} if suffix == "webp" else {}
        Image.fromarray(pixels).save(f"grey.{suffix}", **options)
    Image.fromarray(pixels.astype(np.uint16) * 257).save("deep.png")
    (here / "cut.png").write_bytes((here / "grey.png").read_bytes()[:60])
    (here / "cut.npy").write_bytes((here / "two.npy").read_bytes()[:300])
    (here / "text.png").write_text("no image")
    return here


def test_predictions_agree_with_the_network(files, weights):
    names = ["one.npy", "two.npy", "plane.npy", "one.npz", "grey.png", "colour.png",
             "palette.png", "grey.jpg", "deep.png", "grey.bmp", "grey.gif", "grey.tiff",
             "grey.webp", "bytes.npy", "bytes.npz"]
    content = netdsl_json("predict", DIGITS, "-Dwidth=8", *names, "--weights", weights)
    model = package.load(DIGITS, width=8)
    logits = model.run({"image": image(3)[None]}, package.load_weights(weights))["logits"][0]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    rows = [(each["input"], each["row"]) for each in content["predictions"]]
    assert rows == [("one.npy", 0), ("two.npy", 0), ("two.npy", 1),
                    *((name, 0) for name in names[2:])]
    for each in content["predictions"]:
        assert len(each["classes"]) == 3
        for guess in each["classes"]:
            assert guess["class"] == str(guess["index"])
            assert guess["probability"] == pytest.approx(expected[guess["index"]], abs=0.02)
        assert each["classes"][0]["index"] == int(logits.argmax())


def test_predictions_as_text(files, weights):
    result = netdsl("predict", DIGITS, "-Dwidth=8", "two.npy", "--weights", weights, "--top", 1)
    first, second = result.stdout.splitlines()
    assert first.startswith("two.npy[0]   ") and first.endswith("%")
    assert second.startswith("two.npy[1]   ")


@pytest.mark.parametrize("file, message", [
    ("wide.png", "its rows are [1, 8, 9], not [1, 8, 8]"),
    ("flat.npy", "error[N853]: flat.npy does not fit the input `image: f32[B, 1, 8, 8]`"),
    ("whole.npy", "is fed with int64 from whole.npy"),
    ("nan.npy", "it holds NaN or infinite numbers"),
    ("other.npz", "it has no array `image`, only picture"),
    ("texts.npy", "it is no .npy file of numbers"),
    ("cut.npy", "it is no .npy file of numbers"),
    ("cut.png", "error[N520]: cut.png cannot be read as an image"),
    ("text.png", "its contents are those of no image format"),
    ("nowhere.webp", "error[N501]: cannot read nowhere.webp: there is no such file"),
    ("nowhere.npy", "there is no such file"),
    ("a.txt", "its name ends in none of .bmp, .gif, .jpeg"),
])
def test_inputs_that_do_not_fit(files, weights, file, message):
    result = netdsl("predict", DIGITS, "-Dwidth=8", file, "--weights", weights)
    assert (result.exit_code, result.stdout) == (1, "")
    assert message in result.stderr


def test_an_image_that_would_fill_the_memory(files, weights, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    result = netdsl("predict", DIGITS, "-Dwidth=8", "grey.png", "--weights", weights)
    assert result.exit_code == 1
    assert "it has more than 50 pixels" in result.stderr


def test_a_network_that_is_no_classifier(here):
    (here / "m.net").write_text(
        "model M { input a: f32[B, 2]\n input b: f32[B, 2]\n output y = a + b }", "utf-8")
    package.save_weights("w.npz", {})
    np.savez("ab.npz", a=np.ones((1, 2), np.float32), b=np.ones((1, 2), np.float32))
    np.save("a.npy", np.ones((1, 2), np.float32))
    result = netdsl("predict", "m.net", "ab.npz", "--weights", "w.npz")
    assert (result.stdout, result.exit_code) == ("ab.npz   y [1, 2]: 2, 2\n", 0)
    content = netdsl_json("predict", "m.net", "ab.npz", "--weights", "w.npz")
    assert content["predictions"] == [{"input": "ab.npz", "outputs": {"y": [[2.0, 2.0]]}}]
    refused = netdsl("predict", "m.net", "a.npy", "--weights", "w.npz")
    assert refused.exit_code == 1 and "error[N854]" in refused.stderr


HEADS = """model M {
    input x: f32[B, 2]
    input kind: i64[B] in 0..2
    input sort: i64[B] in 0..3
    output first = x
    output second = concat(x, x, axis = 1)[_, 0..3]
    output total = sum(x, axis = 1)
    output scale = sum(x)
    loss one = cross_entropy(first, kind)
    loss two = cross_entropy(second, sort)
}"""


def test_all_outputs_of_a_network_with_two_heads_are_shown(here):
    (here / "m.net").write_text(HEADS, "utf-8")
    package.save_weights("w.npz", {}, {"classes": '["cat", "dog"]'})
    np.save("x.npy", np.array([[0, 1], [1, 0]], np.float32))
    result = netdsl("predict", "m.net", "x.npy", "--weights", "w.npz")
    assert result.stdout == (
        "x.npy[0]   first dog 100.0%   cat 0.0%   second 1 57.6%   0 21.2%   2 21.2%   "
        "total []: 1   scale []: 2\n"
        "x.npy[1]   first cat 100.0%   dog 0.0%   second 0 42.2%   2 42.2%   1 15.5%   "
        "total []: 1   scale []: 2\n")
    told = netdsl_json("predict", "m.net", "x.npy", "--weights", "w.npz", "--top", 1)
    first = told["predictions"][0]
    assert (first["output"], first["classes"][0]["class"]) == ("first", "dog")
    assert list(first["outputs"]) == ["second", "total", "scale"]
    assert first["outputs"]["second"]["classes"][0]["index"] == 1
    assert (first["outputs"]["total"], first["outputs"]["scale"]) == (1.0, 2.0)
