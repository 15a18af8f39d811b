"""The keys of rows, for type checkers. What they hold is decided in the library."""

from __future__ import annotations

from typing import Optional, TypedDict


class Prediction(TypedDict):
    """A class that a picture may show, or that it shows none of them."""

    index: Optional[int]
    wnid: Optional[str]
    label: str
    score: float


class PictureError(TypedDict):
    """Why a picture has no answer."""

    kind: str
    message: str


class _Row(TypedDict):
    path: Optional[str]
    predictions: list[Prediction]
    error: Optional[PictureError]


class Row(_Row, total=False):
    """What is said of a picture."""

    path_base64: str
    """The path's bytes, where it is not UTF-8 and `path` is None."""
