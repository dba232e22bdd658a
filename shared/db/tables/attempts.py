"""Every ask of a provider, written before it is made (promise P3), and what came back."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import metadata

attempts = sa.Table(
    "attempts",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("number", sa.SmallInteger, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("upstream_model", sa.Text, nullable=False),
    # Which of the provider's keys was used: a job is polled and cancelled with the key that made it.
    sa.Column("credential", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False, unique=True),
    sa.Column("upstream_id", sa.Text),
    sa.Column("created_at", metadata.Moment, nullable=False),
    sa.Column("sent_at", metadata.Moment),
    sa.Column("accepted_at", metadata.Moment),
    sa.Column("finished_at", metadata.Moment),
    sa.Column("fault", sa.Text),
    sa.Column("fault_message", sa.Text),
    sa.Column("cost_micros", sa.BigInteger, nullable=False, server_default="0"),
    # What the provider wished before the next ask.
    sa.Column("retry_after_seconds", sa.Float),
    # How often it was asked under the same key (doubt K), polled, and its results fetched.
    sa.Column("ask_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("poll_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("collect_count", sa.Integer, nullable=False, server_default="0"),
    # The results a provider named: URLs and texts. Bytes it sent inline are in attempt_bodies.
    sa.Column("sources", pg.JSONB),
    sa.Column("usage", pg.JSONB),
    sa.UniqueConstraint("job_id", "number", name="uq_attempts_job_number"),
)

sa.Index(
    "uq_attempts_upstream",
    attempts.c.provider,
    attempts.c.upstream_id,
    unique=True,
    postgresql_where=sa.text("upstream_id IS NOT NULL"),
)

# Few, it is hoped, and what an operator looks for first.
sa.Index("ix_attempts_in_doubt", attempts.c.id, postgresql_where=sa.text("status = 'in_doubt'"))
# Asks in the air, by whom they keep busy. The limits of endpoints are counted with it (db/capacity.py).
IN_FLIGHT = "status IN ('intended', 'sent', 'accepted')"
sa.Index(
    "ix_attempts_in_flight",
    attempts.c.provider,
    attempts.c.model,
    attempts.c.credential,
    postgresql_where=sa.text(IN_FLIGHT),
)
# The recent past, for the health of endpoints (db/endpoints.py).
sa.Index("ix_attempts_finished", attempts.c.finished_at, postgresql_where=sa.text("finished_at IS NOT NULL"))

attempt_bodies = sa.Table(
    "attempt_bodies",
    metadata.metadata,
    sa.Column("attempt_id", sa.Text, sa.ForeignKey("attempts.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.SmallInteger, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
