"""The client under test, as a user makes it. Its retries of 5xx last an hour by default: tests do not wait for that."""

import os
from typing import Any

import openrouter
from openrouter.utils import BackoffStrategy, RetryConfig

NO_RETRIES = RetryConfig("none", BackoffStrategy(500, 60000, 1.5, 3600000), False)


def client(**options: Any) -> openrouter.OpenRouter:
    return openrouter.OpenRouter(
        **{"server_url": os.environ["OPENROUTER_SERVER_URL"], "timeout_ms": 60_000, "retry_config": NO_RETRIES}
        | options
    )
