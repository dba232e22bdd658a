"""Keys, budgets, the ledger, the audit log, and what jobs know of them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003_tenants"
down_revision = "0006_endpoints"
branch_labels = None
depends_on = None

# As they were when this migration was written; tables/jobs.py has today's.
WAITING = (
    "status = 'queued' AND step = 'submit' AND lease_owner IS NULL AND rings = 0 AND cancel_requested_at IS NULL"
)
RUNNING = (
    "lease_owner IS NULL AND step IN ('submit', 'collect')"
    " AND (status <> 'queued' OR rings <> 0 OR cancel_requested_at IS NOT NULL)"
)
PARKING = "status = 'queued' AND step = 'submit' AND lease_owner IS NULL AND rings < 0"
RUNG = "status = 'queued' AND step = 'submit' AND lease_owner IS NULL AND rings > 0"
IN_FLIGHT = "status = 'in_progress' OR (status = 'queued' AND (rings <> 0 OR lease_owner IS NOT NULL))"
UNSETTLED = "held_micros > 0 AND status NOT IN ('queued', 'in_progress')"
UNFORGOTTEN = "NOT store AND forgotten_at IS NULL AND finished_at IS NOT NULL"
ADMIN_KEY_ID = "key_00000000000000000000000000"
APPEND_ONLY = ("audit", "ledger")
Moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    _tenants()
    _keys()
    _budgets()
    _ledger()
    _audit()
    _append_only()
    _jobs()
    _jobs_indexes()
    _requests_and_outputs()
    _idempotency()


def downgrade() -> None:
    _jobs_indexes_back()
    for table in ("audit", "ledger", "budgets", "keys"):
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_change()")
    op.drop_index("ix_outputs_unerased", table_name="outputs")
    op.drop_column("outputs", "erased_at")
    op.drop_column("requests", "prices")
    op.execute("DELETE FROM idempotency WHERE job_id IS NULL")
    op.alter_column("idempotency", "job_id", nullable=False)
    op.drop_index("ix_idempotency_created", table_name="idempotency")
    for table, columns in {
        "idempotency": ("status", "headers", "body"),
        "tenants": ("weight", "retention_seconds", "disabled_at"),
        "jobs": (
            *("key_id", "is_test", "turn_at", "held_micros", "budget_ids", "store", "retention_seconds"),
            *("collected_at", "forgotten_at"),
        ),
    }.items():
        for column in columns:
            op.drop_column(table, column)


def _tenants() -> None:
    op.add_column("tenants", sa.Column("weight", sa.SmallInteger(), server_default="1", nullable=False))
    op.add_column("tenants", sa.Column("retention_seconds", sa.Integer()))
    op.add_column("tenants", sa.Column("disabled_at", Moment))


def _keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("requests_per_minute", sa.Integer()),
        sa.Column("max_queued", sa.Integer()),
        sa.Column("max_in_flight", sa.Integer()),
        sa.Column("max_batch_rows", sa.Integer()),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", Moment),
        sa.Column("disabled_at", Moment),
        sa.Column("last_used_at", Moment),
        sa.Column("previous_digest", sa.Text()),
        sa.Column("previous_until_at", Moment),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_keys_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_keys_digest")),
        sa.UniqueConstraint("previous_digest", name=op.f("uq_keys_previous_digest")),
    )
    op.create_index("ix_keys_tenant", "keys", ["tenant_id", "id"])


def _budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text()),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("limit_micros", sa.BigInteger(), nullable=False),
        sa.Column("held_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("spent_micros", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("window_at", Moment, nullable=False),
        sa.Column("notified_percent", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.CheckConstraint("held_micros >= 0", name=op.f("ck_budgets_held")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_budgets_tenant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budgets")),
        sa.UniqueConstraint(
            "tenant_id", "key_id", "period", name="uq_budgets_owner_period", postgresql_nulls_not_distinct=True
        ),
    )


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("job_kind", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("attempt_id", sa.Text()),
        sa.Column("model", sa.Text()),
        sa.Column("provider", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
        sa.UniqueConstraint("job_id", "kind", "attempt_id", name="uq_ledger_entry", postgresql_nulls_not_distinct=True),
    )
    op.create_index(
        "ix_ledger_charges", "ledger", ["tenant_id", "created_at"], postgresql_where=sa.text("kind = 'charge'")
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.Column("address", sa.Text()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("data", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_tenant", "audit", ["tenant_id", "id"])


def _append_only() -> None:
    """Not even our own mistakes may change what was written. (TRUNCATE is left to the owner of the database.)"""
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def _jobs() -> None:
    op.add_column("jobs", sa.Column("key_id", sa.Text(), server_default=ADMIN_KEY_ID, nullable=False))
    op.alter_column("jobs", "key_id", server_default=None)
    op.add_column("jobs", sa.Column("is_test", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("jobs", sa.Column("turn_at", Moment))
    op.execute("UPDATE jobs SET turn_at = created_at - priority * interval '30 minutes'")
    op.alter_column("jobs", "turn_at", nullable=False)
    op.add_column("jobs", sa.Column("held_micros", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column(
        "jobs",
        sa.Column("budget_ids", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'::text[]"), nullable=False),
    )
    op.add_column("jobs", sa.Column("store", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.add_column("jobs", sa.Column("retention_seconds", sa.Integer()))
    op.add_column("jobs", sa.Column("collected_at", Moment))
    op.add_column("jobs", sa.Column("forgotten_at", Moment))


def _jobs_indexes() -> None:
    queued = sa.text("status = 'queued'")
    op.drop_index("ix_jobs_ring", table_name="jobs")
    op.drop_index("ix_jobs_queued", table_name="jobs")
    for name, columns, where in (
        ("ix_jobs_ring", ["ring_at"], sa.text(RUNNING)),
        ("ix_jobs_waiting", ["tenant_id", "key_id", "model", "turn_at", "id"], sa.text(WAITING)),
        ("ix_jobs_parked", ["tenant_id", "key_id", "model"], sa.text(PARKING)),
        ("ix_jobs_rung", ["tenant_id"], sa.text(RUNG)),
        ("ix_jobs_in_flight", ["key_id"], sa.text(IN_FLIGHT)),
        ("ix_jobs_unsettled", ["id"], sa.text(UNSETTLED)),
        ("ix_jobs_unforgotten", ["finished_at"], sa.text(UNFORGOTTEN)),
        ("ix_jobs_queued", ["tenant_id", "turn_at", "id"], sa.text("status = 'queued' AND priority >= 0")),
        ("ix_jobs_queued_key", ["key_id"], queued),
        ("ix_jobs_queued_since", ["created_at"], queued),
    ):
        op.create_index(name, "jobs", columns, postgresql_where=where)


def _jobs_indexes_back() -> None:
    for name in ("ring", "waiting", "parked", "rung", "in_flight", "unsettled", "unforgotten"):
        op.drop_index(f"ix_jobs_{name}", table_name="jobs")
    for name in ("queued", "queued_key", "queued_since"):
        op.drop_index(f"ix_jobs_{name}", table_name="jobs")
    work = sa.text("lease_owner IS NULL AND step IN ('submit', 'collect')")
    op.create_index("ix_jobs_ring", "jobs", ["ring_at"], postgresql_where=work)
    op.create_index(
        "ix_jobs_queued",
        "jobs",
        ["tenant_id", sa.literal_column("priority DESC"), "id"],
        postgresql_where=sa.text("status = 'queued'"),
    )


def _requests_and_outputs() -> None:
    op.add_column(
        "requests", sa.Column("prices", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False)
    )
    op.add_column("outputs", sa.Column("erased_at", Moment))
    op.create_index(
        "ix_outputs_unerased",
        "outputs",
        ["deleted_at"],
        postgresql_where=sa.text("deleted_at IS NOT NULL AND erased_at IS NULL"),
    )


def _idempotency() -> None:
    op.alter_column("idempotency", "job_id", nullable=True)
    op.add_column("idempotency", sa.Column("status", sa.SmallInteger()))
    op.add_column("idempotency", sa.Column("headers", postgresql.JSONB()))
    op.add_column("idempotency", sa.Column("body", sa.LargeBinary()))
    op.create_index("ix_idempotency_created", "idempotency", ["created_at"])
