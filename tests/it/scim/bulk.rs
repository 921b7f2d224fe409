//! Bulk requests.

use super::{BASE, ENTERPRISE, GROUP, USER, filtered, group, make, make_group, person, provider, user};
use crate::support::{Answer, Client, Value, json};

fn bulk(client: &Client, operations: Value, more: Value, headers: &[(&str, &str)]) -> Answer {
    let mut body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    client.call("POST", "/scim/v2/Bulk", Some(body), headers)
}

fn statuses(answer: &Answer) -> Vec<&str> {
    answer["Operations"].as_array().unwrap().iter().map(|o| o["status"].as_str().unwrap()).collect()
}

both! {
    /// Operations refer to what others make, wherever those stand; the answer is in the order of the request.
    fn references_in_any_order(app) {
        let idp = provider(app);
        let done = bulk(&idp, json!([
            {"method": "POST", "path": "/Groups", "bulkId": "crew", "data": {"schemas": [GROUP], "displayName": "Crew", "members": [{"value": "bulkId:ada"}, {"value": "bulkId:bea"}]}},
            {"method": "PATCH", "path": "/Users/bulkId:ada", "data": {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [{"op": "add", "path": "title", "value": "Boss"}]}},
            {"method": "post", "path": "/Users", "bulkId": "bea", "data": person("bea", json!({ENTERPRISE: {"manager": {"value": "bulkId:ada"}}}))},
            {"method": "POST", "path": "/Users", "bulkId": "ada", "data": person("ada", json!({}))},
        ]), json!({}), &[]).expect(200);
        assert_eq!(done["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]));
        assert_eq!(statuses(&done), ["201", "200", "201", "201"]);
        let all = done["Operations"].as_array().unwrap();
        assert_eq!((&all[0]["bulkId"], &all[0]["method"], all[1].get("bulkId")), (&json!("crew"), &json!("POST"), None));
        let id = |n: usize| all[n]["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        assert_eq!(all[3]["location"], format!("{BASE}/Users/{}", id(3)));
        assert_eq!(all[1]["location"], all[3]["location"]);
        assert!(all[1]["version"].as_str().unwrap().starts_with("W/\"2-"));
        assert_eq!(idp.get(&user(&id(2))).expect(200)[ENTERPRISE]["manager"]["value"], id(3));
        assert_eq!(idp.get(&group(&id(0))).expect(200)["members"].as_array().unwrap().len(), 2);
    }

    /// Also in the filter of a path.
    fn references_in_paths(app) {
        let idp = provider(app);
        let done = bulk(&idp, json!([
            {"method": "POST", "path": "/Users", "bulkId": "u1", "data": person("one", json!({}))},
            {"method": "POST", "path": "/Users", "bulkId": "u2", "data": person("two", json!({}))},
            {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"schemas": [GROUP], "displayName": "Crew", "members": [{"value": "bulkId:u1"}, {"value": "bulkId:u2"}]}},
            {"method": "PATCH", "path": "/Groups/bulkId:g", "data": {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "remove", "path": "members[value eq \"bulkId:u2\"]"}]}},
        ]), json!({}), &[]).expect(200);
        assert_eq!(statuses(&done), ["201", "201", "201", "200"]);
        let id = |n: usize| done["Operations"][n]["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        let members = idp.get(&group(&id(2))).expect(200)["members"].clone();
        assert_eq!((members.as_array().unwrap().len(), &members[0]["value"]), (1, &json!(id(0))));
    }

    /// Each operation is on its own: what fails does not undo the others, and stops them only when that was asked for.
    fn errors_and_when_to_stop(app) {
        let idp = provider(app);
        let old = make(&idp, "old", json!({}));
        let crew = make_group(&idp, "Crew", &[]);
        let operations = json!([
            {"method": "POST", "path": "/Users", "bulkId": "1", "data": person("one", json!({}))},
            {"method": "POST", "path": "/Users", "bulkId": "2", "data": person("OLD", json!({}))},
            {"method": "PUT", "path": format!("/Users/{old}"), "version": "W/\"9\"", "data": person("old", json!({}))},
            {"method": "DELETE", "path": format!("{BASE}/Groups/{crew}")},
            {"method": "DELETE", "path": "/Users/0199c0de-0000-7000-8000-000000000001"},
            {"method": "POST", "path": "/Users", "bulkId": "3", "data": person("three", json!({ENTERPRISE: {"manager": {"value": "bulkId:nobody"}}}))},
            {"method": "POST", "path": "/Users", "bulkId": "a", "data": person("a", json!({ENTERPRISE: {"manager": {"value": "bulkId:b"}}}))},
            {"method": "POST", "path": "/Users", "bulkId": "b", "data": person("b", json!({ENTERPRISE: {"manager": {"value": "bulkId:a"}}}))},
            {"method": "POST", "path": "/Users", "data": person("no-name", json!({}))},
            {"method": "GET", "path": "/Users"},
            {"method": "POST", "path": "/Me", "bulkId": "me", "data": {}},
            {"method": "DELETE", "path": "/Users"},
            {"method": "POST", "path": "/Users", "bulkId": "1", "data": person("twin", json!({}))},
            {"method": "PATCH", "path": format!("/Users/{old}")},
            {"method": "POST", "path": "/Users", "bulkId": "4", "data": person("needs-the-failed", json!({ENTERPRISE: {"manager": {"value": "bulkId:2"}}}))},
        ]);
        let done = bulk(&idp, operations, json!({}), &[]).expect(200);
        assert_eq!(statuses(&done), ["201", "409", "412", "204", "404", "409", "409", "409", "400", "400", "400", "400", "400", "400", "409"]);
        let second = &done["Operations"][1];
        assert_eq!((&second["response"]["scimType"], &second["response"]["status"], second.get("location")), (&json!("uniqueness"), &json!("409"), None));
        assert_eq!(filtered(&idp, "Users", "userName eq \"three\" or userName eq \"twin\"").expect(200)["totalResults"], 0);

        let stop = json!([
            {"method": "POST", "path": "/Users", "bulkId": "1", "data": person("old", json!({}))},
            {"method": "POST", "path": "/Users", "bulkId": "2", "data": person("late", json!({}))},
        ]);
        let stopped = bulk(&idp, stop, json!({"failOnErrors": 1}), &[]).expect(200);
        assert_eq!(statuses(&stopped), ["409"]);
        assert_eq!(filtered(&idp, "Users", "userName eq \"late\"").expect(200)["totalResults"], 0);
    }

    fn limits(app) {
        let idp = provider(app);
        let one = json!({"method": "DELETE", "path": "/Users/0199c0de-0000-7000-8000-000000000001"});
        bulk(&idp, json!(vec![one.clone(); 1_001]), json!({}), &[]).scim_error(413, None);
        let config = idp.get("/scim/v2/ServiceProviderConfig").expect(200);
        assert_eq!((&config["bulk"]["maxOperations"], &config["bulk"]["maxPayloadSize"]), (&json!(1_000), &json!(4 << 20)));
        bulk(&idp, json!([{"method": "POST", "path": "/Users", "bulkId": "1", "data": {"x": "y".repeat(5 << 20)}}]), json!({}), &[]).scim_error(413, None);
        for wrong in [json!({"failOnErrors": -1}), json!({"failOnErrors": "x"}), json!({"colour": "red"}), json!({"schemas": []}), json!({"Operations": {}})] {
            bulk(&idp, json!([]), wrong, &[]).scim_error(400, Some("invalidSyntax"));
        }
        assert_eq!(bulk(&idp, json!([]), json!({"failOnErrors": 0}), &[]).expect(200)["Operations"], json!([]), "never stops");
        assert_eq!(bulk(&idp, json!([]), json!({}), &[]).expect(200)["Operations"], json!([]));
        app.machine(&["users:write"]).post("/scim/v2/Bulk", json!({})).scim_error(403, None);
        app.user("eve").post("/scim/v2/Bulk", json!({})).scim_error(403, None);
    }

    /// A retry with the same key does what was not done and answers the same for the rest.
    fn retries(app) {
        let idp = provider(app);
        let operations = json!([
            {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"schemas": [USER], "userName": "one"}},
            {"method": "POST", "path": "/Groups", "bulkId": "2", "data": {"schemas": [GROUP], "displayName": "Crew", "members": [{"value": "bulkId:1"}]}},
        ]);
        let first = bulk(&idp, operations.clone(), json!({}), &[("idempotency-key", "k")]).expect(200);
        let again = bulk(&idp, operations, json!({}), &[("idempotency-key", "k")]).expect(200);
        assert_eq!(first.json, again.json);
        assert_eq!(filtered(&idp, "Groups", "displayName eq \"Crew\"").expect(200)["totalResults"], 1);
    }

    /// A machine changes no admin in bulk either.
    fn admins_in_bulk(app) {
        let idp = provider(app);
        let done = bulk(&idp, json!([{"method": "DELETE", "path": user(app.admin().id()).trim_start_matches("/scim/v2")}]), json!({}), &[]).expect(200);
        assert_eq!(statuses(&done), ["403"]);
    }
}
