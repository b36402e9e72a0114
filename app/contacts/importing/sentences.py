"""What people are told about files and rows, by code. English; pages translate it, the command prints it as it is."""

from __future__ import annotations


def N_(sentence: str) -> str:  # noqa: N802  the mark by which catalogues find sentences
    """Mark a sentence for translation."""
    return sentence


FILE_PROBLEMS = {
    "empty": N_("There is nothing in this file. Check that you saved the export with its rows."),
    "too_large": N_("This file is larger than 64 MB. Split it, or take out columns you do not need."),
    "too_many_rows": N_("This file has more than 2 million rows. Split it into smaller files."),
    "too_many_columns": N_("This file has more than 300 columns. Take out the ones you do not need."),
    "too_much_unpacked": N_("This workbook unpacks to far too much. Save the sheet you need as a CSV file."),
    "line_too_long": N_("One line of this file is a million characters long. It is probably no table."),
    "not_a_table": N_("This is no table. Save it as CSV or as an Excel workbook (.xlsx)."),
    "pdf": N_("This is a PDF. Ask your system for an export as CSV or Excel (.xlsx) instead."),
    "old_workbook": N_("This is an old or protected Excel file. Open it, and save it without password as .xlsx."),
    "open_document": N_("This is an OpenDocument file. Save it as CSV or as an Excel workbook (.xlsx)."),
    "compressed": N_("This is a compressed file. Unpack it first and upload the table that is in it."),
    "web_page": N_("This is a web page or XML file, not a table. Ask your system for a CSV or Excel export."),
    "broken_workbook": N_("This workbook is damaged or protected. Open it in Excel, save it anew, and upload that."),
    "interrupted": N_(
        "The import stopped five times at the same place. What was stored stays; tell your administrator."
    ),
    "erased_inside": N_(
        "Somebody in this file was erased at their own request, so the file is gone. Take them out of your export and "
        "upload it again; what was stored before stays."
    ),
}

ROW_PROBLEMS = {
    "broken_quotes": N_("A quotation mark in this row is opened and never closed."),
    "too_many_cells": N_("This row has more cells than there are columns. Perhaps a text holds the separator."),
    "no_identity": N_("No e-mail address and no number: we cannot tell who this is."),
    "invalid_email": N_("This is no e-mail address."),
    "likely_mistyped": N_("This address is probably mistyped. It is taken as it is; correct it in the file if so."),
    "invalid_identity": N_("This number is too long to be one."),
    "identity_conflict": N_(
        "The address belongs to one contact and the number to another. Merge them, or mend the row."
    ),
    "erased": N_("This person was erased at their own request, and comes back only by something they do themselves."),
    "refused": N_("The database could not hold this row."),
    "future_birth": N_("Nobody was born yet on this day. Check the year."),
    "date": N_("This is no date we can read. Write it as 31/12/2026."),
    "time": N_("This is no time. Write it as 20:15."),
    "amount": N_("This is no amount. Write it as 12,50."),
    "number": N_("This is no whole number of 0 or more."),
    "postcode": N_("This is no postcode of that country."),
    "phone": N_("This is no phone number."),
    "country": N_("We do not know this country. Write BE or NL, or the name in full."),
    "language": N_("We do not know this language. Write nl, fr or en."),
    "gender": N_("We do not know this word for a gender or form of address."),
    "yes_no": N_("This is neither yes nor no. It is not taken for a permission."),
    "no_activity": N_("It is not said what this is a ticket or registration for."),
    "unknown_activity": N_("We do not know this activity."),
    "unknown_status": N_("We do not know this status."),
    "status": N_("We do not know this status. Examples we know: booked, attended, cancelled, refunded."),
    "invalid_quantity": N_("This number of tickets is not possible."),
    "repeated_number": N_("This number stood in an earlier row already; only that row is kept."),
    "no_external_id": N_("This row has no number."),
    "no_title": N_("This activity has no title."),
    "naive_instant": N_("This time has no zone."),
}

MAPPING_PROBLEMS = {
    "no_source": N_("Give the system this file comes from a name."),
    "no_identity_column": N_("Say which column holds the e-mail address, the customer number or the UiTPAS number."),
    "no_activity_column": N_("Say which column holds the title or the number of the activity."),
    "unknown_field": N_("Choose one from the list."),
    "field_twice": N_("Another column means this already. Choose one of the two."),
    "attribute_without_name": N_("Give this field a name."),
    "consent_without_meaning": N_("Say what a yes in this column means."),
    "consent_without_purpose": N_("Say what people can be written for."),
    "consent_without_key": N_("Say which opt-in this is about, as it stands in the column that names them."),
    "consent_without_seller": N_("Say who sold to them: the name of your house, as it stood on the form."),
    "unknown_purpose": N_("Choose one from the list."),
}

PROBLEM_HEADERS = (N_("Row"), N_("Column"), N_("Value"), N_("What is wrong"), N_("Left out"))
LEFT_OUT_ROW = N_("the row")
LEFT_OUT_VALUE = N_("only this value")

FIELD_LABELS = {
    "ignore": N_("Do not import"),
    "email": N_("E-mail address"),
    "external_id": N_("Customer number"),
    "given_name": N_("First name"),
    "name_prefix": N_("Prefix of the name (van der, …)"),
    "family_name": N_("Family name"),
    "full_name": N_("Full name"),
    "language": N_("Language"),
    "gender": N_("Gender or form of address"),
    "birth_date": N_("Date of birth"),
    "phone": N_("Phone number"),
    "street": N_("Street"),
    "house_number": N_("House number"),
    "house_box": N_("Box"),
    "postcode": N_("Postcode"),
    "municipality": N_("Municipality"),
    "country": N_("Country"),
    "uitpas": N_("UiTPAS number"),
    "tag": N_("Tags"),
    "consent": N_("Permission or opt-out"),
    "consent_date": N_("Date of the permission"),
    "consent_key": N_("Which opt-in the row is of"),
    "attribute": N_("A field of your own"),
    "participation_id": N_("Ticket or line number"),
    "order_id": N_("Order number"),
    "activity_id": N_("Number of the activity"),
    "activity_title": N_("Title of the activity"),
    "activity_starts_at": N_("Date of the activity"),
    "activity_start_time": N_("Time of the activity"),
    "genre": N_("Genre"),
    "series": N_("Series"),
    "venue": N_("Venue"),
    "quantity": N_("Number of tickets"),
    "amount": N_("Total amount"),
    "unit_price": N_("Price each"),
    "currency": N_("Currency"),
    "sales_channel": N_("Sales channel"),
    "participation_kind": N_("Kind of ticket"),
    "status": N_("Status"),
    "booked_at": N_("Booked on"),
    "attended_at": N_("Scanned or present"),
    # Only in what a dry run shows.
    "tags": N_("Tags"),
    "attributes": N_("Fields of your own"),
    "known_as": N_("Known as"),
}

KIND_LABELS = {"contacts": N_("Contacts"), "participations": N_("Visits and tickets")}

STATE_LABELS = {
    "uploaded": N_("Waiting for you"),
    "checking": N_("Being checked"),
    "checked": N_("Ready to import"),
    "queued": N_("In the queue"),
    "running": N_("Importing"),
    "done": N_("Imported"),
    "failed": N_("Stopped"),
    "cancelled": N_("Cancelled"),
}
