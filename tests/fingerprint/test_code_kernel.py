"""What a kernel puts in the place of builtins is what it stands for: a function counts there as in a script."""

from __future__ import annotations

from types import MethodType
from typing import Any

import pytest
from sessions import Session, key_of, same

from resonate_nb.fingerprint import CodeKey

interactiveshell = pytest.importorskip("IPython.core.interactiveshell")


@pytest.fixture(scope="module")
def shell() -> Any:
    made = object.__new__(interactiveshell.InteractiveShell)
    return made


def key_with(body: str, **names: object) -> CodeKey:
    session = Session()
    session.names |= names
    return session.cell(f"def f(x): return {body}").key()


def test_the_open_of_a_kernel_is_open() -> None:
    key = key_with("open(x)", open=interactiveshell._modified_open)
    assert same(key, key_of("def f(x): return open(x)"))
    assert [*key.code_parts] == ["f"]


def test_the_input_of_a_kernel_is_input() -> None:
    from ipykernel.kernelbase import Kernel

    kernel = object.__new__(Kernel)
    key = key_with("input(x)", input=MethodType(Kernel.raw_input, kernel))
    assert same(key, key_of("def f(x): return input(x)"))


def test_what_leaves_the_shell_has_no_content() -> None:
    from IPython.core.autocall import ExitAutocall

    key = key_with("exit(x)", exit=ExitAutocall())
    assert key.undurable == ()
    assert key.content_parts == {}


def test_the_shell_is_said(shell: Any) -> None:
    get_ipython = MethodType(interactiveshell.InteractiveShell.get_ipython, shell)
    assert key_with("get_ipython().user_ns", get_ipython=get_ipython).undurable == ()
    assert "uses `get_ipython()` in f" in key_with("get_ipython()", get_ipython=get_ipython).unsure
    assert key_with("ip.run_line_magic('x', '')", ip=shell).unsure == ("uses the shell in f",)


def test_a_function_of_the_user_by_the_name_of_the_kernels_is_the_users() -> None:
    first, second = (
        key_of(f"def _modified_open(x): return {n}\nopen = _modified_open", "def f(x): return open(x)") for n in (1, 2)
    )
    assert not same(first, second)
