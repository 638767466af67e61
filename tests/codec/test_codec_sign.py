"""Whose bytes are unpickled: only ours, for the promise that they were written for."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from blake3 import blake3

from resonate_nb.codec import Signer, encode, load_key
from resonate_nb.errors import DurableWarning, StoreError

KEY = bytes(range(32))


@pytest.fixture(autouse=True)
def _own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESONATE_NB_KEY", raising=False)
    monkeypatch.delenv("RESONATE_NB_KEY_FILE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def config_key(tmp_path: Path) -> Path:
    import platformdirs

    path = platformdirs.user_config_path("resonate_nb", appauthor=False) / "key"
    assert tmp_path in path.parents
    return path


def test_a_signature_verifies() -> None:
    """64 hex digits, equal in every process that has the key."""
    signature = Signer(KEY).sign(b"data", promise="a", version=1)
    assert len(bytes.fromhex(signature)) * 2 == 64
    assert Signer(KEY).verify(b"data", signature, promise="a", version=1)


@pytest.mark.parametrize(
    ("data", "promise", "version", "expected"),
    [
        (b"data", "a", 1, "f0abc0d7753c9d1501b1a5738731b425959970523cb07b69cd3f6b44a144e95d"),
        (b"data" * 50_000, "b\ud800", 12, "0d3d11c84d4a5248d3ad01146dee415f1a3ad8936af80d6acd47ad6b47730c1e"),
    ],
    ids=["short", "long"],
)
def test_signatures_are_those_of_every_release(data: bytes, promise: str, version: int, expected: str) -> None:
    """One that moves makes all that is stored unreadable."""
    assert expected == Signer(KEY).sign(data, promise=promise, version=version)


def test_short_and_long_values_are_signed_alike() -> None:
    """By the rule that is written down: each item behind its length."""
    for size in (0, 1, 16_383, 16_384, 16_385):
        mac = blake3(key=KEY)
        for item in (b"resonate_nb value signature 1", b"a/1@2", b"12", b"x" * size):
            mac.update(len(item).to_bytes(8, "little") + item)
        assert mac.hexdigest() == Signer(KEY).sign(b"x" * size, promise="a/1@2", version=12)


@pytest.mark.parametrize(
    ("data", "promise", "version", "key"),
    [
        (b"datb", "a", 1, KEY),
        (b"data", "b", 1, KEY),
        (b"data", "a", 2, KEY),
        (b"data", "a", 1, bytes(32)),
        (b"1data", "a", 1, KEY),
        (b"", "adata", 1, KEY),
    ],
    ids=["data", "promise", "version", "key", "shifted", "moved"],
)
def test_anything_else_does_not_verify(data: bytes, promise: str, version: int, key: bytes) -> None:
    """Bound to bytes, promise and version: a value moved to another promise is not ours."""
    signature = Signer(KEY).sign(b"data", promise="a", version=1)
    assert not Signer(key).verify(data, signature, promise=promise, version=version)


@pytest.mark.parametrize("signature", ["", "0" * 64, "ä", "\ud800"])
def test_rubbish_is_no_signature(signature: str) -> None:
    """A store edited by hand may hold anything."""
    assert not Signer(KEY).verify(b"data", signature, promise="a", version=1)


@pytest.mark.parametrize("long", [False, True])
def test_what_is_of_another_type_does_not_verify(long: bool) -> None:
    """A flipped bit in a database makes a text of bytes, and bytes of a text."""
    signer, data = Signer(b"k" * 32), b"x" * (100_000 if long else 10)
    signature = signer.sign(data, promise="a", version=1)
    assert signer.verify(data, signature, promise="a", version=1)
    assert not signer.verify(data, signature.encode(), promise="a", version=1)  # type: ignore[arg-type]
    assert not signer.verify(data.decode(), signature, promise="a", version=1)  # type: ignore[arg-type]


def test_a_planted_payload_is_refused_before_it_runs(tmp_path: Path) -> None:
    """TRAPS 87: the signature of the true value does not cover what was planted."""
    signature = Signer(KEY).sign(encode([1]).data, promise="a", version=1)
    mark = tmp_path / "executed"
    planted = f"cos\nmkdir\n(S'{mark}'\ntR.".encode()
    assert not Signer(KEY).verify(planted, signature, promise="a", version=1)
    assert not mark.exists()


def test_a_key_of_another_length_is_refused() -> None:
    """blake3 would say so much later."""
    with pytest.raises(ValueError, match="32 bytes"):
        Signer(b"short")


def test_the_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    """0600 in a directory of 0700."""
    key = load_key()
    path = config_key(tmp_path)
    assert (len(key), stat.S_IMODE(path.stat().st_mode)) == (32, 0o600)
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert key == load_key()
    assert os.listdir(path.parent) == ["key"]


def test_the_variable_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any text; nothing is written."""
    monkeypatch.setenv("RESONATE_NB_KEY", "secret")
    first = load_key()
    monkeypatch.setenv("RESONATE_NB_KEY", "other")
    assert len(first) == 32
    assert first != load_key()
    assert not config_key(tmp_path).exists()


def test_a_file_gives_the_same_key_as_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a worker may be given one or the other."""
    monkeypatch.setenv("RESONATE_NB_KEY_FILE", str(tmp_path / "sub" / "key"))
    key = load_key()
    text = (tmp_path / "sub" / "key").read_text().strip()
    monkeypatch.setenv("RESONATE_NB_KEY", text)
    assert key == load_key()


def test_no_place_for_a_key_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file where the directory should be stands in for any disk that refuses."""
    (tmp_path / "config").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(StoreError, match="RESONATE_NB_KEY_FILE"):
        load_key()


def test_an_empty_key_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty secret would be everybody's."""
    path = tmp_path / "key"
    path.write_text("\n")
    path.chmod(0o600)
    monkeypatch.setenv("RESONATE_NB_KEY_FILE", str(path))
    with pytest.raises(StoreError, match="empty"):
        load_key()


def test_a_key_that_others_can_read_is_warned_about(tmp_path: Path) -> None:
    """At the caller's line, with the remedy."""
    load_key()
    config_key(tmp_path).chmod(0o644)
    with pytest.warns(DurableWarning, match="chmod 600") as caught:
        load_key()
    assert __file__ == caught[0].filename


@pytest.mark.slow
def test_processes_that_race_get_one_key(tmp_path: Path) -> None:
    """Or each would distrust the other's values."""
    code = "import sys; sys.stdin.read(1); from resonate_nb.codec import load_key; print(load_key().hex())"
    racers = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(6)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("x")
        racer.stdin.flush()
    keys = {racer.communicate()[0].strip() for racer in racers}
    assert len(keys) == 1
    assert {load_key().hex()} == keys
    assert os.listdir(config_key(tmp_path).parent) == ["key"]
