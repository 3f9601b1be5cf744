"""A model of Ktor's formats by other means: answers a question a line, in JSON.

Nothing here is shared with the crate; both follow the same description of the formats.
Standard library only, AES included (FIPS 197).
"""

import base64
import hashlib
import hmac
import json
import sys
from urllib.parse import quote, quote_plus, unquote, unquote_plus


# AES --------------------------------------------------------------------------------------------

def xtime(a):
    return ((a << 1) ^ (0x1B if a & 0x80 else 0)) & 0xFF


def times(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a, b = xtime(a), b >> 1
    return product


def make_box():
    box = []
    for value in range(256):
        inverse = next((i for i in range(256) if times(value, i) == 1), 0)
        result = 0x63
        for shift in range(5):
            result ^= ((inverse << shift) | (inverse >> (8 - shift))) & 0xFF
        box.append(result)
    return box


BOX = make_box()
UNBOX = [BOX.index(value) for value in range(256)]


def schedule(key):
    words = [list(key[i:i + 4]) for i in range(0, len(key), 4)]
    size, rounds, constant = len(words), len(key) // 4 + 6, 1
    for i in range(size, 4 * (rounds + 1)):
        word = list(words[-1])
        if i % size == 0:
            word = [BOX[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant = xtime(constant)
        elif size > 6 and i % size == 4:
            word = [BOX[b] for b in word]
        words.append([a ^ b for a, b in zip(word, words[i - size])])
    return [sum(words[4 * r:4 * r + 4], []) for r in range(rounds + 1)]


def mix(state, row):
    columns = []
    for c in range(0, 16, 4):
        column = state[c:c + 4]
        for r in range(4):
            columns.append(
                times(column[0], row[-r % 4]) ^ times(column[1], row[(1 - r) % 4])
                ^ times(column[2], row[(2 - r) % 4]) ^ times(column[3], row[(3 - r) % 4]))
    return columns


def encrypt_block(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number, key in enumerate(keys[1:], 1):
        state = [BOX[b] for b in state]
        state = [state[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if number < len(keys) - 1:
            state = mix(state, [2, 3, 1, 1])
        state = [a ^ b for a, b in zip(state, key)]
    return bytes(state)


def decrypt_block(keys, block):
    state = [a ^ b for a, b in zip(block, keys[-1])]
    for number in range(len(keys) - 2, -1, -1):
        state = [state[(i - 4 * (i % 4)) % 16] for i in range(16)]
        state = [UNBOX[b] for b in state]
        state = [a ^ b for a, b in zip(state, keys[number])]
        if number > 0:
            state = mix(state, [14, 11, 13, 9])
    return bytes(state)


def cbc_encrypt(key, iv, text):
    padding = 16 - len(text) % 16
    text += bytes([padding]) * padding
    keys, previous, out = schedule(key), iv, b""
    for at in range(0, len(text), 16):
        previous = encrypt_block(keys, [a ^ b for a, b in zip(text[at:at + 16], previous)])
        out += previous
    return out


def cbc_decrypt(key, iv, text):
    keys, previous, out = schedule(key), iv, b""
    for at in range(0, len(text), 16):
        block = text[at:at + 16]
        out += bytes(a ^ b for a, b in zip(decrypt_block(keys, block), previous))
        previous = block
    return out[:-out[-1]]


# Tokens -----------------------------------------------------------------------------------------

def mac_of(case, data):
    algorithm = case["mac"].removeprefix("Hmac").lower()
    return hmac.new(bytes.fromhex(case["sign"]), data, getattr(hashlib, algorithm)).hexdigest()


def seal(case, text):
    for step in case["transform"]:
        if step == "mac":
            text = text + "/" + mac_of(case, text.encode())
        else:
            key, iv = bytes.fromhex(case["encrypt"]), bytes.fromhex(case["iv"])
            secret = cbc_encrypt(key, iv, text.encode())
            text = f"{iv.hex()}/{secret.hex()}:{mac_of(case, secret)}"
    encoding = case["encoding"]
    if encoding == "uri":
        return quote_plus(text, safe="~")
    if encoding == "base64":
        return base64.b64encode(text.encode()).decode()
    if encoding == "dquotes" and any(c.isspace() or c in ";," for c in text):
        return f'"{text}"'
    return text


def unseal(case, value):
    encoding = case["encoding"]
    if encoding == "uri":
        value = unquote_plus(value)
    elif encoding == "base64":
        value = base64.b64decode(value, validate=True).decode()
    elif encoding in ("raw", "dquotes") and len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    for step in reversed(case["transform"]):
        head, tail = value.rsplit("/", 1)
        if step == "mac":
            assert mac_of(case, head.encode()) == tail
            value = head
        else:
            secret, tag = tail.rsplit(":", 1)
            secret = bytes.fromhex(secret)
            assert mac_of(case, secret) == tag
            value = cbc_decrypt(bytes.fromhex(case["encrypt"]), bytes.fromhex(head), secret).decode()
    return value


# The old form: values are ["i", 1], ["s", "text"], ["list", […]], ["map", [[k, v]]], ["form", [[name, v]]]

COMPONENT = ":/?#[]@!$&'()*,;=-._~+"


def form(pairs, ordered):
    pairs = [(name, written(value, ordered)) for name, value in pairs]
    if ordered:
        pairs.sort()
    return "&".join(f"{quote_plus(n, safe='~')}={quote_plus(v, safe='~')}" for n, v in pairs)


def written(value, ordered):
    tag, inside = value
    item = lambda v: quote(written(v, ordered), safe=COMPONENT)
    if tag == "null":
        return "#n"
    if tag == "bool":
        return "#bot" if inside else "#bof"
    if tag == "list":
        return "#cl" + quote("&".join(item(v) for v in inside), safe=COMPONENT)
    if tag == "map":
        return "#m" + quote("&".join(f"{item(['s', k])}={item(v)}" for k, v in inside), safe=COMPONENT)
    if tag == "form":
        return "##" + form(inside, ordered)
    return {"i": "#i", "l": "#l", "s": "#s"}[tag] + str(inside)


for line in sys.stdin:
    question = json.loads(line)
    if question["ask"] == "token":
        answer = {"sealed": seal(question, question["text"]), "opened": unseal(question, question["token"])}
    else:
        answer = {"form": form(question["pairs"], question["sorted"])}
    print(json.dumps(answer), flush=True)
