from collections.abc import Iterable
from os import PathLike
from typing import Optional, Union, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Self, TypeAlias

from .keys import Prediction, Row

__all__ = ["Classifier", "Error", "Rows", "__version__"]

__version__: str

_Path: TypeAlias = Union[str, PathLike[str]]

class Error(Exception): ...

@final
class Rows:
    def __iter__(self) -> Self: ...
    def __next__(self) -> Row: ...
    def close(self) -> None: ...

@final
class Classifier:
    def __new__(
        cls,
        weights: _Path,
        *,
        device: str = "auto",
        threads: Optional[int] = None,
        dtype: Optional[str] = None,
        batch_size: Optional[int] = None,
        labels: Optional[Union[list[str], _Path]] = None,
        size: Optional[int] = None,
        exif: bool = True,
        full_decode: bool = False,
        background: Optional[tuple[int, int, int]] = None,
        max_pixels: Optional[int] = None,
        max_file_size: Optional[int] = None,
    ) -> Self: ...
    def classify(
        self, paths: Union[_Path, Iterable[_Path]], top: int = 5, threshold: Optional[float] = None
    ) -> Rows: ...
    def classify_pixels(
        self, array: NDArray[np.uint8], top: int = 5, threshold: Optional[float] = None
    ) -> list[list[Prediction]]: ...
    def embed(self, paths: Union[_Path, Iterable[_Path]]) -> NDArray[np.float32]: ...
    def embed_pixels(self, array: NDArray[np.uint8]) -> NDArray[np.float32]: ...
    @property
    def labels(self) -> list[str]: ...
    @property
    def classes(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def alpha(self) -> float: ...
    @property
    def embedding_width(self) -> int: ...
    @property
    def device(self) -> str: ...
    @property
    def dtype(self) -> str: ...
