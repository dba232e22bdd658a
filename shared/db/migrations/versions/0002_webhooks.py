"""Webhooks: receivers, deliveries, tries, signing keys; events of any subject, with their body."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002_webhooks"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _receivers()
    _signing_keys()
    _deliveries()
    _delivery_indexes()
    _tries()
    _events()


def _receivers() -> None:
    op.create_table(
        "receivers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("implicit", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("sealed_headers", sa.Text(), nullable=True),
        sa.Column("header_names", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("strikes", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sequence", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receivers")),
    )
    op.create_index("ix_receivers_tenant", "receivers", ["tenant_id", "id"], unique=False)
    op.create_index(
        "uq_receivers_implicit", "receivers", ["tenant_id", "url"], unique=True, postgresql_where=sa.text("implicit")
    )


def _signing_keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sealed_secret", sa.Text(), nullable=False),
        sa.Column("sealed_private_key", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
    )
    op.create_index("ix_signing_keys_owner", "signing_keys", ["owner_id"], unique=False)
    op.create_index(
        "uq_signing_keys_current",
        "signing_keys",
        ["owner_id"],
        unique=True,
        postgresql_where=sa.text("expires_at IS NULL"),
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("receiver_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("step", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("try_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_status_code", sa.SmallInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_deliveries_event_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["receiver_id"], ["receivers.id"], name=op.f("fk_deliveries_receiver_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
    )


def _delivery_indexes() -> None:
    op.create_index("ix_deliveries_event", "deliveries", ["event_id"], unique=False)
    op.create_index(
        "ix_deliveries_held",
        "deliveries",
        ["receiver_id"],
        unique=False,
        postgresql_where=sa.text("lease_owner IS NOT NULL"),
    )
    op.create_index("ix_deliveries_receiver", "deliveries", ["receiver_id", sa.literal_column("id DESC")], unique=False)
    op.create_index("ix_deliveries_tenant", "deliveries", ["tenant_id", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_deliveries_waiting",
        "deliveries",
        ["receiver_id", "due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending' AND lease_owner IS NULL"),
    )


def _tries() -> None:
    op.create_table(
        "tries",
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_seconds", sa.Float(), nullable=False),
        sa.Column("status_code", sa.SmallInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("response_head", sa.LargeBinary(), nullable=False),
        sa.Column("response_headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_tries_delivery_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("pk_tries")),
    )


def _events() -> None:
    op.drop_constraint(op.f("fk_events_job_id"), "events", type_="foreignkey")
    op.alter_column("events", "job_id", new_column_name="subject_id")
    op.add_column("events", sa.Column("body", sa.Text(), nullable=True))
    # Events from before say less of their job; they were never sent to anybody.
    op.execute("""UPDATE events SET body = json_build_object('type', type, 'timestamp', created_at, 'data',
               jsonb_build_object('id', subject_id, 'sequence', sequence) || data)::text""")
    op.alter_column("events", "body", nullable=False)
    op.add_column(
        "events",
        sa.Column(
            "xact", sa.BigInteger(), server_default=sa.text("(pg_current_xact_id()::text)::bigint"), nullable=False
        ),
    )
    op.drop_index(op.f("ix_events_tenant"), table_name="events")
    op.drop_constraint(op.f("uq_events_job_sequence"), "events", type_="unique")
    op.create_index("ix_events_feed", "events", ["tenant_id", "xact", "id"], unique=False)
    op.create_unique_constraint("uq_events_subject_sequence", "events", ["subject_id", "sequence"])
    op.drop_column("events", "data")
    op.add_column("jobs", sa.Column("webhook_url", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("webhook_events", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column("jobs", sa.Column("webhook_receiver_id", sa.Text(), nullable=True))
    op.add_column("tenants", sa.Column("sequence", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    raise NotImplementedError("Go back with a backup.")
