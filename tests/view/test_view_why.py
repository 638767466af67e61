"""Why, as it is drawn: what changed and the diff of the code, beside what the key does not see; all of it as text."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from view_records import make_record

from resonate_nb.runtime import Change, Detail, Explanation, Verdict
from resonate_nb.view import detail_payload, details_html, details_text, explanation_html

DIFF = "--- low (stored)\n+++ low (now)\n@@ -1,2 +1,2 @@\n def low(x):\n-    return x < 1\n+    return x < 2"
CHANGES = (
    Change("function", "low", "code of `low` changed", DIFF),
    Change("global", "df", "global `df`: column `dep_delay` renamed to `delay`"),
)
EXPLANATION = Explanation(
    "clean",
    Verdict.RUN,
    "code of `low` changed; global `df`: column `dep_delay` renamed to `delay`",
    "clean/4be1f09c66d2a370@a91c03f7",
    changes=CHANGES,
    compared_with="clean/4be1f09c66d2a370@00000000",
    unsure=("uses `globals()` in clean",),
    services=("`client`: openai.OpenAI (https://api.openai.com/v1)",),
    packages=("package pandas 3.0.1 → 3.0.2",),
    slow=("`df` takes 1.3 s at each call",),
)
DETAIL = Detail(
    make_record(),
    why=EXPLANATION.reason,
    changes=CHANGES,
    unsure=EXPLANATION.unsure,
    services=EXPLANATION.services,
    packages=EXPLANATION.packages,
    slow=EXPLANATION.slow,
)
GOLDEN = Path(__file__).parent / "golden_why.html"


def test_an_explanation_is_drawn_as_ever():
    """Written down whole, so that a change of it is looked at; nothing in it comes from elsewhere."""
    drawn = explanation_html(EXPLANATION)
    assert GOLDEN.read_text("utf-8") == drawn + "\n"
    assert not re.search(r"<script|<link|<img|url\(|https?://(?!api\.openai)", drawn)


def test_signs_say_what_colours_say():
    drawn = explanation_html(EXPLANATION)
    assert re.search(r'<span style="display:block;background:[^"]+">-    return x &lt; 1</span>', drawn)
    assert re.search(r'<span style="display:block;background:[^"]+">\+    return x &lt; 2</span>', drawn)


def test_what_came_from_the_user_is_text():
    evil = "<script>alert(1)</script>"
    made = Explanation(evil, Verdict.RAN, evil, evil, evil, (Change("global", evil, evil, f"+{evil}"),), evil)
    made = replace(made, details=(evil,), unsure=(evil,), services=(evil,), packages=(evil,), slow=(evil,))
    assert "<script" not in explanation_html(made)
    detail = replace(
        DETAIL, why=evil, changes=made.changes, unsure=(evil,), services=(evil,), packages=(evil,), slow=(evil,)
    )
    assert "<script" not in details_html(detail)


def test_the_text_says_the_same():
    assert repr(EXPLANATION).splitlines() == [
        "clean would run: code of `low` changed; global `df`: column `dep_delay` renamed to `delay`",
        "  promise clean/4be1f09c66d2a370@a91c03f7",
        "  compared with clean/4be1f09c66d2a370@00000000",
        "  code of `low` changed",
        *(f"    {line}" for line in DIFF.splitlines()),
        "  global `df`: column `dep_delay` renamed to `delay`",
        "  unsure:",
        "    uses `globals()` in clean",
        "  services:",
        "    `client`: openai.OpenAI (https://api.openai.com/v1)",
        "  packages passed over:",
        "    package pandas 3.0.1 → 3.0.2",
        "  slow to fingerprint:",
        "    `df` takes 1.3 s at each call",
    ]


def test_details_hold_what_changed():
    html, text, payload = details_html(DETAIL), details_text(DETAIL), detail_payload(DETAIL)
    assert "what changed" in html
    assert "+    return x &lt; 2" in html
    assert "      +    return x < 2" in text.splitlines()
    assert "  unsure: uses `globals()` in clean" in text.splitlines()
    assert "  service: `client`: openai.OpenAI (https://api.openai.com/v1)" in text.splitlines()
    assert [{"text": CHANGES[0].text, "diff": DIFF}, {"text": CHANGES[1].text, "diff": ""}] == payload["changes"]
    assert "  passed over: package pandas 3.0.1 → 3.0.2" in text.splitlines()
    assert "  slow to fingerprint: `df` takes 1.3 s at each call" in text.splitlines()
    for name in ("unsure", "services", "packages", "slow"):
        assert list(getattr(EXPLANATION, name)) == payload[name]


def test_why_there_is_no_value_is_said_once():
    mark = "not stored: a generator cannot be stored (return a list)"
    detail = Detail(replace(make_record(), marks=(mark,)), preview=mark)
    assert 1 == details_text(detail).count("a generator cannot")
    assert 1 == re.sub(r'title="[^"]*"', "", details_html(detail)).count("a generator cannot")
