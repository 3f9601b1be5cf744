"""Reads native tokens, CSRF tokens and records, as docs/formats.md describes them.

Each line of standard input asks one question in JSON; each line of standard
output answers it, null for what is refused. It needs Python's standard library
only, and shares nothing with the crate and nothing with native.py.
"""

import base64
import hashlib
import hmac
import json
import re
import sqlite3
import sys
import zlib

ENCRYPTED, SIGNED, SIGNED_ID, PLAIN, PLAIN_ID = 1, 2, 3, 4, 5
SUITES = {"A128CBC-HS256": (16, "sha256"), "A192CBC-HS384": (24, "sha384"), "A256CBC-HS512": (32, "sha512")}
TRANSPORTS = {"cookie": 1, "header": 2}


class Refused(Exception):
    pass


def check(condition):
    if not condition:
        raise Refused


class Bytes:
    """Takes fields from the front."""

    def __init__(self, data):
        self.data = data

    def take(self, length):
        check(len(self.data) >= length)
        taken, self.data = self.data[:length], self.data[length:]
        return taken

    def number(self, length):
        return int.from_bytes(self.take(length), "big")

    def prefixed(self):
        return self.take(self.number(2))

    def lifetime(self):
        kind, value = self.number(1), self.number(7)
        check(kind <= 3 and (kind != 1 or value >= 1) and (kind not in (0, 3) or value == 0))
        return [kind, value]


# AES decryption: each table is made from the definition of the field.


def times(a, b):
    result = 0
    for bit in range(8):
        if b >> bit & 1:
            result ^= a << bit
    for bit in range(14, 7, -1):
        if result >> bit & 1:
            result ^= 0x11B << bit - 8
    return result


def inverse(value):
    result = 1
    for _ in range(254):
        result = times(result, value)
    return result


def affine(value):
    bit = lambda at: value >> at % 8 & 1
    return sum((bit(at) ^ bit(at + 4) ^ bit(at + 5) ^ bit(at + 6) ^ bit(at + 7)) << at for at in range(8)) ^ 0x63


SUB = [affine(inverse(value)) for value in range(256)]
UNSUB = [SUB.index(value) for value in range(256)]
MULTIPLES = {factor: [times(value, factor) for value in range(256)] for factor in (9, 11, 13, 14)}


def expand(key):
    columns, words = len(key) // 4, [key[at : at + 4] for at in range(0, len(key), 4)]
    constant = 1
    while len(words) < 4 * (columns + 7):
        last = words[-1]
        if len(words) % columns == 0:
            last = bytes(SUB[byte] for byte in last[1:] + last[:1])
            last = bytes([last[0] ^ constant]) + last[1:]
            constant = times(constant, 2)
        elif columns == 8 and len(words) % columns == 4:
            last = bytes(SUB[byte] for byte in last)
        words.append(xor(words[-columns], last))
    return [b"".join(words[at : at + 4]) for at in range(0, len(words), 4)]


def xor(one, other):
    return bytes(a ^ b for a, b in zip(one, other))


def decrypt_block(keys, block):
    state = xor(block, keys[-1])
    for key in reversed(keys[:-1]):
        shifted = bytes(state[(at - 4 * (at % 4)) % 16] for at in range(16))
        state = xor((UNSUB[byte] for byte in shifted), key)
        if key is not keys[0]:
            column = lambda at, step: state[at - at % 4 + (at + step) % 4]
            state = bytes(
                MULTIPLES[14][column(at, 0)] ^ MULTIPLES[11][column(at, 1)] ^ MULTIPLES[13][column(at, 2)] ^ MULTIPLES[9][column(at, 3)]
                for at in range(16)
            )
    return state


def decrypt(key, iv, ciphertext):
    keys, plaintext = expand(key), b""
    for at in range(0, len(ciphertext), 16):
        block = ciphertext[at : at + 16]
        plaintext += xor(decrypt_block(keys, block), iv)
        iv = block
    pad = plaintext[-1]
    check(1 <= pad <= 16 and plaintext.endswith(bytes([pad]) * pad))
    return plaintext[:-pad]


# Keys.


def lp(data):
    return len(data).to_bytes(2, "big") + data


