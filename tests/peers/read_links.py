"""Prints the links and images of the HTML of a mail on standard input, and its texts, as one JSON object, by Python's own email and html packages."""

import json
import sys
from email import message_from_bytes, policy
from html.parser import HTMLParser


class Links(HTMLParser):
    def __init__(self):
        super().__init__()
        self.links, self.images = [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "a":
            self.links.append(attributes.get("href"))
        elif tag == "img":
            self.images.append(attributes.get("src"))


message = message_from_bytes(sys.stdin.buffer.read(), policy=policy.default)
reader = Links()
part = message.get_body(("html",))
reader.feed(part.get_content())
plain = message.get_body(("plain",))
json.dump({
    "links": reader.links, "images": reader.images, "html": part.get_content(), "text": plain.get_content() if plain else None,
}, sys.stdout)
