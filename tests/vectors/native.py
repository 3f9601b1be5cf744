"""Makes native.json: keys, tokens, CSRF tokens and records of the native formats.

    python3 native.py > native.json

It needs Python's standard library only, and shares nothing with the crate and
nothing with reader.py. All three follow docs/formats.md.
"""

import base64
import hashlib
import hmac
import itertools
import json
import struct

VERSION = 2
PURPOSES = ["enc", "mac", "sign", "kid", "csrf"]
SUITES = {
    "A128CBC-HS256": (16, hashlib.sha256),
    "A192CBC-HS384": (24, hashlib.sha384),
    "A256CBC-HS512": (32, hashlib.sha512),
}
KINDS = {1: "encrypted payload", 2: "signed payload", 3: "signed id", 4: "plain payload", 5: "plain id"}
IV = b"\x2a" * 16
ID = bytes(range(32))


# AES, FIPS 197: only what encrypting in CBC mode takes.


def gmul(a, b):
    product = 0
    while b:
        product ^= a * (b & 1)
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def sbox():
    box = []
    for value in range(256):
        inverse = next((x for x in range(256) if gmul(value, x) == 1), 0)
        rotated = [inverse << n | inverse >> 8 - n for n in range(5)]
        box.append((rotated[0] ^ rotated[1] ^ rotated[2] ^ rotated[3] ^ rotated[4] ^ 0x63) & 0xFF)
    return box


SBOX = sbox()


def round_keys(key):
    words = [list(key[at : at + 4]) for at in range(0, len(key), 4)]
    count, constant = len(words), 1
    for at in range(count, 4 * (count + 7)):
        word = words[-1]
        if at % count == 0:
            word = [SBOX[byte] for byte in word[1:] + word[:1]]
            word[0] ^= constant
            constant = gmul(constant, 2)
        elif count > 6 and at % count == 4:
            word = [SBOX[byte] for byte in word]
        words.append([a ^ b for a, b in zip(words[at - count], word)])
    return [sum(words[at : at + 4], []) for at in range(0, len(words), 4)]


