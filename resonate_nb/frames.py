"""Which frames are ours: those whose code is in a file of this package."""

from __future__ import annotations

import os
from typing import Final

PACKAGE: Final = os.path.join(os.path.dirname(__file__), "")
"""How the file names of our own code objects begin. Not resolved: behind a link they name the link."""


__all__ = ["PACKAGE"]
