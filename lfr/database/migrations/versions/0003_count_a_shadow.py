"""Count a shadow."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COUNTS = ("frames", "skipped", "failed", "passes", "both_alerted", "only_field", "only_shadow")


def upgrade() -> None:
    op.create_table(
        "shadow_count",
        sa.Column("deployment_id", sa.String(), nullable=False),
        sa.Column("camera_id", sa.String(), nullable=False),
        sa.Column("model_digest", sa.String(), nullable=False),
        sa.Column("calibration_id", sa.String(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("threshold", sa.Double(), nullable=False),
        sa.Column("enrolled", sa.Integer(), nullable=False),
        sa.Column("failures_to_enrol", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployment.id"], name=op.f("fk_shadow_count_deployment_id")),
        sa.PrimaryKeyConstraint(
            "deployment_id", "camera_id", "model_digest", "calibration_id", name=op.f("pk_shadow_count")
        ),
    )


def downgrade() -> None:
    op.drop_table("shadow_count")
