"""polars, pyarrow, xarray, networkx, PIL and scipy.sparse: look-alikes are apart, equal values together."""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
import xarray as xr
from packages_under_test import arrow_under_test, packages_under_test, polars_under_test
from PIL import Image
from values_under_test import fp

from resonate_nb.errors import UnfingerprintableError
from resonate_nb.fingerprint import fingerprint, fingerprint_named
from resonate_nb.fingerprint.values._pen import short_digest

PACKAGES = packages_under_test()


def test_no_two_values_share_a_digest() -> None:
    by_digest: dict[str, str] = {}
    for name, value in PACKAGES.items():
        other = by_digest.setdefault(fp(value), name)
        assert name == other, f"{name!r} has the digest of {other!r}"
    assert len(by_digest) > 150


@pytest.mark.parametrize("name", PACKAGES)
def test_a_value_keeps_its_digest(name: str) -> None:
    """Through pickle, built again, and after it was looked at."""
    value = PACKAGES[name]
    before = fp(value)
    assert before == fp(value)
    if not name.startswith("pl object"):  # polars does not pickle objects of Python's
        assert before == fp(pickle.loads(pickle.dumps(value)))


def test_values_built_again_have_the_same_digests() -> None:
    assert {name: fp(value) for name, value in PACKAGES.items()} == {
        name: fp(value) for name, value in packages_under_test().items()
    }


SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
from packages_under_test import packages_under_test
from resonate_nb.fingerprint import fingerprint
print(json.dumps({name: fingerprint(value) for name, value in packages_under_test().items()}))
"""


@pytest.mark.slow
def test_the_same_in_another_process_with_another_seed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert {name: fingerprint(value) for name, value in PACKAGES.items()} == json.loads(done.stdout)


@pytest.mark.parametrize(
    "name", [name for name, value in polars_under_test().items() if isinstance(value, pl.Series) and len(value)]
)
def test_chunks_and_slices_of_polars_do_not_count(name: str) -> None:
    value = PACKAGES[name]
    if value.dtype == pl.Object:
        return
    assert fp(value) == fp(pl.concat([value[:1], value[1:]], rechunk=False))
    assert fp(value) == fp(pl.concat([value, value]).slice(len(value), len(value)))


@pytest.mark.parametrize("name", [name for name, value in arrow_under_test().items() if isinstance(value, pa.Array)])
def test_chunks_and_slices_of_arrow_do_not_count(name: str) -> None:
    """Two slices of one array have the same buffers."""
    value = PACKAGES[name]
    whole = pa.chunked_array([value])
    assert fp(whole) == fp(pa.chunked_array([value[:1], value[1:]]))
    assert fp(pa.table({"a": whole})) == fp(pa.table({"a": pa.chunked_array([value[:1], value[1:]])}))
    assert fp(value) == fp(pa.concat_arrays([value, value])[len(value) :])
    if len(value) > 1 and value[1:] != value[:-1]:
        assert fp(value[1:]) != fp(value[:-1])


def test_a_code_of_a_text_that_was_met_before_does_not_count() -> None:
    before = fp(pl.Series(["new", "newer"], dtype=pl.Categorical))
    pl.Series(["newer"], dtype=pl.Categorical)
    assert before == fp(pl.Series(["newer", "new"], dtype=pl.Categorical).reverse())


def test_a_large_frame_of_polars_that_is_written_to_is_another() -> None:
    """What was written of large memory is kept while nobody has written to it."""
    large = pl.DataFrame({"a": np.arange(100_000.0), "b": np.arange(100_000)})
    before = fp(large)
    assert before == fp(large) == fp(large.clone())
    large[50_000, "a"] = 7.5
    assert before != fp(large)
    large[50_000, "a"] = 50_000.0
    assert before == fp(large)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pl.DataFrame({"a": [1], "b": ["x"]}), pl.DataFrame({"a": [1], "b": ["y"]})),
        (pa.table({"a": [1], "b": ["x"]}), pa.table({"a": [1], "b": ["y"]})),
        (pa.table({"a": [1], "b": [["x"]]}), pa.table({"a": [1], "b": [["y"]]})),
    ],
    ids=["polars", "arrow", "arrow nested"],
)
def test_the_column_that_differs_is_named(one: Any, other: Any) -> None:
    """Each column is noted by itself, so that people can be told which one it was."""
    before, after = (dict(fingerprint_named({"x": value}).noted["x"]) for value in (one, other))
    changed = [step for step in before if short_digest(before[step]) != short_digest(after[step])]
    assert ["b"] == changed


def test_columns_of_arrow_in_a_frame_and_by_themselves() -> None:
    kinds = [value.type for name, value in arrow_under_test().items() if name in ("pa struct", "pa map")]
    for kind in kinds:
        one = pd.Series(pd.array([None, None], dtype=pd.ArrowDtype(kind)))
        assert fp(one) == fp(one.copy())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("pl frame", lambda value: value.__setitem__((0, "a"), 7)),
        ("xr array", lambda value: value.__setitem__((0, 0), 7)),
        ("xr set", lambda value: value["n"].attrs.update(a=1)),
        ("nx Graph", lambda value: value.add_edge(1, 2, weight=2)),
        ("nx DiGraph", lambda value: value.remove_node(3)),
        ("nx MultiGraph", lambda value: value.add_edge(1, 2)),
        ("image L", lambda value: value.putpixel((1, 1), 200)),
        ("image png", lambda value: value.info.update(dpi=(2, 2))),
        ("image png", lambda value: value.getexif().update({270: "a"})),
        ("lil", lambda value: value.__setitem__((0, 0), 5)),
        ("dok", lambda value: value.__setitem__((0, 0), 5)),
    ],
)
def test_a_change_in_place_counts(name: str, change: Any) -> None:
    value = copy.deepcopy(PACKAGES[name])
    before = fp(value)
    assert before == fp(PACKAGES[name])
    change(value)
    assert before != fp(value)


def test_looking_at_a_graph_does_not_change_it() -> None:
    """networkx keeps views and caches in the graph as soon as someone asks for them."""
    for kind in (nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph):
        graph = kind([(1, 2), (2, 3)])
        before = fp(graph)
        assert graph.nodes
        assert graph.edges
        assert graph.adj
        assert graph.degree
        nx.pagerank(graph)
        if graph.is_directed():
            assert graph.pred
            assert graph.in_edges
        assert before == fp(graph)


def test_attributes_that_two_edges_share_are_told_from_equal_ones() -> None:
    notes = {"weight": 1}
    shared, apart = nx.Graph(), nx.Graph()
    for graph in (shared, apart):
        graph.add_edges_from([(1, 2), (2, 3)])
    shared.edges[1, 2]["notes"] = shared.edges[2, 3]["notes"] = notes
    apart.edges[1, 2]["notes"], apart.edges[2, 3]["notes"] = notes, dict(notes)
    assert fp(shared) != fp(apart)


def test_views_of_a_graph_count_by_what_they_show() -> None:
    path = nx.path_graph(5)
    assert fp(path.subgraph([1, 2])) == fp(nx.path_graph(5).subgraph([1, 2]))
    assert fp(path.subgraph([1, 2])) != fp(path.subgraph([1, 3]))


def test_looking_at_labelled_data_does_not_change_it() -> None:
    for name in ("xr array", "xr array no index", "xr levels", "xr set"):
        value = PACKAGES[name].copy()
        before = fp(value)
        repr(value)
        value.load()
        assert before == fp(value)


@pytest.mark.parametrize("is_tagged", [False, True])
def test_asking_an_image_for_its_tags_does_not_change_it(is_tagged: bool) -> None:
    """PIL keeps them in the image from then on; `ImageOps.exif_transpose` asks."""
    image, tags = Image.new("L", (2, 2)), Image.Exif()
    tags[274] = 1
    if is_tagged:
        image.info["exif"] = tags.tobytes()
    before = fp(image)
    assert is_tagged == bool(image.getexif())
    assert before == fp(image)
    image.getexif()[274] = 3
    assert before != fp(image)


def _lazy(tmp_path: Path) -> Any:
    xr.Dataset({"a": ("x", [1.0, 2.0])}).to_netcdf(tmp_path / "a.nc", engine="scipy")
    return xr.open_dataset(tmp_path / "a.nc", engine="scipy")


def _animation(tmp_path: Path) -> Any:
    image = Image.new("L", (2, 2))
    written = io.BytesIO()
    image.save(written, "gif", save_all=True, append_images=[Image.new("L", (2, 2), 200)])
    return Image.open(written)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        pytest.param(_lazy, "still in a file", id="a set that was not loaded"),
        pytest.param(_animation, "still in a file", id="an animation"),
        pytest.param(lambda _: pl.DataFrame({"a": [1]}).lazy(), "it is a plan", id="a lazy frame"),
        pytest.param(lambda _: pl.DataFrame({"a": [1]}).group_by("a"), "a computation to come", id="groups of polars"),
        pytest.param(lambda _: pa.dataset.dataset([]), "elsewhere", id="a data set of files"),
        pytest.param(lambda _: pa.table({"a": [1]}).to_reader(), "elsewhere", id="a reader"),
    ],
)
def test_what_is_not_in_memory_is_refused(build: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UnfingerprintableError, match=reason):
        fp(build(tmp_path))


def test_a_set_that_was_loaded_counts_by_content(tmp_path: Path) -> None:
    with _lazy(tmp_path) as opened:
        loaded = opened.load()
        assert fp(loaded) == fp(pickle.loads(pickle.dumps(loaded)))
        assert fp(loaded["a"].data) == fp(np.array([1.0, 2.0], dtype=loaded["a"].dtype))


def test_a_frame_over_an_extension_array_of_another_package_counts() -> None:
    """geopandas and others put arrays of their own into frames."""

    class Meters(pd.arrays.NumpyExtensionArray):  # type: ignore[misc,name-defined,unused-ignore]
        pass

    one, other = (pd.Series(Meters(np.array([1.0, end]))) for end in (2.0, 3.0))
    assert fp(one) == fp(one.copy())
    assert fp(one) != fp(other)


class Measured(pa.ExtensionType):  # type: ignore[misc,unused-ignore]
    """Its text is its name, whatever it was told."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        super().__init__(pa.int64(), "tests.measured")

    def __arrow_ext_serialize__(self) -> bytes:
        return self.unit.encode()

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: Any, told: bytes) -> Measured:
        return cls(told.decode())


def test_what_a_type_of_somebody_s_was_told_counts() -> None:
    def values(unit: str) -> list[Any]:
        kind = Measured(unit)
        column = pa.ExtensionArray.from_storage(kind, pa.array([1, 2]))
        nested = pa.StructArray.from_arrays([column], fields=[pa.field("a", kind)])
        return [column, nested, pd.ArrowDtype(kind), pd.ArrowDtype(nested.type)]

    for one, again, other in zip(values("m"), values("m"), values("km"), strict=True):
        assert fp(one) == fp(again) != fp(other)


class Projected(xr.indexes.Index):
    """Knows the system of its coordinates, which no label tells."""

    def __init__(self, system: str) -> None:
        self.system = system

    @classmethod
    def from_variables(cls, variables: Any, *, options: Any) -> Projected:
        return cls(options["system"])


def test_what_an_index_of_somebody_s_knows_counts() -> None:
    def labelled(system: str) -> Any:
        return xr.Dataset(coords={"place": 0}).set_xindex("place", Projected, system=system)

    assert fp(labelled("utm")) == fp(labelled("utm")) != fp(labelled("wgs"))
    assert fp(labelled("utm")["place"]) != fp(labelled("wgs")["place"])
