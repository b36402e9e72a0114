"""The words of the composer: states, blocks, problems, and what its script says, marked for translation."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from integrations.meanings import N_

STATES: Mapping[str, LazyString] = {
    "draft": _l("Draft"),
    "scheduled": _l("Scheduled"),
    "sending": _l("Being sent"),
    "paused": _l("Paused"),
    "sent": _l("Sent"),
    "cancelled": _l("Cancelled"),
}
TONES = {
    "draft": "light",
    "scheduled": "info",
    "sending": "info",
    "paused": "warn",
    "sent": "good",
    "cancelled": "warn",
}

STALE = N_("Somebody else changed this mailing in the meantime. Nothing of yours is lost: choose what to go on with.")
NOT_DRAFT = N_("This mailing is not a draft any more, so its words stay as they are. Copy it to write on.")

IMAGE_PROBLEMS = {
    "too_large": N_("This file is too large: at most 20 MB. Save it smaller, and choose it again."),
    "no_picture": N_(
        "This is no PNG, JPEG, WebP or GIF picture, or it is damaged. Save it as one and choose it again."
    ),
    "too_many_pixels": N_(
        "This picture has too many pixels. Save it at 4000 pixels wide or less, and choose it again."
    ),
    "too_small": N_("This picture is too small to be seen."),
    "house_full": N_("The house has kept 2 GB of pictures, which is the most. Ask whoever looks after the server."),
}
LINK_PROBLEMS = {
    "not_found": N_("there is no such page (404)"),
    "gone": N_("this page was taken away (410)"),
    "error": N_("the page answers with an error"),
    "unreachable": N_("it cannot be reached"),
    "private_address": N_("it leads to a place inside a network, which the public cannot see"),
    "bad_address": N_("it is no address of a web page"),
    "loop": N_("it leads round and round"),
}

# Kind of block: its name, what it is for, its icon.
BLOCKS: Mapping[str, tuple[LazyString, LazyString, str]] = {
    "text": (_l("Text"), _l("Paragraphs, headings, lists, links"), "edit"),
    "image": (_l("Picture"), _l("A photo or poster, perhaps with a link"), "eye"),
    "button": (_l("Button"), _l("The one thing people should do"), "play"),
    "activities": (_l("Activities"), _l("Cards from your programme"), "ticket"),
    "columns": (_l("Columns"), _l("Two things beside one another"), "menu"),
    "divider": (_l("Line"), _l("A thin line between two parts"), "minus"),
    "spacer": (_l("Room"), _l("Some empty room"), "down"),
    "survey": (_l("Survey"), _l("A question with answers to press"), "chart"),
    "header": (_l("Header"), _l("Logo and title"), "building"),
    "footer": (_l("Closing words"), _l("Above the address and the links, which are always there"), "file"),
}
ICONS = (
    "edit", "eye", "play", "ticket", "menu", "minus", "down", "up", "chart", "building", "file", "drag",
    "copy", "trash",
    "plus", "history", "refresh", "warning", "error", "info", "check", "close", "search",
    "person", "upload", "link", "tag",
)  # fmt: skip

WORDS: Mapping[str, LazyString] = {
    "add": _l("Add a block"),
    "add_here": _l("Add here"),
    "address_of_link": _l("Link"),
    "align": _l("Place"),
    "all_languages": _l("Languages"),
    "alt": _l("What is to be seen?"),
    "alt_help": _l("A few words for who sees no pictures: “Dancers on a dark stage”."),
    "answers": _l("Answers, one on each line"),
    "automatic": _l("The next ones that fit"),
    "background": _l("Background"),
    "bold": _l("Bold"),
    "button_colour": _l("Colour of buttons"),
    "button_words": _l("Words on the button"),
    "bullets": _l("List"),
    "cancelled": _l("cancelled"),
    "center": _l("In the middle"),
    "checked_links": _l("Checking links…"),
    "checks_fine": _l("Nothing to mend: this can go out."),
    "choose_image": _l("Choose a picture"),
    "chosen": _l("Ones I choose"),
    "close": _l("Close"),
    "colour": _l("Colour"),
    "columns_three": _l("Three columns"),
    "columns_two": _l("Two columns"),
    "copy_from": _l("Begin with the words of {language}"),
    "copied": _l("Duplicated."),
    "copy_mine": _l("Keep mine as a copy"),
    "count": _l("How many"),
    "decorative": _l("This picture is only decoration"),
    "drop_file": _l("Drop a picture here, or choose one. PNG, JPEG, WebP or GIF, at most 20 MB."),
    "duplicate": _l("Duplicate"),
    "empty_language": _l("Nothing is written in {language} yet. Whoever reads {language} gets the mail in {other}."),
    "fallback": _l("For who has none"),
    "find_activity": _l("Search the programme"),
    "follow_house": _l("As the house"),
    "font": _l("Typeface"),
    "genre": _l("Genre"),
    "go_to": _l("Go there"),
    "grid": _l("Two beside one another"),
    "has_logo": _l("Show the logo, or the name of the house"),
    "heading": _l("Heading"),
    "height": _l("Height in pixels"),
    "house_words": _l("The address of the house, and the links to unsubscribe and to choose, follow by themselves."),
    "html_size": _l("{size} kB"),
    "insert": _l("Insert"),
    "italic": _l("Italic"),
    "layout": _l("Shown"),
    "left": _l("At the left"),
    "link_to": _l("Where does it lead?"),
    "list": _l("Below one another"),
    "load_theirs": _l("Go on with theirs"),
    "look_new": _l("Look again"),
    "move": _l("Move"),
    "move_down": _l("Move down"),
    "move_up": _l("Move up"),
    "moved": _l("Moved to place {place} of {all}."),
    "no_one_found": _l("Nobody found."),
    "nothing_found": _l("Nothing found."),
    "note": _l("A word about it"),
    "not_saved": _l("Not saved: no connection. We keep trying."),
    "not_saved_errors": _l("Not saved yet: look at what is marked."),
    "numbers": _l("Numbered list"),
    "other_image": _l("Another picture"),
    "over": _l("over"),
    "own_button": _l("Words on the button (empty: Find out more)"),
    "person": _l("Personal field"),
    "preheader": _l("Preview text"),
    "question": _l("Question"),
    "recent_images": _l("Used before"),
    "redo": _l("Do again"),
    "redone": _l("Done again."),
    "remove": _l("Take out"),
    "remove_language": _l("Take {language} out"),
    "remove_variant": _l("Take variant {variant} out"),
    "removed": _l("Taken out. Undo brings it back."),
    "saved": _l("Saved"),
    "saving": _l("Saving…"),
    "stops": _l("Must be mended"),
    "looks": _l("Look at this"),
    "hints": _l("Could be better"),
    "style": _l("Style of this mail"),
    "survey_url": _l("Page of the survey"),
    "subject": _l("Subject"),
    "text_colour": _l("Colour of text"),
    "title": _l("Title"),
    "too_large": _l("This file is too large: at most 20 MB. Save it smaller, and choose it again."),
    "trouble": _l("We could not reach the server. Check your connection and try again."),
    "typeface_sans": _l("Plain (Helvetica, Arial)"),
    "typeface_serif": _l("Bookish (Georgia)"),
    "typeface_humanist": _l("Wide (Verdana)"),
    "typeface_grotesk": _l("Lively (Trebuchet)"),
    "typeface_slab": _l("Sturdy (Rockwell)"),
    "undo": _l("Undo"),
    "undone": _l("Undone."),
    "unlink": _l("No link"),
    "variant": _l("Variant {variant}"),
    "add_variant": _l("Write another variant, for an A/B test"),
    "venue": _l("Venue"),
    "which": _l("Which"),
    "width": _l("Width"),
    "words_left": _l("{count} characters"),
    "subject_long": _l("{count} characters: a phone shows about the first 40"),
    "write": _l("Write"),
    "write_here": _l("Write here…"),
    "preheader_help": _l("What mail programs show after the subject."),
}


def name_problem(code: str) -> str:
    """Return what to do about a name or purpose that cannot be."""
    said = {
        "required": _("Give the mailing a name; only your colleagues see it."),
        "taken": _("There is already a mailing with this name."),
        "too_long": _("Take a shorter name, of at most 120 characters."),
        "not_printable": _("Take a name of ordinary characters."),
    }
    return str(said.get(code, _("Choose one of the list.")))


def template_problem(code: str) -> str:
    """Return why a template is not kept."""
    said = {
        "name": _("Give the template a name of at most 80 characters."),
        "taken": _("There is already a template with this name."),
    }
    return str(said.get(code, _("There are 200 templates. Remove one first.")))
