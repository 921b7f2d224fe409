#!/usr/bin/env python3
"""Kills the server in the middle of a write load, again and again, and checks that nothing acknowledged is missing and nothing
is half there. See README.md beside this file.

    kill.py [--rounds 20] [--seed N] [sqlite] [postgres]
"""
import argparse
import collections
import http.client
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid

from invariants import half_written
from servers import ADMIN, Cairn, Postgres

SEATS = 12
NETWORK = (OSError, http.client.HTTPException)
OUTLINE = {"stages": [{"kind": "sequence", "key": "all", "order": "linear", "modules": [
    {"key": "film", "title": "Film", "kind": "video", "content": {"url": "https://media.example/v.mp4", "duration_seconds": 100},
     "completion": {"watched_percent": 90}},
    {"key": "text", "title": "Text", "kind": "article", "content": {"markdown": "Words."}},
    {"key": "check", "title": "Check", "kind": "quiz", "role": "hurdle", "content": {"pass_percent": 50, "items": [
        {"key": "q", "type": "single_choice", "prompt": "Which?", "points": 1,
         "choices": [{"key": "a", "text": "This", "correct": True}, {"key": "b", "text": "That"}]}]}}]}]}


class Refused(Exception):
    """An answer that the load does not expect: a fault by itself."""


class Client:
    def __init__(self, port, token=None):
        self.token, self.connection = token, http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def call(self, method, path, body=None, headers=None):
        headers = {"Content-Type": "application/json", **(headers or {})}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.connection.getresponse()
        data = answer.read()
        return answer.status, (json.loads(data) if data else None)

    def ok(self, method, path, body=None, headers=None):
        status, answer = self.call(method, path, body, headers)
        if status in (500, 503):
            # Only a database that was stopped may bring these; whether it was is known to the caller.
            raise ConnectionError(f"{method} {path}: {status} {answer}")
        if not 200 <= status < 300:
            raise Refused(f"{method} {path}: {status} {answer}")
        return answer

    def login(self, email, password):
        self.token = self.ok("POST", "/v1/sessions", {"email": email, "password": password})["access_token"]
        return self


class Acknowledged:
    """What the server has answered with 2xx, and what was on its way when it died."""

    def __init__(self):
        self.users, self.enrollments, self.events, self.answers = {}, {}, [], {}
        self.submitted, self.certificates, self.seats, self.gone = {}, {}, {}, set()
        self.on_the_way = []
        self.count = 0


def create_user(client, said, key, body):
    said.on_the_way.append(("user", key, body))
    answer = client.ok("POST", "/v1/users", body, {"Idempotency-Key": key})
    said.on_the_way.pop()
    said.users[key] = (body, answer)
    said.count += 1
    return answer


def person(password=None):
    name = f"u{uuid.uuid4().hex}"
    body = {"email": f"{name}@example.org", "given_name": "Some", "family_name": name}
    return {**body, "password": password} if password else body


def learn(world, said, port):
    """A learner takes the course to its certificate, an acknowledged step at a time."""
    admin, password = Client(port, world.token), uuid.uuid4().hex
    user = create_user(admin, said, uuid.uuid4().hex, person(password))
    me = Client(port).login(user["email"], password)
    enrollment = me.ok("POST", f"/v1/courses/{world.course}/enrollments", {})
    me_at = f"/v1/enrollments/{enrollment['id']}"
    said.enrollments[enrollment["id"]] = (me.token, user["id"])
    said.count += 1

    def event(**fields):
        body = {"id": str(uuid.uuid4()), **fields}
        said.on_the_way.append(("event", enrollment["id"], me.token, body))
        result = me.ok("POST", f"{me_at}/events", body)["results"][0]
        said.on_the_way.pop()
        if result["status"] != "applied":
            raise Refused(f"a new event was {result}")
        said.events.append((enrollment["id"], me.token, body))
        said.count += 1

    for second in range(0, 100, 10):
        event(type="watched", module="film", from_seconds=second, to_seconds=second + 10)
    event(type="opened", module="text")
    attempt = me.ok("POST", f"{me_at}/modules/check/attempts", {})["id"]
    said.answers[attempt] = (me.token, {})
    me.ok("PUT", f"/v1/attempts/{attempt}/answers/q", {"answer": ["a"]})
    said.answers[attempt] = (me.token, {"q": ["a"]})
    done = me.ok("POST", f"/v1/attempts/{attempt}/submit", {})
    said.submitted[attempt] = (me.token, done["score_percent"])
    said.certificates[enrollment["id"]] = done["certificate_id"]
    said.count += 3


