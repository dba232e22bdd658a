"""Batches: their rows, the slices that move them, and what happened to them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004_batches"
down_revision = "0003_tenants"
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _batch_rows()
    _batches()
    _slices()


def _batch_rows() -> None:
    op.create_table('batch_rows',
    sa.Column('batch_number', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('line', sa.Integer(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('cells', postgresql.ARRAY(sa.Text()), nullable=False),
    sa.Column('custom_id', sa.Text(), nullable=True),
    sa.Column('due_at', _MOMENT, nullable=True),
    sa.Column('slice', sa.BigInteger(), nullable=True),
    sa.Column('generation', sa.SmallInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('attempt', sa.SmallInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('asks', sa.SmallInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('model', sa.Text(), nullable=True),
    sa.Column('provider', sa.Text(), nullable=True),
    sa.Column('credential', sa.SmallInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('sent_at', _MOMENT, nullable=True),
    sa.Column('started_at', _MOMENT, nullable=True),
    sa.Column('finished_at', _MOMENT, nullable=True),
    sa.Column('output', sa.Text(), nullable=True),
    sa.Column('error_code', sa.Text(), nullable=True),
    sa.Column('error_column', sa.Text(), nullable=True),
    sa.Column('error_message', sa.Text(), nullable=True),
    sa.Column('cost_micros', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
    sa.Column('job_id', sa.Text(), nullable=True),
    sa.Column('history', postgresql.JSONB(), nullable=True),
    sa.Column('past', postgresql.JSONB(), nullable=True),
    sa.PrimaryKeyConstraint('batch_number', 'number', name=op.f('pk_batch_rows'))
    )
    op.create_index('ix_batch_rows_due', 'batch_rows', ['batch_number', 'due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'))
    op.create_index('ix_batch_rows_invalid', 'batch_rows', ['batch_number', 'number'], unique=False, postgresql_where=sa.text("status = 'invalid'"))
    op.create_index('ix_batch_rows_released', 'batch_rows', ['batch_number'], unique=False, postgresql_where=sa.text("job_id IS NOT NULL AND status = 'in_progress'"))
    op.create_index('ix_batch_rows_slice', 'batch_rows', ['slice'], unique=False, postgresql_where=sa.text('slice IS NOT NULL'))


def _batches_columns_1() -> list[sa.Column[object]]:
    return [
        sa.Column('number', sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column('id', sa.Text(), nullable=False),
        sa.Column('tenant_id', sa.Text(), nullable=False),
        sa.Column('status', sa.Text(), nullable=False),
        sa.Column('ends_as', sa.Text(), server_default='completed', nullable=False),
        sa.Column('created_at', _MOMENT, nullable=False),
        sa.Column('validated_at', _MOMENT, nullable=True),
        sa.Column('started_at', _MOMENT, nullable=True),
        sa.Column('finished_at', _MOMENT, nullable=True),
        sa.Column('deadline_at', _MOMENT, nullable=True),
        sa.Column('recipe', postgresql.JSON(), nullable=False),
        sa.Column('wishes', postgresql.JSONB(), nullable=False),
        sa.Column('options', postgresql.JSONB(), nullable=False),
        sa.Column('priority', sa.SmallInteger(), nullable=False),
        sa.Column('model', sa.Text(), nullable=True),
        sa.Column('source_name', sa.Text(), nullable=False),
        sa.Column('source_key', sa.Text(), nullable=False),
        sa.Column('source_url', sa.Text(), nullable=True),
        sa.Column('source_bytes', sa.BigInteger(), nullable=True),
        sa.Column('clone_of', sa.Text(), nullable=True),
        sa.Column('webhook_url', sa.Text(), nullable=True),
        sa.Column('webhook_receiver_id', sa.Text(), nullable=True),
        sa.Column('layout', postgresql.JSONB(), nullable=True),
        sa.Column('notes', postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column('sequence', sa.Integer(), server_default=sa.text('0'), nullable=False),
        sa.Column('queued', sa.Integer(), server_default=sa.text('0'), nullable=False),
    ]


def _batches_columns_2() -> list[sa.Column[object]]:
    return [
        sa.Column('in_progress', sa.Integer(), server_default=sa.text('0'), nullable=False),
        sa.Column('completed', sa.Integer(), server_default=sa.text('0'), nullable=False),
        sa.Column('failed', sa.Integer(), server_default=sa.text('0'), nullable=False),
        sa.Column('cancelled', sa.Integer(), server_default=sa.text('0'), nullable=False),
        sa.Column('expired', sa.Integer(), server_default=sa.text('0'), nullable=False),
        sa.Column('invalid', sa.Integer(), server_default=sa.text('0'), nullable=False),
        sa.Column('least_micros', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
        sa.Column('most_micros', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
        sa.Column('input_tokens', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
        sa.Column('output_tokens', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
        sa.Column('cost_micros', sa.BigInteger(), server_default=sa.text('0'), nullable=False),
        sa.Column('generation', sa.SmallInteger(), server_default=sa.text('0'), nullable=False),
        sa.Column('cursor', sa.Integer(), server_default=sa.text('0'), nullable=False),
        sa.Column('reset_cursor', sa.Integer(), nullable=True),
        sa.Column('holder', sa.BigInteger(), nullable=True),
        sa.Column('ring_at', _MOMENT, nullable=False),
        sa.Column('rung_at', _MOMENT, nullable=False),
        sa.Column('error_code', sa.Text(), nullable=True),
        sa.Column('error_message', sa.Text(), nullable=True),
        sa.Column('files', postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False),
    ]


def _batches() -> None:
    op.create_table('batches',
        *_batches_columns_1(), *_batches_columns_2(),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_batches')),
    sa.UniqueConstraint('id', name=op.f('uq_batches_id'))
    )
    op.create_index('ix_batches_ring', 'batches', ['ring_at'], unique=False, postgresql_where=sa.text("status IN ('validating', 'in_progress', 'paused', 'cancelling', 'expiring', 'finalizing')"))
    op.create_index('ix_batches_tenant_created', 'batches', ['tenant_id', sa.literal_column('id DESC')], unique=False)


def _slices() -> None:
    op.create_table('slices',
    sa.Column('number', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('batch_number', sa.BigInteger(), nullable=False),
    sa.Column('owner', sa.Text(), nullable=False),
    sa.Column('held', sa.Integer(), server_default=sa.text('0'), nullable=False),
    sa.Column('created_at', _MOMENT, server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_slices'))
    )
    op.create_index('ix_slices_batch', 'slices', ['batch_number'], unique=False)


def downgrade() -> None:
    op.drop_table("slices")
    op.drop_table("batches")
    op.drop_table("batch_rows")
