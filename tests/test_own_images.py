"""Files that people have: read as they are meant, or refused with a word."""

import csv
import gzip
import io
import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from ghost_spiking import Simulation
from ghost_spiking.cli import main
from ghost_spiking.datasets import Dataset, load, place_of, read_pictures
from ghost_spiking.exceptions import DataError
from ghost_spiking.runs import Run

TRAINING, TEST = load("digits")
PIXELS = {"training": TRAINING.images.reshape(-1, 8, 8), "test": TEST.images.reshape(-1, 8, 8)}
CODES = {"u1": 8, "i1": 9, ">i2": 11, ">i4": 12, ">f4": 13, ">f8": 14}


def idx(values, kind="u1"):
    sizes = np.asarray(values.shape, dtype=">u4").tobytes()
    return bytes([0, 0, CODES[kind], values.ndim]) + sizes + values.astype(kind).tobytes()


def arrays(n=60, n_test=20, **changed):
    found = {
        "x_train": PIXELS["training"][:n],
        "y_train": TRAINING.labels[:n],
        "x_test": PIXELS["test"][:n_test],
        "y_test": TEST.labels[:n_test],
    }
    return found | changed


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def well(*arguments):
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result


def error_of(*arguments):
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    return result.stderr


# -- data sets ------------------------------------------------------------------------


def test_arrays_in_a_file_and_in_a_folder(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays())
    training, test = load(tmp_path / "mine.npz")
    assert (training.name, training.maximum, training.image_shape) == ("mine", 255, (8, 8))
    np.testing.assert_array_equal(training.images, TRAINING.images[:60])
    np.testing.assert_array_equal(test.labels, TEST.labels[:20])
    medical = ("train_images", "train_labels", "test_images", "test_labels")
    (tmp_path / "folder").mkdir()
    for name, values in zip(medical, arrays().values(), strict=True):
        np.save(tmp_path / "folder" / f"{name}.npy", values.reshape(len(values), -1).squeeze())
    again, _ = load(tmp_path / "folder")
    assert again.image_shape == (64,)
    np.testing.assert_array_equal(again.images, training.images)
    assert again.files[1].endswith("train_labels.npy")


@pytest.mark.parametrize(
    ("factor", "kind", "maximum"),
    [(1 / 16, "f4", 1.0), (1.0, "f8", 16.0), (-100.0, "f4", 1600.0), (20, "i4", 320.0)],
)
def test_numbers_of_any_type(tmp_path, factor, kind, maximum):
    x, test_x = (factor * PIXELS[part][:60].astype(kind) for part in ("training", "test"))
    np.savez(tmp_path / "mine.npz", **arrays(x_train=x, x_test=test_x[:20]))
    training, test = load(tmp_path / "mine.npz")
    assert training.maximum == test.maximum == pytest.approx(maximum)
    np.testing.assert_array_equal(training.images, x.reshape(60, -1))


def test_maximum_of_ones_own(tmp_path):
    np.savez(tmp_path / "mine.npz", **arrays(maximum=np.float32(16)))
    assert load(tmp_path / "mine.npz")[0].maximum == 16


def emnist(folder, prefix="emnist-letters", part="test", kind="u1", labels=None):
    for name, source, data, n in (
        ("train", "training", TRAINING, 60),
        (part, "test", TEST, 30),
    ):
        images = PIXELS[source][:n].swapaxes(1, 2)
        some = data.labels[:n] + 1 if labels is None else labels(data.labels[:n])
        (folder / f"{prefix}-{name}-images-idx3-ubyte.gz").write_bytes(
            gzip.compress(idx(images, kind))
        )
        (folder / f"{prefix}-{name}-labels-idx1-ubyte").write_bytes(idx(some))


def test_emnist_is_found_by_name_and_turned_upright(tmp_path):
    emnist(tmp_path)
    training, test = load(tmp_path)
    np.testing.assert_array_equal(training.images, TRAINING.images[:60])
    assert training.classes == test.classes == tuple(range(1, 11))
    np.testing.assert_array_equal(test.labels, TEST.labels[:30])
    emnist(tmp_path, "emnist-digits", labels=lambda values: values)
    with pytest.raises(DataError, match=r"name one of '.*emnist-digits', '.*emnist-letters'"):
        load(tmp_path)
    again, _ = load(tmp_path / "emnist-letters")
    assert again.fingerprint == training.fingerprint
    assert load(tmp_path / "emnist-digits")[0].classes == tuple(range(10))
    # what earlier versions noted of labels with gaps, with outputs for numbers that never occur
    noted = training.with_classes(range(11)).fingerprint
    assert (noted.n_classes, noted.classes) == (11, ())
    assert place_of(tmp_path / "emnist-letters") == str(tmp_path / "emnist-letters")


