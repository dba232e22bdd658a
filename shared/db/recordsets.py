"""Many rows as one parameter of a statement: JSON, which Postgres turns into rows, whatever their number."""

from collections.abc import Sequence

import orjson
import sqlalchemy as sa


def text(values: Sequence[object]) -> str:
    """The parameter: mappings or dataclasses, one a row."""
    # Names of columns are strings of SQLAlchemy's own.
    return orjson.dumps(values, option=orjson.OPT_NON_STR_KEYS).decode()


def of(table: sa.Table, parameter: str) -> str:
    """Its rows, with all columns of this table."""
    return f"json_populate_recordset(CAST(NULL AS {table.name}), CAST(:{parameter} AS json))"


def shaped(parameter: str, **types: str) -> str:
    """Its rows, with these columns, to stand in FROM under the parameter's name."""
    columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
    return f"json_to_recordset(CAST(:{parameter} AS json)) AS {parameter}({columns})"


def insert(table: sa.Table, parameter: str, where: str = "true", leaving_out: str = "") -> str:
    """The statement that inserts those of its rows for which `where` holds."""
    columns = ", ".join(column.name for column in table.columns if column.name != leaving_out)
    return f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {of(table, parameter)} WHERE {where}"  # noqa: S608 - our own words; the values are parameters
