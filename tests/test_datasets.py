import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghost_spiking.datasets import Dataset, _load, load, place_of, read_idx
from ghost_spiking.exceptions import DataError


def idx(values):
    sizes = np.asarray(values.shape, dtype=">u4").tobytes()
    return bytes([0, 0, 8, values.ndim]) + sizes + values.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("train", 7), ("t10k", 4)):
        images = gzip.compress(idx(rng.integers(0, 256, (n, 5, 3))))
        (tmp_path / f"{part}-images-idx3-ubyte.gz").write_bytes(images)
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(n) % 3))
    return tmp_path


def test_mnist_is_complete():
    train, test = load("mnist")
    assert train.images.shape == (60000, 784)
    assert test.images.shape == (10000, 784)
    np.testing.assert_array_equal(np.bincount(test.labels)[:3], [980, 1135, 1032])
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_digits():
    train, test = load("digits")
    assert (len(train), len(test), train.n_features, train.n_classes) == (1437, 360, 64, 10)
    assert train.images.max() == train.maximum == 16


def test_folder_of_any_size(folder):
    train, test = load(folder)
    assert train.images.shape == (7, 15)
    assert (test.image_shape, test.n_classes) == ((5, 3), 3)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=3), st.booleans())
def test_round_trip(tmp_path_factory, shape, compress):
    values = np.arange(np.prod(shape)).reshape(shape) % 256
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(gzip.compress(idx(values)) if compress else idx(values))
    np.testing.assert_array_equal(read_idx(path), values)


@given(st.integers(0, 31))
def test_every_truncation_is_noticed(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("idx") / "short"
    path.write_bytes(idx(np.arange(20).reshape(4, 5))[:length])
    with pytest.raises(DataError, match=r"short.*(expected|found)"):
        read_idx(path)


def _write(name, data):
    return lambda folder: (folder / name).write_bytes(data)


def _swap(folder):
    shutil.copy(folder / "train-labels-idx1-ubyte", folder / "train-images-idx3-ubyte")


LABELS = "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_write(LABELS, b"\x00\x00\x08"), "expected an IDX file"),
        (_write(LABELS, b""), "an empty file"),
        (_write(LABELS, b"PNG....."), "found 50 4e 47"),
        (_write(LABELS, idx(np.zeros(7)) + b"x"), "expected 15 bytes.*found 16"),
        (_write(LABELS, gzip.compress(idx(np.zeros(7)))[:-5]), "can't be read"),
        (_write(LABELS, idx(np.zeros(6))), "7 train images, but 6 train labels"),
        (_swap, "expected images, 3-dimensional"),
        (lambda folder: (folder / LABELS).unlink(), "no file train-labels.*looked for"),
        (_write("t10k-images-idx3-ubyte", idx(np.zeros((4, 5, 4)))), "different sizes"),
    ],
)
def test_damaged_folder(folder, damage, message):
    damage(folder)
    with pytest.raises(DataError, match=message):
        load(folder)


def test_empty_and_missing_folder(tmp_path):
    with pytest.raises(DataError, match="no file train-images"):
        load(tmp_path)
    with pytest.raises(DataError, match="neither a folder"):
        load(tmp_path / "nowhere")


def test_altered_mnist_is_noticed(tmp_path, monkeypatch):

    monkeypatch.setitem(_load.MNIST_MD5, "t10k-labels-idx1-ubyte", "0" * 32)
    with pytest.raises(DataError, match="MD5"):
        load("mnist")


def test_split_and_take():
    train, _ = load("digits")
    rest, held_out = train.split(400, seed=1)
    assert (len(rest), len(held_out)) == (1037, 400)
    rows = {image.tobytes() for image in rest.images}
    assert sum(image.tobytes() in rows for image in held_out.images) < 5
    with pytest.raises(DataError, match="5 were asked for"):
        train.take(3).take(5)


def test_split_and_take_accept_numpy():
    train, _ = load("digits")
    for three in (np.int64(3), np.array(3), [0, 1, np.int8(2)], np.arange(1437) < 3, (0, 1, -1435)):
        np.testing.assert_array_equal(train.take(three).labels, train.take(3).labels)
    for part, same in zip(
        train.split(np.int64(400), np.uint8(1)), train.split(400, 1), strict=True
    ):
        np.testing.assert_array_equal(part.labels, same.labels)
    for nonsense in (True, 2.5, "3", None, 0, -1, [0.0, 1.0], [[0, 1]], [5000], [], [True, False]):
        with pytest.raises(DataError, match="which"):
            train.take(nonsense)
    for nonsense in (0, 1437, True, 2.5, "3", None):
        with pytest.raises(DataError, match="held"):
            train.split(nonsense, 0)
    with pytest.raises(DataError, match="seed"):
        train.split(3, -1)


@pytest.mark.parametrize("maximum", [0, -1.0, np.nan, np.inf, "255", None, True])
def test_maximum_that_makes_no_sense(maximum):
    with pytest.raises(DataError, match="maximum"):
        Dataset("mine", np.zeros((1, 3)), np.array([0]), maximum, (3,), 2)


def test_dataset_accepts_numpy():
    dataset = Dataset("m", np.zeros((1, 3)), np.array([0]), np.float32(16), (3,), np.int64(2))
    assert (type(dataset.maximum), type(dataset.n_classes)) == (float, int)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((2, 3))}, "must have the shape"),
        ({"labels": np.array([0])}, "2 images, but labels of shape"),
        ({"labels": np.array([0, 5])}, "between 0 and 1"),
        ({"images": np.array([[0.0, np.nan], [0, 0]])}, "not finite"),
    ],
)
def test_dataset_refuses(change, message):
    fields = {"images": np.zeros((2, 2)), "labels": np.array([0, 1])} | change
    with pytest.raises(DataError, match=message):
        Dataset("d", maximum=1.0, image_shape=(2,), n_classes=2, **fields)


def test_fingerprint_sees_every_file(folder):
    noted = [part.fingerprint for part in load(folder)]
    assert [part.fingerprint for part in load(folder)] == noted
    for number, name in enumerate(("train", "t10k")):
        file = folder / f"{name}-labels-idx1-ubyte"
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([(content[-1] + 1) % 3]))
        changes = [part.changes_since(old) for part, old in zip(load(folder), noted, strict=True)]
        assert changes[number] == [f"labels in '{file}'"]
        assert changes[1 - number] == []
        file.write_bytes(content)


def test_place_can_be_used_from_anywhere(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    for name in (folder.name, Path(folder.name), f"./{folder.name}/", f"~/{folder.name}", folder):
        place = place_of(name)
        assert place == str(folder)
        assert load(name)[0].name == folder.name
    monkeypatch.chdir(folder)
    assert load(".")[0].name == folder.name
    (folder / "digits").mkdir()
    assert (place_of("digits"), place_of("./digits")) == ("digits", str(folder / "digits"))
