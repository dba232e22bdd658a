"""OpenAI's API under `/openai/v1`. Facts about its clients are in docs/clients.md."""

from api import dialects
from api.openai import batches, chats, embeddings, errors, files, images, models, responses, videos

PREFIX = "/openai/v1"

DIALECT = dialects.Dialect(
    prefix=PREFIX,
    routers=(
        batches.router,
        videos.router,
        images.router,
        chats.router,
        embeddings.router,
        responses.router,
        files.router,
        models.router,
    ),
    error=errors.respond,
    uploads=frozenset({f"{PREFIX}/files"}),
)
