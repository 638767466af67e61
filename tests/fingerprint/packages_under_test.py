"""Values of packages that look alike and are not, for the tests of this folder."""

from __future__ import annotations

import datetime
import decimal
import io
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse
import xarray as xr
from PIL import Image

GRAPHS = (nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph)


def polars_under_test() -> dict[str, Any]:
    """Values of polars, by name."""
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    return {
        "pl frame": frame,
        "pl frame turned": frame.select("b", "a"),
        "pl frame renamed": frame.rename({"b": "c"}),
        "pl frame of text": frame.with_columns(a=pl.Series(["1", "2"])),
        "pl frame empty": pl.DataFrame(),
        "pl frame no rows": frame.clear(),
        "pl series": frame["a"],
        "pl series unnamed": frame["a"].alias(""),
        "pl int8": pl.Series([1, 2], dtype=pl.Int8),
        "pl int32": pl.Series([1, 2], dtype=pl.Int32),
        "pl uint64": pl.Series([1, 2**63], dtype=pl.UInt64),
        "pl int128": pl.Series([1, 2**100], dtype=pl.Int128),
        "pl float": pl.Series([1.0, 2.0]),
        "pl float -0": pl.Series([0.0, -0.0]),
        "pl float 0": pl.Series([0.0, 0.0]),
        "pl float nan": pl.Series([1.0, float("nan")]),
        "pl float null": pl.Series([1.0, None]),
        "pl float32": pl.Series([1.0, 2.0], dtype=pl.Float32),
        "pl bool": pl.Series([True, None]),
        "pl bool turned": pl.Series([None, True]),
        "pl null": pl.Series([None, None]),
        "pl text": pl.Series(["a", None, "bc"]),
        "pl text 2": pl.Series(["a", None, "bd"]),
        "pl text split": pl.Series(["ab", None, "c"]),
        "pl text empty": pl.Series(["a", "", "bc"]),
        "pl bytes": pl.Series([b"a", None, b"bc"]),
        "pl enum": pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"])),
        "pl enum turned": pl.Series(["x", "y"], dtype=pl.Enum(["y", "x"])),
        "pl categorical": pl.Series(["x", "y"], dtype=pl.Categorical),
        "pl date": pl.Series([datetime.date(2020, 1, 1)]),
        "pl time": pl.Series([datetime.time(1)]),
        "pl instant": pl.Series([datetime.datetime(2020, 1, 1)]),
        "pl instant ms": pl.Series([datetime.datetime(2020, 1, 1)], dtype=pl.Datetime("ms")),
        "pl instant utc": pl.Series([datetime.datetime(2020, 1, 1)]).dt.replace_time_zone("UTC"),
        "pl duration": pl.Series([datetime.timedelta(1)]),
        "pl decimal": pl.Series([decimal.Decimal("1.5"), None]),
        "pl decimal 2": pl.Series([decimal.Decimal("1.50"), None]),
        "pl list": pl.Series([[1, 2], None, [3]]),
        "pl list split": pl.Series([[1], None, [2, 3]]),
        "pl list empty": pl.Series([[], None, []], dtype=pl.List(pl.Int64)),
        "pl list null": pl.Series([[None], None, []], dtype=pl.List(pl.Int64)),
        "pl list null turned": pl.Series([[], None, [None]], dtype=pl.List(pl.Int64)),
        "pl list of text": pl.Series([["a", "b"], ["c"]]),
        "pl array": pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)),
        "pl struct": pl.Series([{"a": 1, "b": "x"}, None]),
        "pl struct null": pl.Series([{"a": None, "b": None}, None], dtype=pl.Struct({"a": pl.Int64, "b": pl.String})),
        "pl object": pl.Series([{1}, {2}], dtype=pl.Object),
        "pl object 2": pl.Series([{1}, {3}], dtype=pl.Object),
        "pl dtype": pl.Datetime("us", "UTC"),
        "pl dtype 2": pl.Datetime("us"),
        "pl dtype 3": pl.Int64,
        "pl schema": pl.Schema({"a": pl.Int64}),
        "pl expression": pl.col("a") > 3,
        "pl expression 2": pl.col("a") > 4,
    }


