"""Verifies every message of a folder with OpenDKIM and prints a line of JSON each, in order of names.

usage: unshare --mount --net verify_dkim.py FOLDER   (FOLDER/records.json: name -> text of the TXT record)

OpenDKIM asks the system's resolver, so this answers as one, on port 53 of a loopback that nobody else sees: hence the namespaces.
"""
import json, os, socket, struct, subprocess, sys, threading

folder = sys.argv[1]
with open(os.path.join(folder, "records.json"), encoding="ascii") as file:
    records = {name.lower(): text for name, text in json.load(file).items()}


def answer(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("ascii"))
        at += 1 + query[at]
    question = query[12:at + 5]
    text = records.get(".".join(labels).lower())
    is_text = text is not None and question[-4:-2] == b"\x00\x10"
    header = query[:2] + struct.pack(">HHHHH", 0x8180 if text is not None else 0x8183, 1, 1 if is_text else 0, 0, 0)
    if not is_text:
        return header + question
    parts = [text[i:i + 255].encode("ascii") for i in range(0, len(text), 255)]
    data = b"".join(bytes([len(part)]) + part for part in parts)
    return header + question + b"\xc0\x0c\x00\x10\x00\x01" + struct.pack(">IH", 60, len(data)) + data


def serve(listening):
    while True:
        query, peer = listening.recvfrom(4096)
        listening.sendto(answer(query), peer)


subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
resolv = os.path.join(folder, "resolv.conf")
with open(resolv, "w", encoding="ascii") as file:
    file.write("nameserver 127.0.0.1\n")
subprocess.run(["mount", "--bind", resolv, os.path.realpath("/etc/resolv.conf")], check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
threading.Thread(target=serve, args=(server,), daemon=True).start()

for name in sorted(name for name in os.listdir(folder) if name.endswith(".eml")):
    with open(os.path.join(folder, name), "rb") as message:
        run = subprocess.run(["opendkim-testmsg"], stdin=message, capture_output=True, text=True, check=False)
    print(json.dumps({"file": name, "code": run.returncode, "text": (run.stdout + run.stderr).strip()}), flush=True)
