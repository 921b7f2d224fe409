"""Cairn's OAuth in the hands of others: real client libraries, a public attack tool, and every known attack on JWTs, on SQLite and on Postgres.

    pip install -r tests/oauth/requirements.txt
    (cd tests/oauth && npm install)
    python3 tests/oauth/check.py [sqlite] [postgres]

Each database gets a fresh server (`CAIRN_BIN`, else the debug build). Exits with 1 on the first fault.
"""
import base64
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import warnings

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "durability"))
os.environ.setdefault("CAIRN_BIN", str(ROOT / "target" / "debug" / "cairn"))
# The servers listen on loopback without TLS, and sign with EdDSA under the name that it had before RFC 9864.
warnings.simplefilter("ignore")
os.environ.update(AUTHLIB_INSECURE_TRANSPORT="1", OAUTHLIB_INSECURE_TRANSPORT="1")

import jwt  # noqa: E402
import requests  # noqa: E402
from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: E402

from servers import ADMIN, Cairn, Postgres  # noqa: E402

from attacks import attacks  # noqa: E402

ACCESS = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
USER_ID = "urn:cairn:params:oauth:token-type:user-id"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPES = ["users:read", "users:write", "act_as"]


class Key:
    """A key pair of one algorithm, as each library wants it."""

    def __init__(self, algorithm, kid):
        made = {"RS256": lambda: RSAKey.generate_key(2048), "PS256": lambda: RSAKey.generate_key(2048),
                "ES256": lambda: ECKey.generate_key("P-256"), "EdDSA": lambda: OKPKey.generate_key("Ed25519")}
        self.algorithm, self.kid, self.joserfc = algorithm, kid, made[algorithm]()
        self.private_pem = self.joserfc.as_pem(private=True)
        self.public_pem = self.joserfc.as_pem(private=False)
        self.public = {**self.joserfc.as_dict(private=False), "kid": kid, "use": "sig"}
        self.private = {**self.joserfc.as_dict(private=True), "kid": kid}

    def sign(self, claims, **header):
        return jwt.encode(claims, self.private_pem, self.algorithm, headers={"kid": self.kid, **header})


KEYS = [Key(algorithm, f"key-{algorithm}") for algorithm in ("RS256", "PS256", "ES256", "EdDSA")]


class Issuer(http.server.BaseHTTPRequestHandler):
    """An OpenID provider: a discovery document and its keys. What attackers offer is served too, and counted."""

    asked = []

    def do_GET(self):
        Issuer.asked.append(self.path)
        base = f"http://127.0.0.1:{self.server.server_address[1]}"
        pages = {"/.well-known/openid-configuration": {"issuer": base, "jwks_uri": f"{base}/keys"},
                 "/keys": {"keys": [key.public for key in KEYS]}}
        body = json.dumps(pages.get(self.path, {"keys": []})).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class World:
    """A server, its clients by method, a person and the person's own token."""

    def __init__(self, base, issuer):
        self.base, self.issuer, self.token_url = base, issuer, f"{base}/oauth/token"
        logged_in = self.post("/v1/sessions", {"email": ADMIN[0], "password": ADMIN[1]})
        self.admin = logged_in["access_token"]
        self.basic = self.client("client_secret_basic")
        self.form = self.client("client_secret_post")
        self.keyed = self.client("private_key_jwt", jwks={"keys": [key.public for key in KEYS]})["client_id"]
        person = {"email": "ada@example.org", "given_name": "Ada", "family_name": "Lovelace", "password": "a-good-long-password-7"}
        self.user = self.post("/v1/users", person, self.admin)["id"]
        self.user_token = self.post("/v1/sessions", {"email": person["email"], "password": person["password"]})["access_token"]

    def post(self, path, body, token=None):
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = requests.post(self.base + path, json=body, headers=headers, timeout=30)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def client(self, method, **more):
        return self.post("/v1/clients", {"name": method, "scopes": SCOPES, "auth_method": method, **more}, self.admin)

    def get(self, path, token):
        return requests.get(self.base + path, headers={"authorization": f"Bearer {token}"}, timeout=30)


def uses(world, token):
    assert world.get("/v1/users?limit=1", token).status_code == 200
    assert world.get("/v1/users?limit=1", token + "x").status_code == 401


