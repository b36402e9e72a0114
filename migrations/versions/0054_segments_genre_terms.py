"""Which term of the shared vocabulary a genre is decides who is in the segments that ask for a term

Revision ID: 0054
Revises: 0053
"""

from migrations.noting import Noted, note_changes, stop_noting

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

SEEN = ("time_zone", "country", "settings -> 'closed_periods'")


def upgrade() -> None:
    _note(*SEEN, "settings -> 'genre_terms'")


def downgrade() -> None:
    _note(*SEEN)


def _note(*seen: str) -> None:
    """Everybody is looked at again where what rules ask of the house itself changed, and only there."""
    now, before = (", ".join(f"{row}.{each}" for each in seen) for row in ("n", "o"))
    stop_noting("organisation", ("update",))
    note_changes(
        Noted(
            "organisation",
            "everybody",
            "id",
            events=("update",),
            only_where=f"({now}) IS DISTINCT FROM ({before})",
            organisation="id",
        )
    )
