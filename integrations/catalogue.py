"""The systems that can be connected: what each asks for, and how to open it. One table; pages and the API read it.

Labels and hints are English and marked for translation (``N_``); whoever shows them translates them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from integrations.base import Destination, DestinationCapabilities, Permanent, Source, SourceCapabilities
from integrations.esp import campaign_monitor, campaign_monitor_hooks, flexmail, mailchimp, mailchimp_hooks
from integrations.files import destination as files
from integrations.files.folder import Folder, MemoryFolder
from integrations.files.sftp import SftpFolder, SftpPlace
from integrations.files.tables import Dialect
from integrations.json_api import check_base_url
from integrations.meanings import N_
from integrations.sources import eventbrite, pretix, ticketmatic


@dataclass(frozen=True, slots=True)
class SettingField:
    """One thing a person must fill in. ``is_secret``: stored encrypted and never shown again.

    ``kind`` says how it is asked: a line of text, an address (``url``), one of the house's purposes (``purpose``),
    ``yes`` or ``no`` (``yes_no``), one of ``choices`` (``choice``: value and label), or several lines (``lines``).
    ``is_for_tests``: asked only where the operator allows loopback.
    """

    name: str
    label: str
    hint: str = ""
    kind: Literal["text", "url", "purpose", "yes_no", "choice", "lines"] = "text"
    is_secret: bool = False
    is_required: bool = True
    default: str = ""
    is_for_tests: bool = False
    choices: tuple[tuple[str, str], ...] = ()


OTHER_ADDRESS = SettingField(
    "base_url",
    N_("Another address of the API"),
    N_("Leave empty to speak to the system itself."),
    kind="url",
    is_required=False,
    is_for_tests=True,
)


@dataclass(frozen=True, slots=True)
class System:
    """A system that can be connected.

    ``open_source`` or ``open_destination`` (by ``kind``) takes settings, secrets, and whether loopback may be
    spoken to, and makes no request. ``open_on_folder`` opens a destination on a folder of the house's own, which
    the caller gives; ``open_destination`` then serves to look at settings only. ``hook_headers`` are the headers a
    webhook must keep for its signature to be verified. ``hook_dedupe_key`` returns what its repeats have in common
    (None: unknown, then nothing is taken for a repeat). ``account_fields`` are the settings that tell two accounts
    apart. ``takes_opt_outs`` says, by its settings, whether a source is told who said no; then what ``open_source``
    returns is an ``OptOutTaker`` too. ``about`` says what comes in or goes out, ``guide`` what to do there first,
    step by step, ``hook_guide`` where a person enters our webhook address there (empty where we enter it
    ourselves).
    """

    system: str
    name: str
    kind: Literal["source", "destination"]
    capabilities: SourceCapabilities | DestinationCapabilities
    fields: tuple[SettingField, ...]
    open_source: Callable[[Mapping[str, str], Mapping[str, str], bool], Source] | None = None
    open_destination: Callable[[Mapping[str, str], Mapping[str, str], bool], Destination] | None = None
    open_on_folder: Callable[[Folder, Mapping[str, str]], Destination] | None = None
    hook_dedupe_key: Callable[[bytes], str | None] = lambda _body: None
    hook_headers: tuple[str, ...] = ()
    account_fields: tuple[str, ...] = ()
    takes_opt_outs: Callable[[Mapping[str, str]], bool] = lambda _settings: False
    about: str = ""
    guide: tuple[str, ...] = ()
    hook_guide: str = ""


def _open_pretix(settings: Mapping[str, str], secrets: Mapping[str, str], allows_loopback: bool) -> Source:
    return pretix.Pretix(
        settings["base_url"],
        secrets["token"],
        settings["organizer"],
        optin_question=settings.get("optin_question") or "NEWSLETTER",
        purpose=settings.get("purpose") or "newsletter",
        source=settings.get("source") or "pretix",
        allows_loopback=allows_loopback,
    )


PRETIX = System(
    system="pretix",
    name="pretix",
    kind="source",
    capabilities=pretix.CAPABILITIES,
    open_source=_open_pretix,
    hook_dedupe_key=pretix.hook_dedupe_key,
    account_fields=("base_url", "organizer"),
    about=N_("Box office. Brings in events, customers, tickets and who ticked your newsletter box."),
    guide=(
        N_("In pretix, open your organizer, choose Teams and make a team named Zaallicht."),
        N_("Give it all events, and two rights: Orders, View all; Customers, View. Nothing more is needed."),
        N_("In that team, make an API token and copy it. pretix shows it once."),
        N_("If you ask for permission to mail with a question on the ticket form, look up its identifier."),
    ),
    hook_guide=N_(
        "To have changes at once: in pretix, choose Organizer, Webhooks, Create. Paste this address, choose all "
        "events, and tick everything about orders, check-ins, events, dates and customers."
    ),
    fields=(
        SettingField(
            "base_url",
            N_("Address of pretix"),
            N_("Where you log in, such as https://pretix.eu."),
            kind="url",
            default="https://pretix.eu",
        ),
        SettingField(
            "organizer",
            N_("Short name of your organizer"),
            N_("The part of your shop's address after pretix.eu/, such as stadstheater."),
        ),
        SettingField(
            "token",
            N_("API token"),
            N_("In pretix: Organizer, Teams, your team, API tokens. pretix shows it once."),
            is_secret=True,
        ),
        SettingField(
            "optin_question",
            N_("Identifier of the opt-in question"),
            N_("The yes-or-no question on the ticket form by which people allow you to write to them."),
            is_required=False,
            default="NEWSLETTER",
        ),
        SettingField(
            "purpose",
            N_("What that question asks permission for"),
            kind="purpose",
            is_required=False,
            default="newsletter",
        ),
    ),
)


def _open_ticketmatic(settings: Mapping[str, str], secrets: Mapping[str, str], allows_loopback: bool) -> Source:
    purposes = {
        "optin_newsletter": "newsletter",
        "optin_recommendations": "recommendations",
        "optin_partners": "partner_offers",
    }
    return ticketmatic.Ticketmatic(
        settings["account"],
        secrets["access_key"],
        secrets["secret_key"],
        base_url=_address_under("ticketmatic.com", settings, allows_loopback=allows_loopback) or ticketmatic.BASE_URL,
        optins={settings[name]: purpose for name, purpose in purposes.items() if settings.get(name)},
        said={key.removeprefix("optin:"): purpose for key, purpose in json.loads(settings.get("said") or "{}").items()},
        genre_field=settings.get("genre_field") or "c_genre",
        time_zone=settings.get("time_zone") or "Europe/Brussels",
        source=settings.get("source") or "ticketmatic",
        mark=settings.get("mark", ""),
        allows_loopback=allows_loopback,
    )


def _takes_opt_outs(settings: Mapping[str, str]) -> bool:
    """Where the house wants it, and has said what at least one of the opt-ins stands for."""
    is_wanted = settings.get("writes_back") == "yes"
    if is_wanted and any(json.loads(settings.get("said") or "{}").values()):
        return True
    return is_wanted and any(
        settings.get(name) for name in ("optin_newsletter", "optin_recommendations", "optin_partners")
    )


TICKETMATIC = System(
    system="ticketmatic",
    name="Ticketmatic",
    kind="source",
    capabilities=ticketmatic.CAPABILITIES,
    open_source=_open_ticketmatic,
    account_fields=("account",),
    takes_opt_outs=_takes_opt_outs,
    about=N_("Box office. Brings in events, contacts with their opt-ins, tickets and who was scanned at the door."),
    guide=(
        N_(
            "Ask Ticketmatic's support for API keys that may read contacts, events and orders, and change the opt-ins"
            " of contacts. You get two: an access key and a secret key."
        ),
        N_("In Ticketmatic, look up what your opt-ins are called (Settings, System, Opt-ins)."),
        N_(
            "Only an opt-in that makes people choose between yes and no counts as permission. A box that may have been"
            " ticked beforehand does not; whoever said no there is left alone."
        ),
    ),
    fields=(
        SettingField(
            "account",
            N_("Short name of your account"),
            N_("The part of your shop's address after apps.ticketmatic.com/, such as stadstheater."),
        ),
        SettingField("access_key", N_("Access key"), N_("From Ticketmatic's support."), is_secret=True),
        SettingField(
            "secret_key", N_("Secret key"), N_("From Ticketmatic's support. It is never sent."), is_secret=True
        ),
        SettingField(
            "optin_newsletter",
            N_("Opt-in for the newsletter"),
            N_("Its name or number in Ticketmatic. Leave empty if there is none."),
            is_required=False,
        ),
        SettingField(
            "optin_recommendations",
            N_("Opt-in for recommendations"),
            N_("Its name or number in Ticketmatic. Leave empty if there is none."),
            is_required=False,
        ),
        SettingField(
            "optin_partners",
            N_("Opt-in for news of partners"),
            N_("Its name or number in Ticketmatic. Leave empty if there is none."),
            is_required=False,
        ),
        SettingField(
            "writes_back",
            N_("Write opt-outs back"),
            N_(
                "Whoever says no, anywhere, is set to no in these opt-ins too, so that nobody mails them from"
                " Ticketmatic. A yes is never written."
            ),
            kind="yes_no",
            is_required=False,
            default="yes",
        ),
        SettingField(
            "genre_field",
            N_("Field that holds the genre"),
            N_("The key of your own field on events. Without one, the tags of an event are its genres."),
            is_required=False,
            default="c_genre",
        ),
        OTHER_ADDRESS,
    ),
)


def _open_eventbrite(settings: Mapping[str, str], secrets: Mapping[str, str], allows_loopback: bool) -> Source:
    return eventbrite.Eventbrite(
        settings["organization"],
        secrets["token"],
        base_url=_address_under("eventbriteapi.com", settings, allows_loopback=allows_loopback) or eventbrite.BASE_URL,
        optin_question=settings.get("optin_question") or "",
        purpose=settings.get("purpose") or "newsletter",
        source=settings.get("source") or "eventbrite",
        allows_loopback=allows_loopback,
    )


EVENTBRITE = System(
    system="eventbrite",
    name="Eventbrite",
    kind="source",
    capabilities=eventbrite.CAPABILITIES,
    open_source=_open_eventbrite,
    account_fields=("organization",),
    about=N_("Ticket shop. Brings in events, buyers, attendees and who was checked in."),
    guide=(
        N_("In Eventbrite, open Account settings, Developer links, API keys, and make a key named Zaallicht."),
        N_("Show the private token of that key and copy it."),
        N_("Look up the number of your organization: it stands in the address of Organization settings."),
        N_("If you ask for permission to mail with a question on the order form, copy the words of that question."),
    ),
    hook_guide=N_(
        "To have changes at once: in Eventbrite, open Account settings, Webhooks, Add webhook. Paste this address,"
        " choose all events, and tick everything about orders, attendees, check-ins and events."
    ),
    fields=(
        SettingField(
            "organization",
            N_("Number of your organization"),
            N_("Digits only, as they stand in the address of Organization settings."),
        ),
        SettingField(
            "token",
            N_("Private token"),
            N_("In Eventbrite: Account settings, Developer links, API keys."),
            is_secret=True,
        ),
        SettingField(
            "optin_question",
            N_("Words of the opt-in question"),
            N_(
                "The question on the order form by which people allow you to write to them. Leave empty if there is"
                " none."
            ),
            is_required=False,
        ),
        SettingField(
            "purpose",
            N_("What that question asks permission for"),
            kind="purpose",
            is_required=False,
            default="newsletter",
        ),
        OTHER_ADDRESS,
    ),
)


def _open_mailchimp(settings: Mapping[str, str], secrets: Mapping[str, str], allows_loopback: bool) -> Destination:
    """The key names MailChimp's host; another address may be given, but no other than MailChimp's or loopback."""
    address = _address_under("mailchimp.com", settings, allows_loopback=allows_loopback)
    return mailchimp.MailChimp(secrets["api_key"], base_url=address)


def _address_under(domain: str, settings: Mapping[str, str], *, allows_loopback: bool) -> str | None:
    """The other address a person gave, if any; the key goes to the vendor's own domain or to loopback, nowhere else."""
    address = settings.get("base_url") or None
    if address is None:
        return None
    address = check_base_url(address, allows_loopback=allows_loopback)
    parts = urlsplit(address)
    if parts.scheme != "http" and not (parts.hostname or "").endswith(f".{domain}"):
        raise Permanent("bad_address")
    return address


