"""Images in folders by class: which there are, how they are decoded, and those that cannot be."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from data_files import picture, save, write_classes
from PIL import Image

from netdsl.data.batches import Batches
from netdsl.data.dataset import Dataset, row_count
from netdsl.data.images import ImageFiles
from netdsl.data.pictures import decode
from netdsl.data.sources import load_source
from netdsl.diagnostics import Refused
from netdsl.ir.dim import symbol
from netdsl.ir.graph import Graph, Value
from netdsl.ir.program import Recipe
from netdsl.ir.tensor import TensorType

FLOAT = np.dtype(np.float32)
PETS = ("cat", "dog")


def load(folder: Path, **keywords) -> Dataset:
    return load_source(Recipe("images", (str(folder),), keywords))


def refusal(folder: Path, **keywords) -> tuple[str, str]:
    with pytest.raises(Refused) as refused:
        load(folder, **keywords)
    problem, = refused.value.problems
    return problem.code, problem.describe().message


def counts(data: Dataset) -> tuple[int, int]:
    return row_count(data.train), row_count(data.validate)


# ------------------------------------------------------------------ which


def test_a_folder_for_each_class(tmp_path):
    write_classes(tmp_path, PETS, each=10, parts=("",), side=8)
    (tmp_path / "README.txt").write_text("no image")
    (tmp_path / "cat" / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    data = load(tmp_path)
    assert (data.classes, counts(data)) == (PETS, (16, 4))  # every fifth of each validates
    assert data.train["label"].values.tolist() == [0, 1] * 8  # in turn from each class
    rows = data.validate["image"].rows(slice(None), FLOAT)
    assert rows.shape == (4, 3, 8, 8) and rows.dtype == np.float32
    for row, number in zip(rows, (4, 14, 9, 19)):
        pixels = np.moveaxis(np.asarray(picture(number, 8)), 2, 0)
        assert np.array_equal(row, pixels.astype(np.float32) / np.float32(255))
    assert data.validate["image"].place(1) == str(tmp_path / "dog" / "4.png")


@pytest.mark.parametrize("name", ["val", "valid", "validate", "validation", "test"])
def test_parts_are_found(tmp_path, name):
    write_classes(tmp_path, PETS, each=3, parts=("train", name), side=8)
    assert counts(load(tmp_path)) == (6, 6)
    assert counts(load(tmp_path, hold_out=0.34)) == (4, 2)
    assert counts(load(tmp_path, take=2)) == (2, 2)
    assert load(tmp_path, classes=("dog",)).classes == ("dog",)


def test_the_first_part_for_validation_counts_and_another_can_be_named(tmp_path):
    write_classes(tmp_path, PETS, each=3, parts=("train",), side=8)
    write_classes(tmp_path, PETS, each=2, parts=("val",), side=8)
    write_classes(tmp_path, PETS, each=1, parts=("test",), side=8)
    assert counts(load(tmp_path)) == (6, 4)
    assert counts(load(tmp_path, validate=str(tmp_path / "test"))) == (6, 2)
    assert counts(load(tmp_path / "train", validate=str(tmp_path / "test"))) == (6, 2)


def test_the_first_rows_hold_all_classes(tmp_path):
    write_classes(tmp_path, PETS, each=10, parts=("",), side=8)
    write_classes(tmp_path, ("emu",), each=2, parts=("",), side=8)
    some = load(tmp_path, take=7)
    assert some.train["label"].values.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert some.validate["label"].values.tolist() == [0, 1, 0, 1]
    assert [Path(p).name for p in some.train["image"].values[[0, 3, 6]]] == [
        "0.png", "1.png", "2.png"]


def test_a_named_folder_for_validation_has_to_be_there(tmp_path):
    write_classes(tmp_path, PETS, each=1, parts=("",), side=8)
    code, message = refusal(tmp_path, validate=str(tmp_path / "nowhere"))
    assert code == "N501" and message.endswith("nowhere: there is no such folder")


def test_classes_may_be_called_as_parts_are(tmp_path):
    write_classes(tmp_path, ("train", "truck"), each=5, parts=("",), side=8)
    assert load(tmp_path).classes == ("train", "truck")


@pytest.mark.parametrize(("make", "code", "words"), [
    (lambda d: None, "N522", "SET: it holds no folders"),
    (lambda d: (d / "a.png").touch(), "N522", "SET: it holds no folders"),
    (lambda d: (d / "cat").mkdir(), "N522", "SET/cat: it holds no images"),
    (lambda d: (write_classes(d, PETS, parts=("train",)), (d / "train" / "emu").mkdir()), "N522",
     "SET/train/emu: it holds no images"),
    (lambda d: (write_classes(d, PETS, parts=("train",)), write_classes(d, ("emu",),
                                                                        parts=("val",))),
     "N522", "SET/val/emu: training has no such class"),
    (lambda d: (write_classes(d, PETS, parts=("train",)), write_classes(d, ("cat",),
                                                                        parts=("val",))),
     "N522", "SET/val: it holds no folder `dog`, a class of the images for training"),
    (lambda d: d.rmdir(), "N501", "cannot read SET: there is no such folder"),
    (lambda d: (d.rmdir(), d.touch()), "N501", "cannot read SET: it is no folder"),
])
def test_folders_that_are_none(tmp_path, make, code, words):
    folder = tmp_path / "set"
    folder.mkdir()
    make(folder)
    found, message = refusal(folder)
    assert (found, message.replace(str(folder), "SET")) == (code, words)


def test_paths_that_cannot_be(tmp_path):
    assert refusal(Path("a\0b"))[0] in ("N501", "N522")
    assert refusal(Path("x" * 5000))[0] in ("N501", "N522")


# ------------------------------------------------------------------ how they are decoded

SQUARE = np.zeros((4, 6, 3), np.uint8)
SQUARE[:2, :3] = (255, 0, 0)
SQUARE[2:, 3:] = (0, 0, 255)


@pytest.mark.parametrize(("mode", "suffix"), [
    ("RGB", ".png"), ("RGB", ".bmp"), ("RGB", ".tiff"), ("RGB", ".webp"), ("RGB", ".ppm"),
    ("RGBA", ".png"), ("P", ".png"), ("P", ".gif"), ("CMYK", ".tiff"), ("CMYK", ".jpg"),
    ("YCbCr", ".tiff"), ("L", ".png"), ("LA", ".png"), ("1", ".png"), ("L", ".jpg"),
])
def test_modes(tmp_path, mode, suffix):
    image = Image.fromarray(SQUARE).convert(mode)
    options = {".webp": {"lossless": True}, ".jpg": {"quality": 100, "subsampling": 0}}
    path = save(image, tmp_path / f"a{suffix}", **options.get(suffix, {}))
    made = decode(path, "a")
    assert made.shape == (3, 4, 6) and made.dtype == np.uint8
    expected = np.moveaxis(np.asarray(image.convert("RGB")), 2, 0).astype(int)
    assert abs(made - expected).max() <= (30 if suffix == ".jpg" else 2)
    grey = decode(path.read_bytes(), "a", 1)
    assert grey.shape == (1, 4, 6)
    assert abs(grey[0] - np.asarray(image.convert("RGB").convert("L")).astype(int)).max() <= 30


def test_16_bits_keep_their_upper_byte(tmp_path):
    values = np.arange(0, 65536, 16, np.uint16).reshape(64, 64)
    for suffix in (".png", ".tiff"):
        save(Image.fromarray(values), tmp_path / f"a{suffix}")
        made = decode(tmp_path / f"a{suffix}", "a")
        assert np.array_equal(made, np.stack([values >> 8] * 3))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright(tmp_path, orientation):
    upright = Image.fromarray(SQUARE)
    turned = {1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
              4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
              6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
              8: Image.Transpose.ROTATE_270}[orientation]
    image = upright if turned is None else upright.transpose(turned)
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(image, tmp_path / "a.png", exif=exif)
    assert np.array_equal(decode(tmp_path / "a.png", "a"), np.moveaxis(SQUARE, 2, 0))


def test_images_of_several_sizes_stay_apart(tmp_path):
    for i, side in enumerate((8, 8, 9)):
        save(picture(i, side), tmp_path / f"{i}.png")
    field = ImageFiles(np.array([str(tmp_path / f"{i}.png") for i in range(3)], object))
    alike = field.rows(np.array([1, 0]), FLOAT)
    assert alike.shape == (2, 3, 8, 8)
    apart = field.rows(np.array([2, 0]), FLOAT)
    assert [image.shape for image in apart] == [(3, 9, 9), (3, 8, 8)]
    assert all(image.dtype == np.float32 for image in apart)
    assert field.rows(slice(2), np.dtype(np.float64)).dtype == np.float64


def test_batches_of_images(tmp_path):
    write_classes(tmp_path, PETS, each=5, side=8)
    B = symbol("B")
    values = {"image": Value(TensorType("f32", (B, 3, 8, 8)), name="image"),
              "label": Value(TensorType("i64", (B,)), name="label")}
    batches = Batches(Graph("Inputs", (), values, {}, {}), load(tmp_path), 4)
    first = next(batches.training(0))
    assert first["image"].shape == (4, 3, 8, 8) and first["label"].shape == (4,)
    again = next(batches.training(0))
    assert np.array_equal(first["image"], again["image"])


# ------------------------------------------------------------------ those that cannot be

WHOLE = io.BytesIO()
picture(0, 64).save(WHOLE, "JPEG")
JPEG = WHOLE.getvalue()


@pytest.mark.parametrize("content", [
    b"", b"x", b"GIF89a", JPEG[:100], JPEG[: len(JPEG) // 2], JPEG[:-40],
    b"\x89PNG\r\n\x1a\n" + bytes(50), b"BM" + b"\xff" * 60, b"II*\x00" + b"\xff" * 60,
])
def test_damaged_images_are_named(tmp_path, content):
    write_classes(tmp_path, PETS, each=1, parts=("",), side=8)
    (tmp_path / "dog" / "broken.jpg").write_bytes(content)
    field = load(tmp_path).train["image"]
    with pytest.raises(Refused) as refused:
        field.rows(slice(None), FLOAT)
    problem, = refused.value.problems
    assert problem.code == "N520" and problem.file == str(tmp_path / "dog" / "broken.jpg")


def test_an_image_of_too_many_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Refused) as refused:
        decode(save(picture(0, 40), tmp_path / "a.png"), "a.png")
    assert "more than 1,000 pixels" in refused.value.problems[0].describe().message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_a_pipe_among_images_does_not_block(tmp_path):
    write_classes(tmp_path, PETS, each=1, parts=("",), side=8)
    os.mkfifo(tmp_path / "dog" / "9.png")
    with pytest.raises(Refused) as refused:
        load(tmp_path).train["image"].rows(slice(None), FLOAT)
    assert refused.value.problems[0].code == "N501"


@pytest.mark.parametrize("size", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "PPM", "BMP"])
def test_images_damaged_anywhere_are_decoded_or_refused(size):
    buffer = io.BytesIO()
    picture(0, 8).save(buffer, size)
    whole = buffer.getvalue()
    for place in range(0, min(len(whole), 300)):
        for content in (whole[:place], whole[:place] + b"\xff" + whole[place + 1 :]):
            try:
                decode(content, "a")
            except Refused as refused:
                assert [problem.code for problem in refused.problems] == ["N520"]
