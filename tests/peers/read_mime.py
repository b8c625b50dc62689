"""Takes every .eml file of a folder apart with Python's own email package, damaged ones too, and prints the tree of parts, one JSON
object a line."""

import hashlib
import json
import pathlib
import re
import sys
from email import message_from_bytes, policy


def digest(octets):
    return [len(octets), hashlib.sha256(octets).hexdigest()]


def describe(part):
    kind = part.get_content_type()
    found = {"type": kind, "names": [name.rstrip(" \t").lower() for name in part.keys()], "parts": []}
    if part.is_multipart():
        found["parts"] = [describe(child) for child in part.get_payload()]
    else:
        found["decoded"] = digest(part.get_payload(decode=True) or b"")
        # As the parser keeps it: bytes that are no ASCII as half surrogates.
        raw = (part._payload or "").encode("ascii", "surrogateescape")
        found["raw"] = digest(re.sub(rb"\r?\n\Z", b"", raw))
    return found


for file in sorted(pathlib.Path(sys.argv[1]).glob("*.eml")):
    message = message_from_bytes(file.read_bytes(), policy=policy.compat32)
    print(json.dumps({"file": file.stem} | describe(message)))
