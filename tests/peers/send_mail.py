"""Sends through a server with Python's smtplib and prints what came of each step as one JSON object a line.

Arguments: port for clear text, port for implicit TLS, password.
"""

import json
import smtplib
import ssl
import sys
from email import policy
from email.message import EmailMessage

port, tls_port, password = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
trusting = ssl._create_unverified_context()


def tell(name, value):
    print(json.dumps({"name": name, "value": value}))


def message(to):
    mail = EmailMessage()
    mail["From"] = "Sénder <sender@example.com>"
    mail["To"] = to
    mail["Subject"] = "Grüße"
    mail.set_content(".\n..\nGrüße\n" + "x" * 2000 + "\n")
    mail.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="ä.bin")
    return mail


with smtplib.SMTP("127.0.0.1", port) as client:
    client.login("app", password)
    tell("clear", client.send_message(message("clear@py.example")))
    tell("again", client.send_message(message("again@py.example")))
    try:
        client.sendmail("sender@example.com", ["a@b", "c@d"], b"x")
    except smtplib.SMTPRecipientsRefused as refused:
        tell("refused", {address: code for address, (code, _) in refused.recipients.items()})
    some = client.sendmail("sender@example.com", ["a@b", "some@py.example"], message("x@y.z").as_bytes(policy=policy.SMTP))
    tell("some", {address: code for address, (code, _) in some.items()})
    try:
        client.sendmail("sender@example.com", ["a@py.example"], message("x@y.z").as_bytes())
    except smtplib.SMTPDataError as error:
        tell("bytes with bare LF", error.smtp_code)
    tell("lines", client.sendmail("sender@example.com", ["lf@py.example"], "From: a@example.com\nSubject: lf\n\nends in LF\n"))
    tell("vrfy", client.verify("ann")[0])
    client.send(b"NOOP \r\r\n")
    tell("bare CR", client.getreply()[0])

with smtplib.SMTP_SSL("127.0.0.1", tls_port, context=trusting) as client:
    client.login("app", password)
    tell("implicit", client.send_message(message("implicit@py.example")))
    tell("utf8", client.send_message(message("üser@py.example")))

with smtplib.SMTP("127.0.0.1", port) as client:
    try:
        client.login("app", "wrong")
    except smtplib.SMTPAuthenticationError as error:
        tell("wrong", error.smtp_code)
    try:
        client.sendmail("sender@example.com", ["a@py.example"], b"x")
    except smtplib.SMTPSenderRefused as error:
        tell("stranger", error.smtp_code)
