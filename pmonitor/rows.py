"""What hand-written SQL finds: rows as they are, and model instances.

Instances where building the ORM's statement anew costs more than all of the rest.

TOKEN, USER = Columns(ApiToken, "token"), Columns(User, "person")
row = one(f"SELECT {TOKEN}, {USER} FROM … token JOIN … person …", values)
token, user = TOKEN.take(row), USER.take(row)
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, models
from psycopg import Cursor

M = TypeVar("M", bound=models.Model)


class Columns(Generic[M]):
    """All columns of a model, selected from the table that the statement calls `table`."""

    def __init__(self, model: type[M], table: str) -> None:
        fields: Any = model._meta.concrete_fields
        self.model, self.table = model, table
        self.names = [field.attname for field in fields]
        self.columns = [field.column for field in fields]
        self.readers = [(number, field) for number, field in enumerate(fields) if hasattr(field, "from_db_value")]
        self.key = self.names.index(model._meta.pk.attname) if model._meta.pk else 0

    def __str__(self) -> str:
        return ", ".join(f'{self.table}."{column}"' for column in self.columns)

    def take(self, row: Iterator[Any]) -> M | None:
        """The instance that the row's next values make; None where an outer join found nothing."""
        values = [next(row) for _name in self.names]
        if values[self.key] is None:
            return None
        for number, field in self.readers:
            values[number] = field.from_db_value(values[number], None, connection)
        return self.model.from_db(DEFAULT_DB_ALIAS, self.names, values)


def one(sql: str, values: Mapping[str, Any]) -> Iterator[Any] | None:
    """The values of the first row that the statement finds, in turn; None without one."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
    return None if row is None else iter(row)


def fetched(sql: Any, values: Any = None) -> list[tuple[Any, ...]]:
    """The rows that the statement finds; sql: a text, or composed by psycopg."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def fetched_as_bytes(sql: str, values: Sequence[Any] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows, sent in binary: Django's own cursor would bring bytes as text, which is twice their size."""
    connection.ensure_connection()
    began = time.perf_counter()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(sql, values, binary=True)
        rows = cursor.fetchall()
    if connection.queries_logged:  # where a test or a bench counts them
        ops: Any = connection.ops
        told = {"sql": ops.compose_sql(sql, values), "time": f"{time.perf_counter() - began:.3f}"}
        connection.queries_log.append(told)
    return rows


def every(sql: str, values: Mapping[str, Any]) -> list[Iterator[Any]]:
    """The values of each row that the statement finds, in turn."""
    return [iter(row) for row in fetched(sql, values)]
