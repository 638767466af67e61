"""The part of numba's surface that fingerprints ask for: where numba is not installed it stands for it."""

from __future__ import annotations

import random
from typing import Any


class Dispatcher:
    def __init__(self, function: Any, options: dict[str, Any]) -> None:
        self.py_func, self.targetoptions, self.locals = function, options, {}  # type: ignore[var-annotated]
        self.__name__, self.__module__, self.__qualname__ = (
            function.__name__,
            function.__module__,
            function.__qualname__,
        )
        self.uuid, self.overloads = random.random(), []  # type: ignore[var-annotated]

    def get_metadata(self) -> None:
        """As the real one has."""

    def __call__(self, *arguments: Any) -> Any:
        self.overloads.append(tuple(map(type, arguments)))
        return self.py_func(*arguments)


def njit(function: Any = None, **options: Any) -> Any:
    return Dispatcher(function, options) if function else lambda function: Dispatcher(function, options)
