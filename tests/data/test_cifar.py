"""CIFAR-10 in each of its forms, and the pickles that one of them comes in."""

from __future__ import annotations

import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from data_files import CIFAR, files_of, picture, save, tar

from netdsl.data import archives, cache, cifar
from netdsl.data.dataset import Dataset
from netdsl.data.plainpickle import NotPlain, read_plain
from netdsl.data.sources import load_source
from netdsl.diagnostics import Refused
from netdsl.ir.program import Recipe


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch) -> Path:
    """The folder where what is decoded is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "netdsl"


def load(path: Path | str) -> Dataset:
    return load_source(Recipe("cifar10", (str(path),)))


def refusal(path: Path | str) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        load(path)
    problem, = refused.value.problems
    diagnostic = problem.describe()
    return problem.code, "; ".join([diagnostic.message, *diagnostic.notes])


def check(data: Dataset, images: np.ndarray, labels: np.ndarray) -> None:
    """That the training rows are the first half of these, in any order, and the others validate."""
    half = len(labels) // 2
    for split, part in ((data.train, slice(half)), (data.validate, slice(half, None))):
        found = zip(split["image"].values, split["label"].values)
        assert sorted((int(label), bytes(image)) for image, label in found) == sorted(
            (int(label), bytes(image)) for image, label in zip(images[part], labels[part]))
        assert split["image"].values.shape == (half, 3, 32, 32)
    assert data.classes == CIFAR


LABELS = np.tile(np.arange(10), 4).astype(np.uint8)


def rows() -> np.ndarray:
    """40 images, 20 of them for training."""
    return np.stack([np.moveaxis(np.asarray(picture(i)), 2, 0) for i in range(40)])


def write_pickles(folder: Path, protocol: int = 2) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    flat, label = rows().reshape(40, -1), LABELS.tolist()
    for name, part in (("data_batch_1", slice(10)), ("data_batch_2", slice(10, 20)),
                       ("test_batch", slice(20, 40))):
        batch = {b"batch_label": b"x", b"labels": label[part], b"data": flat[part],
                 b"filenames": [b"%d.png" % i for i in range(len(label[part]))]}
        (folder / name).write_bytes(pickle.dumps(batch, protocol))


def write_records(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table = np.concatenate([LABELS[:, None], rows().reshape(40, -1)], axis=1)
    table[:20].tofile(folder / "data_batch_1.bin")
    table[20:].tofile(folder / "test_batch.bin")
    (folder / "batches.meta.txt").write_text("airplane\n")


def write_images(folder: Path) -> None:
    for i, label in enumerate(LABELS):
        save(picture(i), folder / ("train", "test")[i // 20] / CIFAR[label] / f"{i:04}.png")
    (folder / "SOURCE.md").write_text("not an image")


FORMS = {"pickles": write_pickles, "records": write_records, "images": write_images}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_in_a_folder_or_an_archive(tmp_path, form):
    folder = tmp_path / "set"
    FORMS[form](folder)
    check(load(folder), rows(), LABELS)
    members = [(f"cifar/{name}", content) for name, content in files_of(folder)]
    for suffix in (".tar", ".tar.gz", ".tar.xz", ".tar.bz2"):
        check(load(tar(tmp_path / f"a{suffix}", members[::-1])), rows(), LABELS)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    check(load(tmp_path / "a.zip"), rows(), LABELS)


def test_the_folder_above_and_a_folder_with_the_archive_in_it(tmp_path):
    write_pickles(tmp_path / "a" / "cifar-10-batches-py")
    write_records(tmp_path / "a" / "cifar-10-batches-bin")
    check(load(tmp_path / "a"), rows(), LABELS)  # once, not twice
    (tmp_path / "b").mkdir()
    tar(tmp_path / "b" / "cifar.tar.gz", files_of(tmp_path / "a"))
    check(load(tmp_path / "b"), rows(), LABELS)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_of_every_protocol(tmp_path, protocol):
    write_pickles(tmp_path / "set", protocol)
    check(load(tmp_path / "set"), rows(), LABELS)


@pytest.mark.slow
def test_real_images(shared):
    data = load(shared / "data" / "cifar10-jpeg" / "cifar10_jpeg.tar.xz")
    assert np.bincount(data.train["label"].values).tolist() == [5000] * 10
    assert np.bincount(data.validate["label"].values).tolist() == [1000] * 10
    whole = data.train["image"].values.mean(axis=(0, 2, 3)) / 255
    assert np.allclose(whole, [0.4914, 0.4822, 0.4465], atol=2e-3)  # as the field normalises


# ------------------------------------------------------------------ what is kept


def test_what_is_decoded_is_kept_until_the_files_change(tmp_path, kept, monkeypatch):
    write_records(tmp_path / "set")
    load(tmp_path / "set")
    file, = kept.iterdir()
    monkeypatch.setattr(cifar, "read_rows", None)
    check(load(tmp_path / "set"), rows(), LABELS)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    changed = tmp_path / "set" / "test_batch.bin"
    changed.write_bytes(b"".join(bytes([i]) + bytes(3072) for i in range(10)))
    assert not load(tmp_path / "set").validate["image"].values.any()
    assert not file.exists() and len(list(kept.iterdir())) == 1  # the old ones are gone


def test_damaged_files_of_the_cache_are_made_again(tmp_path, kept):
    write_records(tmp_path / "set")
    load(tmp_path / "set")
    file, = kept.iterdir()
    whole = file.read_bytes()
    wrong = np.full((40, cifar.RECORD), 9, np.uint8)
    for content in (b"", whole[:60], whole[:-1], b"x" * len(whole), pickle.dumps(wrong)):
        file.write_bytes(content)
        check(load(tmp_path / "set"), rows(), LABELS)
        assert file.read_bytes() == whole
    for other in (wrong, wrong.astype(object), np.zeros((0, cifar.RECORD), np.uint8)):
        np.save(file, other)
        check(load(tmp_path / "set"), rows(), LABELS)


def test_without_a_place_for_a_cache_it_works_too(tmp_path, monkeypatch):
    write_records(tmp_path / "set")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    check(load(tmp_path / "set"), rows(), LABELS)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache.os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    check(load(tmp_path / "set"), rows(), LABELS)
    assert list((tmp_path / "cache" / "netdsl").iterdir()) == []


# ------------------------------------------------------------------ what is wrong


def wrong(folder: Path, form: str, file: str, content: bytes | None) -> tuple[str, str]:
    FORMS[form](folder)
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink() if content is None else path.write_bytes(content)
    code, message = refusal(folder)
    return code, message.replace(str(folder), "SET")


RECORD = bytes([3]) + bytes(3072)


@pytest.mark.parametrize(("form", "file", "content", "code", "words"), [
    ("records", "data_batch_1.bin", b"", "N502", "SET/data_batch_1.bin: it has 0 bytes"),
    ("records", "test_batch.bin", RECORD * 2 + b"x", "N502", "expected: a multiple of 3,073"),
    ("records", "test_batch.bin", RECORD * 7 + bytes([10]) + bytes(3072), "N505",
     "SET/test_batch.bin: the label in row 7 is 10, outside 0..10"),
    ("records", "test_batch.bin", None, "N522", "no image of anything is in its test part"),
    ("records", "test_batch.bin", RECORD, "N522", "no image of airplane is in its test part"),
    ("images", "train/cat/0003.png", b"", "N520", "SET/train/cat/0003.png cannot be read"),
    ("images", "train/boat/1.png", b"", "N522", "SET/train/boat/1.png: `boat` is no class"),
    ("pickles", "test_batch", b"", "N524", "SET/test_batch is no pickle of plain data"),
    ("pickles", "test_batch", pickle.dumps([1]), "N502", "it is a pickle of something else"),
    ("pickles", "test_batch", pickle.dumps({"data": np.zeros((2, 3072)), "labels": [1, 2]}),
     "N502", "it is a pickle of something else"),
    ("pickles", "test_batch", pickle.dumps({"data": np.zeros((2, 3072), "u1"), "labels": [1]}),
     "N504", "data has 2, labels has 1"),
    ("pickles", "test_batch", pickle.dumps({"data": np.zeros((2, 3072), "u1"), "labels": [1, -1]}),
     "N505", "SET/test_batch: the label in row 1 is -1"),
])
def test_damaged_files(tmp_path, form, file, content, code, words):
    found, message = wrong(tmp_path / "set", form, file, content)
    assert (found, words in message) == (code, True), message


def test_an_image_of_another_size(tmp_path):
    write_images(tmp_path)
    save(picture(1, side=33), tmp_path / "test" / "dog" / "0025.png")
    code, message = refusal(tmp_path)
    assert code == "N520" and "dog/0025.png" in message and "33 x 33 pixels, not 32" in message


def test_what_is_none_of_it(tmp_path):
    assert refusal(tmp_path) == ("N522", f"{tmp_path}: it holds nothing of CIFAR-10; "
                                         f"expected: {cifar.EXPECTED}")
    assert refusal(tmp_path / "missing")[0] == "N501"
    (tmp_path / "data_batch_1").symlink_to(tmp_path / "nothing")
    assert refusal(tmp_path)[0] == "N501"
    assert refusal("a\0b")[0] == "N501"


def link(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


@pytest.mark.parametrize(("member", "reason"), [
    (("../test_batch.bin", RECORD), "its path leads out of the archive"),
    (("/etc/test_batch.bin", RECORD), "its path leads out of the archive"),
    (("a", link("a", tarfile.SYMTYPE, "/etc/passwd")), "it is a link or a device"),
    (("a", link("a", tarfile.LNKTYPE, "b")), "it is a link or a device"),
    (("a", link("a", tarfile.CHRTYPE)), "it is a link or a device"),
    (("a", link("a", tarfile.FIFOTYPE)), "it is a link or a device"),
])
def test_members_that_reach_out_of_an_archive(tmp_path, member, reason):
    code, message = refusal(tar(tmp_path / "a.tar.gz", [("data_batch_1.bin", RECORD), member]))
    assert code == "N521" and reason in message and member[0] in message


def test_paths_out_of_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../test_batch.bin", RECORD)
    assert refusal(tmp_path / "a.zip")[0] == "N521"


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".zip"])
def test_archives_cut_off_and_damaged(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    write_records(tmp_path / "set")
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files_of(tmp_path / "set"):
                archive.writestr(name, content)
    else:
        tar(path, files_of(tmp_path / "set"))
    whole = path.read_bytes()
    for content in (b"", b"x" * 2000, whole[:10], whole[: len(whole) // 2],
                    whole[: len(whole) // 3] + b"\xff" * 2000 + whole[len(whole) // 3 + 2000 :]):
        path.write_bytes(content)
        try:
            load(path)
        except Refused as refused:
            assert {p.code for p in refused.problems} <= {"N502", "N503", "N505", "N521", "N522"}


def test_an_archive_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST", 100_000)
    members = [("notes.txt", bytes(200_000)), ("data_batch_1.bin", RECORD)]
    assert refusal(tar(tmp_path / "a.tar.xz", members))[0] == "N503"
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("test_batch.bin", bytes(200_000))
    assert refusal(tmp_path / "a.zip")[0] == "N503"


def test_a_set_of_too_many_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "LARGEST", 20 * cifar.RECORD)
    write_records(tmp_path)
    assert refusal(tmp_path)[0] == "N503"


# ------------------------------------------------------------------ pickles


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_pickles_give_what_python_gives(protocol):
    held = {"a": np.arange(6, dtype=">i4").reshape(2, 3), "b": np.asfortranarray(np.eye(2, 3)),
            "c": [1, -2, 2**70, 0.5, None, True, "é", b"\xff"],
            "d": ((), (1,), (1, 2), (1, 2, 3, 4)),
            "h": b"",
            "e": {"f": [], 3: {}}, "g": np.zeros((0, 4), np.uint8)}
    made = read_plain(pickle.dumps(held, protocol))
    assert made.keys() == held.keys()
    for name, value in held.items():
        if isinstance(value, np.ndarray):
            assert made[name].dtype == value.dtype and np.array_equal(made[name], value)
        else:
            assert made[name] == value


class Runs:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(("held", "words"), [
    (Runs(os.system, ("false",)), "it wants to run 'posix.system'"),
    ({"data": Runs(eval, ("1",))}, "it wants to run"),
    ({"labels": [Runs(getattr, (1, "real"))]}, "it wants to run"),
    (np.array([{}, 1], object), "which are no numbers"),
    (np.array(["a"]), "which are no numbers"),
    (np.zeros(2, "M8[s]"), "which are no numbers"),
    (np.zeros(2, [("a", "i4")]), "no numbers"),
    ({1, 2}, "it wants to"),
])
def test_hostile_pickles_run_nothing(protocol, held, words):
    with pytest.raises(NotPlain, match=words):
        read_plain(pickle.dumps(held, protocol))


def test_pickles_that_crash_a_reader():
    deep = b"\x80\x02}" + b"(" * 100_000 + b"t" * 100_000 + b"K\x01s."
    for content in (deep, b"\x80\x02r\xff\xff\xff\xff.", b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f.",
                    b"\x80\x05\x97.", b"\x80\x02\x82\x01.", b"cposix\nsystem\n(S'x'\ntR.",
                    b"K\x01K\x01b.", b"t.", b"", b"\xff", b"h\x05.", b"]K\x01K\x02s."):
        with pytest.raises(NotPlain):
            read_plain(content)


def test_pickles_damaged_at_every_byte():
    whole = pickle.dumps({b"data": np.zeros((2, 3), np.uint8), b"labels": [1, 2]}, 2)
    for place in range(len(whole)):
        for content in (whole[:place], *(whole[:place] + bytes([byte]) + whole[place + 1 :]
                                         for byte in range(0, 256, 17))):
            try:
                read_plain(content)
            except NotPlain as refused:
                assert str(refused)