def hire(world, said, port):
    """A machine makes users, with retries in mind."""
    client = Client(port, world.token)
    for _ in range(20):
        create_user(client, said, uuid.uuid4().hex, person())


def crowd(world, said, port):
    """More people than there are seats; some leave, so that others move up."""
    client = Client(port, world.token)
    user = create_user(client, said, uuid.uuid4().hex, person())
    enrollment = client.ok("POST", f"/v1/courses/{world.crowded}/enrollments", {"user_id": user["id"]})
    said.seats[enrollment["id"]] = enrollment["status"]
    said.count += 1
    if random.random() < 0.5 and said.seats:
        leaving = random.choice(list(said.seats))
        if leaving not in said.gone:
            said.gone.add(leaving)  # Asked for; whether it happened shows afterwards.
            client.ok("POST", f"/v1/enrollments/{leaving}/withdraw", {})
            said.seats[leaving] = "withdrawn"
            said.count += 1


def until_death(work, world, said, port, stopping, faults):
    while not stopping.is_set():
        try:
            work(world, said, port)
        except NETWORK as error:
            if not stopping.wait(0.2):
                faults.append(f"no answer while the server should run: {error}")
            return
        except Refused as error:
            faults.append(f"refused under load: {error}")
            return


class World:
    def __init__(self, port):
        admin = Client(port).login(*ADMIN)
        self.token = admin.token

        def publish(fields):
            course = admin.ok("POST", "/v1/courses", {"style": "linear_hurdles", "delivery_mode": "self_paced", **fields})["id"]
            admin.ok("PUT", f"/v1/courses/{course}/outline", OUTLINE)
            admin.ok("POST", f"/v1/courses/{course}/publish", {})
            return course

        self.course = publish({"title": "To the certificate", "issues_certificate": True})
        self.crowded = publish({"title": "Few seats", "seats": SEATS})


def every(client, path):
    items, after = [], ""
    while after is not None:
        page = client.ok("GET", f"{path}{after}")
        items += page["items"]
        after = f"&after={page['next']}" if page["next"] else None
    return items


def check(world, saids, port):
    """Everything acknowledged is there; what was on its way is there wholly or not at all."""
    admin, faults = Client(port, world.token), []

    def hold(what, truth):
        if not truth:
            faults.append(what)

    for said in saids:
        for key, (body, first) in said.users.items():
            status, again = admin.call("POST", "/v1/users", body, {"Idempotency-Key": key})
            hold(f"the retry of {key} got {status} {again} instead of the first answer", status == 201 and again == first)
        for enrollment, token, body in said.events:
            status, again = Client(port, token).call("POST", f"/v1/enrollments/{enrollment}/events", body)
            verdict = again["results"][0]["status"] if status == 200 else again
            hold(f"event {body['id']} was acknowledged and is now {verdict}", verdict == "duplicate")
        for enrollment, (token, user) in said.enrollments.items():
            me = Client(port, token)
            status, row = me.call("GET", f"/v1/enrollments/{enrollment}")
            hold(f"enrollment {enrollment} is gone: {status}", status == 200)
            held = me.ok("GET", f"/v1/certificates?user_id={user}")["items"]
            completed = status == 200 and row["status"] == "completed"
            hold(f"enrollment {enrollment}: completed is {completed}, certificates are {held}", len(held) == (1 if completed else 0))
            promised = said.certificates.get(enrollment)
            hold(f"certificate {promised} is missing", promised is None or [c["id"] for c in held] == [promised])
        for attempt, (token, answers) in said.answers.items():
            status, row = Client(port, token).call("GET", f"/v1/attempts/{attempt}")
            hold(f"attempt {attempt} is gone: {status}", status == 200)
            if status == 200 and row["state"] == "in_progress":
                hold(f"attempt {attempt} lost answers", all(row["answers"].get(k) == v for k, v in answers.items()))
            if attempt in said.submitted:
                expected = ("graded", said.submitted[attempt][1])
                hold(f"attempt {attempt} is not graded as told", status == 200 and (row["state"], row["score_percent"]) == expected)
        for what, *rest in said.on_the_way:
            if what == "user":
                key, body = rest
                answers = [admin.call("POST", "/v1/users", body, {"Idempotency-Key": key}) for _ in range(2)]
                hold(f"retries of {key} differ: {answers}", answers[0][0] == 201 and answers[0] == answers[1])
            else:
                enrollment, token, body = rest
                tries = [Client(port, token).ok("POST", f"/v1/enrollments/{enrollment}/events", body)["results"][0]["status"] for _ in range(2)]
                hold(f"event {body['id']} sent again: {tries}", tries[0] in ("applied", "duplicate") and tries[1] == "duplicate")

    now = {row["id"]: row["status"] for row in every(admin, f"/v1/courses/{world.crowded}/enrollments?limit=200")}
    states = collections.Counter(now.values())
    hold(f"{states['active']} people on {SEATS} seats", states["active"] <= SEATS)
    hold(f"free seats while people wait: {states}", states["active"] == SEATS or states["waitlisted"] == 0)
    for said in saids:
        for enrollment, told in said.seats.items():
            may = {"active": ["active"], "waitlisted": ["waitlisted", "active"], "withdrawn": []}[told]
            if enrollment in said.gone:
                may = may + ["withdrawn"]
            hold(f"seat of {enrollment}: told {told}, is {now.get(enrollment)}", now.get(enrollment) in may)
    return faults


