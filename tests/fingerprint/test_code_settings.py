"""Settings of packages that change what their code comes to count where that code is used."""

from __future__ import annotations

import decimal
import locale
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from sessions import Session, key_of, same


@pytest.fixture(autouse=True)
def as_they_come() -> Iterator[None]:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    held = numpy.geterr(), decimal.getcontext().copy(), locale.setlocale(locale.LC_NUMERIC)
    yield
    numpy.seterr(**held[0])
    decimal.setcontext(held[1])
    locale.setlocale(locale.LC_NUMERIC, held[2])
    pandas.reset_option("future.infer_string")
    pandas.reset_option("display.precision")
    if "sklearn" in sys.modules:
        sys.modules["sklearn"].set_config(transform_output="default")
    if "xarray" in sys.modules:
        sys.modules["xarray"].set_options(keep_attrs="default")


def _numpy() -> None:
    sys.modules["numpy"].seterr(divide="raise")


def _decimal() -> None:
    decimal.getcontext().prec = 5


def _rounding() -> None:
    decimal.getcontext().rounding = decimal.ROUND_UP


def _trap() -> None:
    decimal.getcontext().traps[decimal.Inexact] = True


def _pandas() -> None:
    sys.modules["pandas"].set_option("future.infer_string", False)


def _output() -> None:
    sys.modules["sklearn"].set_config(transform_output="pandas")


def _keep_attrs() -> None:
    sys.modules["xarray"].set_options(keep_attrs=True)


USES = {
    "numpy.seterr": (_numpy, "import numpy as np", "np.divide(x, 0)"),
    "decimal: precision": (_decimal, "import decimal", "decimal.Decimal(x) / 3"),
    "decimal: rounding": (_rounding, "from decimal import Decimal", "Decimal(x) / 3"),
    "decimal: traps": (_trap, "from decimal import Decimal as D", "D(x) / 3"),
    "sklearn: what transformers give": (
        _output,
        "from sklearn.preprocessing import StandardScaler",
        "StandardScaler().fit_transform(x)",
    ),
    "xarray: whether attributes are kept": (_keep_attrs, "import xarray as xr", "xr.DataArray(x) + 1"),
    "pandas: types of text": (_pandas, "import pandas as pd", "pd.DataFrame(x)"),
}


@pytest.mark.parametrize("case", USES)
def test_a_setting_that_is_changed_counts_where_it_is_used(case: str) -> None:
    change, *cells = USES[case]
    session = Session().cell(cells[0]).cell(f"def f(x): return {cells[1]}\ndef g(x): return x + 1")
    used, unused = session.subject("f"), session.subject("g")
    before, others = used.key(), unused.key()
    assert not any(name.startswith("settings") for name in before.content_parts)
    change()
    after = used.key()
    assert not same(before, after)
    assert before.code == after.code
    assert [name for name in after.content_parts if name.startswith("settings of ")]
    assert same(after, session.key("f"))
    assert others is unused.key()


def test_how_things_look_does_not_count() -> None:
    session = Session().cell("import pandas as pd").cell("def f(x): return pd.DataFrame(x)")
    before = session.key()
    sys.modules["pandas"].set_option("display.precision", 3)
    assert same(before, session.key())


def test_how_estimators_look_does_not_count() -> None:
    session = Session().cell("from sklearn.svm import SVC").cell("def f(x): return SVC().fit(x)")
    before = session.key()
    sys.modules["sklearn"].set_config(display="text")
    try:
        assert same(before, session.key())
    finally:
        sys.modules["sklearn"].set_config(display="diagram")


def test_a_locale_counts_where_dates_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = "import datetime", "def f(x): return datetime.date(2026, 1, x).strftime('%A')"
    before = key_of(*cells)
    given: Callable[..., str] = locale.setlocale
    monkeypatch.setattr(locale, "setlocale", lambda kind, *a: "nb_NO" if kind == locale.LC_TIME else given(kind, *a))
    assert not same(before, key_of(*cells))


def test_a_time_zone_of_the_process_counts_where_times_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = "import datetime", "def f(x): return datetime.datetime.fromtimestamp(x).hour"
    found = []
    for zone in ("UTC", "Asia/Tokyo", "UTC"):
        monkeypatch.setenv("TZ", zone)
        found.append(key_of(*cells))
    assert same(found[0], found[2])
    assert not same(found[0], found[1])


def test_the_type_that_torch_makes_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    made: Any = ModuleType("torch")
    made.__spec__ = SimpleNamespace(origin="built-in")
    made.__version__ = "2.9.0"
    made.__file__ = "/usr/lib/python3/site-packages/torch/__init__.py"
    made.get_default_dtype = lambda: "torch.float32"
    monkeypatch.setitem(sys.modules, "torch", made)
    cells = "import torch", "def f(x): return torch.tensor(x)"
    before = key_of(*cells)
    assert before.content_parts == {}
    made.get_default_dtype = lambda: "torch.float64"
    assert not same(before, key_of(*cells))


def test_a_setting_can_be_left_out() -> None:
    cells = "import decimal", "def f(x): return decimal.Decimal(x) / 3"
    before = key_of(*cells, ignore=("settings of decimal",))
    decimal.getcontext().prec = 5
    assert same(before, key_of(*cells, ignore=("settings of decimal",)))
