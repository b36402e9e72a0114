"""Mails that come back, in the shapes of the common mail servers. Written here; everybody in them is invented."""

from __future__ import annotations

from textwrap import dedent


def postfix(
    number: str,
    *,
    status: str = "5.1.1",
    said: str = "550 5.1.1 <an@example.org>: Recipient address rejected: User unknown",
    to: str = "an@example.org",
    action: str = "failed",
) -> bytes:
    """Postfix: three parts, the mail's headers last; the number is in its Message-ID only."""
    return mail(f"""\
        Return-Path: <>
        Date: Fri, 20 Nov 2026 09:10:11 +0100 (CET)
        From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
        Subject: Undelivered Mail Returned to Sender
        To: bounces@deproef.example
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
        \tboundary="4Xn.1700/mx.example.net"
        Message-Id: <4Xn@mx.example.net>

        This is a MIME-encapsulated message.

        --4Xn.1700/mx.example.net
        Content-Description: Notification
        Content-Type: text/plain; charset=us-ascii

        This is the mail system at host mx.example.net.

        I'm sorry to have to inform you that your message could not
        be delivered to one or more recipients. It's attached below.

        <{to}>: host mail.example.org[192.0.2.7] said: {said}

        --4Xn.1700/mx.example.net
        Content-Description: Delivery report
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.example.net
        X-Postfix-Queue-ID: 4Xn
        X-Postfix-Sender: rfc822; bounces@deproef.example
        Arrival-Date: Fri, 20 Nov 2026 09:10:10 +0100 (CET)

        Final-Recipient: rfc822; {to}
        Original-Recipient: rfc822;{to}
        Action: {action}
        Status: {status}
        Remote-MTA: dns; mail.example.org
        Diagnostic-Code: smtp; {said}

        --4Xn.1700/mx.example.net
        Content-Description: Undelivered Message Headers
        Content-Type: text/rfc822-headers

        Return-Path: <bounces@deproef.example>
        From: De Proef <post@deproef.example>
        To: {to}
        Subject: Nieuws
        Message-ID: <{number}@deproef.example>

        --4Xn.1700/mx.example.net--
        """)


def exim_text(number: str) -> bytes:
    """Exim without a report: a text, and a header with who it is about."""
    return mail(f"""\
        Return-path: <>
        Envelope-to: bounces+{number}@deproef.example
        X-Failed-Recipients: an@example.org
        Auto-Submitted: auto-replied
        From: Mail Delivery System <Mailer-Daemon@relay.example.net>
        To: bounces+{number}@deproef.example
        Subject: Mail delivery failed: returning message to sender
        Message-Id: <E1abc-0001@relay.example.net>

        This message was created automatically by mail delivery software.

        A message that you sent could not be delivered to one or more of its
        recipients. This is a permanent error. The following address(es) failed:

          an@example.org
            host mail.example.org [192.0.2.7]
            SMTP error from remote mail server after RCPT TO:<an@example.org>:
            550 No such user here
        """)


def qmail_text(number: str) -> bytes:
    """qmail: its own way of telling (QSBMF)."""
    return mail(f"""\
        Return-Path: <>
        Date: 20 Nov 2026 08:00:00 -0000
        From: MAILER-DAEMON@qmail.example.net
        To: bounces+{number}@deproef.example
        Subject: failure notice

        Hi. This is the qmail-send program at qmail.example.net.
        I'm afraid I wasn't able to deliver your message to the following addresses.
        This is a permanent error; I've given up. Sorry it didn't work out.

        <an@example.org>:
        Sorry, no mailbox here by that name. (#5.1.1)

        --- Below this line is a copy of the message.
        """)


NOT_FOUND = "RESOLVER.ADR.RecipientNotFound; Recipient an@example.org not found by SMTP address lookup"
AWAY = "Auto-Submitted: auto-generated\n        X-Auto-Response-Suppress: All"


