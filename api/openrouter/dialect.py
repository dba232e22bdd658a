"""OpenRouter's API under `/api/v1`. Facts about its clients are in docs/clients.md."""

from api import dialects
from api.openrouter import (
    batches,
    chats,
    errors,
    generations,
    images,
    keys,
    models,
    providers,
    usage,
    videos,
)

DIALECT = dialects.Dialect(
    prefix="/api/v1",
    # `videos/models` must be met before `videos/{id}`.
    routers=(
        models.router,
        videos.router,
        images.router,
        chats.router,
        generations.router,
        providers.router,
        keys.router,
        usage.router,
        batches.router,
    ),
    error=errors.respond,
)
