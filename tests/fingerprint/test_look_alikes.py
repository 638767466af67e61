"""The gate: 42 values that caches take for one another, in three processes with other hash seeds, all pairs.

No two may share a key (wrong), no key may change between processes (unstable), and an equal value that was made in
another way must have the same one (split). The keys are those of arguments, on the way that a call takes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

LOOK_ALIKES = {
    "1": "int('1')",
    "True": "not False",
    "1.0": "float(1)",
    "'1'": "str(1)",
    "b'1'": "bytes([49])",
    "bytearray(b'1')": "bytearray([49])",
    "0.0": "float(0)",
    "-0.0": "0.0 * -1",
    "None": "[None][0]",
    "float('nan')": "float('inf') - float('inf')",
    "1 + 0j": "complex(1)",
    "2**70": "int('1' + '0' * 70, 2)",
    "Decimal('1')": "Decimal(1)",
    "Decimal('1.0')": "Decimal('1.' + '0')",
    "Fraction(1)": "Fraction(2, 2)",
    "[1, 2]": "list(range(1, 3))",
    "(1, 2)": "tuple([1, 2])",
    "[1, [2]]": "[1] + [[2]]",
    "{1, 2}": "{2, 1}",
    "frozenset({'a', 'b', 'c'})": "frozenset('cab')",
    "{'a', 'b', 'c'}": "set('cba')",
    "{'a': 1, 'b': 2}": "dict([('a', 1), ('b', 2)])",
    "{'b': 2, 'a': 1}": "dict(b=2, a=1)",
    "OrderedDict(a=1, b=2)": "OrderedDict([('a', 1), ('b', 2)])",
    "range(3)": "range(0, 3, 1)",
    "np.int64(1)": "np.array([1])[0]",
    "np.float64(1)": "np.array([1.0])[0]",
    "np.zeros(3)": "np.array([0.0, 0, 0])",
    "np.zeros(3, 'i8')": "np.array([0, 0, 0])",
    "np.zeros(3, 'f4')": "np.zeros(6, 'f4')[::2]",
    "np.zeros((3, 1))": "np.asfortranarray(np.zeros((3, 1)))",
    "np.array(['a-b', 'c'], object)": "np.array(['a-' + 'b', 'c'], object)",
    "np.array(['a', 'b-c'], object)": "np.array(['a', 'b-' + 'c'], object)",
    "pd.Series([1, 2])": "pd.Series(np.array([1, 2]))",
    "pd.Series([1, 2], name='x')": "pd.Series([1, 2]).rename('x')",
    "pd.Series([1, 2], index=[1, 2])": "pd.Series([2, 1], index=[2, 1]).sort_index()",
    "pd.Series(['a', 'b'], dtype=object)": "pd.Series(list('ab')).astype(object)",
    "pd.Series(['a', 'b'], dtype='category')": "pd.Series(pd.Categorical(['a', 'b']))",
    "pd.DataFrame({'a': [1.0], 's': ['x']})": "pd.DataFrame({'s': ['x'], 'a': [1.0]})[['a', 's']]",
    "pd.DataFrame({'a': np.float32([1]), 's': ['x']})": "pd.DataFrame({'a': [1.0], 's': ['x']}).astype({'a': 'f4'})",
    "pd.Timestamp('2020-01-01')": "pd.Timestamp(2020, 1, 1)",
    "pd.Timestamp('2020-01-01', tz='UTC')": "pd.Timestamp('2020-01-01').tz_localize('UTC')",
}

_CHILD = """
import json, sys
from collections import OrderedDict
from decimal import Decimal
from fractions import Fraction
import numpy as np
import pandas as pd
from resonate_nb.fingerprint import fingerprint_named
print(json.dumps([fingerprint_named({"x": eval(text)}).joint for text in json.load(sys.stdin)]))
"""


@pytest.fixture(scope="module")
def keys() -> list[list[str]]:
    """In each process those of the values as they are written on the left, then of those on the right."""
    texts = json.dumps([*LOOK_ALIKES, *LOOK_ALIKES.values()])
    root = Path(__file__).resolve().parents[2]
    return [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", _CHILD],
                input=texts,
                capture_output=True,
                text=True,
                check=True,
                cwd=root,
                env={**os.environ, "PYTHONHASHSEED": seed},
            ).stdout
        )
        for seed in ("1", "2", "4711")
    ]


@pytest.mark.slow
def test_no_two_of_them_share_a_key(keys: list[list[str]]) -> None:
    found = dict(zip(LOOK_ALIKES, keys[0], strict=False))
    assert len(found) == 42
    assert [] == [pair for pair in combinations(found, 2) if found[pair[0]] == found[pair[1]]]


@pytest.mark.slow
def test_none_of_them_has_another_key_in_another_process(keys: list[list[str]]) -> None:
    assert keys[0] == keys[1] == keys[2]


@pytest.mark.slow
def test_none_of_them_has_another_key_when_it_was_made_in_another_way(keys: list[list[str]]) -> None:
    texts = list(LOOK_ALIKES)
    assert [] == [text for text, one, other in zip(texts, keys[0][:42], keys[0][42:], strict=True) if one != other]
