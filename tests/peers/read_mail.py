"""Reads every .eml file of a folder with Python's own email package and prints what it found, one JSON object a line."""

import hashlib
import json
import pathlib
import sys
from email import message_from_string, policy
from email.errors import NonASCIILocalPartDefect
from email.header import decode_header, make_header
from email.utils import getaddresses

# Known and meant: the old name= parameter holds encoded words, which is no standard but what old readers know; and local parts in other
# scripts are what SMTPUTF8 is for. Everything else is a defect of ours.
LEGACY_NAME = ("encoded word inside quoted string", "missing trailing whitespace after encoded-word")


def is_meant(name, defect):
    return isinstance(defect, NonASCIILocalPartDefect) or (name == "Content-Type" and str(defect) in LEGACY_NAME)


def mailboxes(message, raw, name):
    """Addresses as the parsed header has them. Names by the older functions: up to Python 3.12 the parsed header shows a space between
    encoded words of a name (against RFC 2047 section 6.2) and folds runs of white space into one."""
    if message[name] is None:
        return []
    names = [str(make_header(decode_header(phrase))) for phrase, address in getaddresses([raw[name]]) if address]
    return list(zip(names, [address.addr_spec for address in message[name].addresses], strict=True))


def defects(part):
    found = [repr(defect) for defect in part.defects]
    for name, value in part.items():
        found += [f"{name}: {defect!r}" for defect in value.defects if not is_meant(name, defect)]
    if part.is_multipart() and part.get_content_maintype() == "multipart":
        for child in part.iter_parts():
            found += defects(child)
    return found


def tree(part):
    kind = part.get_content_type()
    if part.get_content_maintype() != "multipart":
        return kind
    return f"{kind}({','.join(tree(child) for child in part.iter_parts())})"


def leaves(part):
    if part.get_content_maintype() != "multipart":
        yield part
        return
    for child in part.iter_parts():
        yield from leaves(child)


def payload(part):
    if part.get_content_type() == "message/rfc822":
        return part.get_payload(0).as_bytes(policy=policy.SMTP)
    return part.get_payload(decode=True)


def read(path):
    # As text, because that is how Python takes the raw UTF-8 of SMTPUTF8; all else in it is ASCII.
    text = path.read_bytes().decode("utf-8")
    message = message_from_string(text, policy=policy.default)
    raw = message_from_string(text, policy=policy.compat32)
    found = {
        "file": path.stem,
        "names": message.keys(),
        "custom": [[name, value.lstrip(" ")] for name, value in message.items() if name.lower().startswith(("x-", "list-"))],
        "from": mailboxes(message, raw, "from"),
        "sender": mailboxes(message, raw, "sender"),
        "reply_to": mailboxes(message, raw, "reply-to"),
        "to": mailboxes(message, raw, "to"),
        "cc": mailboxes(message, raw, "cc"),
        "subject": message["subject"],
        "message_id": message["message-id"],
        "date": message["date"].datetime.isoformat(),
        "tree": tree(message),
        "texts": [],
        "attachments": [],
        "defects": defects(message),
    }
    for part in leaves(message):
        octets = payload(part)
        if part.get_content_maintype() == "text" and part["content-disposition"] is None:
            found["texts"].append([part.get_content_type(), octets.decode("utf-8")])
        else:
            found["attachments"].append({
                "file_name": part.get_filename(),
                "type": part.get_content_type(),
                "disposition": part.get_content_disposition(),
                "content_id": part["content-id"],
                "sha256": hashlib.sha256(octets).hexdigest(),
            })
    return found


for file in sorted(pathlib.Path(sys.argv[1]).glob("*.eml")):
    print(json.dumps(read(file)))
