//! Frameworks and their import, alignment, evidence, mastery with its provenance, corrections, the matrix of a class, goals.

use crate::support::factory::{article, learners, quiz, right, sequence, unique, wrong};
use crate::support::{Answer, Client, TestApp, Value, json};

/// A framework of these competencies; ids by position.
pub fn framework(app: &TestApp, competencies: Value) -> (String, Vec<String>) {
    let made = app.admin().post("/v1/frameworks", json!({"title": unique("Framework "), "competencies": competencies}));
    let id = made.expect(201).id();
    let list = app.admin().all(&format!("/v1/competencies?framework_id={id}"));
    let mut list: Vec<(i64, String)> =
        list.iter().map(|c| (c["position"].as_i64().unwrap(), c["id"].as_str().unwrap().to_owned())).collect();
    list.sort();
    (id, list.into_iter().map(|(_, id)| id).collect())
}

/// One competency with this method.
pub fn competency(app: &TestApp, method: &str) -> String {
    framework(app, json!([{"key": "c", "title": "C", "method": method}])).1.remove(0)
}

/// A quiz of one question that evaluates these competencies.
pub fn assessing(key: &str, role: &str, ids: &[&str], content: Value) -> Value {
    let mut made = quiz(key, role, content);
    let links: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
    made["content"]["items"][0]["competencies"] = json!(links);
    made
}

pub fn mastery(who: &Client, user: &str, competency: &str) -> Answer {
    who.get(&format!("/v1/users/{user}/mastery/{competency}")).expect(200)
}

fn import(app: &TestApp, kind: &str, query: &str, body: &[u8]) -> Answer {
    app.admin().send("POST", &format!("/v1/frameworks/import{query}"), &[("content-type", kind)], Some(body))
}

/// A table as ESCO's extracts are: categories at the top, skills below them, keys that are addresses.
fn table(n: usize) -> String {
    let mut text = "key,title,parent,kind,description\n".to_owned();
    for i in 0..n {
        let parent = if i < 10 { String::new() } else { format!("http://data.example/field/{}", i % 10) };
        let (folder, kind) = if i < 10 { ("field", "category") } else { ("skill", "skill") };
        text.push_str(&format!(
            "http://data.example/{folder}/{i},Skill {i},{parent},{kind},\"About skill {i}, in words\"\n"
        ));
    }
    text
}

fn case() -> Value {
    let uri = |kind: &str, id: &str| format!("https://case.example/ims/case/v1p0/{kind}/{id}");
    let item = |id: &str, text: &str| json!({"identifier": id, "uri": uri("CFItems", id), "fullStatement": text, "humanCodingScheme": id, "CFItemType": "Standard", "lastChangeDateTime": "2025-10-18T15:02:46+00:00"});
    let node = |kind: &str, id: &str| json!({"title": id, "identifier": id, "uri": uri(kind, id)});
    let link = |from: &str, kind: &str, to: &str, what: &str, n: i64| json!({"identifier": format!("{from}-{to}"), "uri": uri("CFAssociations", from), "associationType": what, "sequenceNumber": n, "originNodeURI": node("CFItems", from), "destinationNodeURI": node(kind, to), "lastChangeDateTime": "2025-10-18T15:02:46+00:00"});
    json!({
        "CFDocument": {"identifier": "a33fc64e-5c40-11e7-82c4-3d54268aa9ee", "uri": uri("CFDocuments", "a33f"), "creator": "A school board", "title": "Mathematics ✓", "version": "1", "adoptionStatus": "Adopted"},
        "CFItems": [item("NUM", "Numbers"), item("NUM.2", "Counts back from 20"), item("NUM.1", "Counts to 20 — “aloud”")],
        "CFAssociations": [
            link("NUM", "CFDocuments", "a33fc64e-5c40-11e7-82c4-3d54268aa9ee", "isChildOf", 1),
            link("NUM.2", "CFItems", "NUM", "isChildOf", 2), link("NUM.1", "CFItems", "NUM", "isChildOf", 1),
            link("NUM.1", "CFItems", "NUM.2", "precedes", 1)],
        "CFDefinitions": {"CFItemTypes": []}, "CFRubrics": []})
}