def exchange_online(number: str, *, code: str = "5.1.10", said: str = NOT_FOUND) -> bytes:
    """Exchange Online: HTML first, then the report, then the whole mail."""
    return mail(f"""\
        From: "Microsoft Outlook" <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@proef.example>
        To: <bounces+{number}@deproef.example>
        Date: Fri, 20 Nov 2026 08:00:00 +0000
        Content-Type: multipart/report; report-type=delivery-status;
         boundary="_000_x_"
        Subject: Undeliverable: Nieuws
        In-Reply-To: <{number}@deproef.example>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0

        --_000_x_
        Content-Type: multipart/alternative; boundary="_001_x_"

        --_001_x_
        Content-Type: text/html; charset="us-ascii"

        <html><head><style>p {{ color: red }}</style></head><body><p>Your message to
        an@example.org couldn't be delivered.</p></body></html>

        --_001_x_--

        --_000_x_
        Content-Type: message/delivery-status

        Reporting-MTA: dns;AS8PR01.eurprd01.prod.example
        Received-From-MTA: dns;relay.example.net
        Arrival-Date: Fri, 20 Nov 2026 08:00:00 +0000

        Final-Recipient: rfc822;an@example.org
        Action: failed
        Status: {code}
        Diagnostic-Code: smtp;550 {code} {said}

        --_000_x_
        Content-Type: message/rfc822

        From: De Proef <post@deproef.example>
        To: an@example.org
        Subject: Nieuws
        Message-ID: <{number}@deproef.example>
        Content-Type: text/plain

        Dag An

        --_000_x_--
        """)


def sendmail(number: str, *, status: str = "5.2.2") -> bytes:
    """Sendmail, with the words of the far side in several lines."""
    return mail(f"""\
        From: Mail Delivery Subsystem <MAILER-DAEMON@mail.example.org>
        To: <bounces+{number}@deproef.example>
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status; boundary="AKG001"
        Subject: Returned mail: see transcript for details
        Auto-Submitted: auto-generated (failure)

        This is a MIME-encapsulated message

        --AKG001

        The original message was received at Fri, 20 Nov 2026 08:00:00 GMT

           ----- The following addresses had permanent fatal errors -----
        <an@example.org>
            (reason: 552 {status} <an@example.org>... Over quota)

        --AKG001
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mail.example.org
        Arrival-Date: Fri, 20 Nov 2026 08:00:00 GMT

        Final-Recipient: RFC822; an@example.org
        Action: failed
        Status: {status}
        Diagnostic-Code: SMTP; 552 {status} <an@example.org>... Over quota
        Last-Attempt-Date: Fri, 20 Nov 2026 08:00:01 GMT

        --AKG001--
        """)


def complaint(number: str, *, about: str = "abuse") -> bytes:
    """A complaint as a mailbox provider's feedback loop sends it (RFC 5965): the address is blacked out."""
    return mail(f"""\
        From: <staff@fbl.example.net>
        Date: Fri, 20 Nov 2026 08:00:00 +0000
        Subject: FW: Nieuws
        To: <abuse@deproef.example>
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=feedback-report;
             boundary="part1_13d"

        --part1_13d
        Content-Type: text/plain; charset="US-ASCII"
        Content-Transfer-Encoding: 7bit

        This is an email abuse report for an email message received from IP
        192.0.2.9 on Fri, 20 Nov 2026 07:00:00 +0000.

        --part1_13d
        Content-Type: message/feedback-report

        Feedback-Type: {about}
        User-Agent: SomeGenerator/1.0
        Version: 1
        Original-Mail-From: <bounces@deproef.example>
        Arrival-Date: Fri, 20 Nov 2026 07:00:00 +0000
        Reported-Domain: deproef.example

        --part1_13d
        Content-Type: message/rfc822
        Content-Disposition: inline

        From: De Proef <post@deproef.example>
        To: [redacted]
        Subject: Nieuws
        Message-ID: <{number}@deproef.example>

        Dag
        --part1_13d--
        """)


def out_of_office(number: str, *, subject: str = "Automatisch antwoord: Nieuws", headers: str = AWAY) -> bytes:
    """Somebody is away."""
    return mail(f"""\
        From: An Peeters <an@example.org>
        To: bounces+{number}@deproef.example
        Subject: {subject}
        In-Reply-To: <{number}@deproef.example>
        {headers}
        Content-Type: text/plain; charset=utf-8

        Ik ben terug op maandag.
        """)


def reply(number: str, *, subject: str = "Re: Nieuws", text: str = "Zijn er nog kaarten voor vrijdag?") -> bytes:
    """Somebody writes back."""
    return mail(f"""\
        From: An Peeters <an@example.org>
        To: "De Proef" <bounces+{number}@deproef.example>
        Subject: {subject}
        References: <{number}@deproef.example>
        Content-Type: text/plain; charset=utf-8

        {text}
        """)


def unsubscribe(number: str, *, subject: str = "unsubscribe") -> bytes:
    """A mail program follows the mailto of the List-Unsubscribe header."""
    return mail(f"""\
        From: an@example.org
        To: bounces+{number}@deproef.example
        Subject: {subject}

        """)


def mail(text: str) -> bytes:
    """A mail as it travels: no indentation, lines end in CRLF."""
    return dedent(text).replace("\n", "\r\n").encode()
