"""The status table: the truth about every job. Requests are kept apart, so that the hot rows stay small."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import metadata

ACTIVE = sa.text("status IN ('queued', 'in_progress')")

jobs = sa.Table(
    "jobs",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("priority", sa.SmallInteger, nullable=False),
    sa.Column("on_doubt", sa.Text, nullable=False),
    sa.Column("created_at", metadata.Moment, nullable=False),
    sa.Column("started_at", metadata.Moment),
    sa.Column("finished_at", metadata.Moment),
    sa.Column("deadline_at", metadata.Moment, nullable=False),
    # When the next step may be done; nobody claims it before.
    sa.Column("due_at", metadata.Moment, nullable=False),
    # When the relay rings (again) for it. Later than due_at once it has rung: a doorbell may be lost.
    sa.Column("ring_at", metadata.Moment, nullable=False),
    sa.Column("rings", sa.Integer, nullable=False, server_default="0"),
    sa.Column("lease_owner", sa.Text),
    sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("sequence", sa.Integer, nullable=False, server_default="0"),
    sa.Column("progress", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("attempt_id", sa.Text),
    sa.Column("cancel_requested_at", metadata.Moment),
    sa.Column("served_model", sa.Text),
    sa.Column("served_provider", sa.Text),
    sa.Column("billed", sa.Text),
    sa.Column("error_code", sa.Text),
    sa.Column("error_message", sa.Text),
    sa.Column("estimate_micros", sa.BigInteger, nullable=False),
    sa.Column("cost_micros", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("metadata", pg.JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    sa.Column("deleted_at", metadata.Moment),
    sa.Column("rerun_of", sa.Text),
    # Where this job's own events go, besides the tenant's receivers.
    sa.Column("webhook_url", sa.Text),
    sa.Column("webhook_events", pg.ARRAY(sa.Text)),
    sa.Column("webhook_receiver_id", sa.Text),
)

sa.Index("ix_jobs_tenant_created", jobs.c.tenant_id, jobs.c.id.desc())
sa.Index(
    "ix_jobs_ring",
    jobs.c.ring_at,
    postgresql_where=sa.text("lease_owner IS NULL AND step IN ('submit', 'collect')"),
)
sa.Index("ix_jobs_poll", jobs.c.due_at, postgresql_where=sa.text("lease_owner IS NULL AND step = 'poll'"))
sa.Index("ix_jobs_lease", jobs.c.lease_owner, postgresql_where=sa.text("lease_owner IS NOT NULL"))
sa.Index("ix_jobs_deadline", jobs.c.deadline_at, postgresql_where=ACTIVE)
sa.Index(
    "ix_jobs_queued", jobs.c.tenant_id, jobs.c.priority.desc(), jobs.c.id, postgresql_where=sa.text("status = 'queued'")
)
sa.Index("ix_jobs_metadata", jobs.c.metadata, postgresql_using="gin", postgresql_ops={"metadata": "jsonb_path_ops"})

requests = sa.Table(
    "requests",
    metadata.metadata,
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("body", pg.JSONB, nullable=False),
    # What the router decided before each attempt (domain/decisions.py).
    sa.Column("route", pg.JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
)
