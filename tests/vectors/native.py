"""Makes native.json: tokens of the native formats, by an implementation of their own.

    pip install cryptography && python3 native.py > native.json

Nothing here is shared with the crate; both follow the same description of the formats.
"""

import base64
import json
import struct

from cryptography.hazmat.primitives import hashes, hmac, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SUITES = {
    "A128CBC-HS256": (16, hashes.SHA256),
    "A192CBC-HS384": (24, hashes.SHA384),
    "A256CBC-HS512": (32, hashes.SHA512),
}
IV = b"\x2a" * 16
ID = bytes(range(32))


def prefixed(data):
    return struct.pack(">H", len(data)) + data


def mac(key, algorithm, data):
    made = hmac.HMAC(key, algorithm())
    made.update(data)
    return made.finalize()


def derive(root, algorithm, purpose, session, length):
    info = f"rsess1/{algorithm}/{purpose}/{session}".encode()
    return HKDF(hashes.SHA256(), length, b"rsess1", info).derive(root)


def seal(case):
    protect, suite, session = case["protect"], case["suite"], case["session"]
    keys = {name: bytes.fromhex(value) for name, value in case["keys"].items()}
    algorithm = suite if protect == "encrypt" else "hmac"
    if "secret" in keys:
        enc = sign = kid = keys["secret"]
    elif "encrypt_key" in keys and "sign_key" in keys:
        enc, sign = keys["encrypt_key"], keys["sign_key"]
        kid = prefixed(enc) + sign
    else:
        (enc,) = keys.values() or (b"",)
        sign = kid = enc
    key_id = derive(kid, algorithm, "kid", session, 32)[:4] if keys else bytes(4)

    number = {"encrypt": 1, "sign": 2, "none": 4}[protect]
    if case["content"] == "id":
        number = {"sign": 3, "none": 5}[protect]
    header = bytes([1, number]) + key_id
    if case["content"] == "payload":
        header += struct.pack(">QQQIQ", *case["times"], case["idle_override"], case["epoch"])
        header += bytes.fromhex(case["token_id"])

    transport = {"cookie": b"\x01", "header": b"\x02"}.get(case["transport"])
    if transport is None:
        transport = b"\x03" + prefixed(case["transport"].encode())
    aad = b"rsess1" + prefixed(case["app"].encode()) + prefixed(session.encode()) + transport + header
    bits = struct.pack(">Q", len(aad) * 8)

    content = ID if case["content"] == "id" else bytes.fromhex(case["payload"])
    if protect == "encrypt":
        length, hash_function = SUITES[suite]
        padder = padding.PKCS7(128).padder()
        padded = padder.update(content) + padder.finalize()
        cipher = Cipher(algorithms.AES(derive(enc, suite, "enc", session, length)), modes.CBC(IV)).encryptor()
        content = IV + cipher.update(padded) + cipher.finalize()
        tag = mac(derive(sign, suite, "mac", session, length), hash_function, aad + content + bits)[:length]
    elif protect == "sign":
        tag = mac(derive(sign, "hmac", "sign", session, 32), hashes.SHA256, aad + content + bits)
    else:
        tag = b""
    return base64.urlsafe_b64encode(header + content + tag).rstrip(b"=").decode()


def cases():
    long, other = bytes(range(32)).hex(), bytes(range(100, 164)).hex()
    forms = [{"secret": long}, {"encrypt_key": long}, {"encrypt_key": long, "sign_key": other}]
    base = {"app": "shop-production", "session": "user_session", "transport": "cookie", "content": "payload"}
    base |= {"times": [1_700_000_000_000, 1_700_000_060_000, 1_700_000_000_001], "idle_override": 3600}
    base |= {"epoch": 7, "token_id": "0f" * 16, "payload": b'{"id":"123abc","count":0}'.hex()}
    base |= {"suite": "A128CBC-HS256"}
    for suite in SUITES:
        for keys in forms:
            yield base | {"protect": "encrypt", "suite": suite, "keys": keys}
        for payload in (b"", b"\x00" * 16, bytes(range(256))):
            yield base | {"protect": "encrypt", "suite": suite, "keys": forms[0], "payload": payload.hex()}
    for transport in ("cookie", "header", "bearer"):
        for app in ("", "shop-production"):
            for content in ("payload", "id"):
                here = base | {"transport": transport, "app": app, "content": content}
                yield here | {"protect": "sign", "keys": {"secret": long}}
                yield here | {"protect": "sign", "keys": {"sign_key": other}}
                yield here | {"protect": "none", "keys": {}}


print(json.dumps([case | {"token": seal(case)} for case in cases()], indent=1))
