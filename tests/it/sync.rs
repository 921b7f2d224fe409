//! The HR sync: plan, guards, apply; every mistake named with its row; a crash in the middle.

use crate::support::{TestApp, Value, json};

fn employee(n: usize) -> Value {
    json!({"external_id": format!("hr-{n}"), "email": format!("e{n}@example.org"), "given_name": "E", "family_name": format!("N{n}"), "department": "Sales"})
}

pub fn staff(range: std::ops::Range<usize>) -> Vec<Value> {
    range.map(employee).collect()
}

pub fn plan(app: &TestApp, employees: &[Value], options: Value) -> Value {
    app.admin().post("/v1/sync/plans", json!({"employees": employees, "options": options})).expect(201).json.clone()
}

pub fn rows(app: &TestApp, plan: &Value, query: &str) -> Vec<Value> {
    app.admin().all(&format!("/v1/sync/plans/{}/rows?{query}", plan["id"].as_str().unwrap()))
}

pub fn apply(app: &TestApp, plan: &Value) -> Value {
    let path = format!("/v1/sync/plans/{}", plan["id"].as_str().unwrap());
    assert_eq!(app.admin().post(&format!("{path}/apply"), json!({})).expect(202).json["state"], "applying");
    app.work();
    let done = app.admin().get(&path).expect(200).json.clone();
    assert_eq!(done["state"], "applied");
    done
}

pub fn counts(plan: &Value) -> [u64; 6] {
    ["create", "update", "deactivate", "reactivate", "unchanged", "error"]
        .map(|name| plan["counts"][name].as_u64().unwrap())
}

/// Everybody, without what differs from one installation to the next.
fn everybody(app: &TestApp) -> Vec<Value> {
    let mut list = app.admin().all("/v1/users?limit=200");
    let managers: std::collections::HashMap<String, Value> =
        list.iter().map(|u| (u["id"].as_str().unwrap().to_owned(), u["external_id"].clone())).collect();
    for user in &mut list {
        let manager = user["manager_id"].as_str().map(|id| managers[id].clone());
        user["manager_id"] = json!(manager);
        for field in ["id", "created_at", "updated_at", "last_login_at"] {
            user.as_object_mut().unwrap().remove(field);
        }
    }
    list.sort_by_key(|user| user["email"].as_str().unwrap().to_owned());
    list
}

fn csv(app: &TestApp, query: &str, body: &[u8]) -> crate::support::Answer {
    app.admin().send("POST", &format!("/v1/sync/plans?{query}"), &[("content-type", "text/csv")], Some(body))
}

