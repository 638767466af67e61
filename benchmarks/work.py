"""What is made durable. In a module of its own, so that every contestant finds the source where it was imported."""

from __future__ import annotations

import os

C0, C1, C2, C3, C4, C5, C6, C7, C8, C9 = 10, 11, 12, 13, 14, 15, 16, 17, 18, 19


def plain(x: int) -> int:
    return x + 1


def step(x: int) -> int:
    """Tells in which process it ran, so that a resumed workflow can show that nothing ran again."""
    return os.getpid() if x >= 0 else 0


def f0(x: int) -> int:
    return x + C0


def f1(x: int) -> int:
    return x + C1


def f2(x: int) -> int:
    return x + C2


def f3(x: int) -> int:
    return x + C3


def f4(x: int) -> int:
    return x + C4


def f5(x: int) -> int:
    return x + C5


def f6(x: int) -> int:
    return x + C6


def f7(x: int) -> int:
    return x + C7


def f8(x: int) -> int:
    return x + C8


def f9(x: int) -> int:
    return x + C9


def reaching(x: int) -> int:
    """Reaches ten functions and ten constants."""
    return f0(x) + f1(x) + f2(x) + f3(x) + f4(x) + f5(x) + f6(x) + f7(x) + f8(x) + f9(x)
