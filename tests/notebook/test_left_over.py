"""What a cell leaves behind closed or finished comes back as a stand-in; what is still in use is left as it is."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from resonate_nb.codec import decode, encode
from resonate_nb.notebook._left_over import stand_in


def back(value: object) -> Any:
    encoded = encode(stand_in(value))
    return decode(encoded.codec, encoded.data)


def test_closed_files_of_all_sorts(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.gz", "wb") as packed:
        packed.write(b"x")
    with open(tmp_path / "a.txt", "w") as plain:
        plain.write("x")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("name", "x")
    for file in (packed, plain, archive):
        left = back(file)
        left.close()
        with pytest.raises(ValueError, match="closed file"):
            left.read()
        assert "left over" in repr(left)


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_a_pool_that_was_shut_down(kind: Any) -> None:
    with kind(1) as pool:
        assert stand_in(pool) is pool
    left = back(pool)
    left.shutdown(wait=True)
    with pytest.raises(RuntimeError, match="after shutdown"):
        left.submit(len, "a")
    assert kind.__name__ in repr(left)
    assert repr(pickle.loads(pickle.dumps(left))) == repr(left)


def test_what_is_open_or_holds_more_than_a_file_is_left_as_it_is(tmp_path: Path) -> None:
    class Kept(io.StringIO):
        """A closed file that still has something to say."""

    kept = Kept()
    kept.close()
    with open(tmp_path / "a.txt", "w") as plain, zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for value in (plain, archive, kept, None, [1]):
            assert stand_in(value) is value
