//! Lists and searches: filters, orders, both kinds of pages.

use std::collections::BTreeSet;

use super::{ENTERPRISE, GROUP, USER, escaped, filtered, make, make_group, provider, user};
use crate::support::factory::learners;
use crate::support::{Answer, Client, TestApp, Value, json};

const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// Three people to look for, beside the first admin.
fn crowd(idp: &Client) -> [String; 3] {
    let ada = make(
        idp,
        "Ada@Example.org",
        json!({"externalId": "HR-17", "displayName": "Ada", "title": "Countess", "name": {"givenName": "Ada", "familyName": "O'Love \"lace"},
        "emails": [{"value": "ada@example.org", "type": "work", "primary": true}, {"value": "ada@home.example", "type": "home"}], ENTERPRISE: {"department": "Sales", "employeeNumber": "1"}}),
    );
    let bea = make(
        idp,
        "bea_100%",
        json!({"displayName": "Bea", "active": false, "emails": [{"value": "bea@example.org", "type": "home"}], ENTERPRISE: {"manager": {"value": ada}}}),
    );
    let cid = make(idp, "cid", json!({"displayName": "Cid", "nickName": "C", ENTERPRISE: {"department": "sales"}}));
    [ada, bea, cid]
}

fn ids(answer: &Answer) -> Vec<String> {
    answer["Resources"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap().to_owned()).collect()
}

/// The display names of the users that fit, and that the count says the same.
#[track_caller]
fn found(idp: &Client, filter: &str) -> String {
    let answer = filtered(idp, "Users", filter).expect(200);
    let names: BTreeSet<&str> = answer["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["displayName"].as_str())
        .filter(|n| n.len() == 3)
        .collect();
    assert_eq!(answer["totalResults"], answer["Resources"].as_array().unwrap().len(), "{filter}");
    names.into_iter().collect::<Vec<_>>().join(" ")
}

fn search(idp: &Client, place: &str, members: Value) -> Answer {
    let mut body = json!({"schemas": [SEARCH]});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    idp.post(&format!("/scim/v2{place}/.search"), body)
}

/// All pages by cursor.
fn by_cursor(idp: &Client, list: &str, count: usize) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = idp.get(&format!("{list}count={count}&cursor={cursor}")).expect(200);
        assert!(page.json.get("startIndex").is_none());
        all.extend(ids(&page));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return all,
        }
    }
}