both! {
    /// A plan that a machine has made changes no admin; one that an admin has made does.
    fn a_machine_s_plan_leaves_admins_alone(app) {
        let hr = app.machine(&["users:write", "users:read"]);
        let boss = app.user_with("boss", json!({"roles": ["admin"], "external_id": "hr-1", "email": "e1@example.org"}));
        let mut list = staff(1..3);
        list[0]["email"] = json!("mine@example.org");
        let body = json!({"employees": list, "options": {"deactivate_missing": false}});
        let made = hr.post("/v1/sync/plans", body.clone()).expect(201).json.clone();
        let path = format!("/v1/sync/plans/{}", made["id"].as_str().unwrap());
        assert_eq!(made["progress"], json!({"total": 2, "done": 1, "conflicts": 1}), "known before it is applied");
        assert_eq!(rows(app, &made, "state=conflict")[0]["errors"][0]["detail"], "Only an admin can change an admin.");
        hr.post(&format!("{path}/apply"), json!({})).expect(202);
        app.work();
        let done = app.admin().get(&path).expect(200);
        assert_eq!(done["progress"], json!({"total": 2, "done": 2, "conflicts": 1}));
        let refused = &rows(app, &made, "action=update")[0];
        assert_eq!((&refused["state"], &refused["errors"][0]["detail"]), (&json!("conflict"), &json!("Only an admin can change an admin.")));
        let at = format!("/v1/users/{}", boss.id());
        assert_eq!(app.admin().get(&at).expect(200)["email"], "e1@example.org");
        let made = app.admin().post("/v1/sync/plans", body).expect(201).json.clone();
        apply(app, &made);
        assert_eq!(app.admin().get(&at).expect(200)["email"], "mine@example.org");
    }

    /// A manager who was given another one since the plan was made makes a row a conflict, where it would close a circle.
    fn a_plan_closes_no_circle_of_managers(app) {
        apply(app, &plan(app, &staff(20..23), json!({})));
        let mut list = staff(20..23);
        list[0]["manager_external_id"] = json!("hr-21");
        list[2]["manager_external_id"] = json!("hr-20");
        let made = plan(app, &list, json!({"deactivate_missing": false}));
        app.admin().patch("/v1/users/ext:hr-21", json!({"manager_id": "ext:hr-20"})).expect(200);
        let done = apply(app, &made);
        assert_eq!(done["progress"], json!({"total": 2, "done": 2, "conflicts": 1}));
        let refused = rows(app, &made, "state=conflict");
        assert_eq!((&refused[0]["after"]["external_id"], &refused[0]["errors"][0]["column"]), (&json!("hr-20"), &json!("manager_external_id")));
        let manager = |who: &str| app.admin().get(&format!("/v1/users/ext:{who}")).expect(200)["manager_id"].clone();
        let id = app.admin().get("/v1/users/ext:hr-20").expect(200).id();
        assert_eq!((manager("hr-20"), manager("hr-21"), manager("hr-22")), (Value::Null, json!(id), json!(id)));
    }

    /// Those who change places do, however far apart they stand in the list.
    fn managers_change_places_across_pieces(app) {
        let mut list = staff(0..600);
        list[599]["manager_external_id"] = json!("hr-0");
        apply(app, &plan(app, &list, json!({})));
        for one in &mut list {
            one["department"] = json!("Law");
        }
        list[0]["manager_external_id"] = json!("hr-599");
        list[599]["manager_external_id"] = json!(null);
        let done = apply(app, &plan(app, &list, json!({"max_deactivate_percent": 100})));
        assert_eq!(done["progress"], json!({"total": 600, "done": 600, "conflicts": 0}));
        let last = app.admin().get("/v1/users/ext:hr-599").expect(200);
        assert_eq!((&last["manager_id"], app.admin().get("/v1/users/ext:hr-0").expect(200)["manager_id"].clone()), (&Value::Null, json!(last.id())));
    }

    /// The state tells that a plan has expired; what is wrong with options is told with pointers; a name over SCIM is nobody's e-mail.
    fn plans_end_and_say_what_is_wrong(app) {
        let made = plan(app, &staff(0..2), json!({}));
        let path = format!("/v1/sync/plans/{}", made["id"].as_str().unwrap());
        let tag = app.admin().get(&path).expect(200).header("etag").unwrap().to_owned();
        app.advance(25 * 3600);
        let answer = app.admin().call("GET", &path, None, &[("if-none-match", &tag)]).expect(200);
        assert_eq!(answer["state"], "expired");
        app.admin().post(&format!("{path}/apply"), json!({})).problem(409, "wrong_state");
        let bad = json!({"employees": [], "options": {"deactivate_missing": "no", "max_error_percent": "x", "who": 1}});
        let faults = app.admin().post("/v1/sync/plans", bad).faults();
        assert_eq!(faults, ["/options/deactivate_missing", "/options/max_error_percent", "/options/who"]);
        let named = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "e7@example.org", "emails": [{"value": "other@example.org"}]});
        app.admin().post("/scim/v2/Users", named).expect(201);
        let fault = &rows(app, &plan(app, &staff(7..8), json!({})), "action=error")[0]["errors"][0];
        assert_eq!((&fault["column"], &fault["code"]), (&json!("email"), &json!("taken")));
    }

    /// A plan changes nothing; applied, it does what it said; sent again, there is nothing left to do.
    fn a_list_is_planned_and_applied(app) {
        let mut list = staff(0..12);
        list[0]["manager_external_id"] = json!("hr-11");
        list[11]["manager_external_id"] = json!("hr-5");
        let first = plan(app, &list, json!({}));
        assert_eq!(first["state"], "ready");
        assert_eq!(counts(&first), [12, 0, 0, 0, 0, 0]);
        app.admin().get("/v1/users/ext:hr-0").problem(404, "not_found");
        let done = apply(app, &first);
        assert_eq!(done["progress"], json!({"total": 12, "done": 12, "conflicts": 0}));
        let user = app.admin().get("/v1/users/ext:hr-0").expect(200).json.clone();
        assert_eq!(user["attributes"]["department"], "Sales");
        assert_eq!(user["manager_id"], app.admin().get("/v1/users/ext:hr-11").expect(200).json["id"]);
        let again = plan(app, &list, json!({}));
        assert_eq!(counts(&again), [0, 0, 0, 0, 12, 0]);
        // Applying an applied plan again changes nothing.
        let path = format!("/v1/sync/plans/{}/apply", first["id"].as_str().unwrap());
        assert_eq!(app.admin().post(&path, json!({})).expect(202).json["state"], "applied");

        list[1]["department"] = json!("Law");
        let next = plan(app, &list[..11], json!({}));
        assert_eq!(counts(&next), [0, 1, 1, 0, 10, 0]);
        let changed = &rows(app, &next, "action=update")[0];
        assert_eq!(changed["row"], 2);
        assert_eq!(changed["before"]["attributes"]["department"], "Sales");
        assert_eq!(changed["after"]["attributes"]["department"], "Law");
        apply(app, &next);
        assert_eq!(app.admin().get("/v1/users/ext:hr-11").expect(200).json["state"], "left");
        let back = plan(app, &list, json!({}));
        assert_eq!(counts(&back), [0, 0, 0, 1, 11, 0]);
        apply(app, &back);
        assert_eq!(app.admin().get("/v1/users/ext:hr-11").expect(200).json["state"], "active");
    }

    /// Leavers lose their sessions; dynamic groups follow the list.
    fn what_follows_from_a_sync(app) {
        let group = json!({"name": "Sales", "kind": "dynamic", "condition": {"attribute": {"name": "department", "op": "equals", "value": "Sales"}}});
        let group = app.admin().post("/v1/groups", group).expect(201).id();
        apply(app, &plan(app, &staff(0..3), json!({})));
        assert_eq!(app.admin().all(&format!("/v1/groups/{group}/members")).len(), 3);
        app.admin().patch("/v1/users/ext:hr-2", json!({"password": "a-long-password"})).expect(200);
        let two = app.anyone().login("e2@example.org", "a-long-password");
        two.get("/v1/me").expect(200);
        apply(app, &plan(app, &staff(0..2), json!({"max_deactivate_percent": 50})));
        two.get("/v1/me").problem(401, "unauthenticated");
    }

    /// A guard blocks what looks wrong, unless somebody says so.
    fn guards_block(app) {
        apply(app, &plan(app, &staff(0..10), json!({})));
        let few = plan(app, &staff(0..5), json!({}));
        assert_eq!(few["state"], "blocked");
        assert_eq!(few["guards"][0]["code"], "too_many_deactivations");
        let path = format!("/v1/sync/plans/{}/apply", few["id"].as_str().unwrap());
        app.admin().post(&path, json!({})).problem(409, "wrong_state");
        let empty = plan(app, &[], json!({}));
        assert_eq!(empty["guards"][0]["code"], "empty_list");
        let blank: Vec<Value> = staff(0..10).into_iter().map(|mut e| { e["department"] = Value::Null; e }).collect();
        assert_eq!(plan(app, &blank, json!({}))["guards"][0]["code"], "column_emptied");
        app.admin().post(&path, json!({"override_guards": true})).expect(202);
        // One at a time.
        let other = plan(app, &staff(0..10), json!({}));
        app.admin().post(&format!("/v1/sync/plans/{}/apply", other["id"].as_str().unwrap()), json!({})).problem(409, "wrong_state");
        app.work();
        assert_eq!(app.admin().get("/v1/users/ext:hr-9").expect(200).json["state"], "left");
    }

    /// Whoever is suspended and missing stays suspended, and a guard does not see them.
    fn the_suspended_stay(app) {
        apply(app, &plan(app, &staff(0..10), json!({})));
        for n in 5..10 {
            app.admin().patch(&format!("/v1/users/ext:hr-{n}"), json!({"state": "suspended"})).expect(200);
        }
        let made = plan(app, &staff(0..5), json!({}));
        assert_eq!((&made["state"], counts(&made)), (&json!("ready"), [0, 0, 0, 0, 5, 0]));
        assert_eq!(plan(app, &staff(0..4), json!({}))["guards"][0]["detail"], "1 of 5 active users would leave; more than 10 % is too many.");
    }

    /// A quote that is never closed is named with its row and column, and the rows behind it are still rows.
    fn an_open_quote_is_named(app) {
        let text = "external_id,email,given_name,family_name\na,a@example.org,A,A\nb,b@example.org,\"B,B\nc,c@example.org,C,C\n";
        let answer = csv(app, "max_error_percent=50", text.as_bytes()).expect(201);
        assert_eq!(counts(&answer.json), [2, 0, 0, 0, 0, 1]);
        let bad = &rows(app, &answer.json, "action=error")[0];
        let told: Vec<_> = bad["errors"].as_array().unwrap().iter().map(|e| (&e["column"], &e["code"])).collect();
        assert_eq!((&bad["row"], told), (&json!(3), vec![(&json!("given_name"), &json!("unclosed_quote"))]));
    }

    /// A row whose user changed since is left alone.
    fn stale_rows_are_conflicts(app) {
        apply(app, &plan(app, &staff(0..3), json!({})));
        let changed: Vec<Value> = staff(0..3).into_iter().map(|mut e| { e["department"] = json!("Law"); e }).collect();
        let stale = plan(app, &changed, json!({}));
        app.admin().patch("/v1/users/ext:hr-1", json!({"given_name": "Other"})).expect(200);
        let done = apply(app, &stale);
        assert_eq!(done["progress"]["conflicts"], 1);
        assert_eq!(rows(app, &stale, "state=conflict").len(), 1);
        let user = app.admin().get("/v1/users/ext:hr-1").expect(200).json.clone();
        assert_eq!((&user["given_name"], &user["attributes"]["department"]), (&json!("Other"), &json!("Sales")));
    }

    /// Two swap their e-mails, three hand on their numbers in a circle, a new one gets what somebody gives up.
    fn people_swap_what_is_theirs_alone(app) {
        let numbered = |n: usize, number: usize, email: usize| {
            let mut one = employee(n);
            one["employee_number"] = json!(format!("{number}"));
            one["email"] = json!(format!("e{email}@example.org"));
            one
        };
        apply(app, &plan(app, &(0..300).map(|n| numbered(n, n, n)).collect::<Vec<_>>(), json!({})));
        let mut list: Vec<Value> = (0..300).map(|n| numbered(n, n, n)).collect();
        list[0] = numbered(0, 0, 299);
        list[299] = numbered(299, 299, 0);
        list[1] = numbered(1, 150, 1);
        list[150] = numbered(150, 290, 150);
        list[290] = numbered(290, 1, 290);
        list[5] = numbered(5, 5, 1005);
        list.push(numbered(400, 400, 5));
        let swap = plan(app, &list, json!({}));
        assert_eq!((&swap["state"], counts(&swap)), (&json!("ready"), [1, 6, 0, 0, 294, 0]));
        assert_eq!(apply(app, &swap)["progress"], json!({"total": 7, "done": 7, "conflicts": 0}));
        for (id, email, number) in [(0, 299, 0), (299, 0, 299), (1, 1, 150), (150, 150, 290), (290, 290, 1), (5, 1005, 5), (400, 5, 400)] {
            let user = app.admin().get(&format!("/v1/users/ext:hr-{id}")).expect(200);
            assert_eq!((&user["email"], &user["employee_number"]), (&json!(format!("e{email}@example.org")), &json!(format!("{number}"))));
        }
        assert_eq!(counts(&plan(app, &list, json!({}))), [0, 0, 0, 0, 301, 0]);
        // One of two has changed since: neither is done, for each needs the other.
        list[0] = numbered(0, 0, 0);
        list[299] = numbered(299, 299, 299);
        let back = plan(app, &list, json!({}));
        app.admin().patch("/v1/users/ext:hr-0", json!({"given_name": "Other"})).expect(200);
        assert_eq!(apply(app, &back)["progress"]["conflicts"], 2);
        assert_eq!(app.admin().get("/v1/users/ext:hr-299").expect(200)["email"], "e0@example.org");
    }

    /// A file with every mistake, as a table and as lines of JSON: each is named with its row, the rest is applied only when somebody
    /// says so, and then nothing of a row at fault.
    fn every_mistake_is_named(app) {
        let long = "x".repeat(1 << 20);
        let header = ["external_id", "email", "given_name", "family_name", "manager_external_id", "attributes.hired_on", "active"];
        let bad = "\u{FFFD}";
        let table: Vec<(Vec<&str>, &str)> = vec![
            (vec!["a", "a@example.org", "A", "A", "", "2026-01-31", ""], ""),
            (vec!["b", "b@example.org", "B", "B", "", "", ""], "duplicate"),
            (vec!["b", "b2@example.org", "B", "B", "", "", ""], "duplicate"),
            (vec!["c", "c@example.org", "C", "C", "nobody", "", ""], "unknown_manager"),
            (vec!["d", "d@example.org", "D", "D", "e", "", ""], "manager_cycle"),
            (vec!["e", "e@example.org", "E", "E", "d", "", ""], "manager_cycle"),
            (vec!["f", "f@example.org", &long, "F", "", "", ""], "too_long"),
            (vec!["g", "g@example.org", "=1+1", "G", "", "", ""], "formula"),
            (vec!["g1", "g1@example.org", "@SUM(A1)", "G", "", "", ""], "formula"),
            (vec!["g2", "g2@example.org", "G", "+cmd|' /C calc'!A0", "", "", ""], "formula"),
            (vec!["h", "h@example.org", "H", "H", "", "31.01.2026", ""], "invalid_date"),
            (vec!["i", "i@example.org", "I", "I", "", "1/31/2026", ""], "invalid_date"),
            (vec!["j", "not an address", "J", "J", "", "", ""], "invalid_email"),
            (vec!["k", "k@example.org", bad, "K", "", "", ""], "wrong_encoding"),
            (vec!["l", "A@EXAMPLE.org", "L", "L", "", "", ""], "duplicate"),
            (vec!["m", "m@example.org", "M", "", "", "", ""], "required"),
            (vec!["", "n@example.org", "N", "N", "", "", ""], "required"),
            (vec!["o", "o@example.org", "O", "O", "", "", "perhaps"], "wrong_type"),
            (vec!["p", "p@example.org", "P", "P", "j", "", ""], "manager_at_fault"),
            (vec!["q", "q@example.org", "Q", "Q", "q", "", ""], "manager_cycle"),
            (vec!["r", "r@example.org", "Zo\u{eb}", "O'Neil; \"Bob\"", "", "2026-02-28", "yes"], ""),
        ];
        // With a byte order mark, and with bytes that are no UTF-8 where a name should be.
        let cell = |text: &&str| if text.contains(['"', ',']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { (*text).to_owned() };
        let lines: Vec<String> = table.iter().map(|(cells, _)| cells.iter().map(cell).collect::<Vec<_>>().join(",")).collect();
        let text = format!("\u{FEFF}{}\n{}\ns,s@example.org,S\n", header.join(","), lines.join("\n"));
        let mut file = Vec::new();
        for piece in text.split(bad) {
            if !file.is_empty() {
                file.extend_from_slice(b"M\xFCller");
            }
            file.extend_from_slice(piece.as_bytes());
        }
        let json_lines: Vec<String> = table.iter().map(|(cells, _)| {
            let mut one = serde_json::Map::new();
            for (name, text) in header.iter().zip(cells) {
                let value = match *text {
                    "" => Value::Null,
                    "yes" => json!(true),
                    text => json!(text),
                };
                match name.strip_prefix("attributes.") {
                    Some(name) => drop(one.insert("attributes".into(), json!({name: value}))),
                    None => drop(one.insert((*name).into(), value)),
                }
            }
            Value::Object(one).to_string()
        }).collect();
        let ndjson = format!("\u{FEFF}{}\n{{\"external_id\": \"s\", broken\n", json_lines.join("\n"));
        let ways: [(&str, &[u8], i64, &str); 2] = [("text/csv", &file, 2, "wrong_width"), ("application/x-ndjson", ndjson.as_bytes(), 1, "malformed")];
        for (media, body, first, last) in ways {
            let answer = app.admin().send("POST", "/v1/sync/plans?date_attributes=hired_on", &[("content-type", media)], Some(body)).expect(201);
            assert_eq!((&answer.json["state"], &answer.json["guards"][0]["code"]), (&json!("blocked"), &json!("too_many_errors")));
            let mut named: Vec<(i64, String)> = rows(app, &answer.json, "action=error").iter()
                .map(|row| (row["row"].as_i64().unwrap(), row["errors"][0]["code"].as_str().unwrap().to_owned()))
                .collect();
            named.sort();
            let at_last = rows(app, &answer.json, "action=error").into_iter().find(|row| row["row"] == first + table.len() as i64).unwrap();
            assert_eq!(at_last["errors"].as_array().unwrap().len(), 1, "{media}: the real fault alone: {at_last}");
            let mut expected: Vec<(i64, String)> = table.iter().zip(first..).map(|((_, code), row)| (row, (*code).to_owned())).collect();
            // Both who have the e-mail are named.
            expected[0].1 = "duplicate".to_owned();
            expected.push((first + table.len() as i64, last.to_owned()));
            expected.retain(|(_, code)| !code.is_empty());
            assert_eq!(named, expected, "{media}");
            assert_eq!(counts(&answer.json)[0], 1, "{media}");
            let path = format!("/v1/sync/plans/{}/apply", answer.json["id"].as_str().unwrap());
            app.admin().post(&path, json!({})).problem(409, "wrong_state");
            for id in ["a", "b", "d", "r"] {
                app.admin().get(&format!("/v1/users/ext:{id}")).problem(404, "not_found");
            }
        }
        // Overridden, the one good row is applied and no other.
        let answer = csv(app, "date_attributes=hired_on", &file).expect(201);
        app.admin().post(&format!("/v1/sync/plans/{}/apply", answer.json["id"].as_str().unwrap()), json!({"override_guards": true})).expect(202);
        app.work();
        let user = app.admin().get("/v1/users/ext:r").expect(200);
        assert_eq!((&user["given_name"], &user["family_name"]), (&json!("Zo\u{eb}"), &json!("O'Neil; \"Bob\"")));
        assert_eq!(app.admin().all("/v1/users").iter().filter(|user| user["external_id"].is_string()).count(), 1);
    }

    /// What is no list of employees is refused as a whole; what is too long says so.
    fn documents_that_are_no_lists(app) {
        let send = |text: &str| app.admin().send("POST", "/v1/sync/plans", &[("content-type", "application/json")], Some(text.as_bytes()));
        for text in ["[]", "{}", "{\"employees\": {}}", "{\"employees\": {\"employees\": []}}", "{\"employees\": [], \"more\": 1}", "{\"employees\": [", "nonsense"] {
            send(text).problem(400, "malformed_request");
        }
        // The options may stand behind the employees.
        let made = send("{\"employees\": [{\"external_id\": \"z\", \"email\": \"z@example.org\", \"given_name\": \"Z\", \"family_name\": \"Z\", \"attributes\": {\"on\": \"1.2.2026\"}}, 7], \"options\": {\"date_attributes\": [\"on\"], \"date_style\": \"day_first\"}}").expect(201);
        assert_eq!(counts(&made.json), [1, 0, 0, 0, 0, 1]);
        assert_eq!(rows(app, &made.json, "action=create")[0]["after"]["attributes"]["on"], "2026-02-01");
        let many = format!("{{\"employees\": [{}1]}}", "1,".repeat(200_000));
        assert_eq!(send(&many).faults(), ["/employees"]);
    }

    /// Encodings, delimiters, byte order marks and mappings.
    fn tables_come_in_many_ways(app) {
        let mapping = "mapping=external_id:ID,email:Mail,given_name:Vorname,family_name:Name";
        let latin = b"ID;Mail;Vorname;Name;Rest\n1;m@example.org;J\xFCrgen;\"M\xFCller; Dr.\";x\n";
        let answer = csv(app, &format!("{mapping}&delimiter=%3B&encoding=windows-1252&deactivate_missing=false"), latin).expect(201);
        assert_eq!(rows(app, &answer.json, "")[0]["after"]["given_name"], "J\u{fc}rgen");
        assert_eq!(rows(app, &answer.json, "")[0]["after"]["family_name"], "M\u{fc}ller; Dr.");
        // The media type may name it, and must not say something else.
        let typed = |charset: &str, query: &str| {
            let kind = format!("text/csv; charset={charset}");
            app.admin().send("POST", &format!("/v1/sync/plans?{mapping}&delimiter=%3B{query}"), &[("content-type", &kind)], Some(latin))
        };
        for (charset, query) in [("iso-8859-1", ""), ("\"ISO-8859-1\"", "&encoding=windows-1252")] {
            let answer = typed(charset, query).expect(201);
            assert_eq!(rows(app, &answer.json, "")[0]["after"]["given_name"], "J\u{fc}rgen");
        }
        assert_eq!(typed("iso-8859-1", "&encoding=utf-8")["errors"][0]["code"], "contradiction");
        assert_eq!(typed("nonsense", "")["errors"][0]["code"], "unknown_encoding");
        let wrong = csv(app, &format!("{mapping}&delimiter=%3B"), latin).expect(201);
        assert_eq!(rows(app, &wrong.json, "")[0]["errors"][0]["code"], "wrong_encoding");
        let text = "\u{FEFF}external_id\temail\tgiven_name\tfamily_name\n2\tz@example.org\tZo\u{eb}\tZ\n";
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let answer = csv(app, "delimiter=tab", &utf16).expect(201);
        assert_eq!(rows(app, &answer.json, "")[0]["after"]["given_name"], "Zo\u{eb}");
        csv(app, "", b"external_id,colour\n1,red\n").problem(422, "validation_failed");
        csv(app, "encoding=nonsense", b"external_id\n1\n").problem(422, "validation_failed");
        let lines = format!("{}\n{{broken\n{}\n", employee(1), employee(2));
        let answer = app.admin().send("POST", "/v1/sync/plans", &[("content-type", "application/x-ndjson")], Some(lines.as_bytes())).expect(201);
        assert_eq!(counts(&answer.json), [2, 0, 0, 0, 0, 1]);
        app.admin().send("POST", "/v1/sync/plans", &[("content-type", "image/png")], Some(b"x")).problem(415, "unsupported_media_type");
        app.user("nobody").post("/v1/sync/plans", json!({"employees": []})).problem(403, "forbidden");
    }
}

