"""The pictures a request brings along: what the world may make a provider of ours look at."""

from shared import errors
from shared.domain import requests
from shared.outbound import targets

PICTURE = "data:image/"


async def vet(guard: targets.Guard, request: requests.AnyRequest) -> None:
    """Raise ForbiddenUrlError, which names the field and the rule, unless every input is a picture in a data: URL or
    at an address we may call. We fetch none ourselves; but an engine of the operator's own would, from inside. Asks a
    name server, and for a request without inputs nothing at all.
    """
    for param, url in request.input_urls():
        if url.startswith(PICTURE):
            continue
        try:
            await guard.examine(url)
        except targets.ForbiddenTargetError as error:
            message = f"{error.message} A picture may also be sent as a {PICTURE}…;base64 URL."
            raise errors.ForbiddenUrlError(message, param=param, details={"rule": error.rule}) from None
