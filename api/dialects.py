"""Other companies' ways of speaking to us. Each is a folder of `api` with a module `dialect`; nothing lists them."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import fastapi
from starlette import types

from shared import errors

ErrorWriter = Callable[[errors.GenqueueError, str, Mapping[str, str]], fastapi.Response]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Everything under `prefix`. `error` writes an error (with the request's id and headers to pass on) in the
    dialect's own envelope; `uploads` are the paths that take a file and so a larger body.
    """

    prefix: str
    routers: tuple[fastapi.APIRouter, ...]
    error: ErrorWriter
    uploads: frozenset[str] = frozenset()

    def owns(self, path: str) -> bool:
        """Whether a path is this dialect's, known to it or not."""
        return path == self.prefix or path.startswith(f"{self.prefix}/")


def find(package: str = "api") -> tuple[Dialect, ...]:
    """The dialects of the folders there are."""
    root = importlib.import_module(package)
    names = [f"{package}.{found.name}.dialect" for found in pkgutil.iter_modules(root.__path__) if found.ispkg]
    return tuple(importlib.import_module(name).DIALECT for name in names if importlib.util.find_spec(name))


def speaking(scope: types.Scope) -> Dialect | None:
    """The dialect of the request in this scope; None if it is our own."""
    known: tuple[Dialect, ...] = getattr(scope["app"].state, "dialects", ())
    return next((dialect for dialect in known if dialect.owns(scope["path"])), None)
