"""What of a configuration may be told: URLs without user and password, texts and mappings without keys and tokens."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from .._package import Origin, origin_of_module

_SECRET = re.compile(
    r"api_?key|(access|account|shared|private|secret|client)_?key|secret|passw|pwd|passphrase|credential|signature|"
    r"cookie|session_?id|bearer|headers?$|token(?!s|iz|_?(limit|count|type))|auth(?!or)|"
    r"\A(key|sig|pass|user|username|user_?id|uid)\Z"
)
_SETTING = re.compile(
    r"(?P<name>[A-Za-z_][\w .-]{0,200}?)\s*=\s*(?:'(?:[^'\\]|\\.)*'|\{[^}]*\}|\"[^\"]*\"|[^\s;,&]*)\s*[;,&]?\s*"
)
_LONGEST = 10_000


@lru_cache(maxsize=1_024)
def is_credential(name: str) -> bool:
    """Whether what goes by this name is a credential, or who uses it: ``api_key``, ``password``, ``X-Auth-Token``."""
    return _SECRET.search(re.sub(r"[ -]", "_", name.lower().lstrip("_"))) is not None


def without_credentials(text: str) -> str:
    """A URL, connection text or argument without user, password, and settings that hold credentials.

    Raises:
        ValueError: it is too long to be a setting.
    """
    text = str.__str__(text)
    if len(text) > _LONGEST:
        raise ValueError("it is too long to be a setting")
    return _cleaned(text) if "://" in text or "=" in text else text


@lru_cache(maxsize=1_024)
def _cleaned(text: str) -> str:
    return _settings(_url(text) if "://" in text else text)


def _url(text: str) -> str:
    from urllib.parse import unquote_plus  # few texts are URLs

    scheme, _, rest = text.partition("://")
    host = re.match(r"[^/?#]*", rest).group()  # type: ignore[union-attr]  # it matches whatever there is
    has_port_alone = re.fullmatch(r".*:\d*|[^:]*|\[.*\]", host.rpartition("@")[2])
    # A password may hold a `/`, `?` or `#` that nobody has quoted: then what looks like the host is a part of it.
    rest = rest[len(host) :] if has_port_alone else rest.rpartition("@")[2]
    host = host.rpartition("@")[2] if has_port_alone else ""
    path, _, query = rest.partition("#")[0].partition("?")
    kept = []
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        if not is_credential(unquote_plus(name)):
            # Such as the whole connection text of `odbc_connect=`.
            inner = unquote_plus(value)
            kept.append(f"{name}={_settings(inner)}" if "=" in inner else pair)
    return f"{scheme}://{host}{path}" + (f"?{'&'.join(kept)}" if kept else "")


def _settings(text: str) -> str:
    """``host=a password=b;Pwd=c`` without the settings that hold credentials."""

    def kept(found: re.Match[str]) -> str:
        name = found["name"]
        return "" if is_credential(name) or is_credential(name.split()[-1]) else found.group()

    return _SETTING.sub(kept, text).rstrip("&;, ")


def plain(value: Any, depth: int = 4) -> Any:
    """A setting as JSON can write it, without credentials; None for what is no plain value, nor prints as one.

    Raises:
        ValueError: it is too large, or nested too deeply, to be a setting.
    """
    kind = type(value)
    if value is None or kind in (bool, int, float):
        return value
    if issubclass(kind, str):
        return without_credentials(value)
    if kind is bytes:
        return without_credentials(value.decode("utf-8", "replace"))
    if kind not in (list, tuple, set, frozenset) and not issubclass(kind, dict):
        # A URL of some package's own; what is printed with its address is no setting.
        text = "" if origin_of_module(str(kind.__module__)) is Origin.USER else str(value)
        return None if not text or " at 0x" in text else without_credentials(text)
    if not depth or len(value) > 1_000:
        raise ValueError("it is too large to be a setting")
    if issubclass(kind, dict):
        named = {str(name): part for name, part in dict.items(value)}
        return {name: plain(part, depth - 1) for name, part in named.items() if not is_credential(name)}
    parts = [plain(part, depth - 1) for part in value]
    return sorted(parts, key=repr) if kind in (set, frozenset) else parts