@pytest.mark.parametrize("kind", CODES)
def test_idx_of_any_type(tmp_path, kind):
    emnist(tmp_path, "mine", kind=kind, labels=lambda values: 2 * values)
    training, _ = load(tmp_path)
    assert training.images.dtype == np.dtype(kind).newbyteorder("=")
    assert training.classes == tuple(range(0, 20, 2))
    np.testing.assert_array_equal(training.labels, TRAINING.labels[:60])
    # only those of EMNIST lie on their side
    np.testing.assert_array_equal(
        training.images.reshape(-1, 8, 8), PIXELS["training"][:60].swapaxes(1, 2)
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": np.zeros((60, 8, 8, 3))}, "several channels"),
        ({"x_train": np.zeros((60, 3, 8, 8))}, "several channels"),
        ({"x_train": np.zeros(60)}, "expected images"),
        ({"x_train": np.full((60, 8, 8), np.nan)}, "not finite"),
        ({"x_train": np.full((60, 8, 8), "x")}, "need to be numbers"),
        ({"y_train": np.eye(10)[np.zeros(60, int)]}, "argmax"),
        ({"y_train": np.full(60, 0.5)}, "whole numbers or words"),
        ({"y_train": np.full(60, "0")}, "training labels are <U1, test labels int64"),
        ({"y_train": np.zeros(60, int)}, r"labels \[1, 2.*none such"),
        ({"y_train": np.zeros(50, int)}, "60 train images, but 50 train labels"),
        ({"x_test": np.zeros((20, 8, 9))}, "different sizes"),
        ({"maximum": np.array([1, 2])}, "maximum: needs to be one number"),
        ({"maximum": np.array(-1.0)}, "maximum"),
    ],
)
def test_arrays_that_are_refused(tmp_path, changed, message):
    np.savez(tmp_path / "mine.npz", **arrays(**changed))
    with pytest.raises(DataError, match=message):
        load(tmp_path / "mine.npz")


