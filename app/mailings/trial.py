"""A mail to oneself, at once: the shortest way to learn whether what was filled in works."""

from __future__ import annotations

from app import clock
from app.mailings.letter_texts import letter_content
from app.mailings.mail_settings import Sender
from app.mailings.mime import Content, envelope_sender, message_of
from integrations.esp.smtp import Accepted, Envelope, SmtpPost

CONNECT_S, ANSWER_S = 6.0, 12.0


def send_trial(sender: Sender, *, to_address: str, language: str) -> Accepted:
    """Send a test mail now; returns the relay's yes. Raises ConnectorError, Unwritable. No transaction may be open."""
    return send_content(sender, letter_content("test", sender, language=language), to_address=to_address)


def send_content(sender: Sender, content: Content, *, to_address: str) -> Accepted:
    """Send one mail now, as a test; as ``send_trial``."""
    at = clock.now()
    # It is no delivery, and each one is another mail to a mailbox that sorts out doubles.
    number = f"trial{int(at.timestamp() * 1000)}"
    message = message_of(sender, content, to_address=to_address, number=number, at=at)
    envelope = Envelope(envelope_sender(sender, number=number), to_address, message)
    with SmtpPost(sender.relay, connect_s=CONNECT_S, answer_s=ANSWER_S) as post:
        return post.send(envelope)
