"""Images with labels: the packaged MNIST, scikit-learn's digits, or files of one's own.

Files may be IDX as those of MNIST and EMNIST, arrays of numpy, or pictures in a folder for each
class.
"""

from ._dataset import Dataset, Fingerprint
from ._idx import read_idx
from ._load import is_there, load, place_of
from ._pictures import find_pictures, flat_images, read_array, read_pictures

__all__ = [
    "Dataset",
    "Fingerprint",
    "find_pictures",
    "flat_images",
    "is_there",
    "load",
    "place_of",
    "read_array",
    "read_idx",
    "read_pictures",
]
