//! Frameworks: their import and export, and what is wrong with them.

use crate::competencies::framework;
use crate::support::{Answer, TestApp, Value, json};

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
            "/CFAssociations", "/CFDocument/identifier", "/CFDocument/title", "/CFDocument/uri", "/CFItems/0/fullStatement", "/CFItems/0/identifier", "/CFItems/0/uri"]);
        let mut package = case();
        package["CFItems"][0]["humanCodingScheme"] = json!("x".repeat(201));
        package["CFAssociations"][2]["destinationNodeURI"]["identifier"] = json!("nowhere");
        let faults = import(app, "application/json", "?method=magic", &serde_json::to_vec(&package).unwrap()).faults();
        assert_eq!(faults, ["/CFAssociations/2", "/CFItems/0/humanCodingScheme", "?method"], "all at once, where they stand in the package");
        assert_eq!(import(app, "application/json", "", &serde_json::to_vec(&json!([package["CFDocument"], [], []])).unwrap()).faults(), [""]);
        assert_eq!(import(app, "text/csv", &format!("?title=ESCO&framework_id={id}"), b"key,title\n").faults(), ["/rows"], "nothing is retired");
        assert_eq!(app.admin().all(&format!("/v1/competencies?framework_id={id}")).len(), 41);
        import(app, "application/json", "", b"{").problem(400, "malformed_request");
        import(app, "application/xml", "", b"<x/>").problem(415, "unsupported_media_type");
        let missing = "?framework_id=0199c0de-0000-7000-8000-000000000001&title=x";
        import(app, "text/csv", missing, table(3).as_bytes()).problem(404, "not_found");
    }

    fn what_a_table_brings_keeps_the_limits_of_competencies(app) {
        let long = |n: usize| "é".repeat(n);
        let row = |key: usize, title: usize, code: usize, kind: usize, text: usize| format!("{},{},{},{},{}\n", long(key), long(title), long(code), long(kind), long(text));
        let header = "key,title,code,kind,description\n";
        let most = format!("{header}{}", row(500, 1000, 200, 200, 5000));
        let made = import(app, "text/csv", "?title=Most", most.as_bytes()).expect(200);
        let id = app.admin().all(&format!("/v1/competencies?framework_id={}", made["framework"]["id"].as_str().unwrap()))[0]["id"].clone();
        let same = json!({"title": long(1000), "code": long(200), "kind": long(200), "description": long(5000)});
        app.admin().patch(&format!("/v1/competencies/{}", id.as_str().unwrap()), same).expect(200);
        let more = format!("{header}a,A,,,\n{}b,\"B\0\",,,\n", row(501, 1001, 201, 201, 5001));
        assert_eq!(import(app, "text/csv", "?title=More", more.as_bytes()).faults(), [
            "/rows/1/code", "/rows/1/description", "/rows/1/key", "/rows/1/kind", "/rows/1/title", "/rows/2/title"]);
        let many = format!("key,title\n{}", (0..300).map(|n| format!("{n},{}\n", long(1001))).collect::<String>());
        assert_eq!(import(app, "text/csv", "?title=Many", many.as_bytes()).faults().len(), 100, "a list of faults has an end");
        assert_eq!(import(app, "text/csv", &format!("?title={}", "x".repeat(201)), header.as_bytes()).faults(), ["/rows", "?title"]);
    }

    fn a_quote_without_an_end_is_named_by_its_row(app) {
        let open = "key,title,parent\na,A,\nb,\"B,a\nc,C,a\n";
        let answer = import(app, "text/csv", "?title=Open", open.as_bytes()).problem(422, "validation_failed");
        assert_eq!(answer["errors"], json!([{"pointer": "/rows/1", "code": "bad_quote", "detail": "The quote that begins on line 3 does not end."}]));
        let early = "key,title,parent\na,\"A,\nb,\"B\",x\nc,,a\nc,C\n";
        assert_eq!(import(app, "text/csv", "?title=Early", early.as_bytes()).faults(), ["/rows/0", "/rows/1/title", "/rows/2"], "with all other faults");
        import(app, "text/csv", "?title=Header", b"\"key,title\na,A\n").problem(422, "validation_failed");
        let whole = "key,title\na,\"A \"\"quoted\"\"\nin two lines\"\n";
        assert_eq!(import(app, "text/csv", "?title=Whole", whole.as_bytes()).expect(200)["added"], 1);
    }

    fn all_faults_of_a_package_are_named_at_once(app) {
        let mut package = case();
        package["CFDocument"]["lastChangeDateTime"] = json!(5);
        package["CFDocument"]["title"] = json!("x".repeat(201));
        package["CFItems"][1]["identifier"] = json!("NUM");
        package["CFItems"][2]["fullStatement"] = json!(null);
        package["CFItems"].as_array_mut().unwrap().push(json!({"identifier": "x".repeat(501), "uri": "u", "fullStatement": "\0"}));
        package["CFAssociations"][2]["destinationNodeURI"]["identifier"] = json!("nowhere");
        let faults = import(app, "application/json", "?method=magic", &serde_json::to_vec(&package).unwrap()).faults();
        assert_eq!(faults, [
            "/CFAssociations/2", "/CFDocument/lastChangeDateTime", "/CFDocument/title", "/CFItems/1/identifier", "/CFItems/2/fullStatement",
            "/CFItems/3/fullStatement", "/CFItems/3/identifier", "?method"]);
        // Whether a parent is there cannot be said while an identifier is unknown.
        package["CFItems"][1]["identifier"] = json!(null);
        let faults = import(app, "application/json", "", &serde_json::to_vec(&package).unwrap()).faults();
        assert!(faults.contains(&"/CFItems/1/identifier".to_owned()) && !faults.iter().any(|at| at.starts_with("/CFAssociations")), "{faults:?}");
    }

    fn a_framework_that_was_made_here_comes_back_as_itself(app) {
        let posted = framework(app, json!([{"key": "a", "title": "A"}, {"key": "b", "title": "B", "parent": "a"}])).0;
        let table = import(app, "text/csv", "?title=Table", b"key,title,parent\na,A,\nb,B,a\n").expect(200)["framework"]["id"].as_str().unwrap().to_owned();
        for id in [posted, table] {
            let before = app.admin().get(&format!("/v1/frameworks/{id}")).expect(200);
            let mut package = app.admin().get(&format!("/v1/frameworks/{id}/case")).expect(200).json;
            let bytes = |package: &Value| serde_json::to_vec(package).unwrap();
            let same = import(app, "application/json", "", &bytes(&package)).expect(200);
            assert_eq!((&same["unchanged"], &same["framework"]), (&json!(2), &before.json), "nothing changes");
            package["CFItems"][1]["fullStatement"] = json!("B, better");
            package["CFDocument"]["title"] = json!("Another title");
            let next = import(app, "application/json", "", &bytes(&package)).expect(200);
            assert_eq!((&next["framework"]["id"], &next["framework"]["edition"], &next["changed"]), (&json!(id), &json!(2), &json!(1)));
            assert_eq!((&next["framework"]["title"], &next["framework"]["source"]), (&json!("Another title"), &Value::Null));
            assert_eq!(next["framework"], app.admin().get(&format!("/v1/frameworks/{id}")).expect(200).json, "as it is now");
        }
        // One from elsewhere whose title was changed here is known by that title too, and still by its own.
        let package = serde_json::to_vec(&case()).unwrap();
        let id = import(app, "application/json", "", &package).expect(200)["framework"]["id"].as_str().unwrap().to_owned();
        app.admin().patch(&format!("/v1/frameworks/{id}"), json!({"title": "Ours"})).expect(200);
        let ours = app.admin().get(&format!("/v1/frameworks/{id}/case")).expect(200);
        for body in [&ours.body, &package, &ours.body] {
            let again = import(app, "application/json", "", body).expect(200);
            assert_eq!((&again["framework"]["id"], &again["framework"]["title"], &again["unchanged"]), (&json!(id), &json!("Ours"), &json!(3)));
        }
        // Only what the package says of itself has changed: a version all the same.
        let mut newer = case();
        newer["CFDocument"]["version"] = json!("2");
        let newer = import(app, "application/json", "", &serde_json::to_vec(&newer).unwrap()).expect(200);
        assert_eq!((&newer["framework"]["id"], &newer["unchanged"], &newer["framework"]["edition"]), (&json!(id), &json!(3), &json!(2)));
        assert_eq!(app.admin().get(&format!("/v1/frameworks/{id}")).expect(200)["source_version"], "2");
        assert_eq!(app.admin().all("/v1/frameworks").len(), 3);
    }

    fn what_a_framework_is_called_and_says_of_itself(app) {
        let mut package = case();
        package["CFDocument"]["description"] = json!("What children learn");
        let bytes = |package: &Value| serde_json::to_vec(package).unwrap();
        let made = import(app, "application/json", "", &bytes(&package)).expect(200);
        assert_eq!(made["framework"]["description"], "What children learn");
        assert!(!made["left_out"].as_array().unwrap().contains(&json!("1 CFDocument.description")));
        let id = made["framework"]["id"].as_str().unwrap().to_owned();
        let out = app.admin().get(&format!("/v1/frameworks/{id}/case")).expect(200);
        assert_eq!(out["CFDocument"]["description"], "What children learn");
        // A package that says nothing of it takes nothing away.
        let same = import(app, "application/json", "", &bytes(&case())).expect(200);
        assert_eq!((&same["framework"]["description"], &same["framework"]["edition"]), (&json!("What children learn"), &json!(1)));
        package["CFDocument"]["description"] = json!("x".repeat(5001));
        package.as_object_mut().unwrap().remove("CFAssociations");
        assert_eq!(import(app, "application/json", "", &bytes(&package)).faults(), ["/CFAssociations", "/CFDocument/description"]);

        // The rows of a table need no title where the framework has one.
        let rows = b"key,title\nNUM,Numbers\n";
        assert_eq!(import(app, "text/csv", "", rows).faults(), ["?title"]);
        let next = import(app, "text/csv", &format!("?framework_id={id}"), rows).expect(200);
        assert_eq!((&next["framework"]["title"], &next["framework"]["id"], &next["retired"]), (&json!("Mathematics ✓"), &json!(id), &json!(2)));
        import(app, "text/csv", "?framework_id=0199c0de-0000-7000-8000-000000000001", rows).problem(404, "not_found");
    }

    fn who_may_not_import_is_told_so_first(app) {
        let ada = app.user("ada");
        for (kind, body) in [("text/csv", "nonsense"), ("application/json", "{"), ("application/xml", "<x/>")] {
            ada.send("POST", "/v1/frameworks/import", &[("content-type", kind)], Some(body.as_bytes())).problem(403, "forbidden");
        }
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
}
