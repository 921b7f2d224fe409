"""Cairn's SCIM in the eyes of others: a public tester and a public client library, on SQLite and on Postgres.

    pip install -r tests/scim/requirements.txt
    python3 tests/scim/check.py [sqlite] [postgres]

Each database gets a fresh server (`CAIRN_BIN`, else the debug build). Exits with 1 on the first fault.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "durability"))
os.environ.setdefault("CAIRN_BIN", str(ROOT / "target" / "debug" / "cairn"))

from servers import ADMIN, Cairn, Postgres  # noqa: E402


def send(url, body=None, token=None, form=None):
    data, headers = None, {}
    if form is not None:
        data = urllib.parse.urlencode(form).encode()
    elif body is not None:
        data, headers = json.dumps(body).encode(), {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:
        return json.load(answer)


def provider(base):
    """A token of a machine client with the scope scim and no other."""
    admin = send(f"{base}/v1/sessions", {"email": ADMIN[0], "password": ADMIN[1]})["access_token"]
    made = send(f"{base}/v1/clients", {"name": "Identity provider", "scopes": ["scim"], "auth_method": "client_secret_post"}, admin)
    form = {"grant_type": "client_credentials", "client_id": made["client_id"], "client_secret": made["client_secret"]}
    return send(f"{base}/oauth/token", form=form)["access_token"]


def tester(base, token):
    """scim2-tester, through its command: one check for each published attribute and operation."""
    command = shutil.which("scim2") or str(pathlib.Path(sys.executable).parent / "scim2")
    environment = {**os.environ, "SCIM_CLI_HEADERS": f"Authorization: Bearer {token}"}
    done = subprocess.run([command, "-u", f"{base}/scim/v2", "test"], env=environment, text=True, capture_output=True, check=False)
    verdicts = re.findall(r"^(SUCCESS|ERROR|SKIPPED|CRITICAL|UNAVAILABLE|COMPLIANT|DEVIATION|ACCEPTABLE)\b", done.stdout, re.MULTILINE)
    bad = [verdict for verdict in verdicts if verdict != "SUCCESS"]
    if done.returncode != 0 or bad or not verdicts:
        print(done.stdout, done.stderr)
        raise SystemExit(f"scim2-tester: exit {done.returncode}, {len(bad)} of {len(verdicts)} are no success")
    print(f"  scim2-tester: {len(verdicts)} checks, each a success")


def library(base, token):
    """scim2-client: everything that a provisioning program does with it."""
    from httpx2 import Client
    from scim2_client.engines.httpx2 import SyncSCIMClient
    from scim2_models import PatchOp, PatchOperation, SearchRequest

    http = Client(base_url=f"{base}/scim/v2", headers={"Authorization": f"Bearer {token}"})
    scim = SyncSCIMClient(http)
    scim.discover()
    User, Group = scim.get_resource_model("User"), scim.get_resource_model("Group")
    names = [f"person-{n}" for n in range(25)]
    people = [scim.create(User(user_name=name, display_name=name.title())) for name in names]
    one = people[0]
    one.nick_name = "One"
    one = scim.replace(one)
    assert one.nick_name == "One"
    operation = PatchOperation(op=PatchOperation.Op.replace_, path="displayName", value="Number One")
    one = scim.modify(User, one.id, PatchOp[User](operations=[operation]))
    assert one.display_name == "Number One" and scim.query(User, one.id).nick_name == "One"

    found = scim.query(User, query_parameters=SearchRequest(filter='userName sw "person-" and displayName ew "9"', sort_by="userName"))
    assert [user.user_name for user in found.resources] == ["person-19", "person-9"], found
    page = scim.query(User, query_parameters=SearchRequest(filter='userName sw "person-"', start_index=11, count=10))
    assert (page.total_results, page.items_per_page, len(page.resources)) == (25, 10, 10), page
    both = scim.search(SearchRequest(filter='displayName eq "number one"'))
    assert both.total_results == 1, both

    seen, cursor = [], ""
    while cursor is not None:
        request = SearchRequest(filter='userName sw "person-"', count=7, cursor=cursor)
        page = scim.query(User, query_parameters=request)
        seen += [user.user_name for user in page.resources]
        cursor = page.next_cursor
    assert seen == names, seen

    crew = scim.create(Group(display_name="Crew", members=[Group.Members(value=user.id) for user in people[:20]]))
    assert len(scim.query(Group, crew.id).members) == 20
    scim.delete(User, people[1].id)
    assert len(scim.query(Group, crew.id).members) == 19
    scim.delete(Group, crew.id)
    for user in people[2:] + people[:1]:
        scim.delete(User, user.id)
    assert scim.query(User, query_parameters=SearchRequest(filter='userName sw "person-"')).total_results == 0
    print("  scim2-client: discovery, CRUD, PATCH, filters, search, both kinds of pages")


def check(name, url, folder):
    print(name)
    server = Cairn(folder, url)
    server.start()
    try:
        base = f"http://127.0.0.1:{server.port}"
        token = provider(base)
        library(base, token)
        tester(base, token)
    finally:
        server.kill()


def main():
    wanted = sys.argv[1:] or ["sqlite", "postgres"]
    with tempfile.TemporaryDirectory(prefix="cairn-scim-") as folder:
        if "sqlite" in wanted:
            check("SQLite", f"sqlite:{folder}/cairn.db", folder)
        if "postgres" in wanted:
            cluster = Postgres()
            try:
                check("Postgres", cluster.url, folder)
            finally:
                cluster.close()


main()