def authlib(world):
    """Authlib: metadata, each way to authenticate, introspection, revocation, exchange; its resource server's judgement of our tokens."""
    from authlib.integrations.requests_client import OAuth2Session
    from authlib.oauth2.rfc7523 import PrivateKeyJWT
    from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
    from joserfc import jwt as jose_jwt
    from joserfc.jwk import KeySet

    found = requests.get(get_well_known_url(world.base, external=True), timeout=30).json()
    metadata = AuthorizationServerMetadata(found)
    # Its rules say https; on loopback there is none.
    AuthorizationServerMetadata({name: value.replace("http://", "https://", 1) if isinstance(value, str) else value
                                 for name, value in found.items()}).validate()
    by = lambda method: {"token_endpoint_auth_method": method, "revocation_endpoint_auth_method": method}  # noqa: E731
    sessions = [
        ("client_secret_basic", OAuth2Session(world.basic["client_id"], world.basic["client_secret"], **by("client_secret_basic"))),
        ("client_secret_post", OAuth2Session(world.form["client_id"], world.form["client_secret"], **by("client_secret_post"))),
    ]
    for key in KEYS:
        name = "Ed25519" if key.algorithm == "EdDSA" else key.algorithm
        session = OAuth2Session(world.keyed, key.joserfc, **by("private_key_jwt"))
        session.register_client_auth_method(PrivateKeyJWT(alg=name, headers={"kid": key.kid}))
        sessions.append((f"private_key_jwt {name}", session))
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=30).json())
    for name, session in sessions:
        token = session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", scope="users:read")
        assert token["token_type"] == "Bearer" and token["scope"] == "users:read", (name, token)
        uses(world, token["access_token"])
        claims = jose_jwt.decode(token["access_token"], keys, algorithms=["EdDSA"])
        assert claims.header["typ"] == "at+jwt" and claims.claims["aud"] == f"{world.base}/v1"
        known = session.introspect_token(metadata["introspection_endpoint"], token=token["access_token"], token_type_hint="access_token")
        assert known.json()["active"] is True, (name, known.text)
        acting = session.fetch_token(metadata["token_endpoint"], grant_type=EXCHANGE, subject_token=world.user_token, subject_token_type=ACCESS, scope="users:read")
        assert world.get("/v1/me", acting["access_token"]).json()["id"] == world.user
        answer = session.revoke_token(metadata["revocation_endpoint"], token=token["access_token"], token_type_hint="access_token")
        assert answer.status_code == 200, (name, answer.text)
        assert world.get("/v1/users", token["access_token"]).status_code == 401
    by_id = sessions[0][1].fetch_token(metadata["token_endpoint"], grant_type=EXCHANGE, subject_token=world.user, subject_token_type=USER_ID)
    assert by_id["issued_token_type"] == ACCESS and "act_as" not in by_id["scope"]
    print(f"  authlib: metadata; {', '.join(name for name, _ in sessions)}; each looked at, exchanged, revoked")


def requests_oauthlib(world):
    """requests-oauthlib: the two ways with a secret."""
    from oauthlib.oauth2 import BackendApplicationClient
    from requests.auth import HTTPBasicAuth
    from requests_oauthlib import OAuth2Session

    ident, secret = world.basic["client_id"], world.basic["client_secret"]
    session = OAuth2Session(client=BackendApplicationClient(client_id=ident, scope=["users:read"]))
    session.fetch_token(world.token_url, auth=HTTPBasicAuth(ident, secret))
    assert session.get(f"{world.base}/v1/users").status_code == 200
    ident, secret = world.form["client_id"], world.form["client_secret"]
    session = OAuth2Session(client=BackendApplicationClient(client_id=ident))
    session.fetch_token(world.token_url, client_secret=secret, include_client_id=True, auth=False)
    assert session.get(f"{world.base}/v1/users").status_code == 200
    print("  requests-oauthlib: secret in the header, secret in the form")


def javascript(world):
    """openid-client and oauth4webapi."""
    if not (HERE / "node_modules").is_dir():
        raise SystemExit("install the JavaScript libraries first: (cd tests/oauth && npm install)")
    pair = lambda made: {"id": made["client_id"], "secret": made["client_secret"]}  # noqa: E731
    keys = {("Ed25519" if key.algorithm == "EdDSA" else key.algorithm): key.private for key in KEYS}
    given = {"base": world.base, "basic": pair(world.basic), "post": pair(world.form), "keyed": world.keyed, "keys": keys,
             "user": world.user, "userToken": world.user_token}
    if subprocess.run(["node", str(HERE / "clients.mjs"), json.dumps(given)], check=False, cwd=HERE).returncode != 0:
        raise SystemExit("the JavaScript libraries found a fault")


