"""What the composer's script asks while somebody writes: save, preview, check, pictures, people, the programme."""

from __future__ import annotations

from collections.abc import Sequence

from flask import abort, jsonify, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from app import clock
from app.accounts import audit
from app.accounts.access import current_actor, current_user, requires
from app.contacts.models import Contact
from app.contacts.search import Search, search_contacts
from app.db import ScopedSession
from app.mailings import words as mail_words
from app.mailings.composing import composer_words
from app.mailings.composing.cards import card_of, with_cards
from app.mailings.composing.checking import check_content
from app.mailings.composing.content import LANGUAGES, MailContent, languages_of, walk
from app.mailings.composing.content_schemas import content_json, parse_content
from app.mailings.composing.fields import Row, read_fields, samples
from app.mailings.composing.images import IMAGE_BYTES_MAX, ImageRefused, drawn, keep_image, newest_images
from app.mailings.composing.links import urls_of
from app.mailings.composing.mail_style import frame_of
from app.mailings.composing.mjml_source import when_of
from app.mailings.composing.pages import blueprint, found
from app.mailings.composing.problems import BracesError, InvalidContentError
from app.mailings.composing.programme import activities_named, audiences_ahead, find_for_cards, genres_ahead
from app.mailings.composing.public_pages import mail_answer
from app.mailings.composing.rendering import compose
from app.mailings.mail_settings import NotReady, forget_trouble, sender_of, setting_of
from app.mailings.mailings import copy_mailing, is_marketing, save_content
from app.mailings.mime import Content, Unwritable
from app.mailings.models import Mailing
from app.mailings.problems import NotThatState, StaleEdition
from app.mailings.skeleton import filled
from app.mailings.trial import send_content
from app.ui import request_scope
from app.ui.row_ids import row_id
from integrations.base import ConnectorError
from integrations.link_checks import LinkProblem, ask_links
from integrations.meanings import meaning_for_mail

FOUND_MAX = 10
LINKS_MAX = 60
DARK = "@media (prefers-color-scheme: dark)"

Answer = Response | tuple[Response, int]


@blueprint.post("/<int:mailing_id>/content")
@requires("marketer")
def save(mailing_id: int) -> Answer:
    """Store the words as they are now, unless somebody else changed them meanwhile; nothing is written over."""
    found(mailing_id)
    given = request.get_json(silent=True)
    if not isinstance(given, dict) or not isinstance(given.get("edition"), int):
        abort(400)
    session = request_scope.session()
    try:
        content = content_json(parse_content(given.get("content")))
        mailing = save_content(session, mailing_id, content, edition=given["edition"])
    except InvalidContentError as problem:
        return jsonify({"errors": problem.by_field(_)}), 422
    except StaleEdition as problem:
        return jsonify({"problem": "stale", "edition": problem.edition, "title": _(composer_words.STALE)}), 409
    except NotThatState:
        return jsonify({"problem": "not_draft", "title": _(composer_words.NOT_DRAFT)}), 409
    return jsonify({"edition": mailing.edition, "written": list(languages_of(parse_content(content)))})


@blueprint.post("/<int:mailing_id>/mine")
@requires("marketer")
def keep_mine(mailing_id: int) -> Answer:
    """Keep what somebody wrote, while another saved something else, as a mailing of its own."""
    mailing, given = found(mailing_id), request.get_json(silent=True)
    if not isinstance(given, dict):
        abort(400)
    session = request_scope.session()
    try:
        content = content_json(parse_content(given.get("content")))
    except InvalidContentError as problem:
        return jsonify({"errors": problem.by_field(_)}), 422
    made = copy_mailing(session, mailing.id, actor=current_actor())
    save_content(session, made.id, content, edition=made.edition)
    return jsonify({"url": url_for("mailings.compose", mailing_id=made.id)})


