"""The known attacks on JWTs, made from a key and claims that would be good. What can be signed is truly signed."""
import base64
import hashlib
import hmac
import json
import time

from joserfc import jws


def encode(part):
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def attacks(key, claims, evil, typ, public):
    """(name, token) for each. `public` are texts of public keys to confuse a shared secret with, `evil` where an attacker's keys are."""
    now = int(time.time())
    header = {"alg": key.algorithm, "kid": key.kid, "typ": typ}
    signed = lambda change=None, **extra: key.sign({**claims, **(change or {})}, typ=typ, **extra)  # noqa: E731
    without = lambda name: key.sign({n: v for n, v in claims.items() if n != name}, typ=typ)  # noqa: E731
    good = signed()
    head, body, signature = good.split(".")
    other = type(key)(key.algorithm, key.kid)

    def confused(secret, algorithm, digest):
        start = f"{encode({**header, 'alg': algorithm})}.{encode(claims)}"
        return f"{start}.{encode(hmac.new(secret, start.encode(), digest).digest())}"

    def reheaded(**change):
        return f"{encode({**header, **change})}.{encode(claims)}.{signature}"

    found = [(f"alg {name!r}", f"{encode({**header, 'alg': name})}.{encode(claims)}.{tail}")
             for name in ("none", "None", "NONE", "nOnE", "", "HS256", "RS512", None, 0, ["none"]) for tail in ("", signature)]
    found += [(f"{algorithm} with a public key as secret", confused(secret, algorithm, digest))
              for secret in [*public, *(text.strip() for text in public), b""]
              for algorithm, digest in (("HS256", hashlib.sha256), ("HS384", hashlib.sha384), ("HS512", hashlib.sha512))]
    kids = ["../../../../../../dev/null", "/dev/null", "/proc/sys/kernel/randomize_va_space", "..\\..\\windows\\win.ini", "' UNION SELECT 'secret' -- ",
            "x' OR '1'='1", "key\n", "| sleep 5", "$(id)", f"{evil}", "", "k" * 5000, "\u0000", 7, None, ["key"], {"key": 1}]
    for kid in kids:
        # Confused as well, with what each would find: an empty file, a chosen secret.
        start = f"{encode({**header, 'alg': 'HS256', 'kid': kid})}.{encode(claims)}"
        found += [(f"kid {kid!r} and {secret!r}", f"{start}.{encode(hmac.new(secret, start.encode(), hashlib.sha256).digest())}") for secret in (b"", b"secret", b"2")]
        found.append((f"kid {kid!r}", reheaded(kid=kid)))
    inside = other.public
    found += [
        ("embedded jwk", other.sign(claims, typ=typ, jwk=inside)),
        ("embedded jwk and the true key", signed(jwk=key.public)),
        ("jku", other.sign(claims, typ=typ, jku=evil)),
        ("jku and the true key", signed(jku=evil)),
        ("x5u", other.sign(claims, typ=typ, x5u=evil)),
        ("x5c", other.sign(claims, typ=typ, x5c=["MIIB"])),
        ("another key under this name", other.sign(claims, typ=typ)),
        ("crit", signed(crit=["exp"])),
        ("unencoded payload", reheaded(b64=False, crit=["b64"])),
        ("compressed", reheaded(zip="DEF")),
        ("another type", key.sign(claims, typ="secevent+jwt")),
        ("no signature", f"{head}.{body}."),
        ("no signature and no dot", f"{head}.{body}"),
        ("signature cut short", good[:-8]),
        ("zeroes as signature", f"{head}.{body}.{encode(bytes(64))}"),
        ("other claims", f"{head}.{encode({**claims, 'sub': 'root'})}.{signature}"),
        ("a claim twice", signed_text(key, json.dumps(claims).replace("{", '{"exp": 99999999999, ', 1), typ)),
        ("header and claims swapped", f"{body}.{head}.{signature}"),
        ("an array as claims", f"{head}.{encode([claims])}.{signature}"),
        ("no JSON", f"{encode(b'x')}.{encode(b'y')}.{signature}"),
        ("padded base64", f"{head}=.{body}==.{signature}="),
        ("encrypted", f"{encode({'alg': 'dir', 'enc': 'A256GCM'})}..{encode(b'iv')}.{encode(b'text')}.{encode(b'tag')}"),
        ("JSON serialization", json.dumps({"payload": body, "protected": head, "signature": signature})),
        ("expired", signed({"exp": now - 1})),
        ("expired long ago", signed({"exp": 0})),
        ("no expiry", without("exp")),
        ("a negative expiry", signed({"exp": -1})),
        ("an expiry beyond numbers", signed_text(key, json.dumps({**claims, "exp": 0}).replace('"exp": 0', '"exp": 1e999'), typ)),
        ("an expiry that is text", signed_text(key, json.dumps({**claims, "exp": "tomorrow"}), typ)),
        ("not yet valid", signed({"nbf": now + 3600})),
        ("issued in the future", signed({"iat": now + 3600})),
        ("another audience", signed({"aud": "https://elsewhere.example"})),
        ("no audience", without("aud")),
        ("an empty audience", signed({"aud": []})),
        ("another issuer", signed({"iss": "https://evil.example"})),
        ("no issuer", without("iss")),
        ("oversized", signed({"padding": "x" * 20_000})),
        ("deep", f"{head}.{encode(b'[' * 3000)}.{signature}"),
    ]
    return found


def signed_text(key, claims, typ):
    """Signed although no JWT library would: claims as they are written."""
    header = {"alg": key.algorithm, "kid": key.kid, "typ": typ}
    return jws.serialize_compact(header, claims, key.joserfc, algorithms=[key.algorithm])
