"""What the columns of a file may mean, and what a header tells: Dutch, French and English, as systems here write them.

Guessing is all this does. Somebody looks at the result before anything is stored, and what they chose is remembered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.contacts.normalise import folded

IGNORE = "ignore"
ATTRIBUTE = "attribute"
TAG = "tag"
CONSENT = "consent"
CONSENT_KEY = "consent_key"


@dataclass(frozen=True, slots=True)
class Field:
    """Something a column may hold. ``is_repeatable``: several columns may hold it."""

    code: str
    headers: tuple[str, ...] = ()
    is_repeatable: bool = False


def _field(code: str, headers: str, *, is_repeatable: bool = False) -> Field:
    return Field(code, tuple(headers.split()), is_repeatable)


# Headers are compared without accents, case, blanks and punctuation.
ORDER_ID = _field(
    "order_id",
    "order ordernummer ordernr orderid bestelnummer bestelling bestellingnummer bestelid reservatie"
    " reservatienummer reservering reserveringsnummer boekingsnummer boeking commande numerocommande nocommande"
    " booking bookingid bookingreference transactie transactienummer",
)

CONTACT_FIELDS = (
    _field(
        "email",
        "email emailadres mail mailadres emailaddress adressemail courriel adresseelectronique adressemail emailklant"
        " klantemail contactemail epost buyeremail attendeeemail emailadreskoper",
    ),
    _field(
        "external_id",
        "klantnummer klantnr klantid relatienummer relatienr relatieid persoonsnummer persoonid contactid contactnummer"
        " contactnr numeroclient noclient idclient clientid customerid customernumber customerno personid id nummer"
        " lidnummer debiteurnummer debiteurnr",
    ),
    _field("given_name", "voornaam prenom firstname givenname roepnaam vnaam forename buyerfirstname"),
    _field("name_prefix", "tussenvoegsel tussenvoegsels voorvoegsel infix particule lastnameprefix nameprefix"),
    _field(
        "family_name",
        "achternaam familienaam nomdefamille nom lastname surname familyname anaam naamfamilie buyerlastname",
    ),
    _field("full_name", "naam volledigenaam naamvoornaam nomcomplet nometprenom fullname name klantnaam buyername"),
    _field("language", "taal taalcode langue language locale voorkeurtaal voorkeurstaal contacttaal"),
    _field(
        "gender",
        "geslacht aanspreking aanhef sexe genrehf civilite gender sex salutation title titel titre aanspreektitel",
    ),
    _field(
        "birth_date", "geboortedatum datedenaissance naissance birthdate dateofbirth birthday dob geboren verjaardag"
    ),
    _field(
        "phone",
        "telefoon telefoonnummer tel gsm gsmnummer mobiel mobielnummer telephone portable phone phonenumber mobile"
        " mobilephone cellphone mobieltelefoon telefoonmobiel vastetelefoon numerodetelephone",
    ),
    _field(
        "street", "straat adres straatnaam straatnummer adresse rue adresseligne1 street address address1 adresregel1"
    ),
    _field("house_number", "huisnummer huisnr numero nr housenumber streetnumber numerodemaison"),
    _field("house_box", "bus busnummer toevoeging huisnummertoevoeging boite box"),
    _field("postcode", "postcode pc codepostal cp zip zipcode postalcode postnummer"),
    _field("municipality", "gemeente plaats woonplaats stad localite ville commune city town place municipality"),
    _field("country", "land landcode pays codepays country countrycode"),
    _field("uitpas", "uitpas uitpasnummer uitpasnr kansenpas numerouitpas uitpasnumber"),
    _field(TAG, "tag tags label labels etiquette etiquettes trefwoorden kenmerken", is_repeatable=True),
    _field(
        CONSENT,
        "nieuwsbrief nieuwsbriefjanee newsletter infolettre lettreinfo optin optinnieuwsbrief mailing emailoptin"
        " toestemming consent consentement marketing mailingjanee subscribed ingeschreven inschrijvingnieuwsbrief"
        " uitschrijving uitgeschreven optout unsubscribed geenmail nomail desinscrit marketingoptin"
        " marketingtoestemming",
        is_repeatable=True,
    ),
    _field(
        "consent_date",
        "optindatum datumoptin datumtoestemming toestemmingsdatum inschrijfdatum dateoptin dateconsentement"
        " dateinscription optindate consentdate subscribeddate datuminschrijving",
    ),
    Field(CONSENT_KEY),
    Field(ATTRIBUTE, is_repeatable=True),
)

PARTICIPATION_FIELDS = (
    _field(
        "participation_id",
        "ticketnummer ticketnr ticketid ticketcode barcode lijnid regelid numerobillet idbillet ticket attendeeid"
        " codebarre registratienummer inschrijvingsnummer ticketbarcode deelnameid",
    ),
    ORDER_ID,
    _field(
        "activity_id",
        "voorstellingid voorstellingsnummer eventid evenementid activiteitid activiteitnummer activitycode"
        " idevenement idspectacle performanceid productieid activityid evenementcode voorstellingscode",
    ),
    _field(
        "activity_title",
        "voorstelling evenement activiteit event eventname spectacle titel titre titrespectacle evenementnaam"
        " naamevenement naamvoorstelling activiteitnaam activity show performance production productie manifestation"
        " evenementtitel cursus workshop tentoonstelling film concert",
    ),
    _field(
        "activity_starts_at",
        "datum datumvoorstelling voorstellingsdatum speeldatum datumevenement evenementdatum activiteitsdatum"
        " datespectacle dateevenement daterepresentation eventdate eventstart performancedate startdatum begindatum"
        " aanvang date datumtijd datumactiviteit",
    ),
    _field("activity_start_time", "uur aanvangsuur begintijd starttijd heure starttime tijdstip tijd aanvangstijd"),
    _field(
        "genre",
        "genre discipline categorie category categorievoorstelling genrevoorstelling rubriek",
        is_repeatable=True,
    ),
    _field("series", "reeks serie series cyclus cycle abonnementsreeks seizoensreeks"),
    _field("venue", "zaal locatie lieu salle venue location plaatsvoorstelling hall ruimte podium"),
    _field(
        "quantity",
        "aantal aantaltickets aantalkaarten aantalplaatsen nombre quantite quantity qty numberoftickets tickets",
    ),
    _field(
        "amount", "bedrag totaal totaalbedrag totaalprijs montant total amount totalamount orderbedrag prixtotal omzet"
    ),
    _field(
        "unit_price", "prijs ticketprijs eenheidsprijs prix prixunitaire tarif price unitprice ticketprice stukprijs"
    ),
    _field("currency", "munt valuta devise currency munteenheid"),
    _field("sales_channel", "kanaal verkoopkanaal verkooppunt canal canaldevente channel saleschannel verkoopswijze"),
    _field("participation_kind", "soort tickettype soortticket typebillet kind type ticketclass tickettypenaam"),
    _field("status", "status ticketstatus orderstatus statut etat state betaalstatus reservatiestatus"),
    _field(
        "booked_at",
        "besteldatum verkoopdatum aankoopdatum datumbestelling datumverkoop datumaankoop reservatiedatum boekingsdatum"
        " dateachat datecommande datereservation datevente orderdate purchasedate bookingdate bookedat saledate"
        " aangemaakt orderdatum transactiedatum datumreservatie",
    ),
    _field(
        "attended_at",
        "gescand gescandop scandatum inchecktijd ingecheckt incheckdatum scanne datescan scanned scannedat checkin"
        " checkedin checkedinat attendedat aanwezig present attended",
    ),
)


def fields_of(kind: str) -> tuple[Field, ...]:
    """Return what a column of a file of ``contacts`` or ``participations`` may hold."""
    # A list of people may name the purchase that a customer of our own was found by.
    return (*CONTACT_FIELDS, ORDER_ID) if kind == "contacts" else PARTICIPATION_FIELDS + CONTACT_FIELDS


def guess_columns(
    headers: Sequence[str],
    samples: Sequence[Sequence[str]],
    *,
    kind: str,
    known: Mapping[str, str] | None = None,
) -> list[str]:
    """Return a field code per column: by its header, else by what its cells look like, else ``ignore``.

    ``known`` says what headers mean in files of one system (a field code each, or ``ignore``). No field is given twice
    unless it is repeatable; the leftmost column gets it.
    """
    if known and {_word(header) for header in headers} & known.keys():
        return [known.get(_word(header), IGNORE) for header in headers]
    by_header = {word: field for field in reversed(fields_of(kind)) for word in field.headers}
    taken: set[str] = set()
    guesses: list[str] = []
    for place, header in enumerate(headers):
        field = by_header.get(_word(header)) or by_header.get(_word(_without_repetition(header)))
        code = field.code if field else _by_cells([row[place] for row in samples if place < len(row)])
        if code in taken and not (field and field.is_repeatable):
            code = IGNORE
        taken.add(code)
        guesses.append(code)
    if "full_name" in guesses and "given_name" in guesses and "family_name" not in guesses:
        # "Voornaam" beside "Naam": the latter is the family name.
        guesses[guesses.index("full_name")] = "family_name"
    return guesses


def _word(header: str) -> str:
    return re.sub(r"[^a-z0-9]", "", folded(header))


def _without_repetition(header: str) -> str:
    return re.sub(r"\s*(?:\(.*\)|\*)\s*$", "", header)


def _by_cells(cells: Sequence[str]) -> str:
    filled = [cell.strip() for cell in cells if cell.strip()]
    if not filled:
        return IGNORE
    if sum("@" in cell and "." in cell.rpartition("@")[2] for cell in filled) * 10 >= len(filled) * 8:
        return "email"
    if all(re.fullmatch(r"[1-9]\d{3}\s?[A-Z]{2}", cell) for cell in filled):
        return "postcode"
    return IGNORE