def arrow_under_test() -> dict[str, Any]:
    """Values of pyarrow, by name."""
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    return {
        "pa table": table,
        "pa table turned": table.select(["b", "a"]),
        "pa table noted": table.replace_schema_metadata({"a": "b"}),
        "pa table not null": table.cast(pa.schema([pa.field("a", pa.int64(), nullable=False), ("b", pa.string())])),
        "pa batch": table.to_batches()[0],
        "pa schema": table.schema,
        "pa field": pa.field("a", pa.int64()),
        "pa type": pa.int64(),
        "pa type zone": pa.timestamp("s", "UTC"),
        "pa type list": pa.list_(pa.int64()),
        "pa array": pa.array([1, None, 3]),
        "pa array turned": pa.array([1, 3, None]),
        "pa chunked": pa.chunked_array([[1, None, 3]]),
        "pa int32": pa.array([1, None, 3], pa.int32()),
        "pa bool": pa.array([True, None]),
        "pa text": pa.array(["a", None, "bc"]),
        "pa text large": pa.array(["a", None, "bc"], pa.large_string()),
        "pa text view": pa.array(["a", None, "bc"], pa.string_view()),
        "pa half": pa.array([np.float16(1)]),
        "pa fixed bytes": pa.array([b"ab", None], pa.binary(2)),
        "pa decimal": pa.array([1, None], pa.decimal128(20, 2)),
        "pa instants": pa.array([1, None], pa.timestamp("ns", "UTC")),
        "pa nulls": pa.nulls(3),
        "pa dictionary": pa.array(["x", "y", "x"]).dictionary_encode(),
        "pa dictionary turned": pa.DictionaryArray.from_arrays(pa.array([1, 0, 1], "i4"), ["y", "x"]),
        "pa list": pa.array([[1], None, [2, 3]]),
        "pa list split": pa.array([[1, 2], None, [3]]),
        "pa list of lists": pa.array([[["a"]], None, [[], ["b", "c"]]]),
        "pa list of lists split": pa.array([[["a"]], None, [["b"], ["c"]]]),
        "pa list of dictionaries": pa.ListArray.from_arrays([0, 1, 3], pa.array(["x", "y", "x"]).dictionary_encode()),
        "pa list fixed": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64(), 2)),
        "pa list fixed text": pa.array([["a", "b"], None, ["c", "d"]], pa.list_(pa.string(), 2)),
        "pa struct": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}]),
        "pa struct null": pa.array([{"a": 1, "b": "x"}, {"a": None, "b": None}, {"a": None, "b": "y"}]),
        "pa map": pa.array([[("a", 1)], None, [("b", 2), ("c", 3)]], pa.map_(pa.string(), pa.int64())),
        "pa map split": pa.array([[("a", 1), ("b", 2)], None, [("c", 3)]], pa.map_(pa.string(), pa.int64())),
        "pa uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"a" * 16], pa.binary(16))),
        "pa scalar": pa.scalar(1),
        "pa scalar 32": pa.scalar(1, pa.int32()),
        "pa scalar null": pa.scalar(None, pa.int64()),
        "pa scalar list": pa.scalar([1]),
        "pa buffer": pa.py_buffer(b"a"),
        "pa expression": pc.field("a") > 3,
        "pa expression 2": pc.field("a") > 4,
    }


def labelled_under_test() -> dict[str, Any]:
    """Values of xarray, by name."""
    array = xr.DataArray(
        np.arange(6.0).reshape(2, 3),
        dims=("x", "y"),
        coords={"x": [1, 2], "z": ("x", ["a", "b"])},
        name="n",
        attrs={"unit": "m"},
    )
    levels = pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["p", "q"])
    noted = array.copy()
    noted.encoding["dtype"] = "f4"
    return {
        "xr array": array,
        "xr array T": array.T,
        "xr array unnamed": array.rename(None),
        "xr array attrs": array.assign_attrs(unit="km"),
        "xr array values": array + 1,
        "xr array f4": array.astype("f4"),
        "xr array coordinates": array.assign_coords(x=[1, 3]),
        "xr array coordinates float": array.assign_coords(x=[1.0, 2.0]),
        "xr array coordinates text": array.assign_coords(x=["p", "q"]),
        "xr array no index": array.drop_indexes("x"),
        "xr array dims": array.rename(y="w"),
        "xr array fewer": array.drop_vars("z"),
        "xr array encoding": noted,
        "xr levels": xr.DataArray([1, 2], dims="m", coords=xr.Coordinates.from_pandas_multiindex(levels, "m")),
        "xr instants": xr.DataArray([1, 2], dims="t", coords={"t": pd.date_range("2020", periods=2)}),
        "xr set": array.to_dataset(),
        "xr set other name": array.to_dataset(name="k"),
        "xr set attrs": array.to_dataset().assign_attrs(a=1),
        "xr set reset": array.reset_coords("z"),
        "xr variable": array.variable,
        "xr tree": xr.DataTree.from_dict({"/": array.to_dataset(), "/b": array.to_dataset()}),
        "xr tree 2": xr.DataTree.from_dict({"/": array.to_dataset(), "/c": array.to_dataset()}),
    }