def _mailchimp_dedupe_key(body: bytes) -> str | None:
    event = mailchimp_hooks.read_event(body)
    return event.dedupe_key if event else None


MAILCHIMP = System(
    system="mailchimp",
    name="MailChimp",
    kind="destination",
    capabilities=mailchimp.MailChimp.capabilities,
    open_destination=_open_mailchimp,
    hook_dedupe_key=_mailchimp_dedupe_key,
    hook_headers=(mailchimp_hooks.SIGNATURE_HEADER,),
    about=N_("Mail system. Receives your audiences, and tells who unsubscribed there."),
    guide=(
        N_("In MailChimp, open your profile, choose Extras and then API keys."),
        N_("Make a key named Zaallicht and copy it. MailChimp shows it once."),
    ),
    fields=(
        SettingField(
            "api_key",
            N_("API key"),
            N_("In MailChimp: Profile, Extras, API keys. It ends in a dash and a data centre, such as -us6."),
            is_secret=True,
        ),
        OTHER_ADDRESS,
    ),
)


def _open_campaign_monitor(
    settings: Mapping[str, str], secrets: Mapping[str, str], allows_loopback: bool
) -> Destination:
    address = _address_under("createsend.com", settings, allows_loopback=allows_loopback)
    return campaign_monitor.CampaignMonitor(secrets["api_key"], settings["client_id"], base_url=address)


