"""The part of geopandas' surface that fingerprints ask for: where it is not installed it stands for it."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

shapely = types.ModuleType("shapely")
"""What has the shapes themselves; a test puts it in the place of the real one."""


def _to_wkb(data: Any, include_srid: bool) -> Any:
    return np.array([repr(shape).encode() for shape in data], dtype=object)


vars(shapely)["to_wkb"] = _to_wkb


class GeometryArray:
    def __init__(self, shapes: list[Any], crs: str) -> None:
        self._data, self.crs, self._sindex = np.array(shapes, dtype=object), crs, None  # type: ignore[var-annotated]

    @property
    def sindex(self) -> object:
        self._sindex = iter(())
        return self._sindex
