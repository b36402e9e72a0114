"""The audit trail as a page: who did what to what, in words."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for
from flask_babel import lazy_gettext as _l

from app.accounts import audit, people
from app.accounts.access import requires
from app.accounts.api_keys import list_api_keys
from app.ui import request_scope

blueprint = Blueprint("audit_trail", __name__, url_prefix="/settings/audit", template_folder="templates")

EVENTS_PER_PAGE = 50

# Every action any room records; a structure test looks for the missing ones.
ACTION_NAMES = {
    "journeys.update": _l("changed a journey"),
    "journeys.publish": _l("published a journey"),
    "journeys.pause": _l("paused a journey"),
    "journeys.resume": _l("took a journey up again"),
    "journeys.archive": _l("put a journey away"),
    "journeys.enrol": _l("brought somebody into a journey"),
    "accounts.changed_look": _l("Changed the colour or the logo of the house"),
    "journeys.rehearse": _l("rehearsed a journey"),
    "journeys.release": _l("let the mails of a rehearsal leave"),
    "journeys.discard": _l("threw the mails of a rehearsal away"),
    "journeys.create": _l("made a journey"),
    "journeys.rename": _l("gave a journey another name"),
    "journeys.remove": _l("removed a journey"),
    "journeys.write_mailing": _l("began a mailing for a journey"),
    "forms.created": _l("Made a sign-up form"),
    "forms.changed": _l("Changed a sign-up form"),
    "accounts.logged_in": _l("logged in"),
    "accounts.took_up_invitation": _l("took up an invitation"),
    "accounts.set_password": _l("set a new password through a link"),
    "accounts.changed_profile": _l("changed their profile"),
    "accounts.changed_password": _l("changed their password"),
    "accounts.changed_organisation": _l("changed the settings of the house"),
    "accounts.invited": _l("invited somebody"),
    "accounts.made_link": _l("made a link for somebody"),
    "accounts.changed_role": _l("gave somebody another role"),
    "accounts.deactivated": _l("shut somebody out"),
    "accounts.reactivated": _l("let somebody in again"),
    "accounts.created_api_key": _l("made an API key"),
    "accounts.revoked_api_key": _l("revoked an API key"),
    "accounts.founded": _l("founded the house"),
    "contacts.edit": _l("changed a contact"),
    "contacts.address": _l("corrected somebody's address"),
    "contacts.opt_out": _l("noted an opt-out"),
    "contacts.merge": _l("merged two contacts"),
    "contacts.unmerge": _l("parted two contacts again"),
    "contacts.erase": _l("erased a person"),
    "contacts.export": _l("exported what is held about a person"),
    "contacts.import_upload": _l("uploaded a file"),
    "contacts.import_start": _l("started an import"),
    "contacts.import_cancel": _l("cancelled an import"),
    "contacts.import_problems": _l("downloaded the errors of an import"),
    "segments.create": _l("made a segment"),
    "segments.update": _l("changed a segment"),
    "segments.delete": _l("removed a segment"),
    "activities.change_done": _l("said that everybody knows of a cancelled or moved performance"),
    "activities.genres": _l("said which genres of UiTdatabank the genres are"),
    "segments.closures": _l("changed when the house was closed"),
    "segments.export": _l("exported a segment"),
    "segments.repair": _l("found wrong people in a segment and put it right; please tell support"),
    "segments.freeze": _l("kept a snapshot of a segment"),
    "audiences.create": _l("made an audience"),
    "audiences.fetched_file": _l("fetched a file of an audience"),
    "audiences.brought_opt_outs": _l("brought opt-outs back in a file"),
    "audiences.change": _l("changed an audience"),
    "audiences.pause": _l("paused an audience"),
    "audiences.resume": _l("resumed an audience"),
    "audiences.remove": _l("removed an audience"),
    "audiences.confirm": _l("confirmed a large change of an audience"),
    "audiences.not_now": _l("held back a large change of an audience"),
    "clearing.label": _l("said what a list of a mail system is for"),
    "clearing.retry": _l("had an opt-out or erasure tried again"),
    "connections.create": _l("made a connection"),
    "connections.change": _l("changed a connection"),
    "connections.pause": _l("paused a connection"),
    "connections.resume": _l("resumed a connection"),
    "connections.remove": _l("removed a connection"),
    "connections.say": _l("said what the words of a system mean"),
    "inbox.replay": _l("had a message from a connection processed again"),
    "consent.purpose_created": _l("added a purpose"),
    "consent.purpose_changed": _l("changed a purpose"),
    "consent.notice_drafted": _l("kept a draft of a consent text"),
    "consent.notice_published": _l("published a consent text"),
    "consent.suppressed": _l("put an address on the list of exclusions"),
    "mailings.create": _l("made a mailing"),
    "mailings.change": _l("changed a mailing"),
    "mailings.rename": _l("renamed a mailing"),
    "mailings.remove": _l("removed a mailing"),
    "mailings.schedule": _l("set when a mailing goes out"),
    "mailings.unschedule": _l("took back when a mailing goes out"),
    "mailings.send": _l("had a mailing sent"),
    "mailings.test": _l("sent a test of a mailing"),
    "mailings.pause": _l("paused a mailing"),
    "mailings.resume": _l("resumed a mailing"),
    "mailings.changed_hook_key": _l("changed the key that the relay signs with"),
    "mailings.gave_up_held": _l("had mails not sent that waited since the house was brought back"),
    "mailings.cancel": _l("cancelled a mailing"),
    "mailings.remarked": _l("wrote a remark on the results of a mailing"),
    "mailings.exported_people": _l("downloaded people of a mailing's results"),
    "mailings.changed_window": _l("changed how long after a mailing bookings count"),
    "mailings.started_season": _l("started the control group of a season"),
    "mailings.changed_limits": _l("changed how often people are mailed"),
    "mailings.decided_return": _l("dealt with a mail that came back"),
    "mailings.decided_returns": _l("put aside mails that came back and name none of ours"),
    "mailings.changed_mailbox": _l("changed the mailbox for mails that come back"),
    "mailings.made_return_hook": _l("made an address at which mails that come back are handed in"),
    "mailings.closed_breaker": _l("had mail go again to a domain that refused it"),
    "mailings.changed_tracking": _l("changed whether clicks and opens are followed"),
    "mailings.changed_settings": _l("changed how mail is sent"),
    "mailings.made_dkim_keys": _l("made keys to sign mail with"),
    "mailings.confirmed_place": _l("had the house send mail from here"),
    "mailings.sent_again": _l("sent a mail again that may not have arrived"),
    "mailings.set_aside": _l("set a mail aside that may not have arrived"),
    "rights.opened": _l("noted a request of a person"),
    "rights.identity_checked": _l("checked who made a request"),
    "rights.extended": _l("extended a request"),
    "rights.carried_out": _l("carried out a request"),
    "rights.closed": _l("closed a request"),
    "rights.restriction_lifted": _l("lifted a restriction"),
    "demonstration.opened": _l("opened the demonstration house"),
}
ACTOR_NAMES = {
    "user": _l("Somebody who is no longer here"),
    "api_key": _l("A program"),
    "system": _l("Zaallicht"),
    "command": _l("A command on the server"),
    "contact": _l("A contact"),
}
SUBJECT_NAMES = {
    "segment": _l("Segment"),
    "audience": _l("Audience"),
    "journey": _l("Journey"),
    "connection": _l("Connection"),
    "contact": _l("Contact"),
    "import": _l("Import file"),
    "request": _l("Request"),
}


@blueprint.get("/")
@requires("admin")
def show() -> str:
    """Show who did what, newest first."""
    session = request_scope.session()
    before = request.args.get("before", type=int)
    events = audit.recent_events(session, before_id=before, limit=EVENTS_PER_PAGE + 1)
    shown, has_more = events[:EVENTS_PER_PAGE], len(events) > EVENTS_PER_PAGE
    return render_template(
        "settings/audit.html",
        events=shown,
        next_url=url_for("audit_trail.show", before=shown[-1].id) if has_more else "",
        first_url=url_for("audit_trail.show") if before is not None else "",
        names={user.id: user.name for user in people.list_people(session)},
        keys={key.id: key.name for key in list_api_keys(session)},
        actions=ACTION_NAMES,
        actors=ACTOR_NAMES,
        subjects=SUBJECT_NAMES,
    )