def derive(ask, keys, purpose, length):
    encrypt, sign = (bytes.fromhex(keys.get(name, "")) for name in ("encrypt_key", "sign_key"))
    if encrypt and sign:
        secret = {"enc": encrypt, "kid": lp(encrypt) + sign}.get(purpose, sign)
    else:
        secret = bytes.fromhex(next(iter(keys.values())))
    transport = TRANSPORTS.get(ask["transport"], 3)
    custom = ask["transport"] if transport == 3 else ""
    suite = ask["suite"] if ask["kind"] == ENCRYPTED else "HS256"
    info = b"rsess1" + lp(purpose.encode()) + lp(suite.encode()) + bytes([ask["kind"]])
    info += lp(ask["app"].encode()) + lp(ask["name"].encode()) + bytes([transport]) + lp(custom.encode())
    root = hmac.digest(b"rsess1", secret, "sha256")
    block, key = b"", b""
    while len(key) < length:
        block = hmac.digest(root, block + info + bytes([len(key) // 32 + 1]), "sha256")
        key += block
    return key[:length]


# Tokens.


def unbase64(text, limit):
    check(len(text) <= limit and re.fullmatch("[A-Za-z0-9_-]+", text) and len(text) % 4 != 1)
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    check(base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text)
    return data


def keys_of(ask, key_id):
    if ask["kind"] in (PLAIN, PLAIN_ID):
        check(key_id == bytes(4))
        return None
    for keys in ask["keys"]:
        if derive(ask, keys, "kid", 4) == key_id:
            return keys
    raise Refused


def read_any(ask, read_one):
    """The first token of at most eight that can be read."""
    tokens = ask["token"].split(".")
    check(len(tokens) <= 8)
    for token in tokens:
        try:
            return read_one(ask | {"token": token})
        except Refused:
            pass
    raise Refused


def read_token(ask):
    check(len(ask["token"]) <= ask["limit"])
    return read_one_token(ask) if ask["kind"] in (PLAIN, PLAIN_ID) else read_any(ask, read_one_token)


def read_one_token(ask):
    kind = ask["kind"]
    is_id = kind in (SIGNED_ID, PLAIN_ID)
    data = unbase64(ask["token"], 96 if is_id else ask["limit"])
    rest = Bytes(data)
    check(rest.number(1) == 2 and rest.number(1) == kind)
    keys = keys_of(ask, rest.take(4))
    end = len(data)
    if kind == ENCRYPTED:
        length, hash_name = SUITES[ask["suite"]]
        end -= length
        check(end - 74 - 16 > 0 and (end - 74) % 16 == 0)
        content = data[:end] + (74 * 8).to_bytes(8, "big")
        tag = hmac.digest(derive(ask, keys, "mac", length), content, hash_name)[:length]
        check(hmac.compare_digest(tag, data[end:]))
    elif keys:
        end -= 32
        check(end >= 6)
        tag = hmac.digest(derive(ask, keys, "sign", 32), data[:end], "sha256")
        check(hmac.compare_digest(tag, data[end:]))
    if is_id:
        check(end == 38)
        return {"locator": rest.take(16).hex(), "secret": rest.take(16).hex()}
    check(end >= 74)
    fields = {"created": rest.number(8), "issued": rest.number(8), "authenticated": rest.number(8)}
    fields |= {"lifetime": rest.lifetime(), "epoch": rest.number(8), "incarnation": rest.number(8)}
    fields |= {"session_id": rest.take(16).hex(), "generation": rest.number(4)}
    payload = data[74:end]
    if kind == ENCRYPTED:
        payload = decrypt(derive(ask, keys, "enc", length), payload[:16], payload[16:])
    return fields | {"payload": payload.hex()}


# Names, records and their places.


def read_csrf(ask):
    """Which of the keys made the token, if one did."""
    return read_any(ask, read_one_csrf)


def read_one_csrf(ask):
    data = unbase64(ask["token"], 43)
    check(len(data) == 32)
    content = bytes.fromhex(ask["id"]) + ask["generation"].to_bytes(4, "big")
    for number, keys in enumerate(ask["keys"]):
        whole = hmac.new(derive(ask, keys, "csrf", 32), content, "sha256").digest()
        if xor(data[:16], data[16:]) == whole[:16]:
            return number
    raise Refused


def read_names(ask):
    space = lp(ask["app"].encode()) + lp(ask["name"].encode())
    name = lambda what: hashlib.sha256(space + what).hexdigest()
    return {
        "key": name(bytes.fromhex(ask["locator"])),
        "owner": name(ask["owner"].encode()),
        "secret": hashlib.sha256(bytes.fromhex(ask["secret"])).hexdigest(),
    }


def read_envelope(payload, name):
    rest = Bytes(payload)
    check(rest.number(1) == 2)
    length, flags = rest.number(2), rest.number(1)
    check(4 <= length <= len(payload) and not flags & 0x80 and flags & 0x30 != 0x30)
    rest = Bytes(payload[4:length])
    check(rest.prefixed() == name.encode())
    fields = {"current": rest.take(32).hex(), "renewed": rest.number(8), "csrf_generation": rest.number(4)}
    fields |= {"authenticated": rest.number(8), "lifetime": rest.lifetime()}
    count = rest.number(1)
    check(count <= 16)
    fields["trail"] = [[rest.number(8), rest.number(8)] for _ in range(count)]
    if flags & 0x01:
        count = rest.number(1)
        check(1 <= count <= 16)
        fields["previous"] = [[rest.take(32).hex(), rest.number(8)] for _ in range(count)]
    if flags & 0x02:
        fields["renewal"] = rest.take(16).hex()
    if flags & 0x04:
        fields["owner_generation"] = rest.number(8)
    for flag, field in ((0x08, "ancestor"), (0x10, "replaced"), (0x20, "claim")):
        if flags & flag:
            fields[field] = rest.take(32).hex()
    if flags & 0x40:
        client = rest.prefixed()
        check(client)
        fields["client"] = client.decode(errors="replace")
    check(not rest.data)
    return fields | {"value": payload[length:].hex()}


def read_record(ask):
    return read_envelope(bytes.fromhex(ask["record"]), ask["name"])


def read_directory(ask):
    key = bytes.fromhex(ask["key"])
    with open(f"{ask['path']}/records/{key[:1].hex()}/{key[1:2].hex()}/{key.hex()}", "rb") as file:
        data = file.read()
    crc = lambda checked: zlib.crc32(checked).to_bytes(4, "big")
    check(data[:8] == b"rsess-d1" and data[117:121] == crc(key + data[64:117]))
    slots = [data[at : at + 28] for at in (8, 36)]
    valid = [slot for slot in slots if slot[24:] == crc(slot[:24])]
    check(valid)
    newest = Bytes(max(valid))
    newest.number(8)
    rest = Bytes(data[64:])
    record = {"last_seen": newest.number(8), "expires": newest.number(8), "version": rest.number(8)}
    record["created"] = rest.number(8)
    owned, owner = rest.number(1), rest.take(32).hex()
    record["owner"] = owner if owned else None
    payload_crc, _ = rest.take(4), rest.take(4)
    check(payload_crc == crc(rest.data))
    return record | {"envelope": read_envelope(rest.data, ask["name"])}


def read_sqlite(ask):
    columns = "version, owner, created, last_seen, expires, payload"
    with sqlite3.connect(ask["path"]) as database:
        row = database.execute(f"SELECT {columns} FROM sessions WHERE id = ?", [bytes.fromhex(ask["key"])]).fetchone()
    check(row)
    version, owner, created, last_seen, expires, payload = row
    record = {"version": version % (1 << 64), "owner": owner and owner.hex(), "created": created}
    record |= {"last_seen": last_seen, "expires": expires}
    return record | {"envelope": read_envelope(payload, ask["name"])}


READERS = {"token": read_token, "csrf": read_csrf, "names": read_names, "record": read_record}
READERS |= {"directory": read_directory, "sqlite": read_sqlite}

for line in sys.stdin:
    ask = json.loads(line)
    try:
        answer = READERS[ask["ask"]](ask)
    except Refused:
        answer = None
    print(json.dumps(answer), flush=True)
