"""SQLAlchemy's tables, types and statements: what can be declared counts, what use leaves behind does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from resonate_nb import fingerprint

Column, Integer = sa.Column, sa.Integer


def table(*parts: Any, **more: Any) -> sa.Table:
    metadata = sa.MetaData()
    sa.Table("o", metadata, *(Column(name, Integer) for name in "ijxy"))
    return sa.Table("t", metadata, Column("id", Integer, primary_key=True), *parts, **more)


def one() -> int:
    return 1


def two() -> int:
    return 2


def column(*parts: Any, **more: Any) -> sa.Table:
    return table(Column("a", Integer, *parts, **more))


def key(*parts: Any, **more: Any) -> sa.Table:
    return column(sa.ForeignKey(*parts, **more))


T = table(Column("a", sa.String(4)), Column("e", sa.Enum("a", "b")))
COLUMNS = (
    *(column(), column(comment="c"), column(comment="d"), column(info={"x": 1}), column(key="k"), column(quote=True)),
    *(key("o.i"), key("o.j"), key("o.i", onupdate="CASCADE"), key("o.i", deferrable=True), key("o.i", name="n")),
    *(
        column(sa.Identity()),
        column(sa.Identity(start=3)),
        column(sa.Computed("id + 1")),
        column(sa.Computed("id + 2")),
    ),
    *(column(sa.Sequence("s")), column(sa.Sequence("s", start=2)), column(onupdate=1), column(onupdate=one)),
    *(column(default=one), column(default=two), column(default=dict), column(default=sa.func.now())),
    *(column(server_default=sa.func.now()), column(server_default="1"), column(nullable=False), column(unique=True)),
    *(column(sa.CheckConstraint("a > 1")), column(sa.CheckConstraint("a > 2")), column(index=True)),
)
TABLES = (
    *(table(), table(comment="a"), table(prefixes=["TEMPORARY"]), table(sqlite_autoincrement=True), table(schema="s")),
    *(table(sa.Index("i", "id")), table(sa.Index("i", "id", unique=True)), table(sa.Index("i", sa.text("lower(id)")))),
    *(table(sa.Index("j", "id", postgresql_where=sa.text(f"id > {at}"))) for at in (1, 2)),
    *(table(Column("b", Integer), sa.UniqueConstraint(*names)) for names in (("id", "b"), ("b", "id"))),
    *(table(sa.ForeignKeyConstraint(["id"], [target])) for target in ("o.x", "o.y")),
)
TYPES = (
    *(sa.DateTime(), sa.DateTime(timezone=True), sa.Enum("a", name="n"), sa.Enum("a", name="m"), sa.Numeric(10, 2)),
    *(sa.String(5), sa.String(5, collation="a"), sa.String(5).with_variant(sa.Text(), "sqlite"), sa.JSON()),
    *(sa.JSON(none_as_null=True), sa.ARRAY(Integer), sa.ARRAY(sa.String), postgresql.JSONB(), sa.Uuid(as_uuid=False)),
)
STATEMENTS = (
    *(sa.select(T), sa.select(T.c.a), sa.select(T.c.a.label("x")), sa.select(T).limit(1), sa.select(T).limit(2)),
    *(sa.select(T).where(T.c.a.in_(["a"])), sa.select(T).where(T.c.a.in_(["b"])), sa.select(T).with_for_update()),
    *(sa.select(T).execution_options(x=1), sa.select(T).execution_options(x=2), sa.select(T.alias("q"))),
    *(sa.select(sa.cast(T.c.a, sa.Enum(name))) for name in "ab"),
    *(sa.select(sa.literal(value)) for value in (1, 1.0, True, "1")),
    *(T.insert(), T.insert().values(a="1"), T.insert().values(a="2"), T.update().values(a=T.c.e), T.delete()),
    *(sqlite.insert(T).on_conflict_do_update(index_elements=["id"], set_={"a": value}) for value in "12"),
    *(sa.text("a"), sa.text("b"), sa.text(":a").bindparams(a=1), sa.text(":a").bindparams(a=2), sa.func.foo(1)),
)


@pytest.mark.parametrize(
    "values", [COLUMNS, TABLES, TYPES, STATEMENTS], ids=["columns", "tables", "types", "statements"]
)
def test_all_that_is_declared_counts_and_its_use_does_not(values: tuple[Any, ...]) -> None:
    before = [fingerprint(value) for value in values]
    assert len(values) == len(set(before))
    for value in values:
        use(value)
    assert before == [fingerprint(value) for value in values]


def use(value: Any) -> None:
    """Compile it, for a database that knows all of it."""
    dialect = postgresql.dialect()
    if isinstance(value, sa.Table):
        str(sa.schema.CreateTable(value).compile(dialect=dialect))
        str(value.select().compile())
    elif isinstance(value, sa.types.TypeEngine):
        assert repr(value.dialect_impl(dialect))
    else:
        str(value.compile(dialect=sqlite.dialect()))  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "make",
    [
        lambda: sa.select(T).where(sa.cast(T.c.a, sa.Numeric(10, 2)) > 1),
        lambda: column(sa.Identity(start=3)),
        lambda: sa.MetaData(schema="a"),
    ],
    ids=["statement", "table", "metadata"],
)
def test_what_is_declared_alike_is_alike(make: Callable[[], Any]) -> None:
    assert fingerprint(make()) == fingerprint(make())


def test_a_statement_that_sqlalchemy_has_no_key_for_is_refused() -> None:
    from resonate_nb import UnfingerprintableError

    with pytest.raises(UnfingerprintableError, match="knows no key for it"):
        fingerprint(T.insert().values([{"a": "1"}, {"a": "2"}]))
