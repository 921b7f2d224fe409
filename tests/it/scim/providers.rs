//! What Okta and Microsoft Entra send, in the order in which they send it.

use super::{ENTERPRISE, GROUP, USER, escaped, filtered, group, make, patch, provider, user};
use crate::support::json;

both! {
    /// Entra writes a work address to those who have none; a type that no schema knows is an error.
    fn a_filter_that_fits_nothing(app) {
        let idp = provider(app);
        let id = make(&idp, "ada", json!({"displayName": "Ada"}));
        for (op, kind) in [("Add", "work"), ("Replace", "home")] {
            let path = format!("emails[type eq \"{kind}\"].value");
            let done = patch(&idp, &user(&id), json!([{"op": op, "path": path, "value": format!("{kind}@example.org")}])).expect(200);
            assert!(done["emails"].as_array().unwrap().contains(&json!({"type": kind, "value": format!("{kind}@example.org")})), "{}", done.text());
        }
        for op in ["add", "replace", "remove"] {
            let fax = json!([{"op": op, "path": "emails[type eq \"fax\"].value", "value": "fax@example.org"}]);
            patch(&idp, &user(&id), fax).scim_error(400, Some("noTarget"));
        }
        patch(&idp, &user(&id), json!([{"op": "replace", "path": "emails[value eq \"none@example.org\"].type", "value": "home"}])).scim_error(400, Some("noTarget"));
        assert_eq!(idp.get(&user(&id)).expect(200)["emails"].as_array().unwrap().len(), 2);
    }

    /// Okta looks whether there is such a user, makes them, updates by PUT and by PATCH without a path, pushes groups, and
    /// deactivates instead of deleting.
    fn okta(app) {
        let idp = provider(app);
        let look = idp.get(&format!("/scim/v2/Users?filter={}&startIndex=1&count=100", escaped("userName eq \"ada@example.org\""))).expect(200);
        assert_eq!((&look["totalResults"], &look["Resources"]), (&json!(0), &json!([])));
        let sent = json!({"schemas": [USER], "userName": "ada@example.org", "name": {"givenName": "Ada", "familyName": "Lovelace"},
            "emails": [{"primary": true, "value": "ada@example.org", "type": "work"}], "displayName": "Ada Lovelace", "locale": "en-US",
            "externalId": "00ujl29u0le5T6Aj10h7", "groups": [], "password": "1mz050nq-long", "active": true});
        let ada = idp.post("/scim/v2/Users", sent.clone()).expect(201).id();
        let full = idp.get(&user(&ada)).expect(200);
        let mut update = full.json.clone();
        update["name"]["familyName"] = json!("King");
        update["title"] = json!("Countess");
        let updated = idp.put(&user(&ada), update).expect(200);
        assert_eq!((&updated["name"]["familyName"], &updated["title"], &updated["meta"]["created"]), (&json!("King"), &json!("Countess"), &full["meta"]["created"]));

        let made = idp.post("/scim/v2/Groups", json!({"schemas": [GROUP], "displayName": "Test SCIMv2", "members": []})).expect(201).id();
        // The id goes along with the new name.
        patch(&idp, &group(&made), json!([{"op": "replace", "value": {"id": made, "displayName": "Renamed SCIMv2"}}])).expect(200);
        let filled = patch(&idp, &group(&made), json!([
            {"op": "add", "path": "members", "value": [{"value": ada, "display": "ada@example.org"}]},
        ])).expect(200);
        assert_eq!((&filled["displayName"], &filled["members"][0]["value"]), (&json!("Renamed SCIMv2"), &json!(ada)));
        assert_eq!(filtered(&idp, "Groups", "displayName eq \"Renamed SCIMv2\"").expect(200)["Resources"][0]["id"], made);
        let emptied = patch(&idp, &group(&made), json!([{"op": "remove", "path": format!("members[value eq \"{ada}\"]")}])).expect(200);
        assert!(emptied.json.get("members").is_none());

        let gone = patch(&idp, &user(&ada), json!([{"op": "replace", "value": {"active": false}}])).expect(200);
        assert_eq!(gone["active"], false);
        assert_eq!(app.admin().get(&format!("/v1/users/{ada}")).expect(200)["state"], "suspended");
        // Deactivated, the user is still found, and activated again.
        assert_eq!(filtered(&idp, "Users", "userName eq \"ada@example.org\"").expect(200)["totalResults"], 1);
        assert_eq!(patch(&idp, &user(&ada), json!([{"op": "replace", "value": {"active": true}}])).expect(200)["active"], true);
        idp.delete(&group(&made)).expect(204);
    }

    /// Entra writes its operations with a capital, booleans as text, the manager as a bare id, and paths with filters for values
    /// that are not there yet; it leaves members out when it looks at groups, and deletes users softly first.
    fn entra(app) {
        let idp = provider(app);
        // The test of the connection asks for somebody who is not there.
        let probe = idp.get(&format!("/scim/v2/Users?filter={}", escaped("userName eq \"f9b1e4d2-1f6a-4b8f-8c7e-non-existent\""))).expect(200);
        assert_eq!((&probe["totalResults"], &probe["schemas"]), (&json!(0), &json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"])));
        let boss = idp.post("/scim/v2/Users?aadOptscim062020", json!({"schemas": [USER], "userName": "boss@example.org", "active": true})).expect(201).id();
        let ada = idp.post("/scim/v2/Users", json!({
            "schemas": [USER, ENTERPRISE], "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef", "userName": "ada@example.org", "active": true,
            "addresses": null, "displayName": "Ada", "emails": [{"type": "work", "value": "ada@example.org", "primary": true}],
            "meta": {"resourceType": "User"}, "name": {"familyName": "Lovelace", "givenName": "Ada"}, "phoneNumbers": null, "roles": [],
            "title": null, ENTERPRISE: {"department": null, "manager": null},
        })).expect(201).id();
        assert_eq!(filtered(&idp, "Users", "externalId eq \"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef\"").expect(200)["Resources"][0]["id"], ada);
        let changed = patch(&idp, &user(&ada), json!([
            {"op": "Replace", "path": "displayName", "value": "Ada K."},
            {"op": "Add", "path": "title", "value": "Countess"},
            {"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+44 20"},
            {"op": "Add", "path": "phoneNumbers[type eq \"work\"].value", "value": "+44 21"},
            {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "ada.king@example.org"},
            {"op": "Add", "path": "addresses[type eq \"work\"].locality", "value": "London"},
            {"op": "Add", "path": format!("{ENTERPRISE}:department"), "value": "Engines"},
            {"op": "Add", "path": format!("{ENTERPRISE}:manager"), "value": boss},
            {"op": "Add", "path": format!("{ENTERPRISE}:employeeNumber"), "value": "701984"},
        ])).expect(200);
        assert_eq!(changed["phoneNumbers"], json!([{"type": "mobile", "value": "+44 20"}, {"type": "work", "value": "+44 21"}]));
        assert_eq!(changed["addresses"], json!([{"type": "work", "locality": "London"}]));
        assert_eq!((&changed[ENTERPRISE]["manager"]["value"], &changed[ENTERPRISE]["department"]), (&json!(boss), &json!("Engines")));
        let mine = app.admin().get(&format!("/v1/users/{ada}")).expect(200);
        assert_eq!((&mine["email"], &mine["manager_id"]), (&json!("ada.king@example.org"), &json!(boss)));
        let by_mail = filtered(&idp, "Users", "emails[type eq \"work\"].value eq \"Ada.King@example.org\"").expect(200);
        assert_eq!((&by_mail["totalResults"], &by_mail["Resources"][0]["id"]), (&json!(1), &json!(ada)));
        // What is no list comes as the one element of one; the manager without the extension's name.
        patch(&idp, &user(&ada), json!([{"op": "Remove", "path": "manager"}, {"op": "Replace", "path": "displayName", "value": [{"$ref": null, "value": "Eve"}]}])).expect(200);
        for path in [format!("{ENTERPRISE}:manager"), "manager".into()] {
            let changed = patch(&idp, &user(&ada), json!([{"op": "Add", "path": path, "value": [{"$ref": format!("../Users/{boss}"), "value": boss}]}])).expect(200);
            assert_eq!((&changed[ENTERPRISE]["manager"]["value"], &changed["displayName"]), (&json!(boss), &json!("Eve")));
            patch(&idp, &user(&ada), json!([{"op": "Remove", "path": "manager"}])).expect(200);
        }
        let secret = patch(&idp, &user(&ada), json!([{"op": "Replace", "path": "password", "value": [{"value": "correct-horse-9"}]}])).expect(200);
        assert!(!secret.text().contains("correct-horse"));
        let email = app.admin().get(&format!("/v1/users/{ada}")).expect(200)["email"].as_str().unwrap().to_owned();
        app.anyone().login(&email, "correct-horse-9");
        patch(&idp, &user(&ada), json!([{"op": "Add", "path": "manager", "value": boss}])).expect(200);
        // Without a path, the keys of the value are paths.
        let flat = patch(&idp, &user(&ada), json!([{"op": "replace", "value": {
            "displayName": "Ada", "name.givenName": "Augusta", "emails[type eq \"work\"].value": "augusta@example.org", format!("{ENTERPRISE}:department"): "Looms",
        }}])).expect(200);
        assert_eq!((&flat["name"]["givenName"], &flat["emails"][0]["value"], &flat[ENTERPRISE]["department"]), (&json!("Augusta"), &json!("augusta@example.org"), &json!("Looms")));
        patch(&idp, &user(&ada), json!([{"op": "Remove", "path": format!("{ENTERPRISE}:manager")}, {"op": "Remove", "path": "phoneNumbers[type eq \"mobile\"].value"}])).expect(200);

        let adscim = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";
        let sent = json!({"schemas": [GROUP, adscim], "externalId": "8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159", "displayName": "Crew", "meta": {"resourceType": "Group"}});
        let crew = idp.post("/scim/v2/Groups", sent).expect(201).id();
        let seen = idp.get(&format!("/scim/v2/Groups?excludedAttributes=members&filter={}", escaped("displayName eq \"Crew\""))).expect(200);
        assert_eq!(seen["Resources"][0]["id"], crew);
        patch(&idp, &group(&crew), json!([{"op": "Add", "path": "members", "value": [{"$ref": null, "value": ada}]}])).expect(200);
        let is_in = escaped(&format!("id eq \"{crew}\" and members eq \"{ada}\""));
        assert_eq!(idp.get(&format!("/scim/v2/Groups?filter={is_in}&attributes=id")).expect(200)["totalResults"], 1);
        patch(&idp, &group(&crew), json!([{"op": "Remove", "path": "members", "value": [{"$ref": null, "value": ada}]}])).expect(200);
        assert_eq!(idp.get(&format!("/scim/v2/Groups?filter={is_in}")).expect(200)["totalResults"], 0);

        patch(&idp, &user(&ada), json!([{"op": "Replace", "path": "active", "value": "False"}])).expect(200);
        assert_eq!(idp.get(&user(&ada)).expect(200)["active"], false);
        idp.delete(&user(&ada)).expect(204);
        idp.get(&user(&ada)).scim_error(404, None);
    }
}
