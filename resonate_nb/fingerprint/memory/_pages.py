"""Whether memory was written to, as the kernel knows: on Linux from 6.7 on it notes the first write to each page.

Pages that are asked about are made read-only to the processor (`userfaultfd`, asynchronous write protection); the
first write to each of them, by whatever code of this process, makes the page writable again, which is a fault of two
microseconds, and is what `PAGEMAP_SCAN` tells later, at a speed of terabytes a second. Nothing else is changed: no
write fails or waits for us.

Elsewhere, and in containers that forbid the call, `watch` says no, and memory is read again each time.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
from array import array
from typing import Final

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

_CALL = {"x86_64": 323, "aarch64": 282}
"""Numbers of the system call `userfaultfd`."""
_USER_MODE_ONLY = 1
"""Allowed to everybody. Writes by the kernel, such as `readinto`, are noted all the same: nobody has to answer."""

_API: Final = 0xAA
_ASYNC, _UNPOPULATED = 1 << 15, 1 << 13
_REGISTER_WRITES = 1 << 1
_WP_MATCHING, _CHECK_ASYNC = 1, 2
_WRITTEN, _FILE, _PRESENT = 1 << 1, 1 << 2, 1 << 3
_REGIONS = 256


def _request(direction: int, kind: int, number: int, size: int) -> int:
    return direction << 30 | size << 16 | kind << 8 | number


_UFFDIO_API = _request(3, _API, 0x3F, 24)
_UFFDIO_REGISTER = _request(3, _API, 0x00, 32)
_UFFDIO_UNREGISTER = _request(2, _API, 0x01, 16)
_PAGEMAP_SCAN = _request(3, ord("f"), 16, 96)


class Pages:
    """The kernel's notes about this process's memory. Addresses are of whole pages; an end is one past the last."""

    def __init__(self, faults: int, map: int) -> None:
        self._faults = faults
        self._map = map
        self._regions = array("Q", bytes(24 * _REGIONS))

    def watch(self, low: int, high: int) -> list[tuple[int, int]] | None:
        """From here on writes to these pages are noted: which of them have been written to since they were watched
        before, if ever they were. None where the kernel will not."""
        try:
            fcntl.ioctl(
                self._faults, _UFFDIO_REGISTER, bytearray(struct.pack("4Q", low, high - low, _REGISTER_WRITES, 0))
            )
            found: list[tuple[int, int]] = []
            while low < high:
                count, low = self._scan(low, high, _WP_MATCHING | _CHECK_ASYNC, _WRITTEN, _REGIONS, 0)
                found += zip(self._regions[: count * 3 : 3], self._regions[1 : count * 3 : 3], strict=True)
        except OSError:
            return None
        return found

    def is_unwritten(self, low: int, high: int) -> bool:
        """Whether nothing was written to these pages since they were watched."""
        try:
            return self._scan(low, high, _CHECK_ASYNC, _WRITTEN, 1, 1)[0] == 0
        except OSError:
            return False  # another mapping by now

    def is_private(self, low: int, high: int) -> bool:
        """Whether every page is in memory, and none is of a file or shared with other processes, which write unseen."""
        try:
            return self._scan(low, high, 0, _FILE, 1, 1)[0] == 0 and self._scan(low, high, 0, 0, 1, 1, _PRESENT)[0] == 0
        except OSError:
            return False

    def release(self, low: int, high: int) -> None:
        """Writes to these pages are noted no more."""
        try:
            fcntl.ioctl(self._faults, _UFFDIO_UNREGISTER, bytearray(struct.pack("2Q", low, high - low)))
        except OSError:
            return  # unmapped meanwhile: nothing is left to release

    def close(self) -> None:
        """Nothing is noted any more."""
        os.close(self._faults)
        os.close(self._map)

    def _scan(
        self, low: int, high: int, flags: int, kind: int, regions: int, most: int, lacking: int = 0
    ) -> tuple[int, int]:
        """How many regions of pages of a kind, or lacking one, were found, put down in `_regions`; and where the walk
        ended."""
        where, told = self._regions.buffer_info()[0], kind | lacking
        asked = bytearray(
            struct.pack("12Q", 96, flags, low, high, 0, where, regions, most, lacking, lacking, kind, told)
        )
        count = fcntl.ioctl(self._map, _PAGEMAP_SCAN, asked)
        return count, struct.unpack_from("Q", asked, 32)[0]


def opened() -> Pages | None:
    """The kernel's notes; None where it keeps none for us."""
    call = _CALL.get(os.uname().machine) if sys.platform == "linux" else None
    if call is None or sys.maxsize < 2**32 or _is_confined():
        return None
    import ctypes  # two milliseconds, beside memory that takes as long to read once

    faults = ctypes.CDLL(None).syscall(call, _USER_MODE_ONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if faults < 0:
        return None
    try:
        fcntl.ioctl(faults, _UFFDIO_API, bytearray(struct.pack("3Q", _API, _ASYNC | _UNPOPULATED, 0)))
        return Pages(faults, os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC))
    except OSError:  # an older kernel
        os.close(faults)
        return None


def _is_confined() -> bool:
    """Whether somebody filters our system calls: there one that is not foreseen may end the process."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            return "Seccomp:\t0\n" not in status.read()
    except OSError:
        return True
