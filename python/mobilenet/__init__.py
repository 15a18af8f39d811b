"""Classify pictures with Google's MobileNet V1."""

from ._mobilenet import Classifier, Error, Rows, __version__
from .keys import PictureError, Prediction, Row

__all__ = ["Classifier", "Error", "PictureError", "Prediction", "Row", "Rows", "__version__"]
