"""An exception becomes data whatever it does, and the traceback shows the user's frames only."""

from __future__ import annotations

import pytest

from resonate_nb.codec import Failure, decode, failure_from_bytes, failure_of, failure_to_bytes


class Rude(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class Ruder(Exception):
    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]
        raise RuntimeError("no")


def caught(error: BaseException) -> Failure:
    try:
        raise error
    except BaseException as raised:
        return failure_of(raised)


def test_type_message_and_traceback() -> None:
    """The type by its qualified name."""
    failure = caught(ValueError("bad"))
    assert (failure.type_name, failure.message) == ("builtins.ValueError", "bad")
    assert failure.traceback.startswith("Traceback (most recent call last):")
    assert failure.traceback.endswith("ValueError: bad\n")
    assert "raise error" in failure.traceback


def test_causes_and_contexts_are_kept() -> None:
    """The cause is often the only useful part."""
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise ValueError("outer") from inner
    except ValueError as error:
        text = failure_of(error).traceback
    assert text.index("KeyError: 'inner'") < text.index("direct cause") < text.index("ValueError: outer")


def test_groups_keep_their_members() -> None:
    """Task groups raise these."""
    failure = caught(ExceptionGroup("many", [ValueError("one"), KeyError("two")]))
    assert "ValueError: one" in failure.traceback
    assert "KeyError: 'two'" in failure.traceback


def test_our_own_frames_are_left_out() -> None:
    """In the error itself and in its causes."""
    with pytest.raises(Exception) as error:
        decode("pickle", b"junk")
    text = failure_of(error.value).traceback
    assert "UnpicklingError" in text
    assert "resonate_nb/codec" not in text
    assert __file__ in text


@pytest.mark.parametrize("error", [Rude(), Ruder("x"), KeyError(), ValueError("a" * 10), Exception("\ud800")], ids=repr)
def test_no_exception_makes_it_raise(error: Exception) -> None:
    """The body has failed already; its failure must be kept."""
    failure = caught(error)
    assert failure.type_name.endswith(type(error).__qualname__)
    assert failure == failure_from_bytes(failure_to_bytes(failure))


def test_a_rude_message_is_named() -> None:
    """Not lost in silence."""
    assert caught(Rude()).message == "<unprintable Rude: RuntimeError>"


def test_its_size_is_bounded() -> None:
    """A message may hold a whole data set; the end of a traceback says what was raised."""
    failure = caught(ValueError("x" * 1_000_000 + "end"))
    assert len(failure.message) <= 20_000
    assert len(failure.traceback) <= 100_000
    assert failure.message.endswith("end")
    assert failure.traceback.endswith("end\n")


@pytest.mark.slow
def test_a_deep_recursion_is_short() -> None:
    """Python itself folds repeated frames."""

    def forever() -> None:
        forever()

    with pytest.raises(RecursionError) as error:
        forever()
    assert len(failure_of(error.value).traceback) < 10_000


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b"{"])
def test_damaged_bytes_are_shown_as_they_are(data: bytes) -> None:
    """Whoever asks what was raised is told what there is, instead of how it cannot be read."""
    failure = failure_from_bytes(data)
    assert ("an unknown error", "what is stored of it is damaged") == (failure.type_name, failure.message)
    assert failure.traceback == data.decode("utf-8", "replace")


def test_one_flipped_bit_costs_one_letter() -> None:
    """As often as not."""
    data = bytearray(failure_to_bytes(caught(ValueError("wrong"))))
    at = data.index(b"wrong")
    data[at] ^= 0x80
    assert "\ufffdrong" == failure_from_bytes(bytes(data)).message
