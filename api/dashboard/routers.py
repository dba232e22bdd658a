"""Every page, for the composition root."""

from api.dashboard import assets, batches, jobs, keys, models, reference, signing, submissions, system, usage, webhooks

ALL = (
    signing.router,
    assets.router,
    reference.router,
    submissions.router,
    batches.router,
    models.router,
    webhooks.router,
    usage.router,
    keys.router,
    system.router,
    jobs.router,
)
