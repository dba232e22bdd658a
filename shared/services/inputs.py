"""The pictures a request brings along: what the world may make a provider of ours look at.

We fetch none ourselves; but an engine of the operator's own would, from inside.
"""

from shared import errors
from shared.domain import requests
from shared.outbound import targets

PICTURE = "data:image/"


def check(guard: targets.Guard, request: requests.AnyRequest) -> None:
    """Raise ForbiddenUrlError, which names the field and the rule, unless every input is a picture in a data: URL or
    at an address we may call, as far as the URL alone tells. Asks nobody: fit for a million rows.
    """
    for param, url in _elsewhere(request):
        try:
            guard.check(url)
        except targets.ForbiddenTargetError as error:
            raise _refusal(error, param) from None


async def vet(guard: targets.Guard, request: requests.AnyRequest) -> None:
    """As `check`, and raise it also for a name that means a forbidden address now, or none. Asks a name server, and
    for a request without inputs nothing at all.
    """
    for param, url in _elsewhere(request):
        try:
            await guard.examine(url)
        except targets.ForbiddenTargetError as error:
            raise _refusal(error, param) from None


def _elsewhere(request: requests.AnyRequest) -> list[tuple[str, str]]:
    return [(param, url) for param, url in request.input_urls() if not url.startswith(PICTURE)]


def _refusal(error: targets.ForbiddenTargetError, param: str) -> errors.ForbiddenUrlError:
    message = f"{error.message} A picture may also be sent as a {PICTURE}…;base64 URL."
    return errors.ForbiddenUrlError(message, param=param, details={"rule": error.rule})
