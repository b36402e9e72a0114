"""Who got a mail, and what they did afterwards, as parts of statements (``WITH``) that everything measured is built of.

``survivor`` leads from a contact that was merged to the person it became: what they booked went along. ``got`` is who
received a mail and when; ``bought`` is each valid booking that they made within the window, for whomever. A reservation
that was not paid, a cancelled line and a refund are no bookings. A window of days is counted in the zone of the house,
so that a night in which the clock turns makes it neither longer nor shorter.
"""

from __future__ import annotations

SURVIVOR = """
onward (contact_id, into_id) AS (
    SELECT merge.contact_id, merge.into_id FROM contact_merge AS merge
     WHERE merge.organisation_id = :organisation_id AND merge.undone_at IS NULL
     UNION
    SELECT onward.contact_id, merge.into_id
      FROM onward JOIN contact_merge AS merge ON merge.organisation_id = :organisation_id
       AND merge.contact_id = onward.into_id AND merge.undone_at IS NULL
), survivor AS MATERIALIZED (
    SELECT onward.contact_id, onward.into_id FROM onward
     WHERE NOT EXISTS (SELECT FROM contact_merge AS merge WHERE merge.organisation_id = :organisation_id
                          AND merge.contact_id = onward.into_id AND merge.undone_at IS NULL)
)
"""

# Who lets us see what they do, read once: asked person by person, the gate's view costs a thousand times more.
PERMITTED = """
permitted AS MATERIALIZED (
    SELECT may.contact_id, may.purpose FROM contactable AS may
     WHERE may.organisation_id = :organisation_id AND may.channel = 'email'
       AND may.purpose IN ('track_click', 'track_open')
)
"""

# Uncertain is: it may have left, so what they did counts. What came back was not got, whoever turned it away; a
# complaint is of somebody who got it.
GOT = """
got AS MATERIALIZED (
    SELECT coalesce(survivor.into_id, delivery.contact_id) AS person_id, delivery.contact_id,
           delivery.handed_over_at AS got_at, coalesce(delivery.variant, '') AS variant,
           coalesce(delivery.language, '') AS language, delivery.step_id
      FROM delivery LEFT JOIN survivor ON survivor.contact_id = delivery.contact_id
     WHERE delivery.organisation_id = :organisation_id AND delivery.mailing_id = :mailing_id
       AND delivery.state IN ('handed_over', 'accepted', 'uncertain')
       AND coalesce(delivery.came_back, 'complained') = 'complained'
)
"""
# What came back to us, or was turned away after it was taken.
CAME_BACK = "delivery.came_back <> 'complained'"

# Why a mail that was planned did not go, in the words of those who were left out from the start.
WHY_CANCELLED = (
    "CASE delivery.problem_code WHEN 'denied' THEN 'no_permission' WHEN 'bouncing' THEN 'undeliverable'"
    " ELSE coalesce(delivery.problem_code, 'mailing_cancelled') END"
)
WITHOUT_DELIVERY = (
    "NOT EXISTS (SELECT FROM delivery AS own WHERE own.organisation_id = :organisation_id"
    " AND own.mailing_id = :mailing_id AND own.contact_id = away.contact_id AND own.enrolment_id IS NULL)"
)

# A mailing that another system sent: whom it says it delivered to, and to whom it did not come back.
GOT_ELSEWHERE = """
came_back AS MATERIALIZED (
    SELECT DISTINCT event.contact_id FROM mail_event AS event
     WHERE event.organisation_id = :organisation_id AND event.campaign = :campaign AND event.event = 'bounced'
), got AS MATERIALIZED (
    SELECT event.contact_id AS person_id, event.contact_id, min(event.occurred_at) AS got_at, '' AS variant,
           coalesce(min(contact.language), '') AS language, CAST(NULL AS text) AS step_id
      FROM mail_event AS event JOIN contact ON contact.organisation_id = :organisation_id
       AND contact.id = event.contact_id
     WHERE event.organisation_id = :organisation_id AND event.campaign = :campaign AND event.event = 'delivered'
       AND NOT EXISTS (SELECT FROM came_back WHERE came_back.contact_id = event.contact_id)
     GROUP BY event.contact_id
)
"""