CAMPAIGN_MONITOR = System(
    system="campaign_monitor",
    name="Campaign Monitor",
    kind="destination",
    capabilities=campaign_monitor.CampaignMonitor.capabilities,
    open_destination=_open_campaign_monitor,
    hook_dedupe_key=campaign_monitor_hooks.dedupe_key,
    about=N_("Mail system. Receives your audiences, and tells who unsubscribed there."),
    guide=(
        N_("In Campaign Monitor, open your profile, choose Account settings and then API keys."),
        N_("Show the API key and copy it. Copy the client ID that stands beside it too."),
    ),
    fields=(
        SettingField(
            "api_key",
            N_("API key"),
            N_("In Campaign Monitor: Account settings, API keys. A long row of letters and digits."),
            is_secret=True,
        ),
        SettingField(
            "client_id",
            N_("Client ID"),
            N_("In Campaign Monitor: Account settings, API keys. It says whose lists these are."),
        ),
        OTHER_ADDRESS,
    ),
)

FILE_FIELDS = (
    SettingField(
        "lists",
        N_("Names of the files"),
        N_("One for each list, separated by commas: small letters, digits and dashes, such as readers, friends."),
        default="contacts",
    ),
    SettingField(
        "columns",
        N_("Columns"),
        N_("What the other system calls them, separated by commas. Each audience says what goes in which."),
        is_required=False,
        default="FIRST_NAME, LAST_NAME",
    ),
    SettingField(
        "separator",
        N_("Between two columns"),
        kind="choice",
        default="semicolon",
        choices=(("semicolon", N_("A semicolon (;)")), ("comma", N_("A comma (,)")), ("tab", N_("A tab"))),
    ),
    SettingField(
        "encoding",
        N_("Letters"),
        kind="choice",
        default="excel",
        choices=(
            ("excel", N_("UTF-8, as Excel reads it")),
            ("utf8", N_("UTF-8, plain")),
            ("windows", N_("Windows (1252), for old systems")),
        ),
    ),
)


