"""Adaptation of input units: to the mean of what they see, and to its contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .exceptions import DataError

__all__ = ["Adaptation"]

#: Images that are looked at together: differences from the mean need memory in double precision.
_CHUNK = 1000
#: Variation relative to the mean that single precision can still hold.
_FAINTEST = 1e-5
#: Variation that it can hold, with room for products.
_LARGEST = 1e30


@dataclass(frozen=True, eq=False)
class Adaptation:
    """What input units have adapted to: their rates are ``gain * (x - mean)``.

    Each unit loses the mean of its own input, and all share a gain that makes the mean square of
    their rates 1. It is what slow adaptation comes to in sensory neurons that have seen all
    training images; here it is measured once, when a network meets its data, and stays. Not in
    the paper, whose inputs are pixels as they are.

    Learning rates then mean the same for any data: what a step of W^f changes in the units of the
    first layer is the rate times the sum of squared inputs, which is the number of input units.

    Attributes
    ----------
    mean : array, shape (n_inputs,)
        Mean of each input; inputs are pixels over their `maximum`.
    gain : float
        Common factor.

    Examples
    --------
    >>> import numpy as np
    >>> from ghost_spiking.adaptation import Adaptation
    >>> images = np.array([[0, 200], [255, 200], [255, 210]], dtype=np.uint8)
    >>> adaptation = Adaptation.to(images)
    >>> rates = adaptation.rates(images)
    >>> bool(abs(rates.mean(axis=0)).max() < 1e-12), float((rates**2).mean().round(12))
    (True, 1.0)
    """

    mean: np.ndarray
    gain: float

    @classmethod
    def to(cls, images: np.ndarray, maximum: float = 255.0) -> Adaptation:
        """Return what input units adapt to that see these images.

        Parameters
        ----------
        images : array, shape (n_images, n_inputs)
            Pixels, finite numbers of any type.
        maximum : float, optional
            The pixel value that means an input of 1.

        Raises
        ------
        DataError
            There are no images, they are not finite, or all that varies in them is lost: beside
            their mean, or because it is beyond what single precision holds.
        """
        images = np.asarray(images)
        if images.ndim != 2 or not len(images):
            raise DataError(f"no images to adapt to: their shape is {images.shape}")
        n_images = len(images)
        chunks = [images[k : k + _CHUNK] for k in range(0, n_images, _CHUNK)]
        # In units of the largest, whose square is neither too large nor too small for a number.
        unit = max(float(np.abs(chunk.astype(np.float64)).max()) for chunk in chunks)
        if not np.isfinite(unit):
            raise DataError("images contain values that are not finite")
        unit = unit or 1.0
        mean = sum((chunk / unit).sum(axis=0) for chunk in chunks) / n_images
        squares = sum(float(((chunk / unit - mean) ** 2).sum()) for chunk in chunks)
        rms = (squares / images.size) ** 0.5 * unit / maximum
        mean = mean * (unit / maximum)
        largest = float(np.abs(mean).max())
        if rms <= 1e-12 * largest:  # they are all the same, but for rounding
            return cls(mean, 1.0)
        if not 1 / _LARGEST < rms < _LARGEST:
            raise DataError(
                f"images vary by {rms:.3g} times maximum, which is {maximum:.3g}; choose a maximum "
                "of the size of the pixels"
            )
        if rms < _FAINTEST * largest:
            raise DataError(
                f"images vary by {rms * maximum:.3g} about a mean of {largest * maximum:.3g}: in "
                "single precision nothing would be left of that; subtract the mean beforehand"
            )
        return cls(mean, 1 / rms)

    def rates(self, images: np.ndarray, maximum: float = 255.0) -> np.ndarray:
        """Return the rates of input units, shape (n_images, n_inputs), in double precision."""
        return self.gain * (np.asarray(images, np.float64) / maximum - self.mean)

    def values(self, maximum: float, batch_size: int) -> tuple[float, np.ndarray]:
        """Return scale and offset of a `ClampedInput` that shows these rates."""
        return self.gain / maximum, np.tile(self.gain * self.mean, batch_size)
