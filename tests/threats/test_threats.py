"""Careless and hostile weights, data and runs through the real command: success, or a message of
ours that names the thing and a way out, soon, in bounded memory, and with nothing lost.

`HELD` lists the cases of this kind that other tests hold; every other case is a row of `ROWS` or a
test in `test_threatened_runs.py`.
"""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from limited import BEST, LAYERS, ROOT, Change, array, contents, labels, netdsl, network

from netdsl.weights import load_weights, save_weights

HELD = {  # case -> file and test that holds it
    "pickles, object arrays, zip bombs": "weights/test_weights_hostile.py "
                                         "test_files_that_mean_harm_in_limited_memory",
    "weights cut anywhere": "weights/test_weights_hostile.py test_cut_anywhere_it_is_unreadable",
    "bits of weights flipped": "weights/test_weights_hostile.py "
                               "test_any_flipped_bit_is_survived",
    "kill -9 while a file is saved": "weights/test_weights_files.py "
                                     "test_killed_while_saving_the_old_file_is_whole",
    "two writers of one file": "weights/test_weights_files.py test_two_writers_and_a_reader",
    "a folder that may not be written": "weights/test_weights_files.py "
                                        "test_places_that_cannot_be_written",
    "kill -9 in a training": "training/test_killed.py test_ten_random_moments",
    "idx headers, wrong magic, short files": "data/test_damaged_files.py test_idx",
    "gzip bombs": "data/test_hostile_data.py test_gzip_that_unpacks_to_gigabytes",
    "image bombs": "data/test_hostile_data.py test_an_image_of_a_billion_pixels_in_few_bytes",
    "truncated images": "data/test_images.py test_damaged_images_are_named",
    "grey, CMYK and palette images": "data/test_images.py test_modes",
    "members that lead out of an archive": "data/test_cifar.py "
                                           "test_members_that_reach_out_of_an_archive",
    "labels out of range, by row": "data/test_batches.py "
                                   "test_labels_outside_the_models_range_name_the_row",
    "an empty set": "data/test_batches.py test_sets_that_are_none",
    "a batch larger than the set": "data/test_batches.py test_a_batch_larger_than_the_set",
    "pipes and devices": "data/test_hostile_data.py test_pipes_and_devices_do_not_block",
    "NaN and Inf named by op": "training/test_nonfinite.py test_the_first_operation_is_named",
    "Ctrl-C at any moment": "cli/test_process.py test_stopped_at_every_moment",
    "no room for the output": "cli/test_process.py test_a_full_disk",
    "memory before allocation": "cli/test_trained.py "
                                "test_what_no_memory_holds_is_refused_before_it_is_made",
}


@pytest.mark.parametrize("place", HELD.values(), ids=HELD)
def test_what_is_held_elsewhere_is_there(place):
    file, test = place.split()
    assert f"\ndef {test}(" in (ROOT / "tests" / file).read_text("utf-8")


def weights(change: Callable[[dict], dict], name: str = "w.safetensors") -> Change:
    return lambda here: save_weights(here / name, change(load_weights(here / BEST)))


def renamed(tensors: dict) -> dict:
    return {name.replace("a.bias", "a.bais"): array for name, array in tensors.items()}


def broken(tensors: dict) -> dict:
    return {**tensors, "a.weight": tensors["a.weight"] * np.nan}


def written(name: str, content: str | bytes) -> Change:
    raw = content.encode() if isinstance(content, str) else content
    return lambda here: (here / name).write_bytes(raw)


def net(*arguments: str, before: str = "", **options) -> Change:
    return written("t.net", before + network(*arguments, **options))


def data(**fields: np.ndarray) -> Change:
    return lambda here: np.savez(here / "e.npz", **fields)


def mended(values: np.ndarray, place: tuple[int, ...] | int, value: float) -> np.ndarray:
    values[place] = value
    return values


class Marks:
    """Makes a file when it is unpickled."""

    def __reduce__(self):
        return open, ("touched", "w")


