# ruff: noqa: E501  (tables of cells: a cell per line reads better than one broken up)
"""Notebooks with tables and mapped classes of SQLAlchemy: what was declared counts, and using it does not.

Every session is a process of its own with another hash seed. The one hit of a harmless row is said by nothing: neither
that it runs plainly, nor that something was changed in place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from trap_sessions import Notebook, f

pytestmark = pytest.mark.slow

NEVER_SAID = re.compile("undurably|not replayable|cannot be stored|in place|runs plainly|no stable content|cannot see")

CORE = "import sqlalchemy as sa\nfrom sqlalchemy import orm\nfrom sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, Session\n"
BASE = "class Base(DeclarativeBase): pass\n"
USER = """
class User(Base):
    __tablename__ = 'users'
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(5), default=lambda: 'a', index=True)
    posts: Mapped[list['Post']] = relationship(back_populates='user', order_by='Post.id')
    def hi(self): return 1
"""
POST = """
class Post(Base):
    __tablename__ = 'posts'
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey('users.id'))
    user: Mapped['User'] = relationship(back_populates='posts')
    def words(self): return 1
"""
ORM = CORE + BASE + USER + POST
OLD = (
    CORE
    + """
Base = orm.declarative_base()
class User(Base):
    __tablename__ = 'users'
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.String(5), default='a')
    posts = relationship('Post', backref='user')
class Post(Base):
    __tablename__ = 'posts'
    id = sa.Column(sa.Integer, primary_key=True)
    user_id = sa.Column(sa.ForeignKey('users.id'))
"""
)
TABLE = (
    CORE
    + """
meta = sa.MetaData()
t = sa.Table('t', meta, sa.Column('a', sa.Integer, primary_key=True), sa.Column('b', sa.Enum('x', 'y'), server_default='x', nullable=False), sa.UniqueConstraint('a', 'b'), sa.CheckConstraint('a > 0'))
"""
)
USE = """
engine = sa.create_engine('sqlite://')
Base.metadata.create_all(engine)
with Session(engine) as s:
    s.add(User(name='q', posts=[Post()]))
    s.commit()
    s.query(User).all(), s.execute(sa.select(User).join(User.posts)).all()