def one_round(cairn, cluster, number, totals):
    port = cairn.port
    world, stopping, faults = World(port), threading.Event(), []
    jobs = [learn, learn, learn, learn, hire, crowd, crowd]
    saids = [Acknowledged() for _ in jobs]
    threads = [threading.Thread(target=until_death, args=(job, world, said, port, stopping, faults)) for job, said in zip(jobs, saids)]
    for thread in threads:
        thread.start()
    time.sleep(random.uniform(0.3, 2.5))
    stopping.set()
    database_too = cluster is not None and number % 3 == 2
    if database_too:
        # The database dies first: the server must not acknowledge what the database never took.
        cluster.stop("immediate")
        time.sleep(random.uniform(0, 0.2))
    cairn.kill(signal.SIGKILL)
    for thread in threads:
        thread.join()
    if database_too:
        cluster.start()
    cairn.start()
    half = half_written(cairn.url, cluster)
    faults += check(world, saids, port) + half + half_written(cairn.url, cluster)
    acknowledged = sum(said.count for said in saids)
    totals["acknowledged"] += acknowledged
    totals["on the way"] += sum(len(said.on_the_way) for said in saids)
    totals["faults"] += len(faults)
    died = "server and database" if database_too else "server"
    print(f"  round {number + 1}: {died} killed after {acknowledged} acknowledged writes, {len(faults)} faults", flush=True)
    for fault in faults[:20]:
        print(f"    FAULT {fault}", flush=True)


def run(database, rounds):
    folder = tempfile.mkdtemp(prefix="cairn-kill-")
    cluster = Postgres() if database == "postgres" else None
    cairn = Cairn(folder, cluster.url if cluster else f"sqlite:{folder}/cairn.db")
    totals = collections.Counter()
    print(f"{database}: {rounds} rounds", flush=True)
    try:
        cairn.start()
        for number in range(rounds):
            one_round(cairn, cluster, number, totals)
    finally:
        cairn.kill(signal.SIGKILL)
        if cluster:
            cluster.close()
        if totals["faults"]:
            print(f"  the files are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{database}: {totals['acknowledged']} writes acknowledged, {totals['on the way']} cut off, {totals['faults']} faults", flush=True)
    return totals["faults"]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("databases", nargs="*", default=["sqlite", "postgres"])
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--seed", type=int, default=None, help="of the moments of killing")
    given = options.parse_args()
    random.seed(given.seed)
    unknown = set(given.databases) - {"sqlite", "postgres"}
    if unknown:
        options.error(f"no such database: {', '.join(unknown)}")
    sys.exit(1 if sum(run(database, given.rounds) for database in given.databases) else 0)


if __name__ == "__main__":
    main()
