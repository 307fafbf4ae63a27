"""Public keys as SubjectPublicKeyInfo (RFC 5280 §4.1), from their numbers."""

import base64

RSA = bytes.fromhex("300d06092a864886f70d0101010500")
P256 = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")


def element(tag, content):
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def integer(number):
    return element(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def public_key(algorithm, content):
    return element(0x30, algorithm + element(3, b"\0" + content))


def rsa(modulus, exponent):
    return public_key(RSA, element(0x30, integer(modulus) + integer(exponent)))


def p256(point):
    return public_key(P256, point)


def of_jwk(jwk):
    def member(name):
        return base64.urlsafe_b64decode(jwk[name] + "=" * (-len(jwk[name]) % 4))

    if jwk["kty"] == "RSA":
        return rsa(int.from_bytes(member("n"), "big"), int.from_bytes(member("e"), "big"))
    return p256(b"\4" + member("x") + member("y"))


def of_token(words):
    """From a line of make-keys: `RS256 MODULUS EXPONENT` or `ES256 POINT`."""
    if words[0] == "RS256":
        return rsa(int(words[1], 16), int(words[2], 16))
    point = bytes.fromhex(words[1])
    # CKA_EC_POINT comes in an OCTET STRING.
    return p256(point[2:] if len(point) == 67 else point)
