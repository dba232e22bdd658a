"""Bringing a database's schema up to date, and asking whether it is."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command, config, runtime, script
from sqlalchemy.ext import asyncio as sa_asyncio

MIGRATIONS = Path(__file__).parent / "migrations"
DEFAULT_TENANT = "ten_00000000000000000000000000"


def alembic_config() -> config.Config:
    """Alembic's settings; there is no alembic.ini."""
    made = config.Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    return made


# A dump restored into another Postgres brings transaction numbers that have not come yet there: its events would be
# held back from followers as unfinished (db/events.py), so they go before everything new.
_AFTER_A_RESTORE = sa.text("UPDATE events SET xact = 0 WHERE xact > (pg_current_xact_id()::text)::bigint")


async def upgrade(url: str) -> None:
    """Run every migration that has not run, and make the first tenant. Commits. May be repeated and raced."""
    engine = sa_asyncio.create_async_engine(url, poolclass=sa.NullPool)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
        async with engine.begin() as connection:
            await connection.execute(
                sa.text("INSERT INTO tenants (id, name) VALUES (:id, 'default') ON CONFLICT DO NOTHING"),
                {"id": DEFAULT_TENANT},
            )
            await connection.execute(_AFTER_A_RESTORE)
    finally:
        await engine.dispose()


def _upgrade(connection: sa.Connection) -> None:
    made = alembic_config()
    made.attributes["connection"] = connection
    command.upgrade(made, "head")


def head() -> str | None:
    """The newest migration this code knows."""
    return script.ScriptDirectory.from_config(alembic_config()).get_current_head()


async def current(connection: sa_asyncio.AsyncConnection) -> str | None:
    """The newest migration that has run on this database."""
    return await connection.run_sync(
        lambda sync: runtime.migration.MigrationContext.configure(sync).get_current_revision()
    )


async def server_version(connection: sa_asyncio.AsyncConnection) -> int:
    """Postgres' version as a number, such as 180006 for 18.6."""
    return int((await connection.execute(sa.text("SHOW server_version_num"))).scalar_one())
