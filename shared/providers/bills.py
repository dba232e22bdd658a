"""What providers say was used and charged."""

from decimal import Decimal, InvalidOperation
from typing import Any

from shared.domain import outputs, pricing

# More is a slip of the provider's, and would not fit the ledger.
MOST_USD = 1_000_000


def of_usage(usage: Any) -> outputs.Usage | None:  # noqa: ANN401 - anything a provider sends
    """OpenAI's usage, in its older or newer words, with OpenRouter's `cost` in USD where it is given."""
    if not isinstance(usage, dict):
        return None
    return outputs.Usage(
        cost_micros=of_usd(usage.get("cost")),
        input_tokens=count(usage.get("prompt_tokens") or usage.get("input_tokens")),
        output_tokens=count(usage.get("completion_tokens") or usage.get("output_tokens")),
    )


def of_usd(value: Any) -> int | None:  # noqa: ANN401 - anything a provider sends
    """Micro-dollars, rounded up; None for what is no sum of money."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        usd = Decimal(str(value))
    except InvalidOperation:
        return None
    return pricing.to_micros(usd) if usd.is_finite() and 0 <= usd < MOST_USD else None


def count(value: Any) -> int:  # noqa: ANN401 - anything a provider sends
    """A number of tokens; 0 for what is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
