"""Signing in with a key, and out."""

from typing import Annotated

import fastapi

from api import parts
from api.dashboard import pages, sessions
from shared import errors

router = fastapi.APIRouter(route_class=pages.PageRoute, include_in_schema=False)


@router.post("/sign-in")
async def sign_in(
    request: fastapi.Request,
    given: parts.Given,
    key: Annotated[str, fastapi.Form()] = "",
    next_: Annotated[str, fastapi.Form(alias="next")] = "/",
) -> fastapi.Response:
    """Check the key and go on to the page that was asked for."""
    session = sessions.Session(key.strip(), "")
    try:
        await given.keys.identify(sessions.with_key(request, session))
    except (errors.UnauthenticatedError, UnicodeError):
        return pages.show(request, "sign-in.html", 401, next=pages.local(next_), error="This key is not known here.")
    response = pages.go(pages.local(next_))
    sessions.Sessions(given.settings).begin(response, session.key)
    return response


@router.post("/sign-out")
async def sign_out(given: parts.Given) -> fastapi.Response:
    """Forget the cookie."""
    response = pages.go("/")
    sessions.Sessions(given.settings).end(response)
    return response
