//! Who is who in a list: people who come back under another external id, and e-mails that go to the next.

use crate::support::{TestApp, Value, json};
use crate::sync::{apply, counts, plan, rows, staff};

fn someone(id: &str, number: &str, email: &str, given: &str) -> Value {
    json!({"external_id": id, "employee_number": number, "email": email, "given_name": given, "family_name": "N"})
}

/// A list with these people beside twenty who stay.
fn list(some: &[Value]) -> Vec<Value> {
    staff(0..20).into_iter().chain(some.iter().cloned()).collect()
}

fn user(app: &TestApp, external: &str) -> Value {
    app.admin().get(&format!("/v1/users/ext:{external}")).expect(200).json.clone()
}

both! {
    /// HR gives whoever comes back a new external id: known by the employee number, or by the e-mail when nothing speaks against it.
    fn people_come_back_under_another_external_id(app) {
        let (ada, bea) = (someone("k1", "7", "ada@example.org", "Ada"), json!({"external_id": "k2", "email": "bea@example.org", "given_name": "Bea", "family_name": "N"}));
        apply(app, &plan(app, &list(&[ada, bea]), json!({})));
        let before = [user(app, "k1"), user(app, "k2")];
        apply(app, &plan(app, &list(&[]), json!({})));
        assert_eq!((&user(app, "k1")["state"], &user(app, "k2")["state"]), (&json!("left"), &json!("left")));
        let back = [someone("n1", "7", "ada@example.org", "Ada"), someone("n2", "8", "bea@example.org", "Bea")];
        let made = plan(app, &list(&back), json!({}));
        assert_eq!(counts(&made), [0, 0, 0, 2, 20, 0], "{:?}", rows(app, &made, ""));
        apply(app, &made);
        for (external, before) in ["n1", "n2"].into_iter().zip(&before) {
            let now = user(app, external);
            assert_eq!((&now["id"], &now["email"], &now["state"]), (&before["id"], &before["email"], &json!("active")));
        }
        assert_eq!(counts(&plan(app, &list(&back), json!({}))), [0, 0, 0, 0, 22, 0]);
        // Who works here is not taken for another.
        let other = plan(app, &list(&[someone("z1", "7", "ada@example.org", "Ada"), back[1].clone()]), json!({}));
        assert_eq!(rows(app, &other, "action=error")[0]["errors"][0]["code"], "other_person");
    }

    /// A newcomer gets the e-mail of whoever leaves, in whatever way they leave, in the same list or long before.
    fn an_e_mail_goes_to_the_next(app) {
        let names = ["Ada", "Bea", "Cid"];
        let old: Vec<Value> = (0..3).map(|n| someone(&format!("k{n}"), &format!("10{n}"), &format!("desk{n}@example.org"), names[n])).collect();
        apply(app, &plan(app, &list(&old), json!({})));
        apply(app, &plan(app, &list(&old[..2]), json!({})));
        // The first is not listed any more, the second as one who is gone, the third left before.
        let mut gone = old[1].clone();
        gone["active"] = json!(false);
        let new: Vec<Value> = (0..3).map(|n| someone(&format!("n{n}"), &format!("20{n}"), &format!("desk{n}@example.org"), "New")).collect();
        let next = list(&[gone, new[0].clone(), new[1].clone(), new[2].clone()]);
        let made = plan(app, &next, json!({}));
        assert_eq!((&made["state"], counts(&made)), (&json!("ready"), [3, 1, 2, 0, 20, 0]), "{:?}", rows(app, &made, ""));
        assert_eq!(apply(app, &made)["progress"]["conflicts"], 0);
        for n in 0..3 {
            let (left, came) = (user(app, &format!("k{n}")), user(app, &format!("n{n}")));
            assert_eq!((&left["state"], &came["state"], &came["email"]), (&json!("left"), &json!("active"), &json!(format!("desk{n}@example.org"))));
            assert_ne!(left["id"], came["id"]);
            assert!(left["email"].as_str().unwrap().ends_with("@no-mail.invalid"));
        }
        assert_eq!(counts(&plan(app, &next, json!({}))), [0, 0, 0, 0, 24, 0]);
        // Two who stay cannot both have it, and for a row at fault nobody gives anything up.
        let twins = plan(app, &list(&[new[0].clone(), new[1].clone(), new[2].clone(), someone("n9", "209", "desk0@example.org", "Eve")]), json!({"max_error_percent": 50}));
        assert_eq!(counts(&twins)[5], 2);
        let faulty = someone("n8", "208", "desk2@example.org", "=Eve");
        let stays = plan(app, &list(&[new[0].clone(), new[1].clone(), faulty]), json!({"max_error_percent": 50}));
        let leaves = &rows(app, &stays, "action=deactivate")[0];
        assert_eq!((counts(&stays)[5], &leaves["after"]["email"]), (1, &json!("desk2@example.org")));
    }
}