def encrypt_block(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for number, key in enumerate(keys[1:], 1):
        state = [SBOX[state[(at + 4 * (at % 4)) % 16]] for at in range(16)]
        if number < len(keys) - 1:
            mixed = []
            for at in range(16):
                a, b, c, d = (state[at // 4 * 4 + (at + step) % 4] for step in range(4))
                mixed.append(gmul(a, 2) ^ gmul(b, 3) ^ c ^ d)
            state = mixed
        state = [a ^ b for a, b in zip(state, key)]
    return bytes(state)


def encrypt(key, iv, plaintext):
    keys, last, ciphertext = round_keys(key), iv, b""
    pad = 16 - len(plaintext) % 16
    plaintext += bytes([pad]) * pad
    for at in range(0, len(plaintext), 16):
        last = encrypt_block(keys, bytes(a ^ b for a, b in zip(plaintext[at : at + 16], last)))
        ciphertext += last
    return ciphertext


assert encrypt_block(  # FIPS 197, appendix C.3
    round_keys(bytes(range(32))), bytes.fromhex("00112233445566778899aabbccddeeff")
) == bytes.fromhex("8ea2b7ca516745bfeafc49904b496089")


# Keys.


def lp(data):
    return struct.pack(">H", len(data)) + data


def hkdf(secret, info, length):
    root = hmac.digest(b"rsess1", secret, "sha256")
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(root, block + info + bytes([counter]), "sha256")
        out, counter = out + block, counter + 1
    return out[:length]


def info(case, purpose):
    suite = case["suite"] if case["kind"] == 1 else "HS256"
    transport = {"cookie": 1, "header": 2}.get(case["transport"], 3)
    custom = case["transport"] if transport == 3 else ""
    parts = [b"rsess1", lp(purpose.encode()), lp(suite.encode()), bytes([case["kind"]])]
    parts += [lp(case["app"].encode()), lp(case["session"].encode()), bytes([transport]), lp(custom.encode())]
    return b"".join(parts)


def root(case, purpose):
    keys = {name: bytes.fromhex(value) for name, value in case["keys"].items()}
    if len(keys) == 1:
        return next(iter(keys.values()))
    if purpose == "kid":
        return lp(keys["encrypt_key"]) + keys["sign_key"]
    return keys["encrypt_key" if purpose == "enc" else "sign_key"]


def derive(case, purpose, length):
    return hkdf(root(case, purpose), info(case, purpose), length)


# Tokens and records.


def lifetime(kind, value):
    return struct.pack(">Q", kind << 56 | value)


def seal(case):
    kind = case["kind"]
    key_id = derive(case, "kid", 4) if case["keys"] else bytes(4)
    token = bytes([VERSION, kind]) + key_id
    content = ID
    if kind not in (3, 5):
        token += struct.pack(">QQQ", *case["times"]) + lifetime(*case["lifetime"])
        token += struct.pack(">QQ", case["epoch"], case["incarnation"])
        token += bytes.fromhex(case["session_id"]) + struct.pack(">I", case["generation"])
        content = bytes.fromhex(case["payload"])
    if kind == 1:
        length, hash_function = SUITES[case["suite"]]
        header = len(token)
        token += IV + encrypt(derive(case, "enc", length), IV, content)
        tag = hmac.digest(derive(case, "mac", length), token + struct.pack(">Q", header * 8), hash_function)
        token += tag[:length]
    else:
        token += content
        if kind in (2, 3):
            token += hmac.digest(derive(case, "sign", 32), token, "sha256")
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def csrf(case):
    """The tag of a CSRF token, and the token under one mask."""
    message = bytes.fromhex(case["id"]) + struct.pack(">I", case["generation"])
    tag = hmac.digest(derive(case, "csrf", 32), message, "sha256")[:16]
    masked = bytes(a ^ b for a, b in zip(IV, tag))
    return tag.hex(), base64.urlsafe_b64encode(IV + masked).rstrip(b"=").decode()


def record(case):
    flags, optional = 0, b""

    def add(flag, data):
        nonlocal flags, optional
        flags, optional = flags | flag, optional + data

    if "previous" in case:
        before = [bytes.fromhex(secret) + struct.pack(">Q", until) for secret, until in case["previous"]]
        add(0x01, bytes([len(before)]) + b"".join(before))
    if "renewal" in case:
        add(0x02, bytes.fromhex(case["renewal"]))
    if "owner_generation" in case:
        add(0x04, struct.pack(">Q", case["owner_generation"]))
    for flag, name in ((0x08, "ancestor"), (0x10, "replaced"), (0x20, "claim")):
        if name in case:
            add(flag, bytes.fromhex(case[name]))
    if "client" in case:
        add(0x40, lp(case["client"].encode()))
    fixed = lp(case["session"].encode()) + bytes.fromhex(case["current"])
    fixed += struct.pack(">QIQ", case["renewed"], case["csrf_generation"], case["authenticated"])
    fixed += lifetime(*case["lifetime"]) + bytes([len(case["trail"])])
    fixed += b"".join(struct.pack(">QQ", *past) for past in case["trail"])
    envelope = struct.pack(">BHB", VERSION, 4 + len(fixed) + len(optional), flags) + fixed + optional
    return (envelope + bytes.fromhex(case["value"])).hex()


# Cases.

LONG, OTHER = bytes(range(32)).hex(), bytes(range(100, 164)).hex()
LIFETIMES = itertools.cycle([[0, 0], [1, 3600], [2, 1_700_100_000_000], [3, 0], [1, (1 << 56) - 1]])
BASE = {"app": "shop-production", "session": "user_session", "transport": "cookie", "suite": "A128CBC-HS256"}
PAYLOAD = {
    "times": [1_700_000_000_000, 1_700_000_060_000, 1_700_000_000_001],
    "epoch": 7,
    "incarnation": 0x0102030405060708,
    "session_id": "0f" * 16,
    "generation": 9,
    "payload": b'{"id":"123abc","count":0}'.hex(),
}


def token_cases():
    for suite in SUITES:
        for keys in ({"secret": LONG}, {"encrypt_key": LONG}, {"encrypt_key": LONG, "sign_key": OTHER}):
            yield {"kind": 1, "suite": suite, "keys": keys}
        for payload in (b"", b"\x00" * 16, bytes(range(256))):
            yield {"kind": 1, "suite": suite, "keys": {"secret": LONG}, "payload": payload.hex()}
    for transport in ("cookie", "header", "bearer"):
        for app in ("", "shop-production"):
            bound = {"transport": transport, "app": app}
            yield bound | {"kind": 1, "keys": {"secret": LONG}}
            for kind in (2, 3):
                for keys in ({"secret": LONG}, {"sign_key": OTHER}):
                    yield bound | {"kind": kind, "keys": keys}
            for kind in (4, 5):
                yield bound | {"kind": kind, "keys": {}}


def tokens():
    for case in token_cases():
        if case["kind"] not in (3, 5):
            case = PAYLOAD | {"lifetime": next(LIFETIMES)} | case
        case = BASE | case
        yield case | {"token": seal(case)}


def csrf_cases():
    generations = itertools.cycle([0, 1, 0xFFFFFFFF])
    ids = itertools.cycle(["00" * 16, ID[:16].hex(), "ff" * 16, "0f" * 16])
    for transport in ("cookie", "header", "bearer"):
        for app in ("", "shop-production"):
            # Kind 0 stands for Ktor's format.
            for kind in range(6):
                bound = {"transport": transport, "app": app, "kind": kind, "keys": {"secret": LONG}}
                yield BASE | bound | {"id": next(ids), "generation": next(generations)}
    rest = BASE | {"id": "0f" * 16, "generation": 7}
    for suite in SUITES:
        for keys in ({"encrypt_key": LONG}, {"encrypt_key": LONG, "sign_key": OTHER}):
            yield rest | {"kind": 1, "suite": suite, "keys": keys}
    for kind in (0, 2, 3):
        yield rest | {"kind": kind, "keys": {"sign_key": OTHER}}
    yield rest | {"kind": 0, "keys": {"sign_key": "a1b2c3d4e5f60718293a"}}


def csrf_tokens():
    for case in csrf_cases():
        tag, token = csrf(case)
        yield case | {"key": derive(case, "csrf", 32).hex(), "tag": tag, "token": token}


def keys():
    for case in token_cases():
        if case["kind"] < 4 and "payload" not in case:
            case = BASE | case
            yield case | {"derived": {purpose: derive(case, purpose, 32).hex() for purpose in PURPOSES}}


def records():
    optional = {
        "previous": [["11" * 32, 1_700_000_120_000]],
        "renewal": "22" * 16,
        "owner_generation": 0x0A0B0C0D0E0F1011,
        "ancestor": "33" * 32,
        "replaced": "44" * 32,
        "claim": "55" * 32,
        "client": "192.0.2.1\ncurl/8",
    }
    choices = [dict(zip(optional, optional.values()))]
    choices += [{}] + [{name: value} for name, value in optional.items()]
    for count in (2, 16):
        before = [[f"{number:02x}" * 32, 1_700_000_120_000 - number] for number in range(count)]
        choices.append({"previous": before})
    for number, choice in enumerate(choices):
        if number == 0:
            del choice["claim"]  # A record is not both.
        trail = [[past << 40 | 1, 1_700_000_000_000 + past] for past in range([16, 0, 1, 2][number % 4])]
        case = {
            "session": ["user_session", "cart"][number % 2],
            "current": hashlib.sha256(ID[16:]).hexdigest(),
            "renewed": 1_700_000_060_000 * (number % 2),
            "csrf_generation": number,
            "authenticated": 1_700_000_000_001,
            "lifetime": next(LIFETIMES),
            "trail": trail,
            "value": b'{"id":"123abc"}'.hex() if number % 3 else "",
        } | choice
        yield case | {"record": record(case)}


def masks():
    """Secrets of open renewals."""
    for number in range(3):
        before = bytes((byte + 7 * number) % 256 for byte in ID)
        locator, secret = before[:16], before[16:]
        following = hashlib.sha256(b"next %d" % number).digest()[:16]
        mask = hmac.new(secret, b"renew" + locator, hashlib.sha256).digest()
        masked = bytes(one ^ other for one, other in zip(following, mask))
        yield {"id": before.hex(), "next": following.hex(), "masked": masked.hex()}


made = {"keys": keys(), "tokens": tokens(), "csrf": csrf_tokens(), "records": records(), "masks": masks()}
print(json.dumps({name: list(cases) for name, cases in made.items()}, indent=1))
