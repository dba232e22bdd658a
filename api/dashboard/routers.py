"""Every page, for the composition root."""

from api.dashboard import assets, jobs, models, signing, submissions, system

ALL = (signing.router, assets.router, submissions.router, models.router, system.router, jobs.router)