def tensors_at(*offsets: tuple[int, int]) -> bytes:
    """A safetensors file whose tensors lie at these places of its 16 bytes."""
    header = json.dumps({f"t{i}": {"dtype": "F32", "shape": [1], "data_offsets": pair}
                         for i, pair in enumerate(offsets)}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(16)


PICKLE = pickle.dumps(Marks())
EVALUATE, PREDICT = "evaluate m.net --weights w.safetensors", f"predict m.net --weights {BEST} "
COMPILE = "compile m.net --weights w.safetensors -o o.onnx"
TRAIN, FRESH = "train t.net --out o", "train m.net --out o "
INIT = FRESH + "--init w.safetensors"
EXAMPLES = "input tok: i64[B, S] in 0..9  input label: i64[B] in 0..3  input mask: f32[B, S]"
SENTENCES = {"inputs": EXAMPLES, "data": 'npz("e.npz", validate = "e.npz")'}
TOKENS = data(tok=np.ones((16, 5), int), mask=np.zeros((16, 5), np.float32), label=labels(16))
NO_TOKENS = data(tok=np.ones((16, 0), int), mask=np.zeros((16, 0)), label=labels(16))
EMBEDDED = "h = tok -> e: embedding{9, 8}\n"
CLASSIFIED = "loss ce = cross_entropy(q -> b: linear{3}, label)"
MEAN = "q = sum(h * reshape(mask, [B, S, 1]), axis = 1) / sum(mask, axis = 1, keep = true)\n"
TOO_WIDE = "h = x -> a: linear{400000} -> b: linear{40000}\nloss ce = cross_entropy(h, label)"
TOO_LONG = ("h = sort(exp(x -> a: linear{8} -> reshape([B, 8, 1]) -> expand([B, 8, 10 ** 9])), "
            "axis = 2)\noutput y = mean(h, axis = 2) -> b: linear{3}\n"
            "loss ce = cross_entropy(y, label)")
WITHOUT_HELD = """--data 'npz("d.npz", hold_out = 0)' """
NORMED = ("loss ce = cross_entropy(x -> a: linear{8} -> n: batchnorm{} -> b: linear{3}, label)\n"
          "output y = x")


@dataclass(frozen=True)
class Row:
    name: str
    change: Change | None
    command: str
    code: int  # that the command ends with
    words: tuple[str, ...]  # in what it says
    slow: bool = True


ROWS = [
    # weights: tensors that are missing, extra, renamed, of another shape or type; NaN
    *(Row(f"{name} in {command.split()[0]}", weights(change), command, 1, words,
          slow=command != EVALUATE or name != "renamed")
      for command in (EVALUATE, COMPILE, INIT)
      for name, change, words in (
          ("missing", lambda w: {name: w[name] for name in w if name != "a.bias"},
           ("error[N606]", "`a.bias`: f32[8]", "try: ")),
          ("extra", lambda w: {**w, "spare": w["a.bias"]},
           ("error[N607]", "`spare`: f32[8]", "try: ")),
          ("renamed", renamed, ("error[N606]", "error[N607]", "did you mean `a.bias`?")),
          ("another shape", lambda w: {**w, "a.weight": w["a.weight"].T},
           ("error[N608]", "`a.weight`: the network has f32[8, 4], here it is f32[4, 8]", "try: ")),
          ("another type", lambda w: {**w, "a.bias": w["a.bias"].astype(np.float64)},
           ("error[N608]", "`a.bias`", "f64[8]", "`astype`")),
      )),
    Row("NaN to begin with", weights(broken), INIT, 1,
        ("warning[N609]", "error[N461]", "`a.weight`: 32 of 32", "begin with other weights")),
    Row("NaN measured", weights(broken), EVALUATE, 0, ("warning[N609]", "`a.weight`")),
    Row("NaN compiled", weights(broken), COMPILE, 1, ("warning[N609]", "`a.weight`", "N809")),
    Row("NaN predicted", weights(broken), "predict m.net x.npy --weights w.safetensors", 0,
        ("warning[N609]", "`a.weight`")),
    Row("a checkpoint as weights", None, PREDICT.replace("best", "checkpoint") + "x.npy", 1,
        ("error[N607]", "`weights.safetensors` or `best.safetensors`")),
    # weights: files that are no such files
    *(Row(f"a pickle called {name} for {command.split()[0]}", written(name, PICKLE),
          command + name, 1, (f"error[{code}]", name), slow=name != "p.npy")
      for command, name, code in (
          ("evaluate m.net --weights ", "p.npz", "N602"),
          ("evaluate m.net --weights ", "p.safetensors", "N602"),
          ("evaluate m.net --weights ", "p.pt", "N601"), (PREDICT, "p.npz", "N502"),
          (PREDICT, "p.npy", "N852"), (FRESH + "--init ", "p.safetensors", "N602"),
          (FRESH + "--data npz:", "p.npz", "N502"))),
    *(Row(f"safetensors with {name}", written("w.safetensors", content), EVALUATE, 1,
          ("error[N602]", "w.safetensors")) for name, content in (
              ("a header of 2^63", struct.pack("<Q", 2**63) + b"{}"),
              ("an overlap", tensors_at((0, 4), (2, 6), (6, 16))),
              ("a hole", tensors_at((0, 4), (12, 16))))),
    # output equal to input, and places that cannot be written
    Row("begin with what is replaced", lambda here: (here / "run/checkpoint.safetensors").unlink(),
        f"train m.net --init {BEST} --out run/../run", 2, (BEST, "choose another folder"),
        slow=False),
    Row("begin with what is overwritten", None,
        f"train m.net --init {BEST} --out run --overwrite", 2, ("choose another folder",)),
    *(Row(f"compile over {name}", None, f"compile m.net -o {name}", 2, (name, way))
      for name, way in ((BEST, "end it with .onnx"), ("d.npz", "end it with .onnx"),
                        ("m.net", "choose another name"))),
    *(Row(f"a folder that is {name}", change, f"train m.net --out {out}", code, words)
      for name, change, out, code, words in (
          ("a file", None, "x.npy", 1, ("error[N603]", "x.npy")),
          ("below a file", None, "x.npy/o", 1, ("error[N603]", "x.npy/o")),
          ("of a name too long", None, "x" * 300, 1, ("error[N603]", "too long")),
          ("nameless", None, "''", 2, ("`--out .`",)))),
    # data
    Row("a label out of range", data(x=array((40, 4)), label=mended(labels(40), 17, 7)),
        FRESH + "--data npz:e.npz", 1, ("error[N505]", "e.npz", "row 17", "7, outside 0..3")),
    Row("NaN in a row", data(x=mended(array((40, 4)), (33, 2), np.nan), label=labels(40)),
        FRESH + "--data npz:e.npz", 1, ("error[N527]", "e.npz", "`x` is nan in row 33, at [2]")),
    Row("a number too large", lambda here: np.save(here / "e.npy", np.full((2, 4), 1e300)),
        PREDICT + "e.npy", 1, ("error[N853]", "e.npy", "too large for f32")),
    Row("one class", data(x=array((40, 4)), label=labels(40) * 0), FRESH + "--data npz:e.npz", 0,
        ("validation: ce",)),
    Row("nothing to train on", data(x=array((0, 4)), label=labels(0)),
        FRESH + "--data npz:e.npz", 1, ("error[N506]", "e.npz")),
    Row("nothing to validate on", None, FRESH + WITHOUT_HELD, 0, ("64 examples",)),
    Row("nothing to measure on", None, f"evaluate m.net --weights {BEST} " + WITHOUT_HELD, 1,
        ("error[N506]", "validation part", "`hold_out = 0.1`"), slow=False),
    Row("a batch larger than the set", None, FRESH + "--set batch=65", 1,
        ("error[N507]", "65", "64 rows", "try: `batch 64`")),
    # running: settings
    Row("a rate of 0", None, FRESH + "--set lr=0", 0, ("note[N469]", "rate is 0", "try: "),
        slow=False),
    *(Row(f"{name} {value}", None, f"{FRESH} --set {name}={value}", 1, (f"error[{code}]", word),
          slow=(name, value) != ("epochs", "10**400"))
      for name, value, code, word in (
          ("lr", "-1", "N405", "at least 0"), ("lr", "inf", "N201", "`inf`"),
          ("lr", "10**400", "N405", "at least 0"), ("epochs", "0", "N433", "at least 1"),
          ("epochs", "10**400", "N433", "at most"), ("batch", "0", "N433", "at least 1"))),
    Row("a rate that overflows", None, FRESH + "--set lr=1e29", 1,
        ("error[N461]", "of epoch 1", "a lower learning rate")),
    # running: numbers
    Row("exp overflows", net("h = x -> a: linear{3}\nloss ce = mean(exp(h * 1e6))"
                             " + cross_entropy(h, label)"),
        TRAIN, 1, ("error[N461]", "`exp` was the first to make inf", "try: ")),
    Row("softmax of large numbers", net("h = (x -> a: linear{3}) * 1e30\n"
                                        "loss ce = mean(softmax(h, axis = 1) ** 2)"
                                        " + cross_entropy(x -> b: linear{3}, label)"),
        TRAIN, 0, ("2/2",)),
    Row("the logarithm of 0", net("loss ce = mean(log((x -> a: linear{3}) * 0))"
                                  " + cross_entropy(x -> b: linear{3}, label)"),
        TRAIN, 1, ("error[N461]", "`log` was the first to make -inf, of 0")),
    Row("batch norm of one value", net(NORMED, batch=1), TRAIN, 1,
        ("error[N518]", "more than one value", "a larger batch")),
    Row("batch norm measuring one value", net(NORMED, batch=15), TRAIN, 0, ("2/2",)),
    *(Row(f"dropout {p}", net(LAYERS.replace("relu", f"relu -> dropout({p})")), TRAIN, code,
          words) for p, code, words in ((0, 0, ("2/2",)), (1, 0, ("2/2",)),
                                        (1.5, 1, ("error[N302]", "1.5", "between 0 and 1")))),
    Row("sequences of length 0", lambda here: (NO_TOKENS(here), net(
        EMBEDDED + "q = mean(h * reshape(mask, [B, S, 1]), axis = 1)\n" + CLASSIFIED,
        **SENTENCES)(here)),
        TRAIN, 1, ("error[N514]", "`tok`", "S is at least 1"), slow=False),
    Row("a mean over nothing", lambda here: (TOKENS(here), net(
        EMBEDDED + MEAN + CLASSIFIED, **SENTENCES)(here)),
        TRAIN, 1, ("error[N461]", "`divide` was the first to make NaN, of 0, 0")),
    Row("attention to nothing", lambda here: (TOKENS(here), net(
        EMBEDDED + "q = mean(h -> a: std.Attention{2}(h, h, mask > 0), axis = 1)\n" + CLASSIFIED,
        before="use std\n", **SENTENCES)(here)),
        TRAIN, 0, ("2/2",)),
    # running: memory
    *(Row(f"weights that no memory holds, {command.split()[0]}", net(TOO_WIDE), command, 1,
          ("error[N858]", "64.0 GB", "there are", "try: "), slow=command != TRAIN)
      for command in (TRAIN, "compile t.net -o o.onnx")),
    *(Row(f"a pass that no memory holds, {command.split()[0]}",
          lambda here: (net(TOO_LONG)(here), weights(lambda w: {
              "a.weight": array((8, 4)), "a.bias": array(8), "b.weight": array((3, 8)),
              "b.bias": array(3)})(here)),
          command, 1, ("error[N858]", "GB", "there are", "try: "))
      for command in (TRAIN, "evaluate t.net --weights w.safetensors",
                      "predict t.net --weights w.safetensors x.npy",
                      "compile t.net --weights w.safetensors -o o.onnx")),
]


@pytest.mark.parametrize("row", [
    pytest.param(row, id=row.name, marks=[pytest.mark.slow] if row.slow else []) for row in ROWS
])
def test_row(row, here):
    if row.change is not None:
        row.change(here)
    before = contents(here)
    answer = netdsl(here, row.command)
    assert answer.code == row.code, answer
    said = answer.output + answer.errors
    assert [word for word in row.words if word not in said] == [], said
    after = contents(here)
    assert {name: after[name] for name in before} == before
    if row.code:
        assert after.keys() == before.keys(), "a refused command left something behind"
    else:
        assert all(name.startswith("o/") for name in after.keys() - before.keys())