def present(world, assertion, path="/oauth/token", **fields):
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": assertion, **fields}
    return requests.post(world.base + path, data=form, timeout=30)


def auditor(token, key_file, evil, target, folder):
    """jwt-auditor's mutations of a token, sent to a target by itself; answers those that it made."""
    command = shutil.which("jwt-auditor") or str(pathlib.Path(sys.executable).parent / "jwt-auditor")
    out = tempfile.mkdtemp(dir=folder)
    arguments = ["--mutate", "--out", out, "--pubkey", key_file, "--attacker-jwks", evil, *(["--target", target] if target else [])]
    done = subprocess.run([command, token, *arguments], text=True, capture_output=True, check=True)
    made = {path.stem: path.read_text().strip() for path in sorted(pathlib.Path(out).iterdir())}
    assert len(made) == 7, done.stdout
    if target:
        assert f"GET {target} | HTTP 200" in done.stdout, done.stdout
        assert "POTENTIAL ACCEPTANCE" not in done.stdout and done.stdout.count("(rejected)") == len(made), done.stdout
    return made


def attacked(world, folder):
    """Access tokens, client assertions, outside issuers' tokens."""
    evil = f"{world.issuer}/evil.json"
    now = int(time.time())
    rsa, ed = KEYS[0], KEYS[3]
    basic = (world.basic["client_id"], world.basic["client_secret"])
    access = requests.post(world.token_url, data={"grant_type": "client_credentials"}, auth=basic, timeout=30).json()["access_token"]
    published = requests.get(f"{world.base}/.well-known/jwks.json", timeout=30).json()["keys"][0]
    public = OKPKey.import_key(published)
    key_file = pathlib.Path(folder) / "public.pem"

    # Access tokens. The server's private key is nobody's, so what is signed is signed with another key under its name.
    key_file.write_bytes(public.as_pem(private=False))
    made = auditor(access, str(key_file), evil, f"{world.base}/v1/users?limit=1", folder)
    claims = jwt.decode(access, options={"verify_signature": False})
    mine = Key("EdDSA", published["kid"])
    list_ = attacks(mine, {**claims, "exp": now + 600}, evil, typ="at+jwt", public=[public.as_pem(private=False), json.dumps(published).encode(), base64.urlsafe_b64decode(published["x"] + "=")])
    forged = [("another key under the true name", mine.sign(claims, typ="at+jwt")), *list_]
    start, _, signature = access.rpartition(".")
    head, _, _ = access.partition(".")
    changed = base64.urlsafe_b64encode(json.dumps({**claims, "scope": "webhooks:write"}).encode()).decode().rstrip("=")
    forged += [("other claims under the true signature", f"{head}.{changed}.{signature}"), ("no signature", f"{start}."), ("the signature twice", f"{access}.{signature}")]
    uses(world, access)
    for name, token in forged:
        answer = world.get("/v1/users?limit=1", token)
        assert answer.status_code in (400, 401, 431), f"access token, {name}: {answer.status_code} {answer.text}"
        known = requests.post(f"{world.base}/oauth/introspect", data={"token": token}, auth=basic, timeout=30)
        assert known.json() == {"active": False}, f"access token, {name}: {known.text}"
        got = requests.post(world.token_url, data={"grant_type": EXCHANGE, "subject_token": token, "subject_token_type": ACCESS}, auth=basic, timeout=30)
        assert got.json()["error"] == "invalid_grant", f"access token, {name}: {got.text}"
    print(f"  attacks on access tokens: {len(made)} of jwt-auditor, {len(forged)} more, each also at introspection and exchange")

    # Client assertions, by the client's own registered keys.
    def assertion(**change):
        base = {"iss": world.keyed, "sub": world.keyed, "aud": world.token_url, "iat": now, "exp": now + 300, "jti": str(uuid.uuid4())}
        return {name: value for name, value in {**base, **change}.items() if value is not None}

    key_file.write_bytes(rsa.public_pem)
    tried = 0
    for name, token in auditor(rsa.sign(assertion()), str(key_file), evil, None, folder).items():
        answer = present(world, token)
        assert answer.status_code == 401 and answer.json()["error"] == "invalid_client", f"jwt-auditor, {name}: {answer.text}"
        tried += 1
    for key in KEYS:
        once = key.sign(assertion())
        assert present(world, once).status_code == 200
        bad = [("replayed", once), ("replayed at another endpoint", once), *attacks(key, assertion(), evil, typ="JWT", public=[k.public_pem for k in KEYS])]
        bad += [(name, key.sign(assertion(**change))) for name, change in {
            "good for a day": {"exp": now + 86400}, "no jti": {"jti": None}, "another subject": {"sub": world.basic["client_id"]},
            "another client": {"iss": world.basic["client_id"], "sub": world.basic["client_id"]}, "a jti that is no text": {"jti": 7}}.items()]
        for name, token in bad:
            for path in ["/oauth/introspect"] if name.endswith("endpoint") else ["/oauth/token"]:
                answer = present(world, token, path, token="x")
                assert answer.status_code == 401 and answer.json()["error"] == "invalid_client", f"assertion {key.algorithm}, {name}: {answer.status_code} {answer.text}"
            tried += 1
    print(f"  attacks on client assertions: {tried}")

    # Tokens of an outside issuer, by its own keys.
    def outside(**change):
        base = {"iss": world.issuer, "sub": "u1", "aud": "cairn", "iat": now, "exp": now + 300, "email": "ada@example.org", "email_verified": True, "jti": str(uuid.uuid4())}
        return {**base, **change}

    auditor(rsa.sign(outside()), str(key_file), evil, f"{world.base}/v1/me", folder)
    tried = 7
    for key in KEYS:
        good = key.sign(outside())
        assert world.get("/v1/me", good).json()["id"] == world.user
        form = {"grant_type": EXCHANGE, "subject_token": good, "subject_token_type": JWT, "scope": "users:read"}
        assert requests.post(world.token_url, data=form, auth=basic, timeout=30).json()["issued_token_type"] == ACCESS
        bad = attacks(key, outside(), evil, typ="JWT", public=[k.public_pem for k in KEYS])
        bad += [("an e-mail that is not verified", key.sign(outside(email_verified=False))), ("nobody known", key.sign(outside(email="nobody@example.org"))),
                ("our own issuer", key.sign(outside(iss=world.base, aud=f"{world.base}/v1"), typ="at+jwt"))]
        for name, token in bad:
            answer = world.get("/v1/me", token)
            assert answer.status_code in (400, 401, 431), f"outside {key.algorithm}, {name}: {answer.status_code} {answer.text}"
            tried += 1
    assert "/evil.json" not in Issuer.asked, "keys were fetched from where an attacker said"
    print(f"  attacks on outside tokens: {tried}; nothing was fetched from where they point")

    # An access token ends with its time; the sandbox moves the server's clock.
    headers = {"authorization": f"Bearer {world.admin}"}
    moved = requests.put(f"{world.base}/v1/sandbox/clock", json={"advance_seconds": 86401}, headers=headers, timeout=30)
    assert moved.ok, moved.text
    assert world.get("/v1/users?limit=1", access).status_code == 401, "an expired access token"
    print("  an expired access token is refused")


def check(name, url, folder, issuer):
    print(name, flush=True)
    os.environ["CAIRN_TRUSTED_ISSUERS"] = json.dumps([{"issuer": issuer, "audience": "cairn", "algorithms": ["RS256", "PS256", "ES256", "EdDSA"]}])
    os.environ["CAIRN_SANDBOX"] = "1"
    server = Cairn(folder, url)
    server.start()
    try:
        world = World(f"http://127.0.0.1:{server.port}", issuer)
        authlib(world)
        requests_oauthlib(world)
        javascript(world)
        attacked(world, folder)
    finally:
        server.kill()


def main():
    wanted = sys.argv[1:] or ["sqlite", "postgres"]
    provider = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Issuer)
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    issuer = f"http://127.0.0.1:{provider.server_address[1]}"
    with tempfile.TemporaryDirectory(prefix="cairn-oauth-") as folder:
        if "sqlite" in wanted:
            check("SQLite", f"sqlite:{folder}/cairn.db", folder, issuer)
        if "postgres" in wanted:
            cluster = Postgres()
            try:
                check("Postgres", cluster.url, folder, issuer)
            finally:
                cluster.close()


main()