/// The worker dies after a piece; another goes on, and the end is the same as without.
fn a_crash_changes_nothing(whole: &TestApp, broken: &TestApp) {
    let mut list = staff(0..450);
    for (n, row) in list.iter_mut().enumerate().skip(1) {
        row["manager_external_id"] = json!(format!("hr-{}", n / 2));
    }
    apply(whole, &plan(whole, &list, json!({})));
    let made = plan(broken, &list, json!({}));
    let id = made["id"].as_str().unwrap();
    broken.admin().post(&format!("/v1/sync/plans/{id}/apply"), json!({})).expect(202);
    assert!(cairn::features::sync::apply_piece(&broken.state, id.parse().unwrap()).unwrap());
    let halfway = broken.admin().get(&format!("/v1/sync/plans/{id}")).expect(200).json.clone();
    assert_eq!((&halfway["state"], &halfway["progress"]["done"]), (&json!("applying"), &json!(200)));
    broken.work();
    assert_eq!(broken.admin().get(&format!("/v1/sync/plans/{id}")).expect(200).json["progress"]["done"], 450);
    assert_eq!(everybody(whole), everybody(broken));
}

#[test]
fn a_crash_in_the_middle_changes_nothing_on_sqlite() {
    a_crash_changes_nothing(&TestApp::sqlite(), &TestApp::sqlite());
}

#[test]
fn a_crash_in_the_middle_changes_nothing_on_postgres() {
    if let (Some(whole), Some(broken)) = (TestApp::postgres(), TestApp::postgres()) {
        a_crash_changes_nothing(&whole, &broken);
    }
}
