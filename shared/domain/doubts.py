"""What to do about an attempt in doubt, when the caller does not say."""

from shared.domain import requests, states

# How often an ask whose answer was lost is sent under its key before it counts as in doubt: four pauses, 15 s.
ASKS_PER_KEY = 5
DEFAULT_ON_DOUBT = {
    # A video is dear: asking twice may cost more than failing once.
    states.Kind.VIDEO: states.OnDoubt.FAIL,
    states.Kind.IMAGE: states.OnDoubt.RETRY,
    states.Kind.TEXT: states.OnDoubt.RETRY,
    states.Kind.EMBEDDING: states.OnDoubt.RETRY,
}


def on_doubt(kind: states.Kind, request: requests.AnyRequest) -> states.OnDoubt:
    """The caller's policy for attempts in doubt, or the kind's default."""
    return request.on_doubt or DEFAULT_ON_DOUBT[kind]
