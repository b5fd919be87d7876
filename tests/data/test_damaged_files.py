"""Files that are not what they should be: each gets a problem that names file and reason, within
bounded memory and time."""

from __future__ import annotations

import gzip
import io
import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from data_files import idx, images, labels, write_mnist

from netdsl.data import files, npz
from netdsl.data.sources import load_source
from netdsl.diagnostics import Refused
from netdsl.ir.program import Recipe
from netdsl.source import Source, Span

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def refusal(name: str, *arguments, **keywords):
    with pytest.raises(Refused) as refused:
        load_source(Recipe(name, arguments, keywords))
    problem, = refused.value.problems
    diagnostic = problem.describe()
    return problem.code, "; ".join([diagnostic.message, *diagnostic.notes])


@pytest.mark.parametrize(("file", "content", "code", "words"), [
    (IMAGES, b"", "N502", "ends after 0 bytes; expected: an idx header of 16 bytes"),
    (IMAGES, b"\x00\x00\x08", "N502", "ends after 3 bytes"),
    (IMAGES, idx(labels(40)), "N502", "0x00000801; expected: 0x00000803"),
    (LABELS, idx(images(40)), "N502", "0x00000803; expected: 0x00000801"),
    (IMAGES, b"\x89PNG\r\n\x1a\n" * 10, "N502", "0x89504e47"),
    (IMAGES, idx(images(40), magic=0x0D03), "N502", "0x00000d03"),  # floats
    (IMAGES, idx(images(40), sizes=(2**31, 28, 28)), "N502",
     "640 bytes follow its header; expected: 1,683,627,180,032 for 2,147,483,648 x 28 x 28"),
    (IMAGES, idx(images(40), sizes=(2**32 - 1,) * 3), "N502", "640 bytes follow"),
    (IMAGES, idx(images(40), sizes=(2**32 - 1, 2**32 - 1, 0)), "N502", "it is empty"),
    (IMAGES, idx(images(0), sizes=(0, 28, 28)), "N502", "it is empty"),
    (IMAGES, idx(images(40))[:-1], "N502", "639 bytes follow its header; expected: 640"),
    (IMAGES, idx(images(40)) + b"x", "N502", "641 bytes follow its header"),
    (IMAGES, idx(images(39)), "N504", f"{IMAGES} has 39, "),
    (LABELS, idx(np.array([0, 1, 2, 10] * 10)), "N505",
     f"{LABELS}: the label in row 3 is 10, outside 0..10"),
])
def test_idx(tmp_path, file, content, code, words):
    write_mnist(tmp_path)
    (tmp_path / file).write_bytes(content)
    found, message = refusal("mnist", str(tmp_path))
    assert found == code
    assert words in message and str(tmp_path / file) in message


@pytest.mark.parametrize(("content", "words"), [
    (gzip.compress(idx(images(40)))[:-9], "gzip data are damaged or cut off"),
    (gzip.compress(idx(images(40)))[:200], "gzip data are damaged or cut off"),
    (gzip.compress(idx(images(40)))[:-6] + b"\0" * 6, "gzip data are damaged or cut off"),
    (idx(images(40)), "gzip data are damaged or cut off"),
    (b"\x1f\x8b" + b"\xff" * 50, "gzip data are damaged or cut off"),
    (gzip.compress(idx(images(40)))[:40] + b"\xff" * 300, "gzip data are damaged or cut off"),
])
def test_gzip(tmp_path, content, words):
    write_mnist(tmp_path, packed=True)
    (tmp_path / f"{IMAGES}.gz").write_bytes(content)
    code, message = refusal("mnist", str(tmp_path))
    assert code == "N502" and words in message and f"{IMAGES}.gz" in message


