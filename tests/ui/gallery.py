"""A small application with nothing but the interface on it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Blueprint, Flask, flash, render_template, request
from marshmallow import Schema, fields, validate

from app.ui import interface
from app.ui.forms import new_form, read_form, shown_again
from app.ui.viewer import Viewer, set_viewer

NOW = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
HERE = Path(__file__).resolve().parent


class GallerySchema(Schema):
    """What the gallery's form takes."""

    name = fields.String(required=True, validate=validate.Length(min=1, max=40))
    email = fields.Email()
    starts_on = fields.Date()
    is_active = fields.Boolean()


def make_viewer(**changes: Any) -> Viewer:
    """Return an invented marketer of an invented house."""
    values = {"name": "Ann Peeters", "email": "ann@example.org", "role": "admin", "organisation": "Schouwburg De Lamp"}
    return Viewer(**(values | changes))


def gallery_rows() -> list[SimpleNamespace]:
    """Return three invented contacts."""
    return [
        SimpleNamespace(name="Bart Claes", email="bart@example.org", visits=12, state="Yes", tone="good"),
        SimpleNamespace(name="Fatima El Amrani", email="fatima@example.org", visits=1, state="No", tone="bad"),
        SimpleNamespace(name="=cmd()", email="<b>@example.org", visits=1204, state="Unknown", tone=""),
    ]


def make_gallery(viewer: Viewer | None) -> Flask:
    """Return an application that shows the gallery to somebody, or public pages to nobody in particular."""
    app = Flask("gallery", template_folder=str(HERE / "templates"), static_folder=None)
    app.config.update(SECRET_KEY="for tests only", TESTING=False)
    pages = Blueprint("insights", __name__)

    @pages.before_app_request
    def look() -> None:
        set_viewer(viewer)

    @pages.route("/", methods=["GET", "POST"], endpoint="home")
    def home() -> Any:
        form = read_form(GallerySchema(), request.form) if request.method == "POST" else new_form(name="De Lamp")
        context = {"rows": gallery_rows(), "now": NOW}
        if form.is_submitted and not form.is_valid:
            return shown_again("gallery.html", form=form, **context)
        flash("Saved.", "success")
        return render_template("gallery.html", form=form, **context)

    @pages.get("/api/v1/broken")
    @pages.get("/broken")
    def broken() -> str:
        raise RuntimeError("ann@example.org could not be read")

    @pages.route("/fragment", methods=["GET", "POST"])
    def fragment() -> str:
        return "<p id='done'>Done</p>"

    app.register_blueprint(pages)
    interface.install(app)  # after the one that says who looks, as in the real house
    return app
