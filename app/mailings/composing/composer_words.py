"""The words of the composer: states, blocks, problems, and what its script says, marked for translation."""

from __future__ import annotations

from collections.abc import Mapping

from integrations.meanings import N_

STATES: Mapping[str, str] = {
    "draft": N_("Draft"),
    "scheduled": N_("Scheduled"),
    "sending": N_("Being sent"),
    "paused": N_("Paused"),
    "sent": N_("Sent"),
    "cancelled": N_("Cancelled"),
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
    "too_long": N_("This moving picture is too long. Save it shorter, or at 600 pixels wide, and choose it again."),
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
BLOCKS: Mapping[str, tuple[str, str, str]] = {
    "text": (N_("Text"), N_("Paragraphs, headings, lists, links"), "edit"),
    "image": (N_("Picture"), N_("A photo or poster, perhaps with a link"), "eye"),
    "button": (N_("Button"), N_("The one thing people should do"), "play"),
    "activities": (N_("Activities"), N_("Cards from your programme"), "ticket"),
    "columns": (N_("Columns"), N_("Two things beside one another"), "columns"),
    "divider": (N_("Line"), N_("A thin line between two parts"), "minus"),
    "spacer": (N_("Room"), N_("Some empty room"), "down"),
    "survey": (N_("Survey"), N_("A question with answers to press"), "chart"),
    "header": (N_("Header"), N_("Logo and title"), "building"),
    "footer": (N_("Closing words"), N_("Above the address and the links, which are always there"), "file"),
}
ICONS = (
    "edit", "eye", "play", "ticket", "menu", "minus", "down", "up", "chart", "building", "file", "drag",
    "copy", "trash", "columns", "filter",
    "plus", "history", "refresh", "warning", "error", "info", "check", "close", "search",
    "person", "upload", "link", "tag",
)  # fmt: skip

WORDS: Mapping[str, str] = {
    "add": N_("Add a block"),
    "address_of_link": N_("Link"),
    "align": N_("Place"),
    "all_languages": N_("Languages"),
    "alt": N_("What is to be seen?"),
    "alt_help": N_("A few words for who sees no pictures: “Dancers on a dark stage”."),
    "answers": N_("Answers, one on each line"),
    "audience": N_("For whom"),
    "audience_help": N_("Empty: for everybody, without what is for schools only."),
    "automatic": N_("The next ones that fit"),
    "background": N_("Background"),
    "bold": N_("Bold"),
    "button_colour": N_("Colour of buttons"),
    "button_words": N_("Words on the button"),
    "bullets": N_("List"),
    "cancelled": N_("cancelled"),
    "center": N_("In the middle"),
    "checked_links": N_("Checking links…"),
    "checks_fine": N_("Nothing to mend: this can go out."),
    "choose_image": N_("Choose a picture"),
    "chosen": N_("Ones I choose"),
    "close": N_("Close"),
    "colour": N_("Colour"),
    "columns_three": N_("Three columns"),
    "columns_two": N_("Two columns"),
    "copy_from": N_("Begin with the words of {language}"),
    "copied": N_("Duplicated."),
    "copy_mine": N_("Keep mine as a copy"),
    "count": N_("How many"),
    "decorative": N_("This picture is only decoration"),
    "drop_file": N_("Drop a picture here, or choose one. PNG, JPEG, WebP or GIF, at most 20 MB."),
    "duplicate": N_("Duplicate"),
    "empty_language": N_("Nothing is written in {language} yet. Whoever reads {language} gets the mail in {other}."),
    "empty_here": N_("No words in {language} yet"),
    "fallback": N_("For who has none"),
    "find_activity": N_("Search the programme"),
    "follow_house": N_("As the house"),
    "font": N_("Typeface"),
    "gaps": N_("Still without words in {language}: {count}"),
    "genre": N_("Genre"),
    "go_to": N_("Go there"),
    "grid": N_("Two beside one another"),
    "has_logo": N_("Show the logo, or the name of the house"),
    "heading": N_("Heading"),
    "height": N_("Height in pixels"),
    "house_words": N_("The address of the house, and the links to unsubscribe and to choose, follow by themselves."),
    "insert": N_("Insert"),
    "italic": N_("Italic"),
    "layout": N_("Shown"),
    "left": N_("At the left"),
    "link_to": N_("Where does it lead?"),
    "list": N_("Below one another"),
    "load_theirs": N_("Go on with theirs"),
    "missing_here": N_("Not in {language} yet"),
    "move": N_("Move"),
    "move_down": N_("Move down"),
    "move_up": N_("Move up"),
    "moved": N_("Moved to place {place} of {all}."),
    "no_one_found": N_("Nobody found."),
    "nothing_found": N_("Nothing found."),
    "note": N_("A word about it"),
    "not_saved": N_("Not saved: no connection. We keep trying."),
    "not_saved_errors": N_("Not saved yet: look at what is marked."),
    "numbers": N_("Numbered list"),
    "other_image": N_("Another picture"),
    "only_all": N_("Everybody"),
    "only_fields": N_("What we know of people"),
    "only_if": N_("Who sees this"),
    "only_in": N_("only who is in it"),
    "only_is": N_("only where it is"),
    "only_is_not": N_("only where it is not"),
    "only_known": N_("only where it is known"),
    "only_not_in": N_("only who is not in it"),
    "only_segments": N_("Segments"),
    "only_some": N_("Only some people see this"),
    "only_unknown": N_("only where it is not known"),
    "only_value": N_("What it must be"),
    "over": N_("over"),
    "own_button": N_("Words on the button (empty: Find out more)"),
    "person": N_("Personal field"),
    "preheader": N_("Preview text"),
    "question": N_("Question"),
    "recent_images": N_("Used before"),
    "redo": N_("Do again"),
    "redone": N_("Done again."),
    "remove": N_("Take out"),
    "remove_language": N_("Take {language} out"),
    "remove_variant": N_("Take variant {variant} out"),
    "removed": N_("Taken out. Undo brings it back."),
    "saved": N_("Saved"),
    "saving": N_("Saving…"),
    "side_by_side": N_("Side by side"),
    "stops": N_("Must be mended"),
    "looks": N_("Look at this"),
    "hints": N_("Could be better"),
    "style": N_("Style of this mail"),
    "answers_go": N_("What becomes of the answers"),
    "answers_kept": N_("We keep them of the person"),
    "answers_elsewhere": N_("They lead to a page elsewhere"),
    "own_field": N_("Kept as"),
    "own_field_help": N_("A name for what you learn, such as favourite genre. Segments can ask for it."),
    "survey_url": N_("Page of the survey"),
    "subject": N_("Subject"),
    "take_over": N_("Take over from {language}"),
    "taken_over": N_("Taken over. Now translate it."),
    "text_colour": N_("Colour of text"),
    "title": N_("Title"),
    "too_large": N_("This file is too large: at most 20 MB. Save it smaller, and choose it again."),
    "trouble": N_("We could not reach the server. Check your connection and try again."),
    "typeface_sans": N_("Plain (Helvetica, Arial)"),
    "typeface_serif": N_("Bookish (Georgia)"),
    "typeface_humanist": N_("Wide (Verdana)"),
    "typeface_grotesk": N_("Lively (Trebuchet)"),
    "typeface_slab": N_("Sturdy (Rockwell)"),
    "undo": N_("Undo"),
    "undone": N_("Undone."),
    "unlink": N_("No link"),
    "variant": N_("Variant {variant}"),
    "add_variant": N_("Write another variant, for an A/B test"),
    "venue": N_("Venue"),
    "which": N_("Which"),
    "width": N_("Width"),
    "words_left": N_("{count} characters"),
    "subject_long": N_("{count} characters: a phone shows about the first 40"),
    "write": N_("Write"),
    "write_here": N_("Write here…"),
    "preheader_help": N_("What mail programs show after the subject."),
}


def name_problem(code: str) -> str:
    """Return what to do about a name or purpose that cannot be."""
    said = {
        "required": N_("Give the mailing a name; only your colleagues see it."),
        "taken": N_("There is already a mailing with this name."),
        "too_long": N_("Take a shorter name, of at most 120 characters."),
        "not_printable": N_("Take a name of ordinary characters."),
    }
    return said.get(code, N_("Choose one of the list."))


def template_problem(code: str) -> str:
    """Return why a template is not kept."""
    said = {
        "name": N_("Give the template a name of at most 80 characters."),
        "taken": N_("There is already a template with this name."),
    }
    return said.get(code, N_("There are 200 templates. Remove one first."))