both! {
    /// The root lists users and groups (RFC 7644 §3.4.2.1).
    fn the_root_lists_everything(app) {
        let idp = provider(app);
        let [ada, ..] = crowd(&idp);
        let crew = make_group(&idp, "Crew", &[&ada]);
        let all = idp.get("/scim/v2/").expect(200);
        assert_eq!((&all["totalResults"], ids(&all).contains(&ada), ids(&all).contains(&crew)), (&json!(5), true, true));
        let some = idp.get(&format!("/scim/v2/?filter={}&attributes=displayName", escaped("displayName sw \"C\""))).expect(200);
        assert_eq!(some["totalResults"], 2, "{}", some.text());
        idp.get("/scim/v2/?filter=nonsense").scim_error(400, Some("invalidFilter"));
    }

    /// Each operator, on what an index answers and on what is looked at.
    fn filters(app) {
        let idp = provider(app);
        let [ada, bea, _] = crowd(&idp);
        let crew = make_group(&idp, "Crew", &[&ada]);
        let seen = idp.get(&user(&ada)).expect(200);
        let made = seen["meta"]["created"].as_str().unwrap().to_owned();
        for (filter, expected) in [
            (r#"userName eq "ada@EXAMPLE.org""#, "Ada"),
            (r#"userName ne "ada@example.org""#, "Bea Cid"),
            (r#"userName co "_100%""#, "Bea"),
            (r#"userName co "a_1""#, "Bea"),
            (r#"userName co "x_1""#, ""),
            (r#"userName sw "ADA""#, "Ada"),
            (r#"userName ew "%""#, "Bea"),
            (r#"userName gt "b" and userName lt "c""#, "Bea"),
            (r#"userName ge "cid" and userName le "CID""#, "Cid"),
            ("userName pr", "Ada Bea Cid"),
            (r#"externalId eq "HR-17""#, "Ada"),
            (r#"externalId eq "hr-17""#, ""),
            (r#"externalId ne "HR-17""#, "Bea Cid"),
            ("externalId pr", "Ada"),
            ("not (externalId pr)", "Bea Cid"),
            ("externalId eq null and displayName pr", "Bea Cid"),
            (&format!(r#"id eq "{bea}""#), "Bea"),
            (r#"id eq "nobody""#, ""),
            (r#"emails eq "ADA@home.example""#, "Ada"),
            (r#"emails.value eq "bea@example.org""#, "Bea"),
            (r#"emails[type eq "work" and value eq "ada@home.example"]"#, ""),
            (r#"emails[type eq "home" and value eq "ada@home.example"]"#, "Ada"),
            (r#"emails co "example.org""#, "Ada Bea"),
            (r#"emails.type eq "home""#, "Ada Bea"),
            ("active eq true and displayName pr", "Ada Cid"),
            (r#"active eq "False""#, "Bea"),
            (r#"displayName sw "B" or nickName eq "c""#, "Bea Cid"),
            (r#"name.familyName eq "O'Love \"lace""#, "Ada"),
            (r#"title pr"#, "Ada"),
            (r#"title gt "cou" and title lt "d""#, "Ada"),
            (&format!(r#"{ENTERPRISE}:department eq "SALES""#), "Ada Cid"),
            (&format!(r#"{ENTERPRISE}:employeeNumber eq "1""#), "Ada"),
            (&format!(r#"{ENTERPRISE}:manager.value eq "{ada}""#), "Bea"),
            (&format!(r#"groups.value eq "{crew}""#), "Ada"),
            (r#"groups[display eq "crew"]"#, "Ada"),
            (&format!(r#"meta.created eq "{made}" and externalId pr"#), "Ada"),
            (r#"meta.lastModified gt "2020-01-01T00:00:00+01:00" and displayName pr"#, "Ada Bea Cid"),
            (r#"meta.lastModified lt "2020-01-01T00:00:00Z""#, ""),
            (&format!(r#"meta.created gt "{made}" and not (displayName eq "bea")"#), "Cid"),
            (r#"meta.resourceType eq "User" and schemas eq "urn:ietf:params:scim:schemas:core:2.0:User" and displayName ew "d""#, "Cid"),
            (r#"(userName eq "cid" or externalId eq "HR-17") and active eq true"#, "Ada Cid"),
            (r#"userName eq "cid" or title eq "countess""#, "Ada Cid"),
            (r#"not (userName eq "cid" or title eq "countess") and displayName sw "b""#, "Bea"),
            (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "cid""#, "Cid"),
        ] {
            let names = found(&idp, filter);
            // The first admin, whom nobody named, has a longer name.
            assert_eq!(names, expected, "{filter}");
        }
        for (filter, expected) in [
            (r#"displayName eq "CREW""#, 1), (r#"displayName co "re""#, 1), (r#"displayName gt "d""#, 0), (r#"displayName lt "d""#, 1),
            (&format!(r#"members.value eq "{ada}""#), 1), (&format!(r#"members[value eq "{bea}"]"#), 0), (r#"members.display sw "ada""#, 1),
            ("externalId pr", 0), (r#"meta.lastModified ge "2020-01-01T00:00:00Z""#, 1), (r#"meta.created lt "2020-01-01T00:00:00Z""#, 0),
        ] {
            assert_eq!(filtered(&idp, "Groups", filter).expect(200)["totalResults"], expected, "{filter}");
        }
        let deep = "(".repeat(100) + "userName pr" + &")".repeat(100);
        for filter in ["userName", "userName eq", "userName xx \"a\"", "shoeSize eq \"4\"", "active gt true", "userName eq \"a\" and", "meta.created gt \"soon\"", "userName eq \"a\\u0000b\"", "name eq \"x\"", &deep] {
            filtered(&idp, "Users", filter).scim_error(400, Some("invalidFilter"));
            search(&idp, "/Users", json!({"filter": filter})).scim_error(400, Some("invalidFilter"));
        }
        idp.get("/scim/v2/Users?filter=a%00b").scim_error(400, Some("invalidValue"));
    }

    fn orders(app) {
        let idp = provider(app);
        crowd(&idp);
        let order = |query: &str| -> Vec<String> {
            let page = idp.get(&format!("/scim/v2/Users?{query}")).expect(200);
            page["Resources"].as_array().unwrap().iter().map(|r| r["displayName"].as_str().unwrap().chars().take(3).collect()).collect()
        };
        for (query, expected) in [
            ("sortBy=userName", ["Ada", "Fir", "Bea", "Cid"]),
            ("sortBy=userName&sortOrder=descending", ["Cid", "Bea", "Fir", "Ada"]),
            ("sortBy=meta.created&sortOrder=descending", ["Cid", "Bea", "Ada", "Fir"]),
            ("sortBy=meta.lastModified", ["Fir", "Ada", "Bea", "Cid"]),
            ("sortBy=displayName&sortOrder=ascending", ["Ada", "Bea", "Cid", "Fir"]),
            // Whoever has none is last, and first the other way round.
            ("sortBy=emails", ["Ada", "Fir", "Bea", "Cid"]),
            ("sortBy=externalId&filter=displayName%20pr", ["Ada", "Fir", "Bea", "Cid"]),
            ("sortBy=title&sortOrder=descending", ["Cid", "Bea", "Fir", "Ada"]),
            ("sortOrder=descending", ["Fir", "Ada", "Bea", "Cid"]),
        ] {
            assert_eq!(order(query), expected, "{query}");
        }
        idp.get("/scim/v2/Users?sortBy=shoeSize").scim_error(400, Some("invalidPath"));
        idp.get("/scim/v2/Users?sortBy=name").scim_error(400, Some("invalidPath"));
        idp.get("/scim/v2/Users?sortBy=userName&sortOrder=up").scim_error(400, Some("invalidValue"));
    }

    fn pages_by_index(app) {
        let idp = provider(app);
        learners(app, 24);
        let page = |query: &str| idp.get(&format!("/scim/v2/Users?{query}")).expect(200);
        for filter in ["", "&filter=name.givenName%20pr", "&sortBy=userName", "&sortBy=name.familyName"] {
            let mut seen = Vec::new();
            for start in [1, 11, 21] {
                let one = page(&format!("startIndex={start}&count=10{filter}"));
                assert_eq!((&one["totalResults"], &one["startIndex"]), (&json!(25), &json!(start)));
                assert_eq!(one["itemsPerPage"], one["Resources"].as_array().unwrap().len());
                assert!(one.json.get("nextCursor").is_none());
                seen.extend(ids(&one));
            }
            assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (25, 25), "{filter}");
        }
        assert_eq!(ids(&page("startIndex=0&count=2")), ids(&page("startIndex=-7&count=2")));
        for nothing in ["count=0", "count=-1", "startIndex=26", "startIndex=9223372036854775807"] {
            let one = page(nothing);
            assert_eq!((&one["totalResults"], &one["itemsPerPage"], &one["Resources"]), (&json!(25), &json!(0), &json!([])), "{nothing}");
        }
        assert_eq!(page("count=100000")["itemsPerPage"], 25);
        for wrong in ["count=x", "startIndex=1.5", "count=99999999999999999999", "colour=red", "count=1&count=2"] {
            idp.get(&format!("/scim/v2/Users?{wrong}")).scim_error(400, Some("invalidValue"));
        }
        // Entra adds a switch of its own to every address.
        page("aadOptscim062020");
    }

    /// Cursors go on where they were, whoever comes in meanwhile.
    fn pages_by_cursor(app) {
        let idp = provider(app);
        learners(app, 24);
        let everybody: BTreeSet<String> = ids(&idp.get("/scim/v2/Users").expect(200)).into_iter().collect();
        for query in ["", "sortBy=userName&", "sortBy=meta.created&sortOrder=descending&", "sortBy=meta.lastModified&", "sortBy=name.familyName&sortOrder=descending&", "filter=name.givenName%20pr&", "filter=userName%20pr&sortBy=userName&sortOrder=descending&"] {
            let all = by_cursor(&idp, &format!("/scim/v2/Users?{query}"), 7);
            assert_eq!((all.len(), all.into_iter().collect::<BTreeSet<_>>()), (25, everybody.clone()), "{query}");
        }
        let sorted = ids(&idp.get("/scim/v2/Users?sortBy=userName").expect(200));
        assert_eq!(by_cursor(&idp, "/scim/v2/Users?sortBy=userName&", 4), sorted);

        let first = idp.get("/scim/v2/Users?sortBy=userName&count=10&cursor").expect(200);
        assert_eq!((&first["totalResults"], &first["itemsPerPage"]), (&json!(25), &json!(10)));
        let cursor = first["nextCursor"].as_str().unwrap().to_owned();
        make(&idp, "!before-all-others", json!({}));
        let second = idp.get(&format!("/scim/v2/Users?sortBy=userName&count=10&cursor={cursor}")).expect(200);
        assert_eq!(ids(&second), sorted[10..20]);
        assert_eq!(search(&idp, "/Users", json!({"sortBy": "userName", "count": 10, "cursor": cursor})).expect(200)["Resources"], second["Resources"]);

        idp.get(&format!("/scim/v2/Users?sortBy=displayName&cursor={cursor}")).scim_error(400, Some("invalidCursor"));
        idp.get(&format!("/scim/v2/Groups?cursor={cursor}")).scim_error(400, Some("invalidCursor"));
        idp.get("/scim/v2/Users?cursor=rubbish").scim_error(400, Some("invalidCursor"));
        idp.get("/scim/v2/Users?cursor&count=-1").scim_error(400, Some("invalidCount"));
        idp.get("/scim/v2/Users?cursor&count=ten").scim_error(400, Some("invalidCount"));
        idp.get("/scim/v2/Users?cursor&startIndex=1").scim_error(400, Some("invalidValue"));
        assert_eq!(idp.get("/scim/v2/Users?cursor&count=0").expect(200)["totalResults"], 26);
        app.advance(3_601);
        let admin = app.admin();
        admin.get(&format!("/scim/v2/Users?sortBy=userName&cursor={cursor}")).scim_error(400, Some("expiredCursor"));
    }

    fn searches_by_body(app) {
        let idp = provider(app);
        let [ada, bea, cid] = crowd(&idp);
        let crew = make_group(&idp, "Ada's crew", &[&ada]);
        let by_query = filtered(&idp, "Users", "displayName pr").expect(200);
        let by_body = search(&idp, "/Users", json!({"filter": "displayName pr"})).expect(200);
        assert_eq!(by_query.json, by_body.json);
        let some = search(&idp, "/Users", json!({"FILTER": "userName sw \"b\"", "attributes": ["userName"], "startIndex": 1, "count": 5})).expect(200);
        assert_eq!(some["Resources"], json!([{"schemas": [USER, ENTERPRISE], "id": bea, "userName": "bea_100%"}]));
        assert_eq!(ids(&search(&idp, "/Groups", json!({"excludedAttributes": ["members"]})).expect(200)), [crew.as_str()]);

        // Both kinds at once; an attribute that one does not have is empty there.
        assert_eq!(ids(&search(&idp, "", json!({"filter": "displayName sw \"ada\""})).expect(200)), [ada.clone(), crew.clone()]);
        assert_eq!(ids(&search(&idp, "", json!({"filter": "userName eq \"cid\" or members pr"})).expect(200)), [cid.clone(), crew.clone()]);
        assert_eq!(ids(&search(&idp, "", json!({"filter": "meta.resourceType eq \"Group\""})).expect(200)), [crew.as_str()]);
        let sorted = search(&idp, "", json!({"sortBy": "displayName", "sortOrder": "descending", "count": 2, "filter": "externalId pr or displayName ew \"id\" or displayName sw \"ada\""})).expect(200);
        assert_eq!((ids(&sorted), &sorted["totalResults"]), (vec![cid.clone(), crew.clone()], &json!(3)));
        let (mut all, mut cursor) = (Vec::new(), json!(""));
        while cursor.is_string() {
            let page = search(&idp, "", json!({"count": 2, "cursor": cursor})).expect(200);
            all.extend(ids(&page));
            cursor = page["nextCursor"].clone();
        }
        assert_eq!(all.len(), 5);
        for (body, keyword) in [(json!({"colour": "red"}), "invalidSyntax"), (json!({"count": "ten"}), "invalidSyntax"), (json!({"filter": "x y"}), "invalidFilter"), (json!({"attributes": ["a b"]}), "invalidValue")] {
            search(&idp, "", body).scim_error(400, Some(keyword));
        }
        idp.post("/scim/v2/Users/.search", json!({})).scim_error(400, Some("invalidSyntax"));
    }

    /// As many statements for five hundred as for one; what no index answers is read in pieces.
    fn lists_cost_the_same_for_one_and_for_five_hundred(app) {
        let idp = provider(app);
        let people = learners(app, 600);
        let crew: Vec<&str> = people.iter().take(300).map(Client::id).collect();
        make_group(&idp, "Crew", &crew);
        let count = |app: &TestApp, path: &str| app.statements(|| drop(idp.get(path).expect(200))).0;
        for path in ["/scim/v2/Users?count=", "/scim/v2/Users?sortBy=userName&count=", "/scim/v2/Users?filter=active%20eq%20true&count=", "/scim/v2/Groups?count="] {
            let (one, many) = (count(app, &format!("{path}1")), count(app, &format!("{path}500")));
            assert!(one == many && many <= 6, "{path}: {one} and {many}");
        }
        let filter = escaped("name.givenName eq \"learner\" and groups pr");
        let page = idp.get(&format!("/scim/v2/Users?filter={filter}&count=500&startIndex=201")).expect(200);
        assert_eq!((&page["totalResults"], &page["itemsPerPage"]), (&json!(300), &json!(100)));
        assert!(count(app, &format!("/scim/v2/Users?filter={filter}")) <= 10);
    }

    fn members_are_loaded_only_for_those_who_want_them(app) {
        let idp = provider(app);
        let [ada, ..] = crowd(&idp);
        make_group(&idp, "Crew", &[&ada]);
        let page = idp.get("/scim/v2/Groups?excludedAttributes=members").expect(200);
        assert_eq!(page["Resources"][0]["schemas"], json!([GROUP]));
        assert!(page["Resources"][0].get("members").is_none());
        assert_eq!(idp.get("/scim/v2/Groups").expect(200)["Resources"][0]["members"][0]["value"], ada);
    }
}