def _open_files(folder: Folder, settings: Mapping[str, str]) -> Destination:
    return _on_folder(folder, settings, files.capabilities("csv", CSV_PAGE))


def _on_folder(folder: Folder, settings: Mapping[str, str], can: DestinationCapabilities) -> Destination:
    return files.FileDestination(
        folder,
        can,
        lists=_parts_of(settings.get("lists") or "contacts"),
        columns=_parts_of(settings.get("columns") or ""),
        dialect=Dialect(settings.get("separator") or "semicolon", settings.get("encoding") or "excel"),
    )


def _parts_of(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


CSV_PAGE = "https://www.rfc-editor.org/rfc/rfc4180"
SFTP_PAGE = "https://datatracker.ietf.org/doc/html/draft-ietf-secsh-filexfer-02"
FILES = System(
    system="csv",
    name="CSV",
    kind="destination",
    capabilities=files.capabilities("csv", CSV_PAGE),
    open_destination=lambda settings, _secrets, _allows_loopback: _open_files(MemoryFolder(), settings),
    open_on_folder=_open_files,
    about=N_("For a system without an API: audiences as files that you fetch here, and opt-outs that you bring back."),
    guide=(
        N_("Look up in the other system how it imports people: which columns, which separator."),
        N_("Before you import people there, import the file of opt-outs, as people who may not be mailed."),
        N_("Once a week at least, export there who opted out and bring that file back here."),
    ),
    fields=FILE_FIELDS,
)


def _open_sftp(settings: Mapping[str, str], secrets: Mapping[str, str], allows_loopback: bool) -> Destination:
    port = settings.get("port") or "22"
    place = SftpPlace(
        settings["host"],
        settings["user"],
        settings.get("host_key") or "",
        port=int(port) if port.isdecimal() and len(port) < 6 else 0,
        path=settings.get("folder") or ".",
        password=secrets.get("password") or "",
        private_key=secrets.get("private_key") or "",
    )
    folder = SftpFolder(place, allows_loopback=allows_loopback)
    return _on_folder(folder, settings, files.capabilities("sftp", SFTP_PAGE))


SFTP = System(
    system="sftp",
    name="SFTP",
    kind="destination",
    capabilities=files.capabilities("sftp", SFTP_PAGE),
    open_destination=_open_sftp,
    about=N_("For a system without an API: audiences as files on its server, and its opt-outs from there."),
    guide=(
        N_("Ask whoever keeps the server for a user that may write in one folder, and for the server's fingerprint."),
        N_("Have the other system import the file of opt-outs first, and then the file of people."),
        N_("Have it put its own opt-outs beside them, once a day, under the name that ends in -opt-outs-in.csv."),
    ),
    fields=(
        SettingField("host", N_("Name of the server"), N_("Such as sftp.mailhouse.example.")),
        SettingField("port", N_("Port"), is_required=False, default="22"),
        SettingField("user", N_("User name")),
        SettingField(
            "password", N_("Password"), N_("Leave empty if you give a private key."), is_secret=True, is_required=False
        ),
        SettingField(
            "private_key",
            N_("Private key"),
            N_("Instead of a password: the whole text of the key, without a passphrase."),
            kind="lines",
            is_secret=True,
            is_required=False,
        ),
        SettingField(
            "host_key",
            N_("Fingerprint of the server"),
            N_("It begins with SHA256:. Leave it empty once to see it, and compare it with what its keeper says."),
            is_required=False,
        ),
        SettingField("folder", N_("Folder"), N_("Where the files go."), is_required=False, default="."),
        *FILE_FIELDS,
    ),
)


def _open_flexmail(settings: Mapping[str, str], secrets: Mapping[str, str], allows_loopback: bool) -> Destination:
    address = _address_under("flexmail.eu", settings, allows_loopback=allows_loopback)
    return flexmail.Flexmail(settings["account"], secrets["token"], settings["source"], base_url=address)


FLEXMAIL = System(
    system="flexmail",
    name="Flexmail",
    kind="destination",
    capabilities=flexmail.Flexmail.capabilities,
    open_destination=_open_flexmail,
    about=N_("Mail system. Receives your audiences. It does not tell who unsubscribed there: bring that as a file."),
    guide=(
        N_("In Flexmail, make a personal access token, and note the account's number that stands beside it."),
        N_("Make a custom field named zaallicht, of the kind text. It will hold the audiences somebody is in."),
        N_("Make a source named Zaallicht and note its number: it says where people we add come from."),
        N_("Once a week at least, export who unsubscribed in Flexmail and import it here, as opt-outs."),
        N_("This connector was built after other programs, without Flexmail's own pages. Try it with a few people."),
    ),
    fields=(
        SettingField("account", N_("Account number"), N_("Digits, shown beside the token.")),
        SettingField("token", N_("Personal access token"), N_("In Flexmail: Settings, API."), is_secret=True),
        SettingField("source", N_("Number of the source"), N_("Digits, of the source you made."), default=""),
        SettingField(
            "base_url",
            N_("Another address of the API"),
            N_("Leave empty to speak to Flexmail itself."),
            kind="url",
            is_required=False,
            is_for_tests=True,
        ),
    ),
)

SYSTEMS: Mapping[str, System] = {
    each.system: each for each in (PRETIX, TICKETMATIC, EVENTBRITE, MAILCHIMP, CAMPAIGN_MONITOR, FLEXMAIL, FILES, SFTP)
}


def system_named(name: str) -> System:
    """Return a system; raises Permanent("unknown_system")."""
    try:
        return SYSTEMS[name]
    except KeyError:
        raise Permanent("unknown_system", hint=name) from None