def test_gzip_bomb_stops_at_the_bound(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST", 2 * files.CHUNK)
    write_mnist(tmp_path, packed=True)
    with gzip.open(tmp_path / f"{IMAGES}.gz", "wb", 1) as file:
        for _ in range(8):
            file.write(bytes(files.CHUNK))
    code, message = refusal("mnist", str(tmp_path))
    assert code == "N503" and f"{2 * files.CHUNK:,}" in message


def test_files_that_are_none(tmp_path):
    code, message = refusal("mnist", str(tmp_path))
    assert code == "N501" and "there is no such file" in message and IMAGES in message
    (tmp_path / IMAGES).mkdir()
    assert "no ordinary file" in refusal("mnist", str(tmp_path))[1]
    code, message = refusal("npz", os.devnull)
    assert code == "N501" and "no ordinary file" in message
    assert refusal("npz", "a\0b")[0] == "N501"
    assert refusal("npz", "x" * 5000)[0] == "N501"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / IMAGES)
    assert refusal("mnist", str(tmp_path))[0] == "N501"


def member(array: np.ndarray, keep: int | None = None) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    return buffer.getvalue()[:keep]


def header(shape: str) -> bytes:
    """A .npy header that claims a shape, without elements."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


GOOD = member(np.zeros((10, 2), np.float32))


@pytest.mark.parametrize(("members", "code", "words"), [
    ([], "N506", "has no rows"),
    ([("x.npy", member(np.zeros((0, 2))))], "N506", "has no rows"),
    ([("x.npy", GOOD), ("y.npy", member(np.zeros(9)))], "N504", "x has 10, y has 9"),
    ([("x.npy", GOOD[:-3])], "N502", "77 bytes of elements; expected: 80"),
    ([("x.npy", GOOD + b"abc")], "N502", "83 bytes of elements"),
    ([("x.npy", GOOD[:7])], "N502", "cannot be unpacked"),
    ([("x.npy", header("(1099511627776,)"))], "N502", "expected: 4,398,046,511,104"),
    ([("x.npy", header("(-4,)"))], "N502", "0 bytes of elements"),
    ([("x.npy", header("__import__('os')"))], "N502", "cannot be unpacked"),
    ([("x.npy", member(np.array([{}, 1], object)))], "N502", "holds object elements"),
    ([("x.npy", member(np.array(["a", "b"])))], "N502", "elements"),
    ([("x.npy", member(np.float32(3)))], "N502", "x is a single number"),
    ([("x.npy", GOOD), ("x.npy", GOOD)], "N502", "two members called 'x'"),
    ([("../../x.npy", GOOD)], "N502", "a member called '../../x'"),
    ([("a\x1b[2Jb.npy", GOOD)], "N502", "a member called 'a\\x1b[2Jb'"),
    ([("notes.txt", b"hello")], "N502", "a member called 'notes.txt'"),
])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_npz(tmp_path, members, code, words):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    found, message = refusal("npz", str(path))
    assert (found, words in message) == (code, True), message


def test_npz_that_would_unpack_to_gigabytes_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "LARGEST", 10_000)
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros(5000, np.float32))
    assert refusal("npz", str(tmp_path / "a.npz"))[0] == "N503"


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_npz_in_a_foreign_packing(tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", compression) as archive:
        archive.writestr("x.npy", GOOD)
    assert refusal("npz", str(tmp_path / "a.npz"))[0] == "N502"


def test_npz_damaged_at_every_byte_and_cut_at_every_length(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.arange(20, dtype=np.float32).reshape(10, 2))
    whole = path.read_bytes()
    refused = 0
    for place in range(len(whole)):
        for content in (whole[:place], whole[:place] + b"\xff" + whole[place + 1 :]):
            path.write_bytes(content)
            try:
                load_source(Recipe("npz", (str(path),)))
            except Refused as error:
                assert {problem.code for problem in error.problems} <= {"N502", "N503", "N506"}
                refused += 1
    assert refused > len(whole)  # every cut, and the bytes that matter


def test_unknown_classes():
    code, message = refusal("digits", classes=(3, 10))
    assert code == "N508" and "10" in message
    assert refusal("digits", classes=(3, "3"))[0] == "N508"
    assert refusal("digits", fraction=0)[0] == "N506"


def test_the_place_in_the_users_file_is_marked():
    text = Source("a.net", 'data npz("missing.npz")')
    span = Span(text, 5, len(text.text))
    with pytest.raises(Refused) as refused:
        load_source(replace(Recipe("npz", ("missing.npz",)), span=span))
    assert refused.value.problems[0].describe().marks[0].span == span
