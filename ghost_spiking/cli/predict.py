"""``ghost-spiking predict``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from ..exceptions import DataError
from .common import (
    data_of_run,
    device_option,
    open_run,
    own_model,
    run_argument,
    say,
    simulation_of_run,
    warn,
)

if TYPE_CHECKING:
    from ..datasets import Fingerprint
    from ..runs import Run

__all__ = ["predict"]


@click.command()
@run_argument
@click.argument(
    "images",
    metavar="FILE|FOLDER|ARRAY.npy...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
)
@click.option("--resize", is_flag=True, help="Bring pictures of other sizes to that of the run's.")
@click.option("--invert", is_flag=True, help="Swap dark and light.")
@click.option(
    "--maximum",
    type=click.FloatRange(min=0, min_open=True),
    help="Value that is white in an array, if it is not that of the images that the run learned.",
)
@click.option("--out", type=click.Path(path_type=Path), help="File for the table, instead of here.")
@device_option
@own_model
def predict(
    run: Path,
    images: Sequence[Path],
    resize: bool,
    invert: bool,
    maximum: float | None,
    out: Path | None,
    device: str | None,
) -> None:
    """Let a saved RUN classify pictures, folders of them, or arrays of images.

    Prints a table (CSV) with the class of each image and the scores of all classes: the rates of
    the output units, or with cross-entropy the probabilities of the softmax. The images that the
    run has learned are not needed.
    """
    from ..runs import write_atomically
    from ..training import scores

    loaded = open_run(run)
    learned = loaded.facts.training_data or data_of_run(loaded)[0].fingerprint
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "class", *(f"score_{name}" for name in loaded.classes)])
    simulation = None
    for names, pixels, white in list(_read(images, learned, resize, maximum)):
        shown = (white - pixels).astype(pixels.dtype) if invert else pixels
        _compare(loaded, float(shown.mean()) / white, invert)
        simulation = simulation or simulation_of_run(loaded, shown.dtype, device)
        responses = simulation.respond(shown, maximum=white)
        found = scores(loaded.specification, responses)
        for name, response, row in zip(names, responses, found, strict=True):
            chosen = loaded.classes[response.argmax()]
            writer.writerow([name, chosen, *(f"{score:.6g}" for score in row)])
    if out is None:
        click.echo(text.getvalue(), nl=False)
        return
    try:
        write_atomically(out, text.getvalue().encode())
    except OSError as error:
        raise DataError(f"--out: '{out}' can't be written: {error.strerror}") from None
    say(f"wrote {out}")


def _read(
    places: Sequence[Path], learned: Fingerprint, resize: bool, maximum: float | None
) -> Iterator[tuple[list[str], np.ndarray, float]]:
    """Give names, pixels and the value of white of images that are read together."""
    from ..datasets import find_pictures, read_pictures

    pictures: list[Path] = []
    for place in places:
        if place.suffix.lower() in (".npy", ".npz"):
            yield _read_array(place, learned, maximum)
        else:
            pictures += find_pictures(place) if place.is_dir() else [place]
    if not pictures:
        return
    if len(learned.image_shape) != 2:
        raise DataError(
            f"the network has learned lines of {learned.image_shape[0]} numbers, not pictures; "
            "give it an array"
        )
    pixels, white = read_pictures(pictures, learned.image_shape, resize=resize)
    yield [click.format_filename(path) for path in pictures], pixels.reshape(len(pixels), -1), white


def _read_array(
    place: Path, learned: Fingerprint, maximum: float | None
) -> tuple[list[str], np.ndarray, float]:
    from ..datasets import flat_images, read_array

    name = click.format_filename(place)
    if place.suffix.lower() == ".npz":
        raise DataError(
            f"'{name}': is an archive; save the images as one array, .npy. ghost-spiking evaluate "
            "takes data sets with labels"
        )
    values, wanted = read_array(place), tuple(learned.image_shape)
    if values.shape == wanted:
        values = values[None]
    pixels, shape = flat_images(f"'{name}'", values)
    if shape not in (wanted, (int(np.prod(wanted)),)):
        raise DataError(
            f"'{name}': has images of shape {shape}, but those that the network has learned have "
            f"the shape {wanted}"
        )
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise DataError(f"'{name}': contains values that are not finite")
    if maximum is None:
        if (pixels.dtype.kind == "f") != (np.dtype(learned.dtype).kind == "f"):
            raise DataError(
                f"'{name}': is of type {pixels.dtype}, but the network has learned {learned.dtype} "
                f"with {learned.maximum:g} for white; say with --maximum which value is white here"
            )
        maximum = learned.maximum
    return [f"{name}[{number}]" for number in range(len(pixels))], pixels, float(maximum)


def _compare(run: Run, mean: float, invert: bool) -> None:
    """Say so if images seem to have dark and light the other way round."""
    if run.adaptation is None:
        return
    usual = float(run.adaptation.mean.mean())
    if abs(1 - mean - usual) < 0.5 * abs(mean - usual):
        warn(
            f"the mean intensity of these images is {mean:.2f}, that of the images which "
            f"the network has learned is {usual:.2f}; dark and light seem to be swapped, which "
            f"{'comes from --invert' if invert else '--invert undoes'}"
        )
