"""How an event looks when it is posted."""

from enum import StrEnum


class Envelope(StrEnum):
    """Standard Webhooks, or as OpenRouter posts the ends of videos."""

    STANDARD = "standard"
    OPENROUTER = "openrouter"