def test_files_that_are_refused(tmp_path):
    np.savez(tmp_path / "mine.npz", images=np.zeros(3))
    with pytest.raises(DataError, match=r"needs the arrays x_train.*has images"):
        load(tmp_path / "mine.npz")
    (tmp_path / "mine.npz").write_bytes(b"PK\x03\x04nonsense")
    with pytest.raises(DataError, match=r"mine\.npz.*can't be read"):
        load(tmp_path / "mine.npz")
    np.save(tmp_path / "mine.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match=r"is an \.npz with the arrays"):
        load(tmp_path / "mine.npy")
    (tmp_path / "folder").mkdir()
    (tmp_path / "mine.npy").rename(tmp_path / "folder" / "x_train.npy")
    with pytest.raises(DataError, match=r"x_train\.npy.*can't be read"):
        load(tmp_path / "folder")


def test_other_names_for_the_same_classes():
    few = Dataset("few", np.zeros((2, 1)), np.array([0, 1]), 1.0, (1,), 2, classes=("x", "y"))
    assert few.with_classes(["y", "z", "x"]).labels.tolist() == [2, 0]
    with pytest.raises(DataError, match=r"labels \['y'\].*none of the classes"):
        few.with_classes(["x"])
    with pytest.raises(DataError, match="a name for each of 2 classes"):
        Dataset("few", np.zeros((1, 1)), np.array([0]), 1.0, (1,), 2, classes=("x",))


# -- pictures -------------------------------------------------------------------------


def save(path, pixels, mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Digits in a folder for each class, with words for names."""
    folder = tmp_path_factory.mktemp("pictures") / "handwritten"
    for part, name, n in (("training", "train", 400), ("test", "test", 60)):
        data = TRAINING if part == "training" else TEST
        for number, (image, label) in enumerate(zip(PIXELS[part][:n], data.labels, strict=False)):
            if label in (1, 3, 7):
                word = {1: "één", 3: "three", 7: "seven"}[label]
                save(folder / name / word / f"{number:04}.png", (15 * image).astype(np.uint8))
    return folder


def test_folder_of_pictures(pictures, tmp_path):
    training, test = load(pictures)
    assert (training.name, training.maximum) == ("handwritten", 255)
    assert training.classes == ("seven", "three", "één")
    wanted = np.isin(TEST.labels[:60], (1, 3, 7)).sum()
    assert len(test) == wanted
    # images for validation are for whoever chooses by them
    shutil.copytree(pictures, tmp_path / "split")
    shutil.copytree(pictures / "test", tmp_path / "split" / "val")
    assert load(tmp_path / "split")[1].fingerprint == test.fingerprint
    shutil.rmtree(tmp_path / "split" / "test")
    with pytest.raises(DataError, match="needs a folder test"):
        load(tmp_path / "split")
    shutil.rmtree(tmp_path / "split")
    # without test pictures, every fifth is one; folders named by numbers are labels in order
    for label in (2, 10):
        for number in range(7):
            save(tmp_path / str(label) / f"{number}.bmp", np.full((4, 5), number, np.uint8))
    training, test = load(tmp_path)
    assert (training.classes, training.image_shape) == ((2, 10), (4, 5))
    assert (len(training), test.images[:, 0].tolist()) == (12, [4, 4])
    (tmp_path / "2" / "3.bmp").unlink()
    save(tmp_path / "2" / "3.bmp", np.zeros((5, 4), np.uint8))
    with pytest.raises(DataError, match=r"3\.bmp': has 4 x 5 pixels, needs 5 x 4"):
        load(tmp_path)


def test_kinds_of_pictures(tmp_path):
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    for mode in ("L", "RGB", "RGBA", "LA", "P"):
        images, maximum = read_pictures([save(tmp_path / f"{mode}.png", grey, mode)])
        assert maximum == 255
        np.testing.assert_array_equal(images[0], grey, err_msg=mode)
    fine = tmp_path / "fine.png"
    Image.fromarray(257 * grey.astype(np.uint16)).save(fine)
    images, maximum = read_pictures([fine, tmp_path / "L.png"])
    assert (maximum, images.dtype) == (1.0, np.float32)
    np.testing.assert_allclose(images[0], grey / 255, atol=1e-7)
    np.testing.assert_array_equal(*images)
    small, maximum = read_pictures([tmp_path / "L.png"], (3, 4), resize=True)
    assert small.shape == (1, 3, 4)
    assert small.mean() * maximum == pytest.approx(grey.mean() / 255, abs=0.02)
    black_and_white, maximum = read_pictures([save(tmp_path / "one.png", grey, "1")])
    assert set(np.unique(black_and_white)) == {0, maximum}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: Image.new("RGB", (4, 4), (200, 0, 0)).save(path), "colours, in 3 channels"),
        (lambda path: path.write_bytes(b"nonsense"), "no picture"),
        (lambda path: None, "No such file"),
        (lambda path: Image.new("LA", (4, 4)).save(path), "transparent"),
        (lambda path: Image.new("CMYK", (4, 4)).save(path, "tiff"), "of the kind CMYK"),
        (
            lambda path: Image.new("L", (4, 4)).save(
                path, "gif", save_all=True, append_images=[Image.new("L", (4, 4), 9)]
            ),
            "several frames",
        ),
    ],
)
def test_pictures_that_are_refused(tmp_path, make, message):
    path = tmp_path / "it.png"
    make(path)
    with pytest.raises(DataError, match=rf"it\.png': .*{message}"):
        read_pictures([path])


# -- from training to prediction ------------------------------------------------------


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "words"
    well("train", "--dataset", pictures, "--hidden", 16, "--epochs", 20, "--device", "numpy",
         "--quiet", "--out", path)  # fmt: skip
    return path


def table(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_predict_pictures(run, pictures, tmp_path):
    result = well("predict", run, pictures / "test")
    rows = table(result.stdout)
    assert result.stderr == ""
    right = [row["class"] == row["image"].split("/")[-2] for row in rows]
    _, test = load(pictures)
    loaded = Run.load(run)
    assert loaded.facts.device == "numpy"
    assert 100 * np.mean(right) == pytest.approx(loaded.test_accuracy)
    assert np.mean(right) > 0.9
    scores = [[float(row[f"score_{name}"]) for name in loaded.classes] for row in rows]
    simulation = Simulation(
        loaded.specification, device="numpy", weights=loaded.weights, adaptation=loaded.adaptation
    )
    np.testing.assert_allclose(scores, simulation.respond(test.images), rtol=1e-5, atol=1e-6)
    # single files, a table in a file, and a picture that has dark and light swapped
    one = next((pictures / "test" / "één").iterdir())
    assert table(well("predict", run, one).stdout) == [
        row for row in rows if row["image"] == str(one)
    ]
    dark = save(tmp_path / "dark.png", 255 - np.asarray(Image.open(one)))
    assert "dark and light seem to be swapped" in well("predict", run, dark).stderr
    turned = well("predict", run, dark, "--invert", "--out", tmp_path / "table.csv")
    assert turned.stdout == ""
    assert table((tmp_path / "table.csv").read_text())[0]["class"] == "één"
    large = save(
        tmp_path / "large.png", np.kron(np.asarray(Image.open(one)), np.ones((3, 3), "u1"))
    )
    assert "has 24 x 24 pixels, needs 8 x 8" in error_of("predict", run, large)
    assert table(well("predict", run, large, "--resize").stdout)[0]["class"] == "één"


def test_predict_arrays(run, pictures, tmp_path):
    _, test = load(pictures)
    np.save(tmp_path / "bytes.npy", test.images.reshape(-1, 8, 8))
    np.save(tmp_path / "floats.npy", test.images / 255)
    np.save(tmp_path / "one.npy", test.images[0].reshape(8, 8))
    rows = table(well("predict", run, tmp_path / "bytes.npy").stdout)
    assert [row["image"] for row in rows[:2]] == [f"{tmp_path}/bytes.npy[{k}]" for k in (0, 1)]
    assert "--maximum" in error_of("predict", run, tmp_path / "floats.npy")
    again = table(well("predict", run, tmp_path / "floats.npy", "--maximum", 1).stdout)
    assert [row["class"] for row in again] == [row["class"] for row in rows]
    one = table(well("predict", run, tmp_path / "one.npy").stdout)
    assert one[0]["class"] == rows[0]["class"]
    for name, values, message in (
        ("wrong", np.zeros((3, 8, 9), "u1"), "images of shape (8, 9)"),
        ("colours", np.zeros((3, 8, 8, 3), "u1"), "several channels"),
        ("nan", np.full((3, 8, 8), np.nan), "not finite"),
    ):
        np.save(tmp_path / f"{name}.npy", values)
        assert message in error_of("predict", run, tmp_path / f"{name}.npy")
    (tmp_path / "empty").mkdir()
    assert "has no pictures" in error_of("predict", run, tmp_path / "empty")
    assert "evaluate" in error_of("predict", run, save_npz(tmp_path / "set.npz"))


def save_npz(path):
    np.savez(path, **arrays())
    return path


def test_labels_are_kept_everywhere(run, pictures, tmp_path):
    """By name, where another data set numbers them in another way."""
    result = json.loads(well("evaluate", run, "--json").stdout)
    assert result["test_accuracy"] == Run.load(run).test_accuracy
    _, test = load(pictures)
    words = np.array(test.classes)[test.labels]
    some = words != "three"
    np.savez(tmp_path / "two.npz", x_train=test.images[some], y_train=words[some],
             x_test=test.images[some], y_test=words[some])  # fmt: skip
    two = json.loads(well("evaluate", run, "--dataset", tmp_path / "two.npz", "--json").stdout)
    expected = 100 * np.mean(
        [row["class"] == row["image"].split("/")[-2]
         for row in table(well("predict", run, pictures / "test").stdout)
         if "/three/" not in row["image"]]
    )  # fmt: skip
    assert two["test_accuracy"] == pytest.approx(expected)
    np.savez(tmp_path / "other.npz", x_train=test.images, y_train=test.labels,
             x_test=test.images, y_test=test.labels)  # fmt: skip
    assert "none of the classes" in error_of("evaluate", run, "--dataset", tmp_path / "other.npz")
    out = tmp_path / "unit.svg"
    well("trace", run, "--label", "één", "--out", out)
    assert "--label: must be one of seven, three, één" in error_of("trace", run, "--label", "2")


def test_replaced_on_request(run, pictures, tmp_path):
    out = tmp_path / "out"
    arguments = ("train", "--dataset", "digits", "--limit", 200, "--hidden", 8, "--epochs", 1,
                 "--device", "numpy", "--out", out)  # fmt: skip
    out.mkdir()  # an empty folder is as good as none
    well(*arguments, "--quiet")
    before = Run.load(out)
    (out / "notes.txt").write_text("mine")
    (out / "angles.png").write_text("of the old one")
    assert "replace it with --force" in error_of(*arguments, "--seed", 1)
    assert "can't be given too" in error_of("train", "--resume", out, "--force")
    # what can't be trained replaces nothing
    assert "batch_size" in error_of(*arguments, "--force", "--batch-size", 500)
    assert Run.load(out).facts == before.facts
    well(*arguments, "--seed", 1, "--force")
    assert Run.load(out).facts.seed == 1
    assert (out / "notes.txt").read_text() == "mine"
    assert not (out / "angles.png").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    assert "replaces only a run" in error_of(*arguments[:-1], other, "--force")
    assert (other / "thesis.tex").exists()


def test_quiet_says_only_the_result(tmp_path):
    result = well("train", "--dataset", "digits", "--limit", 200, "--hidden", 8, "--epochs", 2,
                  "--device", "numpy", "--quiet", "--out", tmp_path / "out")  # fmt: skip
    assert result.stderr == ""
    assert re.match(r"accuracy: .*\nsaved in ", result.stdout)
