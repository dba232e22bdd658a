"""The status table: the truth about every job. Requests are kept apart, so that the hot rows stay small."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.db.tables import metadata

ACTIVE = sa.text("status IN ('queued', 'in_progress')")
# Never rung for: it waits for its tenant's turn. Indexes serve a query only if it says the same words.
WAITING = "status = 'queued' AND step = 'submit' AND lease_owner IS NULL AND rings = 0 AND cancel_requested_at IS NULL"
# Its turn came, and there was no room for it: given back to be tried again at `ring_at` (rings = PARKED).
PARKED = -1
PARKING = "status = 'queued' AND step = 'submit' AND lease_owner IS NULL AND rings < 0"
# Begun, rung for, parked, or to be cancelled: it waits for nobody's turn.
RUNNING = (
    "lease_owner IS NULL AND step IN ('submit', 'collect')"
    " AND (status <> 'queued' OR rings <> 0 OR cancel_requested_at IS NOT NULL)"
)
# Rung for, and not yet taken: these stand between a new job and a worker.
RUNG = "status = 'queued' AND step = 'submit' AND lease_owner IS NULL AND rings > 0"
IN_FLIGHT = "status = 'in_progress' OR (status = 'queued' AND (rings <> 0 OR lease_owner IS NOT NULL))"
# The second half is always true. It keeps the index for counting positions away from the query that deals turns
# (db/turns.py), which would read the whole queue of a tenant through it to find the jobs of one key.
QUEUED = "status = 'queued' AND priority >= 0"
UNSETTLED = "held_micros > 0 AND status NOT IN ('queued', 'in_progress')"
UNFORGOTTEN = "NOT store AND forgotten_at IS NULL AND finished_at IS NOT NULL"

jobs = sa.Table(
    "jobs",
    metadata.metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("is_test", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("priority", sa.SmallInteger, nullable=False),
    # domain/turns.py: priority and age in one, so that the order within a tenant is an index.
    sa.Column("turn_at", metadata.Moment, nullable=False),
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
    # What is reserved for it, in which budgets; 0 once it is over.
    sa.Column("held_micros", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("budget_ids", pg.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'::text[]")),
    sa.Column("metadata", pg.JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    sa.Column("deleted_at", metadata.Moment),
    sa.Column("rerun_of", sa.Text),
    # Whether prompt and result may stay in the database once they were collected.
    sa.Column("store", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("retention_seconds", sa.Integer),
    sa.Column("collected_at", metadata.Moment),
    sa.Column("forgotten_at", metadata.Moment),
    # Where this job's own events go, besides the tenant's receivers.
    sa.Column("webhook_url", sa.Text),
    sa.Column("webhook_events", pg.ARRAY(sa.Text)),
    sa.Column("webhook_format", sa.Text),
    sa.Column("webhook_receiver_id", sa.Text),
)

sa.Index("ix_jobs_tenant_created", jobs.c.tenant_id, jobs.c.id.desc())
sa.Index("ix_jobs_ring", jobs.c.ring_at, postgresql_where=sa.text(RUNNING))
sa.Index(
    "ix_jobs_waiting",
    *(jobs.c.tenant_id, jobs.c.key_id, jobs.c.model, jobs.c.turn_at, jobs.c.id),
    postgresql_where=sa.text(WAITING),
)
sa.Index("ix_jobs_parked", jobs.c.tenant_id, jobs.c.key_id, jobs.c.model, postgresql_where=sa.text(PARKING))
sa.Index("ix_jobs_rung", jobs.c.tenant_id, postgresql_where=sa.text(RUNG))
sa.Index("ix_jobs_in_flight", jobs.c.key_id, postgresql_where=sa.text(IN_FLIGHT))
sa.Index("ix_jobs_unsettled", jobs.c.id, postgresql_where=sa.text(UNSETTLED))
sa.Index("ix_jobs_unforgotten", jobs.c.finished_at, postgresql_where=sa.text(UNFORGOTTEN))
sa.Index("ix_jobs_poll", jobs.c.due_at, postgresql_where=sa.text("lease_owner IS NULL AND step = 'poll'"))
sa.Index("ix_jobs_lease", jobs.c.lease_owner, postgresql_where=sa.text("lease_owner IS NOT NULL"))
sa.Index("ix_jobs_deadline", jobs.c.deadline_at, postgresql_where=ACTIVE)
sa.Index("ix_jobs_queued", jobs.c.tenant_id, jobs.c.turn_at, jobs.c.id, postgresql_where=sa.text(QUEUED))
sa.Index("ix_jobs_queued_key", jobs.c.key_id, postgresql_where=sa.text("status = 'queued'"))
sa.Index("ix_jobs_queued_since", jobs.c.created_at, postgresql_where=sa.text("status = 'queued'"))
sa.Index("ix_jobs_metadata", jobs.c.metadata, postgresql_using="gin", postgresql_ops={"metadata": "jsonb_path_ops"})

requests = sa.Table(
    "requests",
    metadata.metadata,
    sa.Column("job_id", sa.Text, sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("body", pg.JSONB, nullable=False),
    # What each endpoint asked for when the request was accepted: later prices are for later jobs.
    sa.Column("prices", pg.JSONB, nullable=False, server_default=sa.text("'{}'::jsonb")),
    # What the router decided before each attempt (domain/decisions.py).
    sa.Column("route", pg.JSONB, nullable=False, server_default=sa.text("'[]'::jsonb")),
)
