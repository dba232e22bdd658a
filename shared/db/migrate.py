"""`python -m shared.db.migrate`: bring the schema up to date, once, before the other processes start."""

import asyncio

from shared import logs, settings
from shared.db import schema


def main() -> None:
    """Run every migration that has not run. May be repeated."""
    configured = settings.load()
    logs.configure(configured.log_level, configured.log_format)
    asyncio.run(schema.upgrade(configured.database_url.get_secret_value()))
    logs.get(__name__).info("migrated", head=schema.head())


if __name__ == "__main__":
    main()
