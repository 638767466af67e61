"""The words of a text that may be variables: tables and placeholders of a query, all of a formula, none of most."""

from __future__ import annotations

import pytest

from resonate_nb.fingerprint.code._spoken import spoken_of


@pytest.mark.parametrize(
    "text",
    [
        "select day, a from df where limit_ > 3",
        "SELECT * FROM df",
        'select * from "df" order by a',
        "select a from x join df on x.id = df.id",
        "select * from x join y on x.a = y.a, df",
        "select * from (select day from t where a > 1) s, df",
        "select count(*) as n, day from df group by day",
        "select * from t where a in (select b from df)",
        "select * from t where a > :df",
        "select * from t where a > {df}",
        "select * from t where a > $df",
        "with x as (pivot df on day) select * from x",
        "from df select day",
        "from df",
        "summarize (select * from df)",
        ", df where a in (select b from t)",
        "df where a in (select b from t)",
        "select * from query_table('df')",
        "select * from Python(df)",
        "select * from t where a = '(' union select * from t, df",
        "select (select max(a) from df) as top from t",
        'select "a" from df',
        "y ~ df",
        "create table x as select * from df",
        "select * from limit, df",
        "select * from a -- where it lies\n, df",
        "select * from 'data/order.csv' o, df",
        "select * from 'my limit.csv' o, df",
        "select\n  *\nfrom\n  t,\n  df\nwhere a",
    ],
)
def test_a_table_and_a_placeholder_count(text: str) -> None:
    assert "df" in spoken_of(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("select day, a from flights where year > 3 order by b limit 5", ["flights"]),
        ("select count(*) as n, day from flights group by day", ["flights"]),
        ("Select the best answer.", []),
        ("the best answer", []),
    ],
)
def test_columns_and_prose_do_not(text: str, words: list[str]) -> None:
    found = [word for word in spoken_of(text) if word != "from"]
    assert words == found


def test_a_long_text_is_looked_through_once() -> None:
    assert ["df"] == spoken_of(f"select a from {' ' * 200_000} df where b = 1")
