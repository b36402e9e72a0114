"""Who enters journeys, and what events do to the people inside.

    what happened (notes, positions, dates) ──► occurrences ──► arrivals ──► enrol ──► enrolment

Triggers of the database note what happened, in the transaction in which it happens. The heartbeat takes the notes and
makes them into occurrences for every journey that watches, writes those down as arrivals, and lets the arrivals in.
Each step is one transaction: whatever is taken is acted on, or is still there.
"""