def graphs_under_test() -> dict[str, Any]:
    """Values of networkx, by name: four kinds of graphs in a number of shapes."""
    found: dict[str, Any] = {}
    for kind in GRAPHS:
        name = kind.__name__
        edges = [(1, 2), (2, 3)]
        found[f"nx {name}"] = kind(edges)
        found[f"nx {name} turned"] = kind(edges[::-1])
        found[f"nx {name} text"] = kind([("1", "2"), ("2", "3")])
        found[f"nx {name} weight"] = kind([(1, 2, {"weight": 1}), (2, 3)])
        found[f"nx {name} weight 2"] = kind([(1, 2, {"weight": 2}), (2, 3)])
        found[f"nx {name} name"] = kind(edges, name="a")
        found[f"nx {name} node"] = kind(edges)
        found[f"nx {name} node"].add_node(9)
        found[f"nx {name} colour"] = kind(edges)
        found[f"nx {name} colour"].nodes[1]["colour"] = "red"
        found[f"nx {name} frozen"] = nx.freeze(kind(edges))
    found["nx keys"] = nx.MultiGraph([(1, 2, "k"), (2, 3)])
    found["nx reversed"] = nx.DiGraph([(2, 1), (3, 2)])
    # The same nodes and edges, whose ends were met in another order.
    found["nx before"], found["nx before turned"] = nx.DiGraph(), nx.DiGraph()
    for graph, edges in ((found["nx before"], [(1, 3), (2, 3)]), (found["nx before turned"], [(2, 3), (1, 3)])):
        graph.add_nodes_from([1, 2, 3])
        graph.add_edges_from(edges)
    return found


def images_under_test() -> dict[str, Any]:
    """Values of PIL, by name."""
    image = Image.fromarray(np.arange(12, dtype="u1").reshape(3, 4))
    found = {f"image {mode}": image.convert(mode) for mode in ("L", "RGB", "RGBA", "P", "1", "F", "I", "CMYK")}
    found["image pixel"] = image.copy()
    found["image pixel"].putpixel((0, 0), 9)
    found["image notes"] = image.copy()
    found["image notes"].info["dpi"] = (1, 1)
    found["image palette"] = image.convert("P")
    found["image palette"].putpalette([1, 2, 3] * 256)
    found["image turned"] = image.transpose(Image.Transpose.ROTATE_90)
    png = io.BytesIO()
    image.save(png, "png")
    found["image png"] = Image.open(io.BytesIO(png.getvalue()))
    return found


def sparse_under_test() -> dict[str, Any]:
    """Values of scipy.sparse, by name: those that golden digests of the first release did not have."""
    table = np.array([[0, 1, 0], [2, 0, 3], [0, 0, 0]])
    return {
        "lil": scipy.sparse.lil_array(table),
        "lil float": scipy.sparse.lil_array(table.astype(float)),
        "lil matrix": scipy.sparse.lil_matrix(table),
        "dok": scipy.sparse.dok_array(table),
        "dok float": scipy.sparse.dok_array(table.astype(float)),
        "coo once": scipy.sparse.coo_array(([3], ([0], [1])), (2, 2)),
        "coo twice": scipy.sparse.coo_array(([1, 2], ([0, 0], [1, 1])), (2, 2)),
    }


def packages_under_test() -> dict[str, Any]:
    """All of the above."""
    return {
        **polars_under_test(),
        **arrow_under_test(),
        **labelled_under_test(),
        **graphs_under_test(),
        **images_under_test(),
        **sparse_under_test(),
    }
