"""The client under test, as a user makes it; version 3 reads every answer strictly."""

import os

import openai

STRICT = os.environ.get("STRICT") == "1"


def client(**options: object) -> openai.OpenAI:
    return openai.OpenAI(_strict_response_validation=STRICT, **options)  # type: ignore[arg-type]
