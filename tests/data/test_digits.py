"""The data set in the package: its contents and its split."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np

import netdsl.data.digits
from netdsl.data.sources import load_source, parse_source

FOLDER = Path(netdsl.data.digits.__file__).parent
CLASSES = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # images of 0 … 9 in optdigits.tes


def stored() -> tuple[np.ndarray, np.ndarray]:
    with np.load(FOLDER / "digits.npz") as arrays:
        return arrays["image"], arrays["label"]


def test_numbers_are_those_of_the_file():
    image, label = stored()
    rows = np.column_stack([image.reshape(-1, 64), label]).tolist()
    digest = sha256("".join(",".join(map(str, row)) + "\n" for row in rows).encode()).hexdigest()
    assert digest in (FOLDER / "SOURCE.md").read_text(encoding="utf-8")
    assert np.bincount(label).tolist() == CLASSES
    assert (image.min(), image.max(), image.shape) == (0, 16, (1797, 8, 8))


def test_split_is_every_fifth_image_of_each_class():
    image, label = stored()
    seen, held = Counter(), []
    for number in label.tolist():
        seen[number] += 1
        held.append(seen[number] % 5 == 0)
    held = np.array(held)
    data = load_source(parse_source("digits"))
    for part, mask in ((data.validate, held), (data.train, ~held)):
        assert np.array_equal(part["image"].values[:, 0], image[mask])
        assert np.array_equal(part["label"].values, label[mask])
    counts = np.bincount(data.validate["label"].values)
    assert counts.tolist() == [35, 36, 35, 36, 36, 36, 36, 35, 34, 36]
    assert data.classes == tuple("0123456789")


def test_images_are_floats_from_0_to_1():
    data = load_source(parse_source("digits"))
    image, _ = stored()
    rows = data.train["image"].rows(slice(None), np.dtype(np.float32))
    assert rows.shape == (1442, 1, 8, 8) and rows.dtype == np.float32
    assert (rows.min(), rows.max()) == (0, 1)
    assert np.array_equal(rows[0, 0], image[0] / np.float32(16))


def test_small_enough_to_ship_and_with_its_licence():
    assert (FOLDER / "digits.npz").stat().st_size < 64_000
    notice = (FOLDER / "LICENSE").read_text(encoding="utf-8")
    assert "https://creativecommons.org/licenses/by/4.0/" in notice and "Alpaydin" in notice