@blueprint.get("/<int:mailing_id>/preview")
@requires("viewer")
def preview(mailing_id: int) -> Response:
    """Show the saved draft as somebody would get it: any contact, or invented words."""
    mailing = found(mailing_id)
    session = request_scope.session()
    content, language = _asked_content(session, mailing)
    template = compose(
        content,
        variant=request.args.get("variant"),
        language=language,
        frame=frame_of(session, request_scope.runtime()),
        is_service=not is_marketing(session, mailing.purpose),
    )
    person = request.args.get("person", type=row_id)
    fields = _fields_of(session, person, language, segments=template.segments)
    try:
        shown = template.rendered(fields, shows_all=person is None)
    except BracesError as problem:
        return _framed(f"<p>{problem.message.said_in(_)}</p>")
    shown = filled(shown, template.direct_links() | template.words_of(fields) | _frame_links())
    if request.args.get("as") == "text":
        answer = _framed(shown.text)
        answer.mimetype = "text/plain"
        return answer
    media = "@media all" if request.args.get("dark") else "@media not all"
    return _framed(shown.html.replace(DARK, media))


@blueprint.get("/<int:mailing_id>/checks")
@requires("viewer")
def checks(mailing_id: int) -> Response:
    """Say what is to be mended before the saved draft is sent."""
    mailing, session = found(mailing_id), request_scope.session()
    try:
        content = parse_content(mailing.content)
    except InvalidContentError as problem:
        found_wrong = [{"severity": "stop", "words": words} for each in problem.by_field(_).values() for words in each]
        return jsonify({"findings": found_wrong})
    findings = check_content(
        session,
        request_scope.runtime(),
        content,
        is_service=not is_marketing(session, mailing.purpose),
        is_for_journeys=mailing.kind == "journey",
    )
    return jsonify(
        {
            "findings": [
                {
                    "code": each.code,
                    "severity": each.severity,
                    "words": each.message.said_in(_),
                    "variant": each.variant,
                    "language": each.language,
                    "block": each.block_id,
                }
                for each in findings
            ]
        }
    )


@blueprint.post("/<int:mailing_id>/links")
@requires("marketer")
def links(mailing_id: int) -> Response:
    """Ask every link of the saved draft whether it answers. No transaction is open while we ask."""
    mailing, session = found(mailing_id), request_scope.session()
    content = with_cards(session, parse_content(mailing.content), at=clock.now())
    texts = [text for variant in content.variants for text in variant.texts.values()]
    urls = {url for text in texts for block in walk(text.blocks) for url in urls_of(block) if url.startswith("http")}
    allows_loopback = request_scope.runtime().settings.allow_loopback_connections
    request_scope.let_go()
    asked = ask_links(sorted(urls)[:LINKS_MAX], allows_loopback=allows_loopback)
    wrong = [{"severity": "look", "words": _link_words(each)} for each in asked]
    count = min(len(urls), LINKS_MAX)
    return jsonify(
        {"findings": wrong, "title": ngettext("%(num)s link answers.", "%(num)s links answer.", count - len(wrong))}
    )


@blueprint.post("/<int:mailing_id>/try")
@requires("marketer")
def try_out(mailing_id: int) -> Answer:
    """Send the saved draft to whoever presses the button, at once."""
    mailing, session, me = found(mailing_id), request_scope.session(), current_user()
    sender = sender_of(session, request_scope.runtime())
    if me is None:
        abort(401)
    if isinstance(sender, NotReady):
        return jsonify({"title": _(mail_words.MISSING[sender.missing])}), 409
    content = _trial_content(session, mailing)
    to_address = me.email
    audit.record(session, current_actor(), "mailings.test", subject=("mailing", mailing.id))
    request_scope.let_go()
    try:
        send_content(sender, content, to_address=to_address)
    except ConnectorError as problem:
        return jsonify({"title": _("The test mail did not go: %(why)s", why=_(meaning_for_mail(problem.code)))}), 502
    except Unwritable:
        return jsonify({"title": _("The test mail did not go: %(why)s", why=_(meaning_for_mail("bad_message")))}), 422
    forget_trouble(setting_of(request_scope.session(), request_scope.runtime().settings))
    return jsonify({"title": _("A test mail is on its way to %(address)s.", address=to_address)})


@blueprint.post("/images")
@requires("marketer")
def upload() -> Answer:
    """Keep a picture: made small, without what a camera adds."""
    # A little more than the picture itself: the form around it.
    request.max_content_length = IMAGE_BYTES_MAX + 100_000
    file, user = request.files.get("image"), current_user()
    if file is None:
        abort(400)
    try:
        picture = drawn(file.stream.read(IMAGE_BYTES_MAX + 1))
        kept = keep_image(request_scope.session(), picture, uploaded_by=user.id if user else None)
    except ImageRefused as problem:
        return jsonify({"title": _(composer_words.IMAGE_PROBLEMS[problem.code])}), 422
    return jsonify({"name": kept.name, "url": f"/i/{kept.name}", "width": kept.width, "height": kept.height})