both! {
    fn frameworks_come_as_case_and_leave_as_case(app) {
        let package = case();
        let bytes = serde_json::to_vec(&package).unwrap();
        let dry = import(app, "application/json", "?dry_run=true", &bytes).expect(200);
        assert_eq!((&dry["added"], &dry["dry_run"]), (&json!(3), &json!(true)));
        assert!(app.admin().all("/v1/frameworks").is_empty(), "nothing is written");

        let made = import(app, "application/json", "", &bytes).expect(200);
        assert_eq!((&made["added"], &made["left_out"]), (&json!(3), &json!(["1 CFDocument.adoptionStatus", "1 associations of type precedes"])));
        let id = made["framework"]["id"].as_str().unwrap().to_owned();
        assert_eq!(made["framework"]["source_version"], "1");
        let list = app.admin().all(&format!("/v1/competencies?framework_id={id}"));
        let top = list.iter().find(|c| c["key"] == "NUM").unwrap();
        let below = app.admin().all(&format!("/v1/competencies?parent_id={}", top["id"].as_str().unwrap()));
        assert_eq!(below.iter().map(|c| c["title"].as_str().unwrap()).collect::<Vec<_>>(), ["Counts to 20 — “aloud”", "Counts back from 20"]);

        // The next version: one is gone, one is new, one says something else; the others keep their ids.
        let mut next = package.clone();
        next["CFDocument"]["version"] = json!("2");
        next["CFItems"][1]["fullStatement"] = json!("Counts back from 30");
        next["CFItems"].as_array_mut().unwrap().remove(2);
        next["CFAssociations"].as_array_mut().unwrap().retain(|a| a["originNodeURI"]["identifier"] != "NUM.1");
        let second = import(app, "application/json", "", &serde_json::to_vec(&next).unwrap()).expect(200);
        assert_eq!((&second["framework"]["id"], &second["framework"]["edition"]), (&json!(id), &json!(2)));
        assert_eq!((&second["added"], &second["changed"], &second["unchanged"], &second["retired"]), (&json!(0), &json!(1), &json!(1), &json!(1)));
        let again = import(app, "application/json", "", &serde_json::to_vec(&next).unwrap()).expect(200);
        assert_eq!((&again["unchanged"], &again["framework"]["edition"]), (&json!(2), &json!(2)), "the same again changes nothing");
        let list = app.admin().all(&format!("/v1/competencies?framework_id={id}"));
        assert_eq!(list.iter().find(|c| c["key"] == "NUM").unwrap()["id"], top["id"]);
        assert_eq!(list.len(), 2);
        assert_eq!(app.admin().all(&format!("/v1/competencies?framework_id={id}&include_retired=true")).len(), 3);
        // A title that somebody changed here stays, and the package is still known.
        app.admin().patch(&format!("/v1/frameworks/{id}"), json!({"title": "Ours"})).expect(200);
        let known = import(app, "application/json", "", &serde_json::to_vec(&next).unwrap()).expect(200);
        assert_eq!((&known["framework"]["id"], &known["framework"]["title"]), (&json!(id), &json!("Ours")));
        // Another framework under the same identifier is another framework.
        let mut other = next.clone();
        other["CFDocument"]["title"] = json!("Sciences");
        let made = import(app, "application/json", "?dry_run=true", &serde_json::to_vec(&other).unwrap()).expect(200);
        assert_eq!((&made["added"], &made["retired"]), (&json!(2), &json!(0)));
        let versions = app.admin().all(&format!("/v1/frameworks/{id}/versions"));
        assert_eq!(versions.iter().map(|v| v["label"].as_str().unwrap()).collect::<Vec<_>>(), ["1", "2"]);

        for (query, folder) in [("", "v1p0"), ("?case_version=1.1", "v1p1")] {
            let out = app.admin().get(&format!("/v1/frameworks/{id}/case{query}")).expect(200);
            assert_eq!(out["CFDocument"]["identifier"], package["CFDocument"]["identifier"]);
            assert!(out["CFItems"][0]["uri"].as_str().unwrap().contains(folder));
            assert_eq!(out["CFDocument"]["caseVersion"], if query.is_empty() { Value::Null } else { json!("1.1") });
            let back = import(app, "application/json", &format!("?dry_run=true&framework_id={id}"), &out.body).expect(200);
            assert_eq!((&back["unchanged"], &back["changed"]), (&json!(2), &json!(0)), "what leaves comes back the same");
        }
    }

    fn frameworks_come_as_tables_and_bad_ones_are_refused_with_every_fault(app) {
        let made = import(app, "text/csv", "?title=ESCO&method=latest", table(40).as_bytes()).expect(200);
        let id = made["framework"]["id"].as_str().unwrap().to_owned();
        assert_eq!((&made["added"], &made["framework"]["competency_count"]), (&json!(40), &json!(40)));
        assert_eq!(app.admin().all(&format!("/v1/competencies?framework_id={id}&top=true")).len(), 10);
        let found = app.admin().all(&format!("/v1/competencies?framework_id={id}&q=SKILL%203"));
        assert_eq!(found.len(), 11);
        assert!(found.iter().all(|c| c["method"] == "latest" && c["levels"][0]["name"] == "mastered"));
        let next = import(app, "text/csv", &format!("?title=ESCO&framework_id={id}"), table(41).as_bytes()).expect(200);
        assert_eq!((&next["added"], &next["unchanged"], &next["framework"]["id"]), (&json!(1), &json!(40), &json!(id)));

        assert_eq!(import(app, "text/csv", "", table(3).as_bytes()).faults(), ["?title"]);
        let bad = "key,title,parent\na,A,b\nb,B,a\nb,,\nc,C,nowhere\n";
        let faults = import(app, "text/csv", "?title=Bad", bad.as_bytes()).faults();
        assert_eq!(faults, ["/rows/2/key", "/rows/2/title", "/rows/3/parent"]);
        let faults = import(app, "text/csv", "?title=Bad", "key,title,parent\na,A,b\nb,B,a\n".as_bytes()).faults();
        assert_eq!(faults, ["/rows/0/parent"]);
        assert_eq!(import(app, "application/json", "", b"{\"CFDocument\": {\"uri\": 5}, \"CFItems\": [{}]}").faults(), [
            "/CFDocument/identifier", "/CFDocument/title", "/CFDocument/uri", "/CFItems/0/fullStatement", "/CFItems/0/identifier", "/CFItems/0/uri"]);
        let mut package = case();
        package["CFItems"][0]["humanCodingScheme"] = json!("x".repeat(501));
        package["CFAssociations"][2]["destinationNodeURI"]["identifier"] = json!("nowhere");
        let faults = import(app, "application/json", "?method=magic", &serde_json::to_vec(&package).unwrap()).faults();
        assert_eq!(faults, ["/CFItems/0", "/CFItems/2/parent", "?method"], "all at once, where they stand in the package");
        assert_eq!(import(app, "application/json", "", &serde_json::to_vec(&json!([package["CFDocument"], [], []])).unwrap()).faults(), [""]);
        assert_eq!(import(app, "text/csv", &format!("?title=ESCO&framework_id={id}"), b"key,title\n").faults(), ["/rows"], "nothing is retired");
        assert_eq!(app.admin().all(&format!("/v1/competencies?framework_id={id}")).len(), 41);
        import(app, "application/json", "", b"{").problem(400, "malformed_request");
        import(app, "application/xml", "", b"<x/>").problem(415, "unsupported_media_type");
        let missing = "?framework_id=0199c0de-0000-7000-8000-000000000001&title=x";
        import(app, "text/csv", missing, table(3).as_bytes()).problem(404, "not_found");
    }

    fn a_framework_of_fourteen_thousand_is_written_in_sets(app) {
        let text = table(14_000);
        app.admin();
        let (statements, made) = app.statements(|| import(app, "text/csv", "?title=Large", text.as_bytes()).expect(200));
        assert_eq!(made["added"], 14_000);
        assert!(statements <= 14_000 / 500 + 10, "{statements} statements");
        let id = made["framework"]["id"].as_str().unwrap();
        let page = app.admin().get(&format!("/v1/competencies?framework_id={id}&limit=200")).expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), 200);
        assert!(page["next"].is_string());
    }

    fn competencies_are_written_one_by_one_and_stay_while_they_are_used(app) {
        let (id, ids) = framework(app, json!([{"key": "a", "title": "A"}, {"key": "b", "title": "B", "parent": "a"}]));
        let new = app.admin().post("/v1/competencies", json!({"framework_id": id, "key": "c", "title": "C", "parent_id": ids[1], "method": "n_mastery", "params": {"n": 2}})).expect(201);
        assert_eq!(new["position"], 3);
        app.admin().post("/v1/competencies", json!({"framework_id": id, "key": "c", "title": "C"})).problem(409, "conflict");
        let cycle = app.admin().patch(&format!("/v1/competencies/{}", ids[0]), json!({"parent_id": new.id()}));
        assert_eq!(cycle.faults(), ["/parent_id"]);
        let bad = json!({"title": "X", "competencies": [{"key": "x", "title": "X", "method": "magic"}, {"key": "y", "title": "Y", "parent": "z", "levels": [{"name": "hi", "at_least": 2}], "rollup": {"points": {"needed": 0}}}]});
        assert_eq!(app.admin().post("/v1/frameworks", bad).faults(), ["/competencies/0/method", "/competencies/1/levels/0/at_least", "/competencies/1/parent", "/competencies/1/rollup/points/needed"]);
        assert_eq!(app.admin().patch(&format!("/v1/competencies/{}", new.id()), json!({"params": {"rate": 0.5}})).faults(), ["/params/rate"]);

        let ada = app.user("ada");
        app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": new.id(), "score": 1})).expect(201);
        app.admin().delete(&format!("/v1/competencies/{}", new.id())).problem(409, "wrong_state");
        app.admin().delete(&format!("/v1/frameworks/{id}")).problem(409, "wrong_state");
        app.admin().patch(&format!("/v1/competencies/{}", new.id()), json!({"retired": true})).expect(200);
        assert_eq!(app.admin().get(&format!("/v1/frameworks/{id}")).expect(200)["competency_count"], 2);
        app.admin().delete(&format!("/v1/competencies/{}", ids[0])).problem(409, "wrong_state");
        let (unused, _) = framework(app, json!([{"key": "a", "title": "A"}, {"key": "b", "title": "B", "parent": "a"}]));
        app.admin().delete(&format!("/v1/frameworks/{unused}")).expect(204);
        app.admin().get(&format!("/v1/frameworks/{unused}")).problem(404, "not_found");
    }

    fn graded_work_leaves_evidence_with_its_provenance(app) {
        let (_, ids) = framework(app, json!([{"key": "a", "title": "A", "method": "average"}, {"key": "b", "title": "B", "method": "highest"}]));
        let (a, b) = (ids[0].as_str(), ids[1].as_str());
        let mut check = quiz("check", "core", json!({"pass_percent": 0, "items": [
            {"key": "one", "type": "true_false", "prompt": "?", "answer": true, "competencies": [{"id": a, "weight": 3}]},
            {"key": "two", "type": "true_false", "prompt": "?", "answer": true, "competencies": [{"id": a}]}]}));
        check["competencies"] = json!([{"id": b, "weight": 2}]);
        let mut done = article("done");
        done["competencies"] = json!([{"id": b, "touch": "assesses"}]);
        let mut read = article("read");
        read["competencies"] = json!([{"id": a}]);
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![read, check, done])]}));
        let ada = app.user("ada");
        let e = ada.enroll(&course);
        ada.open(&e, "read").expect(200);
        assert!(ada.all(&format!("/v1/users/{}/mastery", ada.id())).is_empty(), "teaching proves nothing");
        ada.attempt(&e, "check", &json!({"one": true, "two": false}));
        ada.attempt(&e, "check", &json!({"one": false, "two": true}));
        let detail = mastery(&ada, ada.id(), a);
        assert_eq!((&detail["mastery"], &detail["method"], &detail["order_by"]), (&json!(0.5), &json!("average"), &json!("submitted_at")));
        assert_eq!((&detail["formula"], &detail["evidence_count"]), (&json!("sum(w·s) / sum(w)"), &json!(2)));
        let pieces: Vec<(f64, f64)> = detail["evidence"].as_array().unwrap().iter().map(|p| (p["score"].as_f64().unwrap(), p["weight"].as_f64().unwrap())).collect();
        assert_eq!(pieces, [(0.75, 4.0), (0.25, 4.0)]);
        assert_eq!((&detail["evidence"][0]["source"]["kind"], &detail["evidence"][0]["source"]["module"]), (&json!("attempt"), &json!("check")));
        // What only the module names is proved by the score of the whole.
        assert_eq!(mastery(&ada, ada.id(), b)["mastery"], 0.5);
        ada.open(&e, "done").expect(200);
        let detail = mastery(&ada, ada.id(), b);
        assert_eq!((&detail["mastery"], &detail["level"], &detail["mastered"]), (&json!(1.0), &json!("mastered"), &json!(true)));
        assert_eq!(detail["evidence"].as_array().unwrap().last().unwrap()["source"]["kind"], "module");
        let list = ada.all(&format!("/v1/users/{}/mastery", ada.id()));
        assert_eq!(list.len(), 2);
        assert_eq!(ada.all(&format!("/v1/users/{}/evidence?competency_id={b}", ada.id())).len(), 3);
    }

    fn what_was_submitted_first_counts_first_whenever_it_is_graded(app) {
        let c = competency(app, "latest");
        let ada = app.user("ada");
        let path = format!("/v1/users/{}/evidence", ada.id());
        let now = app.state.clock.now();
        let at = |days: i64| (now - chrono::TimeDelta::days(days)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        app.admin().post(&path, json!({"competency_id": c, "score": 0.9, "at": at(1)})).expect(201);
        // Graded later, submitted earlier.
        app.admin().post(&path, json!({"competency_id": c, "score": 0.2, "at": at(5)})).expect(201);
        let detail = mastery(&ada, ada.id(), &c);
        assert_eq!(detail["mastery"], 0.9);
        assert_eq!(detail["evidence"].as_array().unwrap().iter().map(|p| p["score"].as_f64().unwrap()).collect::<Vec<_>>(), [0.2, 0.9]);
        let ahead = (now + chrono::TimeDelta::days(1)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        assert_eq!(app.admin().post(&path, json!({"competency_id": c, "score": 0.2, "at": ahead})).faults(), ["/at"]);

        // Decayed in order of submission: 0.2·0.35 + 0.9·0.65.
        app.admin().patch(&format!("/v1/competencies/{c}"), json!({"method": "decaying_average"})).expect(200);
        app.work();
        let value = mastery(&ada, ada.id(), &c)["mastery"].as_f64().unwrap();
        assert!((value - 0.655).abs() < 1e-9, "{value}");
    }

    fn evidence_that_comes_at_the_same_time_is_counted_once_each(app) {
        let c = competency(app, "average");
        let ada = app.user("ada");
        let (path, admin) = (format!("/v1/users/{}/evidence", ada.id()), app.admin().clone());
        std::thread::scope(|scope| {
            for n in 0..8 {
                let (path, admin, c) = (&path, admin.clone(), &c);
                scope.spawn(move || admin.post(path, json!({"competency_id": c, "score": f64::from(n % 2)})).expect(201));
            }
        });
        let detail = mastery(&ada, ada.id(), &c);
        assert_eq!((&detail["mastery"], &detail["evidence_count"]), (&json!(0.5), &json!(8)));
    }

    fn parents_roll_up_to_the_top(app) {
        let (_, ids) = framework(app, json!([
            {"key": "top", "title": "Top", "rollup": "all_required"},
            {"key": "mid", "title": "Mid", "parent": "top", "rollup": {"points": {"needed": 2}}},
            {"key": "side", "title": "Side", "parent": "top", "method": "highest"},
            {"key": "x", "title": "X", "parent": "mid", "method": "highest"}, {"key": "y", "title": "Y", "parent": "mid", "method": "highest"}]));
        let ada = app.user("ada");
        let prove = |id: &str, score: f64| app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": id, "score": score})).expect(201);
        prove(&ids[3], 0.9);
        assert_eq!(mastery(&ada, ada.id(), &ids[1])["mastery"], 0.4);
        assert_eq!(mastery(&ada, ada.id(), &ids[0])["mastery"], Value::Null, "one required child has none");
        prove(&ids[2], 0.85);
        assert_eq!(mastery(&ada, ada.id(), &ids[0])["mastery"], 0.4);
        prove(&ids[4], 0.8);
        let detail = mastery(&ada, ada.id(), &ids[0]);
        assert_eq!((&detail["mastery"], &detail["mastered"]), (&json!(0.85), &json!(true)));
        assert_eq!(detail["formula"], "min(mastery of the required children, each stretched so that its own threshold falls on 0.8); null while one has none");
        assert_eq!(detail["children"].as_array().unwrap().len(), 2);
    }

    fn children_count_by_their_own_thresholds(app) {
        let at = |n: f64| json!([{"name": "mastered", "at_least": n}]);
        let (_, ids) = framework(app, json!([
            {"key": "all", "title": "All", "rollup": "all_required"},
            {"key": "a", "title": "A", "parent": "all", "method": "latest", "levels": at(0.5)}, {"key": "b", "title": "B", "parent": "all", "method": "latest", "levels": at(0.9)},
            {"key": "sum", "title": "Sum", "rollup": {"points": {"needed": 5}}},
            {"key": "four", "title": "Four", "parent": "sum", "method": "latest", "points": 4}, {"key": "one", "title": "One", "parent": "sum", "method": "latest", "points": 1}]));
        let ada = app.user("ada");
        let prove = |n: usize, score: f64| app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": ids[n], "score": score}));
        let is = |n: usize| { let seen = mastery(&ada, ada.id(), &ids[n]); (seen["mastered"].clone(), seen["level"].clone()) };
        let (yes, no) = ((json!(true), json!("mastered")), (json!(false), Value::Null));
        for (a, b, expected) in [(0.6, 0.95, &yes), (0.85, 0.85, &no), (0.5, 0.9, &yes), (0.49, 1.0, &no)] {
            prove(1, a).expect(201);
            prove(2, b).expect(201);
            assert_eq!(is(0), *expected, "{a} and {b}");
        }
        prove(4, 0.9).expect(201);
        assert_eq!(is(3), no, "four of five points");
        prove(5, 0.9).expect(201);
        assert_eq!((is(3), mastery(&ada, ada.id(), &ids[3])["mastery"].clone()), (yes, json!(1.0)));
        // What rolls up takes no evidence of its own, and who left leaves none.
        assert_eq!(prove(0, 1.0).faults(), ["/competency_id"]);
        app.admin().patch(&format!("/v1/users/{}", ada.id()), json!({"state": "left"})).expect(200);
        prove(1, 1.0).problem(409, "wrong_state");
    }

    fn a_right_in_one_course_reaches_what_it_is_about(app) {
        let (_, ids) = framework(app, json!([{"key": "own", "title": "Own"}, {"key": "aim", "title": "Aim"}, {"key": "foreign", "title": "Foreign"}]));
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&ids[0]], json!({}))])]}));
        app.admin().put(&format!("/v1/courses/{course}/targets/{}", ids[1]), json!({"at_least": 0.5})).expect(200);
        let (ada, teacher) = (app.user("ada"), app.user("teacher"));
        app.admin().put(&format!("/v1/courses/{course}/staff/{}", teacher.id()), json!({"role": "instructor"})).ok();
        ada.enroll(&course);
        let get = |who: &Client, id: &str| who.get(&format!("/v1/users/{}/mastery/{id}?course_id={course}", ada.id()));
        let post = |who: &Client, id: &str| who.post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": id, "score": 1, "course_id": course}));
        for id in &ids[..2] {
            post(&teacher, id).expect(201);
            get(&teacher, id).expect(200);
        }
        assert_eq!(post(&teacher, &ids[2]).faults(), ["/competency_id"]);
        get(&teacher, &ids[2]).problem(404, "not_found");
        for who in [app.admin(), &app.staff("instructor")] {
            post(who, &ids[2]).expect(201);
            get(who, &ids[2]).expect(200);
        }
        get(&ada, &ids[2]).expect(200);
        let nobody = "0199c0de-0000-7000-8000-000000000001";
        assert_eq!(app.admin().get(&format!("/v1/courses/{course}/mastery?framework_id={nobody}&group_id={nobody}")).faults(), ["?framework_id", "?group_id"]);
    }

    fn managers_see_which_of_their_people_have_a_goal(app) {
        let c = competency(app, "highest");
        let goal = app.admin().post("/v1/goals", json!({"title": "Lead", "requirements": [{"competency_id": c, "at_least": 0.5}]})).expect(201).id();
        let boss = app.user("boss");
        let ada = app.user_with("ada", json!({"manager_id": boss.id()}));
        let below = app.user_with("below", json!({"manager_id": ada.id()}));
        let other = app.user("other");
        for who in [&boss, &ada, &below, &other] {
            app.admin().put(&format!("/v1/goals/{goal}/learners/{}", who.id()), json!({})).expect(200);
        }
        let path = format!("/v1/goals/{goal}/learners");
        let seen = |who: &Client| { let mut ids: Vec<String> = who.all(&path).iter().map(|l| l["user_id"].as_str().unwrap().to_owned()).collect(); ids.sort(); ids };
        let sorted = |list: &[&Client]| { let mut ids: Vec<String> = list.iter().map(|who| who.id().to_owned()).collect(); ids.sort(); ids };
        assert_eq!(seen(&boss), sorted(&[&ada, &below]));
        assert_eq!(seen(&ada), sorted(&[&below]));
        assert_eq!(seen(app.admin()).len(), 4);
        assert_eq!(seen(&app.staff("instructor")).len(), 4);
        other.get(&path).problem(403, "forbidden");
    }

    fn all_faults_of_a_call_are_named_at_once(app) {
        let nobody = "0199c0de-0000-7000-8000-000000000001";
        let c = competency(app, "highest");
        let bad = json!({"title": "", "competencies": [{"key": "a", "title": "A", "parent": "nowhere"}, {"key": "a", "title": "", "method": "magic"}]});
        assert_eq!(app.admin().post("/v1/frameworks", bad).faults(), [
            "/competencies/0/parent", "/competencies/1/key", "/competencies/1/method", "/competencies/1/title", "/title"]);
        let bad = json!({"title": "", "requirements": [{"competency_id": nobody, "at_least": 0.5}, {"competency_id": c, "at_least": 7}]});
        assert_eq!(app.admin().post("/v1/goals", bad).faults(), ["/requirements/0/competency_id", "/requirements/1/at_least", "/title"]);
        let bad = json!({"title": "", "points": -1, "method": "magic", "parent_id": c});
        assert_eq!(app.admin().patch(&format!("/v1/competencies/{c}"), bad).faults(), ["/method", "/parent_id", "/points", "/title"]);
    }

    fn people_judge_within_their_rights(app) {
        let c = competency(app, "highest");
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&c], json!({}))])]}));
        let (ada, eve, teacher) = (app.user("ada"), app.user("eve"), app.user("teacher"));
        app.admin().put(&format!("/v1/courses/{course}/staff/{}", teacher.id()), json!({"role": "instructor"})).ok();
        ada.enroll(&course);
        let path = format!("/v1/users/{}/evidence", ada.id());
        teacher.post(&path, json!({"competency_id": c, "score": 1})).problem(404, "not_found");
        let made = teacher.post(&path, json!({"competency_id": c, "score": 1, "course_id": course, "note": "Seen."})).expect(201);
        assert_eq!((&made["source"]["kind"], &made["note"]), (&json!("person"), &json!("Seen.")));
        teacher.post(&format!("/v1/users/{}/evidence", eve.id()), json!({"competency_id": c, "score": 1, "course_id": course})).problem(404, "not_found");
        ada.post(&path, json!({"competency_id": c, "score": 1})).problem(403, "forbidden");
        eve.get(&format!("/v1/users/{}/mastery", ada.id())).problem(404, "not_found");
        assert_eq!(teacher.all(&format!("/v1/users/{}/mastery?course_id={course}", ada.id())).len(), 1);
        teacher.get(&format!("/v1/users/{}/mastery", ada.id())).problem(404, "not_found");
        let faults = app.admin().post(&path, json!({"competency_id": "0199c0de-0000-7000-8000-000000000001", "score": 1})).faults();
        assert_eq!(faults, ["/competency_id"]);
        assert_eq!(app.admin().post(&path, json!({"competency_id": c, "score": 1.5, "weight": 0})).faults(), ["/score", "/weight"]);
        ada.delete(&format!("/v1/evidence/{}", made.id())).problem(403, "forbidden");
        eve.delete(&format!("/v1/evidence/{}", made.id())).problem(404, "not_found");
        teacher.delete(&format!("/v1/evidence/{}", made.id())).expect(204);
        assert_eq!(mastery(&ada, ada.id(), &c)["mastery"], Value::Null);
        let export = ada.get(&format!("/v1/users/{}/export", ada.id())).expect(200);
        assert!(export["data"]["mastery"].is_array(), "what is held on a person includes mastery");
    }

    fn the_linter_refuses_competencies_that_do_not_exist(app) {
        let nobody = "0199c0de-0000-7000-8000-000000000001";
        let c = competency(app, "highest");
        let mut late = article("late");
        late["when"] = json!({"any": [{"competency": {"id": nobody, "at_least": 0.5}}, {"competency": {"id": c, "at_least": "expert"}}, {"behind": {"competency": nobody, "days": 3}}]});
        let mut first = assessing("q", "core", &[nobody], json!({}));
        first["competencies"] = json!([{"id": nobody}]);
        let course = app.admin().post("/v1/courses", json!({"title": "T", "style": "dynamic_branching"})).expect(201).id();
        app.admin().put(&format!("/v1/courses/{course}/outline"), json!({"stages": [sequence("s", "linear", vec![first, late])]})).expect(200);
        let report = app.admin().post(&format!("/v1/courses/{course}/lint"), json!({})).expect(200);
        let mut found: Vec<String> = report["errors"].as_array().unwrap().iter().map(|f| format!("{} {}", f["pointer"].as_str().unwrap(), f["code"].as_str().unwrap())).collect();
        found.sort();
        found.dedup();
        assert_eq!(found, [
            "/stages/0/modules/0/competencies/0/id unknown_competency", "/stages/0/modules/0/content/items/0/competencies/0/id unknown_competency",
            "/stages/0/modules/1/when unknown_competency", "/stages/0/modules/1/when unknown_level"]);
        app.admin().post(&format!("/v1/courses/{course}/publish"), json!({})).problem(422, "lint_failed");
    }

    fn coverage_shows_what_is_taught_and_assessed(app) {
        let (_, ids) = framework(app, json!([{"key": "a", "title": "A"}, {"key": "b", "title": "B"}, {"key": "c", "title": "C"}]));
        let mut read = article("read");
        read["competencies"] = json!([{"id": ids[0]}]);
        let outline = json!({"stages": [sequence("s", "linear", vec![read, assessing("q", "core", &[&ids[0], &ids[1]], json!({}))])]});
        let course = app.course("linear_autoplay", &outline);
        app.admin().put(&format!("/v1/courses/{course}/targets/{}", ids[2]), json!({"at_least": 0.8})).expect(200);
        for query in ["", "?revision=1"] {
            let out = app.admin().get(&format!("/v1/courses/{course}/coverage{query}")).expect(200);
            let status: Vec<(&str, &str)> = out["items"].as_array().unwrap().iter().map(|i| (i["key"].as_str().unwrap(), i["status"].as_str().unwrap())).collect();
            assert_eq!(status, [("a", "covered"), ("b", "assessed_only"), ("c", "none")]);
            assert_eq!((&out["items"][0]["taught_by"], &out["items"][2]["target"], &out["covered_percent"]), (&json!(["read"]), &json!(true), &json!(33.33)));
        }
        app.user("eve").get(&format!("/v1/courses/{course}/coverage")).problem(403, "forbidden");
    }

    fn the_matrix_of_a_class_comes_by_page_in_three_forms(app) {
        let (framework_id, ids) = framework(app, json!([{"key": "a", "title": "A & B", "method": "highest"}, {"key": "=b", "title": "B", "method": "highest"}]));
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&ids[0], &ids[1]], json!({"pass_percent": 0}))])]}));
        let people = learners(app, 60);
        for (n, person) in people.iter().enumerate() {
            let e = person.enroll(&course);
            if n < 3 {
                person.attempt(&e, "q", &if n == 1 { wrong() } else { right() });
            }
        }
        let path = format!("/v1/courses/{course}/mastery");
        let first = app.admin().get(&format!("{path}?limit=40")).expect(200);
        assert_eq!(first["items"].as_array().unwrap().len(), 40);
        assert_eq!(first["competencies"].as_array().unwrap().len(), 2);
        let all = app.admin().all(&format!("{path}?limit=40"));
        assert_eq!(all.len(), 60);
        let of = |n: usize| all.iter().find(|row| row["user_id"] == json!(people[n].id())).unwrap();
        assert_eq!((&of(0)["mastery"], &of(0)["levels"][0]), (&json!([1.0, 1.0]), &json!("mastered")));
        assert_eq!((&of(1)["mastery"], &of(4)["mastery"]), (&json!([0.0, 0.0]), &json!([null, null])));
        let count = |limit: usize| app.statements(|| drop(app.admin().get(&format!("{path}?limit={limit}")).expect(200))).0;
        let (one, fifty) = (count(1), count(50));
        assert!(one == fifty && one <= 6, "{one} for one, {fifty} for fifty");

        let as_ = |kind: &str| app.admin().call("GET", &format!("{path}?limit=2"), None, &[("accept", kind)]).expect(200);
        let csv = as_("text/csv");
        let lines: Vec<String> = String::from_utf8(csv.body.clone()).unwrap().lines().map(str::to_owned).collect();
        assert_eq!((lines.len(), lines[0].as_str()), (3, "user_id,given_name,family_name,a,'=b"));
        assert!(csv.header("link").unwrap().contains("rel=\"next\""));
        let svg = as_("image/svg+xml");
        assert!(svg.text().starts_with("<svg") && svg.text().contains("A &amp; B"));
        assert_eq!(app.admin().call("GET", &path, None, &[("accept", "application/pdf")]).status, 406);
        assert_eq!(app.admin().get(&format!("{path}?framework_id=0199c0de-0000-7000-8000-000000000001")).faults(), ["?framework_id"]);
        assert_eq!(app.admin().get(&format!("{path}?framework_id={framework_id}")).expect(200)["competencies"].as_array().unwrap().len(), 2);
        let group = app.admin().post("/v1/groups", json!({"name": "Few", "kind": "static"})).expect(201).id();
        app.admin().put(&format!("/v1/groups/{group}/members/{}", people[5].id()), json!({})).ok();
        assert_eq!(app.admin().all(&format!("{path}?group_id={group}")).len(), 1);
        assert_eq!(app.admin().get(&format!("{path}?group_id={course}")).faults(), ["?group_id"]);
        people[0].get(&path).problem(403, "forbidden");
    }

    fn a_group_s_matrix_spans_its_courses(app) {
        let (framework_id, ids) = framework(app, json!([{"key": "a", "title": "A", "method": "highest"}, {"key": "b", "title": "B", "method": "highest"}, {"key": "c", "title": "C"}]));
        let course = |id: &str| app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[id], json!({"pass_percent": 0}))])]}));
        let courses = [course(&ids[0]), course(&ids[1])];
        let unit = |name: &str, parent: Option<&str>| app.admin().post("/v1/groups", json!({"name": name, "kind": "unit", "parent_id": parent})).expect(201).id();
        let region = unit("Region", None);
        let branch = unit("Branch", Some(&region));
        let people = learners(app, 7);
        for (n, person) in people.iter().enumerate() {
            let group = if n < 3 { &region } else { &branch };
            app.admin().put(&format!("/v1/groups/{group}/members/{}", person.id()), json!({})).ok();
        }
        app.admin().put(&format!("/v1/courses/{}/group-enrollments/{region}", courses[0]), json!({})).ok();
        app.admin().put(&format!("/v1/courses/{}/group-enrollments/{branch}", courses[1]), json!({})).ok();
        app.work();
        let e = app.admin().all(&format!("/v1/enrollments?user_id={}&course_id={}", people[4].id(), courses[1]))[0]["id"].as_str().unwrap().to_owned();
        people[4].attempt(&e, "q", &right());
        let path = |group: &str| format!("/v1/groups/{group}/mastery");
        let keys = |out: &crate::support::Answer| out["competencies"].as_array().unwrap().iter().map(|c| c["key"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(keys(&app.admin().get(&path(&region)).expect(200)), ["a"], "what is assigned to the unit");
        let below = app.admin().get(&path(&branch)).expect(200);
        assert_eq!(keys(&below), ["a", "b"], "and to those above it");
        assert_eq!(below["items"].as_array().unwrap().len(), 4);
        let mine = below["items"].as_array().unwrap().iter().find(|row| row["user_id"] == json!(people[4].id())).unwrap();
        assert_eq!((&mine["mastery"], &mine["levels"][1]), (&json!([null, 1.0]), &json!("mastered")));
        assert_eq!(keys(&app.admin().get(&format!("{}?framework_id={framework_id}", path(&region))).expect(200)), ["a", "b", "c"]);
        assert_eq!(app.admin().all(&format!("{}?limit=2", path(&region))).len(), 7, "of a unit, all below");
        assert_eq!(app.admin().all(&format!("/v1/courses/{}/mastery?limit=2&group_id={branch}", courses[1])).len(), 4);
        let csv = app.admin().call("GET", &format!("{}?limit=2", path(&branch)), None, &[("accept", "text/csv")]).expect(200);
        assert!(csv.text().starts_with("user_id,given_name,family_name,a,b\n") && csv.header("link").unwrap().contains("rel=\"next\""));
        assert!(app.admin().call("GET", &path(&branch), None, &[("accept", "image/svg+xml")]).expect(200).text().starts_with("<svg"));
        people[0].get(&path(&region)).problem(404, "not_found");
        let count = |limit: usize| app.statements(|| drop(app.admin().get(&format!("{}?limit={limit}", path(&region))).expect(200))).0;
        let (one, many) = (count(1), count(200));
        assert!(one == many && one <= 6, "{one} for one, {many} for all");
    }

    fn goals_show_the_gap_and_what_closes_it(app) {
        let (_, ids) = framework(app, json!([{"key": "a", "title": "A", "method": "highest"}, {"key": "b", "title": "B", "method": "highest"}]));
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![assessing("q", "core", &[&ids[1]], json!({}))])]}));
        let goal = app.admin().post("/v1/goals", json!({"title": "Lead", "requirements": [{"competency_id": ids[0], "at_least": "mastered"}, {"competency_id": ids[1], "at_least": 0.9, "due_days": 30}]})).expect(201);
        let unknown = json!({"title": "X", "requirements": [{"competency_id": ids[0], "at_least": "expert"}, {"competency_id": "0199c0de-0000-7000-8000-000000000001", "at_least": 0.5}]});
        assert_eq!(app.admin().post("/v1/goals", unknown).faults(), ["/requirements/0/at_least", "/requirements/1/competency_id"]);
        let boss = app.user("boss");
        let ada = app.user_with("ada", json!({"manager_id": boss.id()}));
        boss.put(&format!("/v1/goals/{}/learners/{}", goal.id(), ada.id()), json!({})).expect(200);
        ada.put(&format!("/v1/goals/{}/learners/{}", goal.id(), ada.id()), json!({})).problem(403, "forbidden");
        app.admin().post(&format!("/v1/users/{}/evidence", ada.id()), json!({"competency_id": ids[0], "score": 0.8})).expect(201);
        let seen = boss.get(&format!("/v1/users/{}/goals", ada.id())).expect(200)["items"][0].clone();
        assert_eq!(seen["met_percent"], 50.0);
        assert_eq!((&seen["requirements"][0]["met"], &seen["requirements"][0]["gap"]), (&json!(true), &json!(0.0)));
        assert_eq!((&seen["requirements"][1]["met"], &seen["requirements"][1]["gap"]), (&json!(false), &json!(0.9)));
        assert_eq!(seen["requirements"][1]["courses"][0]["course_id"], json!(course));
        assert_eq!(seen["requirements"][1]["courses"][0]["assesses"], true);
        let e = ada.enroll(&course);
        ada.attempt(&e, "q", &right());
        assert_eq!(ada.get(&format!("/v1/users/{}/goals", ada.id())).expect(200)["items"][0]["met_percent"], 100.0);
        let patched = app.admin().patch(&format!("/v1/goals/{}", goal.id()), json!({"requirements": [{"competency_id": ids[1], "at_least": 0.5}]})).expect(200);
        assert_eq!(patched["requirements"].as_array().unwrap().len(), 1);
        app.admin().delete(&format!("/v1/goals/{}", goal.id())).expect(204);
        assert!(ada.all(&format!("/v1/users/{}/goals", ada.id())).is_empty());
    }
}
