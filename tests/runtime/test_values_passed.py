"""Values of packages and of the user's own types as arguments: told by content, or by what users say of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
import xarray as xr
from PIL import Image

import resonate_nb as rnb
from resonate_nb import durable, runtime

sys.path.insert(0, str(Path(__file__).parents[1] / "fingerprint"))
from packages_under_test import packages_under_test

MADE: dict[str, Callable[[], Any]] = {
    "polars": lambda: pl.DataFrame({"a": [1, None], "b": ["x", None], "c": [[1], []]}),
    "polars series": lambda: pl.Series("a", ["x", "y"], dtype=pl.Categorical),
    "arrow": lambda: pa.table({"a": [1, None], "b": [["x"], None]}),
    "xarray": lambda: xr.DataArray(np.arange(4.0), dims="x", coords={"x": pd.date_range("2020", periods=4)}),
    "graph": lambda: nx.karate_club_graph(),
    "image": lambda: Image.new("RGB", (3, 2), (1, 2, 3)),
    "sparse": lambda: scipy.sparse.lil_array(np.eye(3)),
    "frame of everything": lambda: pd.DataFrame({"a": [1, 2], "b": pd.Series([None, "x"], dtype="str")}),
}


@pytest.mark.parametrize("name", MADE)
def test_what_a_call_returned_is_known_again_after_a_restart(name: str, tmp_path: Path) -> None:
    """The second call is given what the first one stored: its fingerprint has to be that of what it returned."""
    ran: list[str] = []
    make = MADE[name]

    @durable(ignore=("ran", "make"))
    def load() -> Any:
        ran.append("load")
        return make()

    @durable(ignore=("ran",))
    def use(value: Any) -> str:
        ran.append("use")
        return type(value).__name__

    for _ in range(2):
        runtime.configure(store=tmp_path / "store", durability="process")
        use(load())
        runtime.engine().close()
    assert ["load", "use"] == ran


@pytest.mark.slow
def test_looking_at_an_argument_is_no_change_of_it(engine: runtime.Engine, recwarn: pytest.WarningsRecorder) -> None:
    """Caches that a package fills when it is asked are no content: a hit must not be refused for their sake."""
    ran: list[str] = []

    @durable(ignore=("ran",))
    def look(value: Any) -> int:
        ran.append(type(value).__name__)
        if isinstance(value, nx.Graph):
            nx.pagerank(value)
        if isinstance(value, xr.DataArray | xr.Dataset):
            value.sum()
        return len(repr(value))

    values = list(packages_under_test().values())
    for value in values:
        look(value)
    before = len(ran)
    for value in values:
        look(value)
    assert before == len(ran)
    assert [] == [str(warning.message) for warning in recwarn if issubclass(warning.category, rnb.DurableWarning)]


class Reader:
    """Holds something that can be read only once."""

    def __init__(self, name: str) -> None:
        self.name, self.rows = name, iter(())


def test_a_type_without_content_is_refused_with_the_ways_out_and_each_way_leads_out(engine: runtime.Engine) -> None:
    ran: list[str] = []

    class Own(Reader):
        pass

    class Saying(Reader):
        def __durable_fingerprint__(self) -> str:
            return self.name

    @durable(ignore=("ran",))
    def use(reader: Reader) -> str:
        ran.append(reader.name)
        return reader.name

    with pytest.raises(rnb.UnfingerprintableError) as caught:
        use(Own("a"))
    assert "reader.rows" == caught.value.path
    for way in ("ignore=('reader',)", "rnb.register_fingerprint", "__durable_fingerprint__"):
        assert way in str(caught.value)
    assert [] == ran

    assert ["a", "a", "b"] == [use(Saying("a")), use(Saying("a")), use(Saying("b"))]
    assert ["a", "b"] == ran
    rnb.register_fingerprint(Own, lambda reader: reader.name)
    assert ["a", "a", "b"] == [use(Own("a")), use(Own("a")), use(Own("b"))]
    assert ["a", "b", "a", "b"] == ran
    # Registered anew, it counts anew: also where the call was remembered in memory.
    rnb.register_fingerprint(Own, lambda reader: 1)
    use(Own("a"))
    assert ["a", "b", "a", "b", "a"] == ran
    assert "a" == use(Own("c"))


def test_a_global_that_is_registered_later_makes_the_call_durable(engine: runtime.Engine) -> None:
    ran: list[str] = []

    class Own(Reader):
        pass

    source = Own("a")

    @durable(ignore=("ran",))
    def use() -> str:
        ran.append(source.name)
        return source.name

    with pytest.warns(rnb.DurableWarning, match=r"source\.rows.*rnb\.register_fingerprint"):
        use()
    use()
    assert ["a", "a"] == ran
    rnb.register_fingerprint(Own, lambda reader: reader.name)
    use()
    use()
    assert ["a", "a", "a"] == ran
    source.name = "b"
    assert "b" == use()