@blueprint.get("/images")
@requires("viewer")
def images() -> Response:
    """Return the pictures that were uploaded last."""
    held = newest_images(request_scope.session())
    return jsonify({"images": [{"name": each.name, "url": f"/i/{each.name}", "alt": each.alt} for each in held]})


@blueprint.get("/people")
@requires("marketer")
def people() -> Response:
    """Find somebody to look through the eyes of."""
    wanted = " ".join(request.args.get("q", "").split())[:100]
    page = search_contacts(request_scope.session(), Search(text=wanted), limit=FOUND_MAX)
    return jsonify({"people": [{"id": each.id, "words": _name_of(each)} for each in page.contacts]})


@blueprint.get("/programme")
@requires("marketer")
def programme() -> Response:
    """Find activities for a card: those still to come first, by title."""
    session, wanted = request_scope.session(), " ".join(request.args.get("q", "").split())[:100]
    ids = {each for each in request.args.getlist("id", type=row_id) if each}
    at = clock.now()
    shown = activities_named(session, ids) if ids else find_for_cards(session, wanted, at=at)
    frame = frame_of(session, request_scope.runtime())
    language = _language_or(frame.language)
    return jsonify(
        {
            "activities": [
                {
                    "id": each.id,
                    "title": each.title,
                    "when": when_of(card_of(each), frame, language),
                    "venue": each.venue or "",
                    "is_cancelled": each.is_cancelled,
                    "is_past": each.starts_at is not None and each.starts_at < at,
                }
                for each in shown
            ],
            "genres": genres_ahead(session, at=at),
            "audiences": audiences_ahead(session, at=at),
        }
    )


def _asked_content(session: ScopedSession, mailing: Mailing) -> tuple[MailContent, str]:
    """Return the draft with its cards, and the language that was asked for; 404 where that is not there."""
    content = with_cards(session, parse_content(mailing.content), at=clock.now())
    language = _language_or("nl")
    try:
        texts = content.variant(request.args.get("variant")).texts
    except KeyError:
        abort(404)
    if language not in texts:
        abort(404)
    return content, language


def _language_or(other: str) -> str:
    asked = request.args.get("language", "")
    return asked if asked in LANGUAGES else other


def _fields_of(
    session: ScopedSession, contact_id: int | None, language: str, *, segments: Sequence[int]
) -> dict[str, str]:
    if contact_id is None:
        return samples()
    row = Row(contact_id, contact_id)
    known = read_fields(session, [row], language=language, segments=segments, at=clock.now())[contact_id]
    journey_ones = {
        name: words for name, words in samples().items() if name.startswith("activity.") or name == "party_size"
    }
    return journey_ones | known


def _frame_links() -> dict[str, str]:
    return dict.fromkeys(("unsubscribe_url", "preferences_url", "view_url"), request_scope.runtime().settings.base_url)


def _trial_content(session: ScopedSession, mailing: Mailing) -> Content:
    """Return what somebody tries on themselves: marked as a test, links direct, ways out that lead home."""
    content, language = _asked_content(session, mailing)
    template = compose(
        content,
        variant=request.args.get("variant"),
        language=language,
        frame=frame_of(session, request_scope.runtime()),
        is_service=not is_marketing(session, mailing.purpose),
    )
    person = request.args.get("person", type=row_id)
    fields = _fields_of(session, person, language, segments=template.segments)
    made = template.rendered(fields, shows_all=person is None)
    shown = filled(made, template.direct_links() | template.words_of(fields) | _frame_links())
    return Content(f"[{_('Test')}] {shown.subject}", shown.text, shown.html)


def _framed(html: str) -> Response:
    answer = mail_answer(html, framed_by=f"{request.host_url.rstrip('/')} {request_scope.runtime().settings.base_url}")
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def _link_words(problem: LinkProblem) -> str:
    return f"{problem.url[:90]}: {_(composer_words.LINK_PROBLEMS[problem.code])}"


def _name_of(contact: Contact) -> str:
    name = " ".join(each for each in (contact.given_name, contact.family_name) if each)
    return f"{name} ({contact.email})" if name and contact.email else name or contact.email or str(contact.id)
