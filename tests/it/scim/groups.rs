//! Groups over SCIM and what follows from their members.

use super::{BASE, ENTERPRISE, GROUP, filtered, group, history, make, make_group, patch, provider, user};
use crate::support::factory::{article, learners, sequence};
use crate::support::{Value, json};

fn members(answer: &crate::support::Answer) -> Vec<String> {
    let mut all: Vec<String> = answer["members"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|member| member["value"].as_str().unwrap().to_owned())
        .collect();
    all.sort();
    all
}

/// These, in the order in which they are compared.
fn sorted(ids: &[&String]) -> Vec<String> {
    let mut all: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    all.sort();
    all
}

both! {
    fn a_group_and_its_members(app) {
        let idp = provider(app);
        let (ada, bea, cid) = (make(&idp, "ada", json!({"displayName": "Ada"})), make(&idp, "bea", json!({})), make(&idp, "cid", json!({})));
        let sent = json!({"schemas": [GROUP], "displayName": "Crew", "externalId": "g-1", "members": [{"value": ada, "type": "User"}, {"$ref": format!("{BASE}/Users/{bea}")}]});
        let made = idp.post("/scim/v2/Groups", sent).expect(201);
        let id = made.id();
        assert_eq!(made.header("location"), Some(format!("{BASE}/Groups/{id}").as_str()));
        assert_eq!((&made["displayName"], &made["externalId"], members(&made)), (&json!("Crew"), &json!("g-1"), sorted(&[&ada, &bea])));
        let first = made["members"].as_array().unwrap().iter().find(|member| member["value"] == ada).unwrap();
        assert_eq!(first, &json!({"value": ada, "$ref": format!("{BASE}/Users/{ada}"), "type": "User"}));
        let named = idp.get(&format!("{}?attributes=members.display", group(&id))).expect(200);
        assert!(named["members"].as_array().unwrap().contains(&json!({"display": "Ada"})));
        assert_eq!(app.admin().get(&format!("/v1/groups/{id}")).expect(200)["kind"], "static");
        assert_eq!(idp.get(&user(&ada)).expect(200)["groups"], json!([{"value": id, "$ref": format!("{BASE}/Groups/{id}"), "display": "Crew", "type": "direct"}]));

        patch(&idp, &group(&id), json!([{"op": "add", "path": "members", "value": [{"value": cid}, {"value": ada}]}])).expect(200);
        assert_eq!(members(&patch(&idp, &group(&id), json!([{"op": "remove", "path": format!("members[value eq \"{ada}\"]")}])).expect(200)), sorted(&[&bea, &cid]));
        // Removing who is not in changes nothing.
        patch(&idp, &group(&id), json!([{"op": "Remove", "path": "members", "value": [{"value": ada}]}])).expect(200);
        let both = patch(&idp, &group(&id), json!([{"op": "replace", "value": {"displayName": "Night crew", "members": [{"value": ada}, {"value": cid}]}}, {"op": "remove", "path": "externalId"}])).expect(200);
        assert_eq!((members(&both), &both["displayName"], both.json.get("externalId")), (sorted(&[&ada, &cid]), &json!("Night crew"), None));
        assert_eq!(members(&idp.put(&group(&id), json!({"schemas": [GROUP], "displayName": "Night crew", "members": [{"value": bea}]})).expect(200)), [bea.as_str()]);
        assert_eq!(members(&patch(&idp, &group(&id), json!([{"op": "remove", "path": "members"}])).expect(200)), Vec::<String>::new());
        let happened = history(app, &ada);
        assert_eq!(happened.iter().filter(|a| a.starts_with("group.")).collect::<Vec<_>>(), ["group.joined", "group.left", "group.joined", "group.left"]);

        idp.delete(&group(&id)).expect(204);
        idp.get(&group(&id)).scim_error(404, None);
    }

    /// Groups within groups are refused, and told as that.
    fn groups_hold_no_groups(app) {
        let idp = provider(app);
        let (id, inner) = (make_group(&idp, "One", &[]), make_group(&idp, "Two", &[]));
        for member in [json!({"value": inner}), json!({"value": inner, "type": "Group"}), json!({"value": inner, "$ref": format!("{BASE}/Groups/{inner}")})] {
            let body = json!({"schemas": [GROUP], "displayName": "One", "members": [member]});
            let answers = [
                idp.post("/scim/v2/Groups", body.clone()),
                idp.put(&group(&id), body),
                patch(&idp, &group(&id), json!([{"op": "add", "path": "members", "value": [member]}])),
            ];
            for answer in answers {
                assert!(answer["detail"].as_str().unwrap().contains("groups are not kept in groups"), "{}", answer.text());
                answer.scim_error(400, Some("invalidValue"));
            }
        }
    }

    fn wrong_groups_are_refused(app) {
        let idp = provider(app);
        let id = make_group(&idp, "One", &[]);
        let nobody = "0199c0de-0000-7000-8000-000000000001";
        for (body, keyword) in [
            (json!({"schemas": [GROUP]}), "invalidValue"),
            (json!({"schemas": [GROUP], "displayName": " "}), "invalidValue"),
            (json!({"schemas": [GROUP], "displayName": "x".repeat(201)}), "invalidValue"),
            (json!({"schemas": [GROUP], "displayName": "x", "members": [{"value": nobody}]}), "invalidValue"),
            (json!({"schemas": [GROUP], "displayName": "x", "members": [{"value": "me"}]}), "invalidValue"),
            (json!({"schemas": [GROUP], "displayName": "x", "members": [{"value": id, "type": "Group"}]}), "invalidValue"),
            (json!({"schemas": [GROUP], "displayName": "x", "members": [{"type": "User"}]}), "invalidValue"),
            (json!({"schemas": [GROUP], "displayName": "x", "colour": "red"}), "invalidSyntax"),
        ] {
            let answer = idp.post("/scim/v2/Groups", body.clone());
            assert_eq!((answer.status, answer["scimType"].as_str()), (400, Some(keyword)), "{body}: {}", answer.text());
        }
        for (operations, keyword) in [
            (json!([{"op": "add", "path": "members", "value": [{"value": nobody}]}]), "invalidValue"),
            (json!([{"op": "remove", "path": "displayName"}]), "mutability"),
            (json!([{"op": "replace", "path": "members[value eq \"1\"].display", "value": "x"}]), "mutability"),
            (json!([{"op": "remove", "path": "members[display co \"a\"]"}]), "invalidFilter"),
            (json!([{"op": "replace", "path": "displayName", "value": "x".repeat(201)}]), "invalidValue"),
        ] {
            let answer = patch(&idp, &group(&id), operations.clone());
            assert_eq!((answer.status, answer["scimType"].as_str()), (400, Some(keyword)), "{operations}: {}", answer.text());
        }
        idp.post("/scim/v2/Groups", json!({"schemas": [GROUP], "displayName": "Two", "externalId": "e"})).expect(201);
        idp.post("/scim/v2/Groups", json!({"schemas": [GROUP], "displayName": "Three", "externalId": "e"})).scim_error(409, Some("uniqueness"));
        patch(&idp, &group(&id), json!([{"op": "add", "path": "externalId", "value": "e"}])).scim_error(409, Some("uniqueness"));
        assert_eq!(idp.get(&group(&id)).expect(200)["displayName"], "One");
    }

    /// Whoever joins over SCIM gets the group's courses in the same transaction, and whoever leaves is withdrawn.
    fn courses_follow_members(app) {
        let idp = provider(app);
        let course = app.course("linear_autoplay", &json!({"stages": [sequence("s", "linear", vec![article("a")])]}));
        let ada = make(&idp, "ada", json!({}));
        let id = make_group(&idp, "Crew", &[]);
        app.admin().put(&format!("/v1/courses/{course}/group-enrollments/{id}"), json!({"withdraw_on_leave": true})).ok();
        app.work();
        patch(&idp, &group(&id), json!([{"op": "add", "path": "members", "value": [{"value": ada}]}])).expect(200);
        let enrolled = app.admin().all(&format!("/v1/enrollments?user_id={ada}"));
        assert_eq!((enrolled.len(), &enrolled[0]["status"], &enrolled[0]["source"]), (1, &json!("active"), &json!("group")));
        patch(&idp, &group(&id), json!([{"op": "remove", "path": format!("members[value eq \"{ada}\"]")}])).expect(200);
        assert_eq!(app.admin().all(&format!("/v1/enrollments?user_id={ada}"))[0]["status"], "withdrawn");
        // A group with courses stays.
        idp.delete(&group(&id)).scim_error(409, None);
    }

    /// Dynamic groups follow what SCIM writes of the profile, and nobody lists their members.
    fn dynamic_groups_follow_profiles(app) {
        let idp = provider(app);
        let condition = json!({"attribute": {"name": "department", "op": "equals", "value": "Sales"}});
        let id = app.admin().post("/v1/groups", json!({"name": "Sales", "kind": "dynamic", "condition": condition})).expect(201).id();
        let ada = make(&idp, "ada", json!({ENTERPRISE: {"department": "Sales"}}));
        let bea = make(&idp, "bea", json!({}));
        assert_eq!(members(&idp.get(&group(&id)).expect(200)), [ada.as_str()]);
        patch(&idp, &user(&bea), json!([{"op": "add", "path": format!("{}:department", ENTERPRISE), "value": "Sales"}])).expect(200);
        patch(&idp, &user(&ada), json!([{"op": "remove", "path": format!("{}:department", ENTERPRISE)}])).expect(200);
        assert_eq!(members(&idp.get(&group(&id)).expect(200)), [bea.as_str()]);
        for operations in [
            json!([{"op": "add", "path": "members", "value": [{"value": ada}]}]),
            json!([{"op": "remove", "path": format!("members[value eq \"{bea}\"]")}]),
            json!([{"op": "replace", "path": "members", "value": []}]),
        ] {
            patch(&idp, &group(&id), operations).scim_error(400, Some("mutability"));
        }
        idp.put(&group(&id), json!({"schemas": [GROUP], "displayName": "Sellers"})).scim_error(400, Some("mutability"));
        let renamed = idp.put(&group(&id), json!({"schemas": [GROUP], "displayName": "Sellers", "members": [{"value": bea}]})).expect(200);
        assert_eq!(renamed["displayName"], "Sellers");
    }

    /// The tag of a group changes with its members too.
    fn tags_tell_of_members(app) {
        let idp = provider(app);
        let (ada, bea) = (make(&idp, "ada", json!({})), make(&idp, "bea", json!({})));
        let id = make_group(&idp, "Crew", &[&ada]);
        let tag = |expected: &str| {
            let answer = idp.get(&group(&id)).expect(200);
            assert_eq!(answer["meta"]["version"], answer.header("etag").unwrap(), "{expected}");
            answer.header("etag").unwrap().to_owned()
        };
        let first = tag("one member");
        // It is the resource's, whatever of it is shown.
        assert_eq!(idp.get(&format!("{}?excludedAttributes=members", group(&id))).expect(200).header("etag"), Some(first.as_str()));
        patch(&idp, &group(&id), json!([{"op": "add", "path": "members", "value": [{"value": bea}]}])).expect(200);
        let second = tag("two members");
        app.admin().delete(&format!("/v1/groups/{id}/members/{bea}")).expect(204);
        let third = tag("one member again");
        assert_ne!(first, second);
        assert_ne!(second, third);
        let body = json!({"schemas": [GROUP], "displayName": "Crew"});
        idp.call("PUT", &group(&id), Some(body.clone()), &[("if-match", &second)]).scim_error(412, None);
        idp.call("PUT", &group(&id), Some(body), &[("if-match", &third)]).expect(200);
        idp.call("DELETE", &group(&id), None, &[("if-match", &third)]).scim_error(412, None);
    }

    /// Twelve hundred members go in, are shown or not, and go out, with as many statements as pieces.
    fn thousands_of_members(app) {
        let idp = provider(app);
        let people = learners(app, 1_200);
        let all: Vec<Value> = people.iter().map(|one| json!({"value": one.id()})).collect();
        let made = idp.post("/scim/v2/Groups", json!({"schemas": [GROUP], "displayName": "All", "members": all})).expect(201);
        assert_eq!(made["members"].as_array().unwrap().len(), 1_200);
        let id = made.id();
        let (statements, answer) = app.statements(|| idp.get(&format!("{}?excludedAttributes=members", group(&id))).expect(200));
        assert!(answer.json.get("members").is_none() && answer.body.len() < 1_000 && statements <= 4, "{statements}");
        let (statements, _) = app.statements(|| idp.get(&group(&id)).expect(200));
        assert!(statements <= 6, "{statements}");
        let (statements, one) = app.statements(|| patch(&idp, &format!("{}?excludedAttributes=members", group(&id)), json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", people[0].id())}])).expect(200));
        assert!(one.body.len() < 1_000 && statements <= 20, "{statements}");
        let (statements, none) = app.statements(|| idp.put(&group(&id), json!({"schemas": [GROUP], "displayName": "All"})).expect(200));
        assert!(none.json.get("members").is_none() && statements <= 40, "{statements}");
    }

    fn units_and_those_with_groups_below(app) {
        let idp = provider(app);
        let unit = app.admin().post("/v1/groups", json!({"name": "Acme", "kind": "unit"})).expect(201).id();
        app.admin().post("/v1/groups", json!({"name": "Lyon", "kind": "unit", "parent_id": unit})).expect(201);
        assert_eq!(filtered(&idp, "Groups", "displayName eq \"ACME\"").expect(200)["Resources"][0]["id"], unit);
        let ada = make(&idp, "ada", json!({}));
        patch(&idp, &group(&unit), json!([{"op": "add", "path": "members", "value": [{"value": ada}]}])).expect(200);
        assert_eq!(app.admin().all(&format!("/v1/groups/{unit}/members")).len(), 1);
        idp.delete(&group(&unit)).scim_error(409, None);
    }
}