# Lines with who booked them: of a ticket that somebody ordered for another, the one who ordered it.
BOOKINGS = """(
    SELECT line.organisation_id, line.id, line.contact_id, line.activity_id, line.quantity, line.amount, line.currency,
           line.is_valid, line.status, line.booked_at, line.booked_on
      FROM participation AS line WHERE line.buyer_id IS NULL
     UNION ALL
    SELECT line.organisation_id, line.id, line.buyer_id, line.activity_id, line.quantity, line.amount, line.currency,
           line.is_valid, line.status, line.booked_at, line.booked_on
      FROM participation AS line WHERE line.buyer_id IS NOT NULL
)"""

# The local date lets the index of dates narrow it down before instants are compared.
BOUGHT = f"""
bought AS MATERIALIZED (
    SELECT DISTINCT ON (booking.id) booking.id, got.person_id, got.variant, got.language, got.step_id, got.got_at,
           booking.activity_id, booking.quantity, booking.booked_at, booking.booked_on,
           CASE WHEN booking.currency = 'EUR' THEN coalesce(booking.amount, 0) ELSE 0 END AS amount
      FROM got JOIN {BOOKINGS} AS booking ON booking.organisation_id = :organisation_id
       AND booking.contact_id = got.person_id
     WHERE booking.is_valid AND booking.status <> 'pending'
       AND booking.booked_on BETWEEN CAST(:first_on AS date) AND CAST(:last_on AS date)
       AND booking.booked_at >= got.got_at AND booking.booked_at <= :now
       AND booking.booked_at
           < (got.got_at AT TIME ZONE :time_zone + make_interval(days => :days)) AT TIME ZONE :time_zone
     ORDER BY booking.id, got.got_at DESC
)
"""

# Two sides, person by person (``subject``: person_id, is_held_out, since, until), summed by household: what
# ``proof.Side`` holds. Somebody who was merged from both sides is on neither. What people spent is put beside them by
# grouping and not by a join: of two such tables the planner guesses a row or two, and walks one for each of the other.
SIDES = f"""
one_each AS MATERIALIZED (
    SELECT person_id, CASE WHEN bool_and(is_held_out) = bool_or(is_held_out) THEN bool_or(is_held_out) END
           AS is_held_out, min(since) AS since, max(until) AS until
      FROM subject GROUP BY person_id
), spent AS MATERIALIZED (
    SELECT one_each.person_id,
           sum(CASE WHEN booking.currency = 'EUR' THEN coalesce(booking.amount, 0) ELSE 0 END) AS amount
      FROM one_each JOIN {BOOKINGS} AS booking ON booking.organisation_id = :organisation_id
       AND booking.contact_id = one_each.person_id
     WHERE booking.is_valid AND booking.status <> 'pending'
       AND booking.booked_on BETWEEN CAST(:first_on AS date) AND CAST(:last_on AS date)
       AND booking.booked_at >= one_each.since AND booking.booked_at < one_each.until AND booking.booked_at <= :now
     GROUP BY one_each.person_id
), person AS (
    SELECT told.person_id, bool_or(told.is_held_out) AS is_held_out, max(told.has_bought) AS has_bought,
           sum(told.amount) AS amount
      FROM (
        SELECT person_id, is_held_out, 0 AS has_bought, CAST(0 AS numeric) AS amount FROM one_each
         UNION ALL
        SELECT person_id, NULL, 1, amount FROM spent
      ) AS told GROUP BY told.person_id
), home AS (
    SELECT person.is_held_out, count(*) AS m, sum(person.has_bought) AS y,
           CAST(sum(person.amount) AS double precision) AS r
      FROM person
      JOIN contact ON contact.organisation_id = :organisation_id AND contact.id = person.person_id
     WHERE person.is_held_out IS NOT NULL
     GROUP BY person.is_held_out, coalesce('h' || contact.like_address, 'c' || contact.id)
)
SELECT is_held_out, count(*) AS households, sum(m) AS people, sum(y) AS hits, sum(m * m) AS mm, sum(m * y) AS my,
       sum(y * y) AS yy, sum(r) AS amount, sum(r * r) AS rr, sum(m * r) AS mr
  FROM home GROUP BY is_held_out
"""
