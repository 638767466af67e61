"""Which texts are never shown, nor kept: those that look like what opens a door, by where they stand or by form."""

from __future__ import annotations

import re

_NAMES = re.compile(
    r"pass(word|wd|phrase|code)|pwd|secret|token|credential|auth|cookie|session_?id|dsn|bearer|signature"
    r"|(api|access|private|secret|account|ssh|encryption|signing)_?key|(^|_)key$|connection_?string",
    re.IGNORECASE,
)
_FORMS = re.compile(
    r"://[^/\s]*@"  # user and password in an address
    r"|^Bearer\s|-----BEGIN"
    r"|\b(sk|pk|rk|gh[opsu]|glpat|xox[abps]|hf|AKIA|ASIA|AIza|eyJ)[-_A-Za-z0-9]{12,}"
)
_GIVEN = re.compile(
    # It begins where the word does that tells: what stands before is looked at once, and not once for each letter.
    r"""((?:api_?key|passw|secret|credential|bearer|token(?!s|iz))\w*+["']?\s*+[=:]\s*+)(?:'[^'\n]+'|"[^"\n]+")""",
    re.IGNORECASE,
)
_RUN = re.compile(r"[-_+=A-Za-z0-9]{20,}")
"""With letters and digits mixed it is nothing that a word, a path or a date would have."""
_LOOKED_AT = 200
"""Characters of a text; no more of it is shown anywhere."""


def is_secret(name: str, text: str) -> bool:
    """Whether a text that stands under this name may be a secret. Rather too often than once too seldom."""
    start = text[:_LOOKED_AT]
    return bool(_NAMES.search(name) or _FORMS.search(start) or any(map(_is_mixed, _RUN.findall(start))))


def without_keys(text: str) -> str:
    """The text, without what has the form of a key, and without what is given under the name of one."""
    return _FORMS.sub(_left_out, _GIVEN.sub(r"\1'…'", text))


def _left_out(found: re.Match[str]) -> str:
    return "://…@" if found.group().startswith("://") else "…"


def _is_mixed(run: str) -> bool:
    return any(map(str.isdigit, run)) and any(map(str.isalpha, run))
