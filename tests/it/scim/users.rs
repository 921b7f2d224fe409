//! Users over SCIM: from being made to coming back after having left.

use super::{BASE, ENTERPRISE, USER, filtered, group, history, make, make_group, patch, person, provider, user};
use crate::support::factory::{article, sequence};
use crate::support::json;

both! {
    /// A user is made, read, replaced, changed and deleted; `/v1` shows the same person all along.
    fn a_user_from_first_day_to_last(app) {
        let idp = provider(app);
        let sent = json!({"schemas": [USER, ENTERPRISE], "userName": "Ada@Example.org", "externalId": "00u1", "active": true,
            "name": {"givenName": "Ada", "familyName": "Lovelace", "middleName": "King"}, "displayName": "Ada L.", "title": "Countess",
            "emails": [{"value": "ada@example.org", "type": "work", "primary": true}, {"value": "ada@home.example", "type": "home"}],
            "phoneNumbers": [{"value": "+44 1", "type": "work"}], "locale": "en-GB", "timezone": "Europe/London",
            ENTERPRISE: {"employeeNumber": "17", "department": "Sales", "costCenter": "c", "organization": "o", "division": "d"}});
        let made = idp.post("/scim/v2/Users", sent.clone()).expect(201);
        assert_eq!(made.header("content-type"), Some("application/scim+json"));
        let id = made.id();
        assert_eq!(made.header("location"), Some(format!("{BASE}/Users/{id}").as_str()));
        let tag = made.header("etag").unwrap();
        assert!(tag.starts_with("W/\"1-"), "{tag}");
        assert_eq!(made["meta"]["version"], tag);
        assert_eq!((&made["meta"]["resourceType"], &made["meta"]["location"]), (&json!("User"), &json!(format!("{BASE}/Users/{id}"))));
        for (name, value) in sent.as_object().unwrap() {
            assert_eq!(&made[name], value, "{name}");
        }
        assert_eq!(idp.get(&user(&id)).expect(200).json, made.json);
        let mine = app.admin().get(&format!("/v1/users/{id}")).expect(200);
        assert_eq!(mine["email"], "ada@example.org");
        assert_eq!((&mine["given_name"], &mine["external_id"], &mine["employee_number"]), (&json!("Ada"), &json!("00u1"), &json!("17")));
        assert_eq!((&mine["locale"], &mine["time_zone"], &mine["roles"]), (&json!("en-GB"), &json!("Europe/London"), &json!(["learner"])));
        assert_eq!(mine["attributes"], json!({"title": "Countess", "department": "Sales", "cost_center": "c", "organization": "o", "division": "d"}));

        // What is left out of a replacement goes, but the state stays.
        let replaced = idp.put(&user(&id), person("ada@example.org", json!({"name": {"givenName": "Augusta", "familyName": "King"}, "emails": [{"value": "ada@example.org"}]}))).expect(200);
        assert_eq!((&replaced["active"], replaced.json.get("title"), replaced.json.get("externalId")), (&json!(true), None, None));
        let mine = app.admin().get(&format!("/v1/users/{id}")).expect(200);
        assert_eq!((&mine["given_name"], &mine["attributes"]), (&json!("Augusta"), &json!({})));

        patch(&idp, &user(&id), json!([{"op": "replace", "path": "active", "value": false}])).expect(200);
        assert_eq!(app.admin().get(&format!("/v1/users/{id}")).expect(200)["state"], "suspended");
        // What changes nothing leaves the version as it is.
        let same = patch(&idp, &user(&id), json!([{"op": "replace", "path": "active", "value": false}])).expect(200);
        assert!(same.header("etag").unwrap().starts_with("W/\"3-"));

        assert!(idp.delete(&user(&id)).expect(204).body.is_empty());
        idp.get(&user(&id)).scim_error(404, None);
        idp.delete(&user(&id)).scim_error(404, None);
        assert_eq!(filtered(&idp, "Users", "userName eq \"ada@example.org\"").expect(200)["totalResults"], 0);
        assert_eq!(app.admin().get(&format!("/v1/users/{id}")).expect(200)["state"], "left");
        assert_eq!(history(app, &id), ["user.created", "user.updated", "user.updated", "user.state_changed", "user.updated", "user.state_changed"]);
    }

    /// The tag covers the groups and the manager's name; names elsewhere are those that their owners show.
    fn what_is_shown_of_others_is_current(app) {
        let idp = provider(app);
        let boss = make(&idp, "boss", json!({"displayName": "The Boss", "name": {"givenName": "Bo"}}));
        let plain = make(&idp, "plain", json!({"name": {"givenName": "Pia"}}));
        let ada = make(&idp, "ada", json!({ENTERPRISE: {"manager": {"value": boss}}}));
        // The manager's name is shown to those who ask for it.
        let asked = format!("{}?attributes=groups,{ENTERPRISE}:manager.displayName", user(&ada));
        let read = |tag: &str| idp.call("GET", &asked, None, &[("if-none-match", tag)]);
        let mut tag = idp.get(&user(&ada)).expect(200).header("etag").unwrap().to_owned();
        read(&tag).expect(304);
        let without = idp.get(&format!("{}?attributes=userName", user(&ada))).expect(200);
        assert_eq!((without.header("etag"), without.json.get("groups")), (Some(tag.as_str()), None));
        let team = make_group(&idp, "Team", &[&ada, &boss, &plain]);
        let mut changed = |what: &str| {
            let seen = read(&tag).expect(200);
            let new = seen.header("etag").unwrap().to_owned();
            idp.call("DELETE", &user(&ada), None, &[("if-match", &tag)]).scim_error(412, None);
            read(&new).expect(304);
            tag = new;
            assert!(seen.text().contains(what), "{what} in {}", seen.text());
        };
        changed("Team");
        patch(&idp, &group(&team), json!([{"op": "replace", "path": "displayName", "value": "Renamed"}])).ok();
        changed("Renamed");
        patch(&idp, &user(&boss), json!([{"op": "replace", "path": "displayName", "value": "Chief"}])).expect(200);
        changed("\"displayName\":\"Chief\"");
        let shown = idp.get(&format!("{}?attributes=members.display", group(&team))).expect(200);
        let mut names: Vec<&str> = shown["members"].as_array().unwrap().iter().map(|m| m["display"].as_str().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["Chief", "Pia", "ada"]);
    }

    fn values_that_cairn_cannot_keep_are_refused(app) {
        let idp = provider(app);
        for more in [json!({"displayName": "A\u{7}"}), json!({"name": {"familyName": "B\u{7}"}})] {
            idp.post("/scim/v2/Users", person("odd", more)).scim_error(400, Some("invalidValue"));
        }
        // What it cannot use, it shows as it came.
        for (name, locale, zone) in [("fine", "en_US", "Europe/Paris"), ("odd", "not a language", "Mid Earth")] {
            let made = idp.post("/scim/v2/Users", person(name, json!({"locale": locale, "timezone": zone}))).expect(201);
            assert_eq!((&made["locale"], &made["timezone"]), (&json!(locale), &json!(zone)));
        }
    }

    /// Whoever came in otherwise is there too, and what is changed on one side shows on the other.
    fn both_sides_are_of_one_person(app) {
        let idp = provider(app);
        let bea = app.user_with("bea", json!({"given_name": "Bea", "locale": "fr", "attributes": {"department": "Law", "floors": [1, 2]}}));
        let seen = idp.get(&user(bea.id())).expect(200);
        assert_eq!((&seen["userName"], &seen["name"]["givenName"], &seen["displayName"]), (&seen["emails"][0]["value"], &json!("Bea"), &json!("Bea Example")));
        assert_eq!((&seen["locale"], &seen["active"], &seen[ENTERPRISE]["department"]), (&json!("fr"), &json!(true), &json!("Law")));
        patch(&idp, &user(bea.id()), json!([{"op": "add", "value": {"nickName": "B", format!("{ENTERPRISE}:department"): "Tax"}}])).expect(200);
        let mine = app.admin().get(&format!("/v1/users/{}", bea.id())).expect(200);
        assert_eq!(mine["attributes"], json!({"department": "Tax", "floors": [1, 2]}));
        app.admin().patch(&format!("/v1/users/{}", bea.id()), json!({"email": "new@example.org", "given_name": "Beatrice", "state": "suspended"})).expect(200);
        let seen = idp.get(&user(bea.id())).expect(200);
        assert_eq!((&seen["emails"][0]["value"], &seen["name"]["givenName"], &seen["active"], &seen["nickName"]), (&json!("new@example.org"), &json!("Beatrice"), &json!(false), &json!("B")));
        // No e-mail and no names are needed; log-in over /v1 then has none.
        let bare = make(&idp, "bare", json!({}));
        assert_eq!(idp.get(&user(&bare)).expect(200).json.get("emails"), None);
        assert_eq!(app.admin().get(&format!("/v1/users/{bare}")).expect(200)["email"], format!("{bare}@no-mail.invalid"));
    }

    fn nobody_has_what_another_has(app) {
        let idp = provider(app);
        let more = json!({"externalId": "x-1", "emails": [{"value": "one@example.org"}], ENTERPRISE: {"employeeNumber": "n-1"}});
        make(&idp, "one", more);
        for (name, more) in [
            ("ONE", json!({})), ("two", json!({"externalId": "x-1"})), ("two", json!({"emails": [{"value": "One@example.org"}]})),
            ("two", json!({ENTERPRISE: {"employeeNumber": "n-1"}})), ("one@example.org", json!({})),
        ] {
            idp.post("/scim/v2/Users", person(name, more.clone())).scim_error(409, Some("uniqueness"));
        }
        let two = make(&idp, "two", json!({}));
        for (path, value) in [("userName", "One"), ("externalId", "x-1"), ("emails[type eq \"work\"].value", "one@EXAMPLE.org")] {
            patch(&idp, &user(&two), json!([{"op": "add", "path": path, "value": value}])).scim_error(409, Some("uniqueness"));
        }
        // A user of /v1 goes by the e-mail.
        let eve = app.user("eve");
        let email = app.admin().get(&format!("/v1/users/{}", eve.id())).expect(200)["email"].as_str().unwrap().to_owned();
        idp.post("/scim/v2/Users", person(&email, json!({}))).scim_error(409, Some("uniqueness"));
        // And the other way round.
        make(&idp, "name@example.org", json!({"emails": [{"value": "other@example.org"}]}));
        let taken = json!({"email": "Name@example.org", "given_name": "N", "family_name": "N"});
        app.admin().post("/v1/users", taken.clone()).problem(409, "conflict");
        app.admin().patch(&format!("/v1/users/{}", eve.id()), json!({"email": "name@example.org"})).problem(409, "conflict");
    }

    /// Of those who make the same user at once, one does.
    fn at_once(app) {
        let idp = provider(app);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let one = |n: usize| {
                let idp = idp.clone();
                scope.spawn(move || idp.post("/scim/v2/Users", person("ada", json!({"emails": [{"value": format!("{n}@example.org")}]}))).status)
            };
            let all: Vec<_> = (0..8).map(one).collect();
            all.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|s| **s == 201).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|s| **s == 409).count(), 7, "{statuses:?}");
        assert_eq!(filtered(&idp, "Users", "userName eq \"ada\"").expect(200)["totalResults"], 1);
    }

    fn wrong_input_is_named(app) {
        let idp = provider(app);
        for (body, keyword) in [
            (json!({"userName": "x"}), "invalidSyntax"),
            (json!({"schemas": [USER]}), "invalidValue"),
            (json!({"schemas": ["urn:x"], "userName": "x"}), "invalidSyntax"),
            (person("x", json!({"shoeSize": 44})), "invalidSyntax"),
            (person("x", json!({"active": "maybe"})), "invalidSyntax"),
            (person("x", json!({"emails": [{"value": "no address"}]})), "invalidValue"),
            (person("x", json!({"emails": [{"value": "a@b", "primary": true}, {"value": "c@d", "primary": true}]})), "invalidSyntax"),
            (person("x", json!({"password": "short"})), "invalidValue"),
            (person(&"x".repeat(255), json!({})), "invalidValue"),
            (person("x", json!({"externalId": "x".repeat(201)})), "invalidValue"),
            (person("x", json!({"title": "a\u{0}b"})), "invalidValue"),
            (person("x", json!({"photos": vec![json!({"value": format!("https://x/{}", "y".repeat(1_000))}); 70]})), "invalidValue"),
            (person("x", json!({"title": "x".repeat(2_001)})), "invalidSyntax"),
            (person("x", json!({ENTERPRISE: {"manager": {"value": "nobody"}}})), "invalidValue"),
            (person("x", json!({ENTERPRISE: {"manager": {"value": "0199c0de-0000-7000-8000-000000000001"}}})), "invalidValue"),
        ] {
            let answer = idp.post("/scim/v2/Users", body.clone());
            assert_eq!((answer.status, answer["scimType"].as_str()), (400, Some(keyword)), "{body}: {}", answer.text());
            answer.scim_error(400, Some(keyword));
        }
        let id = make(&idp, "x", json!({}));
        for (operations, keyword) in [
            (json!([{"op": "replace", "path": "id", "value": "1"}]), "mutability"),
            (json!([{"op": "remove", "path": "userName"}]), "mutability"),
            (json!([{"op": "replace", "path": "groups", "value": []}]), "mutability"),
            (json!([{"op": "remove"}]), "noTarget"),
            (json!([{"op": "remove", "path": "emails[type eq \"work\"]"}]), "noTarget"),
            (json!([{"op": "replace", "path": "emails[", "value": 1}]), "invalidPath"),
            (json!([{"op": "replace", "path": "shoeSize", "value": 1}]), "invalidPath"),
            (json!([{"op": "replace", "path": "emails[type xx 1]", "value": 1}]), "invalidFilter"),
            (json!([{"op": "replace", "path": "active", "value": "maybe"}]), "invalidValue"),
            (json!([{"op": "move", "path": "active"}]), "invalidSyntax"),
            (json!([]), "invalidSyntax"),
            (json!([{"op": "replace", "path": "title", "value": "a"}, {"op": "replace", "path": "password", "value": "short"}]), "invalidValue"),
        ] {
            let answer = patch(&idp, &user(&id), operations.clone());
            assert_eq!((answer.status, answer["scimType"].as_str()), (400, Some(keyword)), "{operations}: {}", answer.text());
        }
        let version = idp.get(&user(&id)).expect(200)["meta"]["version"].clone();
        assert!(version.as_str().unwrap().starts_with("W/\"1-"), "{version}");
        // Names in any case, and what is read-only is ignored.
        let odd = json!({"Schemas": [USER], "USERNAME": "odd", "Active": "True", "id": "mine", "meta": {"x": 1}, "groups": []});
        assert_eq!(idp.post("/scim/v2/Users", odd).expect(201)["active"], true);
    }

    /// Suspending ends the sessions at once; the courses of the person's groups wait for them.
    fn whoever_is_suspended_is_out_at_once(app) {
        let idp = provider(app);
        let ada = app.user("ada");
        ada.get("/v1/me").expect(200);
        patch(&idp, &user(ada.id()), json!([{"op": "Replace", "path": "active", "value": "False"}])).expect(200);
        ada.get("/v1/me").problem(401, "unauthenticated");
        patch(&idp, &user(ada.id()), json!([{"op": "Replace", "path": "active", "value": "True"}])).expect(200);
        ada.get("/v1/me").problem(401, "unauthenticated");
        app.acting_as(ada.id()).get("/v1/me").expect(200);
        // Being left out of a replacement brings nobody back.
        patch(&idp, &user(ada.id()), json!([{"op": "replace", "value": {"active": false}}])).expect(200);
        assert_eq!(idp.put(&user(ada.id()), person("ada-again", json!({}))).expect(200)["active"], false);
    }

    fn passwords_are_set_and_never_shown(app) {
        let idp = provider(app);
        let made = idp.post("/scim/v2/Users", person("ada@example.org", json!({"password": "a-long-first-one"}))).expect(201);
        assert!(!made.text().contains("a-long-first-one") && made.json.get("password").is_none());
        let id = made.id();
        let log_in = |password: &str| app.anyone().post("/v1/sessions", json!({"email": "ada@example.org", "password": password})).status;
        assert_eq!(log_in("a-long-first-one"), 201);
        let changed = patch(&idp, &user(&id), json!([{"op": "replace", "path": "password", "value": "a-long-second-one"}])).expect(200);
        assert!(!changed.text().contains("second"));
        assert_eq!((log_in("a-long-first-one"), log_in("a-long-second-one")), (401, 201));
        idp.put(&user(&id), person("ada@example.org", json!({}))).expect(200);
        assert_eq!(log_in("a-long-second-one"), 201);
        patch(&idp, &user(&id), json!([{"op": "remove", "path": "password"}])).expect(200);
        assert_eq!(log_in("a-long-second-one"), 401);
    }

    fn managers(app) {
        let idp = provider(app);
        let boss = make(&idp, "boss", json!({"displayName": "The Boss"}));
        let ada = make(&idp, "ada", json!({ENTERPRISE: {"manager": {"value": boss}}}));
        let seen = idp.get(&user(&ada)).expect(200);
        assert_eq!(seen[ENTERPRISE]["manager"], json!({"value": boss, "$ref": format!("{BASE}/Users/{boss}")}));
        let named = idp.get(&format!("{}?attributes={ENTERPRISE}:manager.displayName", user(&ada))).expect(200);
        assert_eq!(named[ENTERPRISE]["manager"], json!({"displayName": "The Boss"}));
        patch(&idp, &user(&boss), json!([{"op": "add", "path": format!("{ENTERPRISE}:manager"), "value": ada}])).scim_error(400, Some("invalidValue"));
        let other = make(&idp, "other", json!({}));
        patch(&idp, &user(&ada), json!([{"op": "replace", "path": format!("{ENTERPRISE}:manager.$ref"), "value": format!("../Users/{other}")}])).expect(200);
        assert_eq!(app.admin().get(&format!("/v1/users/{ada}")).expect(200)["manager_id"], other);
        patch(&idp, &user(&ada), json!([{"op": "remove", "path": format!("{ENTERPRISE}:manager")}])).expect(200);
        assert_eq!(app.admin().get(&format!("/v1/users/{ada}")).expect(200)["manager_id"], json!(null));
    }

    /// Made again with the same external id or name, a user who left is the same one, with groups and learning; courses come back.
    fn whoever_comes_back_is_the_same_person(app) {
        let idp = provider(app);
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![article("a"), article("b")])]}));
        let ada = make(&idp, "ada@example.org", json!({"externalId": "hr-1"}));
        let crew = make_group(&idp, "Crew", &[&ada]);
        let learner = app.acting_as(&ada);
        let enrollment = learner.enroll(&course);
        learner.open(&enrollment, "a").expect(200);
        idp.delete(&user(&ada)).expect(204);
        learner.get("/v1/me").problem(401, "unauthenticated");
        assert_eq!(idp.get(&group(&crew)).expect(200).json.get("members"), None);

        let back = idp.post("/scim/v2/Users", person("augusta@example.org", json!({"externalId": "hr-1", "displayName": "Augusta King"}))).expect(201);
        assert_eq!((back.id(), &back["userName"], &back["active"]), (ada.clone(), &json!("augusta@example.org"), &json!(true)));
        assert_eq!(idp.get(&group(&crew)).expect(200)["members"][0]["value"], ada);
        let again = app.acting_as(&ada);
        assert_eq!(again.states(&enrollment)["a"], "completed");

        // By name too, when the external ids do not speak against it.
        idp.delete(&user(&ada)).expect(204);
        idp.post("/scim/v2/Users", person("augusta@example.org", json!({"externalId": "hr-2"}))).scim_error(409, Some("uniqueness"));
        assert_eq!(idp.post("/scim/v2/Users", person("Augusta@example.org", json!({}))).expect(201).id(), ada);
        // Whoever left by another way comes back by this one.
        app.admin().patch(&format!("/v1/users/{ada}"), json!({"state": "left"})).expect(200);
        idp.get(&user(&ada)).scim_error(404, None);
        assert_eq!(make(&idp, "augusta@example.org", json!({})), ada);
    }

    /// A machine changes no admin, in whatever way it tries.
    fn machines_leave_admins_alone(app) {
        let idp = provider(app);
        let admin = app.admin();
        let before = admin.get("/v1/me").expect(200);
        let email = before["email"].as_str().unwrap();
        let at = user(admin.id());
        idp.get(&at).expect(200);
        idp.put(&at, person("mine", json!({"emails": [{"value": "mine@example.org"}]}))).scim_error(403, None);
        patch(&idp, &at, json!([{"op": "replace", "path": "emails", "value": [{"value": "mine@example.org"}]}])).scim_error(403, None);
        patch(&idp, &at, json!([{"op": "replace", "path": "password", "value": "a-new-password"}])).scim_error(403, None);
        idp.delete(&at).scim_error(403, None);
        idp.post("/scim/v2/Users", person(email, json!({}))).scim_error(409, Some("uniqueness"));
        assert_eq!(admin.get("/v1/me").expect(200).json, before.json);
        // Nor one who left, nor one of a unit.
        let old = app.user_with("old", json!({"roles": ["admin"], "external_id": "old-1"}));
        admin.patch(&format!("/v1/users/{}", old.id()), json!({"state": "left"})).expect(200);
        idp.post("/scim/v2/Users", person("old", json!({"externalId": "old-1", "password": "a-new-password"}))).scim_error(403, None);
        let unit = admin.post("/v1/groups", json!({"name": "Acme", "kind": "unit"})).expect(201).id();
        let boss = app.user("boss");
        admin.post(&format!("/v1/users/{}/roles", boss.id()), json!({"role": "admin", "scope": {"kind": "unit", "id": unit}})).expect(201);
        idp.delete(&user(boss.id())).scim_error(403, None);
        // An admin does.
        admin.delete(&user(boss.id())).expect(204);
    }

    fn versions_guard_changes_and_save_transfers(app) {
        let idp = provider(app);
        let id = make(&idp, "ada", json!({}));
        let at = user(&id);
        let tag = idp.get(&at).expect(200).header("etag").unwrap().to_owned();
        for known in [tag.as_str(), tag.trim_start_matches("W/"), &format!("\"7\", {tag}"), "*"] {
            assert!(idp.call("GET", &at, None, &[("if-none-match", known)]).expect(304).body.is_empty());
        }
        let operations = |value: &str| json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "replace", "path": "title", "value": value}]});
        idp.call("PATCH", &at, Some(operations("a")), &[("if-match", &tag)]).expect(200);
        let refused = idp.call("PATCH", &at, Some(operations("b")), &[("if-match", &tag)]).scim_error(412, None);
        let now = refused.header("etag").unwrap().to_owned();
        assert!(now.starts_with("W/\"2-"), "{now}");
        idp.call("PUT", &at, Some(person("ada", json!({}))), &[("if-match", &tag)]).scim_error(412, None);
        idp.call("DELETE", &at, None, &[("if-match", &tag)]).scim_error(412, None);
        idp.call("GET", &at, None, &[("if-none-match", &tag)]).expect(200);
        idp.call("DELETE", &at, None, &[("if-match", &now)]).expect(204);
    }

    fn a_retry_gets_the_first_answer(app) {
        let idp = provider(app);
        let key = [("idempotency-key", "k1"), ("content-type", "application/scim+json")];
        let first = idp.call("POST", "/scim/v2/Users", Some(person("ada", json!({}))), &key).expect(201);
        let again = idp.call("POST", "/scim/v2/Users", Some(person("ada", json!({}))), &key).expect(201);
        assert_eq!((first.json.clone(), again.header("content-type"), again.header("idempotency-replayed")), (again.json.clone(), Some("application/scim+json"), Some("true")));
        idp.call("POST", "/scim/v2/Users", Some(person("bea", json!({}))), &key).scim_error(400, Some("invalidValue"));
    }

    fn projections(app) {
        let idp = provider(app);
        let id = make(&idp, "ada", json!({"displayName": "Ada", "name": {"givenName": "A", "familyName": "L"}, ENTERPRISE: {"department": "Law"}}));
        let shown = |query: &str| {
            let mut answer = idp.get(&format!("{}?{query}", user(&id))).expect(200).json;
            for always in ["schemas", "id"] {
                assert!(answer.as_object_mut().unwrap().remove(always).is_some(), "{always}");
            }
            answer
        };
        assert_eq!(shown("attributes=userName"), json!({"userName": "ada"}));
        assert_eq!(shown("attributes=name.givenName,USERNAME"), json!({"userName": "ada", "name": {"givenName": "A"}}));
        assert_eq!(shown(&format!("attributes={ENTERPRISE}:department")), json!({ENTERPRISE: {"department": "Law"}}));
        assert_eq!(shown("excludedAttributes=meta,name,active,displayName,id"), json!({"userName": "ada", ENTERPRISE: {"department": "Law"}}));
        idp.get(&format!("{}?attributes=userName&excludedAttributes=name", user(&id))).scim_error(400, Some("invalidValue"));
        idp.get(&format!("{}?colour=red", user(&id))).scim_error(400, Some("invalidValue"));
        let made = idp.post("/scim/v2/Users?attributes=userName", person("bea", json!({"displayName": "B"}))).expect(201);
        assert_eq!((made["userName"].as_str(), made.json.get("displayName")), (Some("bea"), None));
    }

    /// Erasing a person takes away what SCIM alone knew too.
    fn erasure_reaches_what_scim_knows(app) {
        let idp = provider(app);
        let id = make(&idp, "ada", json!({"emails": [{"value": "ada@example.org"}, {"value": "secret@home.example"}], "nickName": "Addy"}));
        let export = app.admin().get(&format!("/v1/users/{id}/export")).expect(200);
        assert!(export.text().contains("secret@home.example") && export.text().contains("Addy"));
        app.admin().post(&format!("/v1/users/{id}/erase"), json!({"confirm": id})).expect(200);
        let export = app.admin().get(&format!("/v1/users/{id}/export")).expect(200);
        assert!(!export.text().contains("secret@home.example") && !export.text().contains("Addy"), "{}", export.text());
        assert_ne!(make(&idp, "ada", json!({})), id);
    }
}