orm.configure_mappers()
"""
NAMED = "return str(User.__table__.c.name.type.length)"
SHOWN = "return str(sa.select(User)) > '' and 2"

Edit = tuple[str, str, str, str]
"""Cells with what is edited in them: the text before it and after, and the body of the function."""
EDITS: Mapping[str, Edit] = {
    "the length of a column": (ORM, "String(5)", "String(6)", SHOWN),
    "the type of a column": (ORM, "sa.String(5)", "sa.Text()", SHOWN),
    "whether a column may be null": (ORM, "index=True", "index=True, nullable=True", SHOWN),
    "the function of a default": (ORM, "lambda: 'a'", "lambda: 'b'", SHOWN),
    "a plain default": (OLD, "default='a'", "default='b'", SHOWN),
    "a default of the server": (ORM, "index=True", "index=True, server_default='q'", SHOWN),
    "a default of the server, its text": (
        TABLE,
        "server_default='x'",
        "server_default=sa.text('y')",
        "return str(t.c.b.server_default.arg)[:0]",
    ),
    "an index": (ORM, ", index=True", "", SHOWN),
    "unique": (ORM, "index=True", "unique=True", SHOWN),
    "the name of a table": (ORM, "'users'\n    id", "'users2'\n    id", "return User.__tablename__[:0]"),
    "a foreign key": (
        TABLE.replace("sa.Integer, primary", "sa.ForeignKey('o.i'), primary"),
        "'o.i'",
        "'o.i', ondelete='CASCADE'",
        "return len(t.c)",
    ),
    "a constraint in a column": (
        CORE + "t = sa.Table('t', sa.MetaData(), sa.Column('a', sa.Integer, sa.CheckConstraint('a > 0')))\n",
        "a > 0",
        "a > 1",
        "return len(t.c)",
    ),
    "members of an Enum in a cast": (
        TABLE + "q = sa.select(sa.cast(t.c.a, sa.Enum('p', 'q')))\n",
        "'p', 'q'",
        "'p', 'r'",
        "return len(q.selected_columns)",
    ),
    "how an expression is written": (
        CORE
        + "from sqlalchemy.ext.compiler import compiles\nclass now(sa.sql.expression.FunctionElement):\n    inherit_cache = True\n@compiles(now)\ndef _now(element, compiler, **more): return 'now()'\nq = sa.select(now())\n",
        "'now()'",
        "'then()'",
        "return str(q)",
    ),
    "a constraint": (TABLE, "a > 0", "a > 1", "return len(t.c)"),
    "a schema": (TABLE, "sa.MetaData()", "sa.MetaData(schema='other')", "return len(t.c)"),
    "members of an Enum": (TABLE, "'x', 'y')", "'x', 'z')", "return len(t.c)"),
    "the class of an Enum": (
        CORE
        + "import enum\nclass Color(enum.Enum):\n    R = 1\n    def hi(self): return 1\n"
        + BASE
        + "class User(Base):\n    __tablename__ = 'u'\n    id: Mapped[int] = mapped_column(primary_key=True)\n    c: Mapped[Color]\n",
        "R = 1",
        "R = 2",
        SHOWN,
    ),
    "a method of the class of an Enum": (
        CORE
        + "import enum\nclass Color(enum.Enum):\n    R = 1\n    def hi(self): return 1\nt = sa.Table('t', sa.MetaData(), sa.Column('c', sa.Enum(Color)))\n",
        "return 1",
        "return 2",
        "return len(t.c)",
    ),
    "a type of one's own": (
        CORE
        + "class Upper(sa.types.TypeDecorator):\n    impl = sa.String\n    cache_ok = True\n    def process_bind_param(self, value, dialect): return value.upper()\nt = sa.Table('t', sa.MetaData(), sa.Column('c', Upper(5)))\n",
        "value.upper()",
        "value.lower()",
        "return len(t.c)",
    ),
    "a method": (ORM, "def hi(self): return 1", "def hi(self): return 2", SHOWN),
    "a method of the class at the other end": (ORM, "def words(self): return 1", "def words(self): return 2", SHOWN),
    "a relationship": (ORM, "order_by='Post.id'", "order_by='Post.user_id'", SHOWN),
    "a relationship, as it was spelled before 2.0": (OLD, "backref='user'", "backref='user', lazy='joined'", SHOWN),
    "a base that has the columns": (
        CORE
        + "class Mine:\n    id: Mapped[int] = mapped_column(primary_key=True)\n    n: Mapped[str] = mapped_column(sa.String(5))\nclass Base(Mine, DeclarativeBase): pass\nclass User(Base):\n    __tablename__ = 'u'\n",
        "String(5)",
        "String(6)",
        SHOWN,
    ),
    "a base made by declarative_base": (
        CORE
        + "class Mine:\n    def hi(self): return 1\nBase = orm.declarative_base(cls=Mine)\nclass User(Base):\n    __tablename__ = 'u'\n    id = sa.Column(sa.Integer, primary_key=True)\n",
        "return 1",
        "return 2",
        SHOWN,
    ),
    "an attribute that is computed": (
        CORE
        + "from sqlalchemy.ext.hybrid import hybrid_property\n"
        + BASE
        + "class User(Base):\n    __tablename__ = 'u'\n    id: Mapped[int] = mapped_column(primary_key=True)\n    @hybrid_property\n    def more(self): return self.id + 1\n",
        "self.id + 1",
        "self.id + 2",
        SHOWN,
    ),
    "an expression for a property": (
        CORE
        + BASE
        + "class User(Base):\n    __tablename__ = 'u'\n    id: Mapped[int] = mapped_column(primary_key=True)\n    more = orm.column_property(id.column + 1)\n",
        "+ 1)",
        "+ 2)",
        SHOWN,
    ),
    "a mapped dataclass": (
        CORE
        + "class Base(orm.MappedAsDataclass, DeclarativeBase): pass\nclass User(Base):\n    __tablename__ = 'u'\n    id: Mapped[int] = mapped_column(init=False, primary_key=True)\n    name: Mapped[str] = mapped_column(default='a')\n",
        "default='a'",
        "default='b'",
        SHOWN,
    ),
    "a class mapped by hand": (
        CORE
        + "reg = orm.registry()\nclass User:\n    def __init__(self): self.id = 1\nreg.map_imperatively(User, sa.Table('u', reg.metadata, sa.Column('id', sa.Integer, primary_key=True), sa.Column('n', sa.String(5))))\n",
        "self.id = 1",
        "self.id = 2",
        SHOWN,
    ),
    "the table of a class mapped by hand": (
        CORE
        + "reg = orm.registry()\nclass User: pass\nreg.map_imperatively(User, sa.Table('u', reg.metadata, sa.Column('id', sa.Integer, primary_key=True), sa.Column('n', sa.String(5))))\n",
        "String(5)",
        "String(6)",
        SHOWN,
    ),
    "a table of the base's": (
        ORM,
        "class Post(Base)",
        "class More(Base):\n    __tablename__ = 'more'\n    id: Mapped[int] = mapped_column(primary_key=True)\nclass Post(Base)",
        "return len(Base.metadata.tables) and 2",
    ),
    "a table of a global": (
        TABLE,
        "meta = sa.MetaData()",
        "meta = sa.MetaData()\nsa.Table('o', meta)",
        "return len(meta.tables) and 2",
    ),
    "a table beside a table": (
        TABLE,
        "meta = sa.MetaData()",
        "meta = sa.MetaData()\nsa.Table('o', meta)",
        "return len(t.metadata.tables) and 2",
    ),
    "a value in a statement": (
        ORM + "q = sa.select(User).where(User.id > 3)\n",
        "> 3",
        "> 4",
        "return str(q) > '' and 2",
    ),
    "the type of a value in a statement": (
        ORM + "q = sa.select(User).where(User.name == '3')\n",
        "== '3'",
        "== 3",
        "return str(q) > '' and 2",
    ),
    "how a statement loads": (
        ORM + "q = sa.select(User).options(orm.selectinload(User.posts))\n",
        "selectinload",
        "joinedload",
        "return len(q._with_options)",
    ),
    "what a statement gives": (
        ORM + "q = sa.select(User)\n",
        "select(User)",
        "select(User.__table__)",
        "return str(q) > '' and 2",
    ),
    "a text": (CORE + "q = sa.text('select 1')\n", "select 1", "select 2", "return str(q) > '' and 2"),
    "a value of a text": (
        CORE + "q = sa.text('select :a').bindparams(a=1)\n",
        "a=1",
        "a=2",
        "return str(q) > '' and 2",
    ),
    "the class of a statement": (
        ORM + "q = sa.select(User)\n",
        "def hi(self): return 1",
        "def hi(self): return 2",
        "return str(q) > '' and 2",
    ),
    "an expression": (ORM + "q = (User.id + 1).label('n')\n", "+ 1", "+ 2", "return str(q) > '' and 2"),
}


@pytest.mark.parametrize("edited", EDITS)
def test_an_edit_of_what_is_declared_runs_again(edited: str, tmp_path: Path) -> None:
    cells, before, after, body = EDITS[edited]
    assert 1 == cells.count(before)
    book = Notebook(tmp_path, ("sqlalchemy",))
    texts = [
        f"{text}\n# %%\n{f(body)}"
        for text in (cells, cells, cells.replace(before, after), cells.replace(before, after))
    ]
    found = [book.run(text) for text in texts]
    said = "\n\n".join(each.said for each in found)
    assert [[]] * 4 == [each.errors for each in found], said
    assert [1, 0, 1, 0] == [each.runs for each in found], said
    assert NEVER_SAID.search(said) is None, said


ARGUMENTS: Mapping[str, tuple[str, str, Sequence[str]]] = {
    "rows": (
        ORM,
        "return x.name",
        ("User(name='a')", "User(name='b')", "User(id=1, name='b')", "User(name='b', posts=[Post()])"),
    ),
    "tables": (ORM, "return x.name", ("User.__table__", "Post.__table__")),
    "columns": (ORM, "return x.name", ("User.__table__.c.id", "User.__table__.c.name", "Post.__table__.c.id")),
    "classes": (ORM, "return x.__tablename__", ("User", "Post")),
    "attributes": (ORM, "return x.key", ("User.id", "User.name", "Post.id")),
    "metadata": (ORM, "return sorted(x.tables)", ("Base.metadata", "sa.MetaData()", "sa.MetaData(schema='s')")),
    "statements": (
        ORM,
        "return str(x)",
        (
            "sa.select(User)",
            "sa.select(Post)",
            "sa.select(User.id)",
            "sa.select(User.__table__)",
            "User.__table__.select().limit(1)",
            "User.__table__.select().limit(2)",
            "sa.insert(User).values(name='a')",
            "sa.insert(User).values(name='b')",
            "sa.text('a')",
            "User.id == 1",
            "User.id == 2",
        ),
    ),
    "types": (
        CORE,
        "return repr(x)",
        (
            "sa.String(1)",
            "sa.String(2)",
            "sa.Text()",
            "sa.Numeric(10, 2)",
            "sa.Enum('a', 'b')",
            "sa.Enum('a', 'c')",
            "sa.ARRAY(sa.Integer)",
            "sa.ARRAY(sa.String)",
        ),
    ),
}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_arguments_are_told_apart_by_content(kind: str, tmp_path: Path) -> None:
    cells, body, values = ARGUMENTS[kind]
    book = Notebook(tmp_path, ("sqlalchemy",))
    asked = f"{cells}\n# %%\n@durable\ndef f(x):\n    ran()\n    {body}\n# %%\ngot['value'] = [f(x) for x in [{', '.join(values)}]]"
    first, second = book.run(asked), book.run(asked)
    assert ([], []) == (first.errors, second.errors), first.said
    assert (len(values), 0) == (first.runs, second.runs), second.said
    assert first.got == second.got
    assert NEVER_SAID.search(first.said + second.said) is None, first.said


HARMLESS: Mapping[str, tuple[str, str, str]] = {
    "nothing is used yet": (ORM, ORM + USE, SHOWN),
    "nothing is used yet, as before 2.0": (OLD, OLD + USE, SHOWN),
    "a table is used": (
        TABLE,
        TABLE
        + "engine = sa.create_engine('sqlite://')\nmeta.create_all(engine)\nwith engine.begin() as c: c.execute(t.insert().values(a=1)), c.execute(sa.select(t).where(t.c.a > 1)).all()\n",
        "return len(t.c) + len(meta.tables)",
    ),
    "the other class comes first": (CORE + BASE + USER + POST, CORE + BASE + POST + USER, SHOWN),
    "a class that is not named": (
        ORM,
        ORM
        + "class Other(Base):\n    __tablename__ = 'others'\n    id: Mapped[int] = mapped_column(primary_key=True)\n",
        SHOWN,
    ),
    "listeners": (
        ORM,
        ORM
        + "sa.event.listen(User, 'load', print)\nsa.event.listen(Base.metadata, 'after_create', lambda *a, **k: None)\n",
        SHOWN,
    ),
    "a statement is used": (
        ORM + "q = sa.select(User).where(User.id > 3)\n",
        ORM + "q = sa.select(User).where(User.id > 3)\n" + USE + "with Session(engine) as s: s.scalars(q).all()\n",
        "return str(q) > '' and 2",
    ),
    "a comment": (ORM, ORM.replace("    def hi", "    # says hi\n    def hi"), SHOWN),
    "a proxy is used": (
        CORE
        + "from sqlalchemy.ext.associationproxy import association_proxy\n"
        + BASE
        + USER.replace("    def hi", "    words = association_proxy('posts', 'id')\n    def hi")
        + POST,
        CORE
        + "from sqlalchemy.ext.associationproxy import association_proxy\n"
        + BASE
        + USER.replace("    def hi", "    words = association_proxy('posts', 'id')\n    def hi")
        + POST
        + USE
        + "User(name='a').words, User.words\n",
        SHOWN,
    ),
    "an end of a backref is told": (
        OLD.replace("'user'", "orm.backref('user', order_by=id)"),
        OLD.replace("'user'", "orm.backref('user', order_by=id)") + USE,
        SHOWN,
    ),
    "a keyed collection": (
        ORM.replace("list['Post']", "dict[int, 'Post']").replace(
            "order_by='Post.id'", "collection_class=orm.attribute_keyed_dict('id')"
        ),
        ORM.replace("list['Post']", "dict[int, 'Post']").replace(
            "order_by='Post.id'", "collection_class=orm.attribute_keyed_dict('id')"
        )
        + "orm.configure_mappers()\nUser().posts\n",
        SHOWN,
    ),
    "a mutable column": (
        CORE
        + "from sqlalchemy.ext.mutable import MutableDict\n"
        + BASE
        + "class User(Base):\n    __tablename__ = 'u'\n    id: Mapped[int] = mapped_column(primary_key=True)\n    m: Mapped[dict] = mapped_column(MutableDict.as_mutable(sa.JSON))\n",
        CORE
        + "from sqlalchemy.ext.mutable import MutableDict\n"
        + BASE
        + "class User(Base):\n    __tablename__ = 'u'\n    id: Mapped[int] = mapped_column(primary_key=True)\n    m: Mapped[dict] = mapped_column(MutableDict.as_mutable(sa.JSON))\nUser(m={'a': 1}).m['b'] = 2\n",
        SHOWN,
    ),
    "types with several parameters": (
        CORE
        + "t = sa.Table('t', sa.MetaData(), sa.Column('a', sa.Numeric(10, 2)))\nq = sa.select(t.c.a + sa.cast(t.c.a, sa.String(5, collation='x')))\n",
        CORE
        + "t = sa.Table('t', sa.MetaData(), sa.Column('a', sa.Numeric(10, 2)))\nq = sa.select(t.c.a + sa.cast(t.c.a, sa.String(5, collation='x')))\nstr(q)\n",
        "return len(q.selected_columns)",
    ),
    "the body uses it all": (
        ORM,
        ORM,
        "engine = sa.create_engine('sqlite://')\nBase.metadata.create_all(engine)\nwith Session(engine) as s:\n    s.add(User(name='q', posts=[Post()]))\n    s.commit()\n    return len(s.query(User).join(User.posts).all()[0].posts)",
    ),
    "the body configures a backref": (OLD, OLD, "orm.configure_mappers()\nreturn len(User(posts=[Post()]).posts)"),
}


@pytest.mark.parametrize("law", HARMLESS)
def test_what_is_no_declaration_costs_no_hit_and_no_line(law: str, tmp_path: Path) -> None:
    before, after, body = HARMLESS[law]
    book = Notebook(tmp_path, ("sqlalchemy",))
    found = [book.run(f"{text}\n# %%\n{f(body)}got['value'] = [got['value'], f(1)]") for text in (before, after)]
    said = "\n\n".join(each.said for each in found)
    assert [[], []] == [each.errors for each in found], said
    assert [1, 0] == [each.runs for each in found], said
    assert found[0].got == found[1].got
    assert NEVER_SAID.search(said) is None, said


def test_classes_of_a_local_module(tmp_path: Path) -> None:
    book = Notebook(tmp_path, ("sqlalchemy",))
    runs = []
    for length in (5, 5, 6):
        book.write("models.py", ORM.replace("String(5)", f"String({length})"))
        runs.append(
            book.run(f"import sqlalchemy as sa\nimport models\n# %%\n{f('return str(sa.select(models.User))')}")
        )
    assert [1, 0, 1] == [each.runs for each in runs], runs[1].said


def test_a_row_whose_columns_are_in_the_database_is_refused_by_name(tmp_path: Path) -> None:
    """Two such rows would read the same, whatever the database has for them."""
    asked = f"{ORM}{USE}\n# %%\n@durable\ndef f(x):\n    ran()\n    return 1\n# %%\ns = Session(engine)\nu = s.query(User).first()\ns.commit()\nf(u)"
    found = Notebook(tmp_path, ("sqlalchemy",)).run(asked)
    assert ["UnfingerprintableError"] == [name for _, name, _ in found.errors], found.said
    assert "`id` is still in the database" in found.errors[0][2]
