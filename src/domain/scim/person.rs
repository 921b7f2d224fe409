//! A user as Cairn keeps them and as SCIM shows them. What both know (e-mail, names, numbers, manager, state) is kept once, where all
//! of Cairn looks for it; the rest of what a client wrote is kept as a document. Where somebody has changed what was made of the
//! document since, over `/v1` or by a sync, that counts.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::schemas::ENTERPRISE;
use crate::domain::sync::cells::is_email;

/// What stands where a name is needed and nobody gave one.
const NO_NAME: &str = "–";
/// Most characters of a name.
const NAME_LENGTH: usize = 200;
/// Attributes that are profile attributes of Cairn, which conditions ask about: the extension, SCIM's name, Cairn's name.
const PROFILE: [(Option<&str>, &str, &str); 6] = [
    (None, "title", "title"),
    (None, "userType", "user_type"),
    (Some(ENTERPRISE), "department", "department"),
    (Some(ENTERPRISE), "costCenter", "cost_center"),
    (Some(ENTERPRISE), "organization", "organization"),
    (Some(ENTERPRISE), "division", "division"),
];
/// Attributes kept in columns or never, and not in the document.
const KEPT_ELSEWHERE: [&str; 9] =
    ["userName", "externalId", "password", "title", "userType", "schemas", "id", "meta", "groups"];

/// What a canonical resource says of the columns of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    /// `userName`.
    pub user_name: String,
    /// The e-mail for log-in; none when the resource has no address.
    pub email: Option<String>,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// External id.
    pub external_id: Option<String>,
    /// Employee number.
    pub employee_number: Option<String>,
    /// Id of the manager, as it was given.
    pub manager: Option<String>,
    /// Whether the user is active; none when the resource does not say.
    pub active: Option<bool>,
    /// Language.
    pub locale: Option<String>,
    /// Time zone.
    pub time_zone: Option<String>,
    /// Profile attributes: those that are to be there, and those that are to go.
    pub profile: Vec<(&'static str, Option<String>)>,
    /// What SCIM alone knows.
    pub document: Map<String, Value>,
    /// Addresses beside the one for log-in, in lower case.
    pub other_emails: Vec<String>,
}

/// A user as Cairn keeps them.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the columns of the table")]
pub struct Kept<'a> {
    pub id: Uuid,
    pub user_name: Option<&'a str>,
    pub email: &'a str,
    pub given_name: &'a str,
    pub family_name: &'a str,
    pub external_id: Option<&'a str>,
    pub employee_number: Option<&'a str>,
    pub manager: Option<Uuid>,
    pub active: bool,
    pub locale: Option<&'a str>,
    pub time_zone: Option<&'a str>,
    pub attributes: &'a Value,
    pub document: Option<&'a Map<String, Value>>,
}

/// The name by which a user is shown elsewhere: the one that the user's own resource shows, else what there is of a name.
#[must_use]
pub fn shown_name(display_name: Option<&str>, given: &str, family: &str) -> String {
    if let Some(name) = display_name {
        return name.to_owned();
    }
    let parts: Vec<&str> = [given, family].into_iter().filter(|part| *part != NO_NAME).collect();
    parts.join(" ")
}

/// What of a resource is a text that people read as a name, and has characters that nobody sees.
#[must_use]
pub fn unprintable(columns: &Columns) -> Vec<&'static str> {
    let document = &columns.document;
    let texts = [
        ("userName", Some(columns.user_name.as_str())),
        ("displayName", text(document, "displayName")),
        ("nickName", text(document, "nickName")),
        ("name.formatted", part(document, "name", "formatted")),
        ("name.givenName", part(document, "name", "givenName")),
        ("name.familyName", part(document, "name", "familyName")),
        ("name.middleName", part(document, "name", "middleName")),
    ];
    let bad = |text: &Option<&str>| text.is_some_and(|text| text.chars().any(char::is_control));
    texts.iter().filter(|(_, text)| bad(text)).map(|(name, _)| *name).collect()
}

/// The address of those who have none.
#[must_use]
pub fn no_email(id: Uuid) -> String {
    format!("{id}@no-mail.invalid")
}

fn text<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    map.get(name).and_then(Value::as_str)
}

fn part<'a>(map: &'a Map<String, Value>, of: &str, name: &str) -> Option<&'a str> {
    text(map.get(of)?.as_object()?, name)
}

fn short(name: &str) -> Option<String> {
    let name: String = name.trim().chars().take(NAME_LENGTH).collect();
    (!name.trim().is_empty()).then_some(name)
}

/// Position of the address for log-in: the primary one, else the first for work, else the first.
fn login_email(emails: &[Value]) -> Option<usize> {
    let at = |fits: &dyn Fn(&Value) -> bool| emails.iter().position(|e| e["value"].is_string() && fits(e));
    at(&|e| e["primary"] == true).or_else(|| at(&|e| e["type"] == "work")).or_else(|| at(&|_| true))
}

/// What follows from a document for the columns that always have a value, or need one of a certain form.
struct Derived {
    email: Option<String>,
    given_name: String,
    family_name: String,
    locale: Option<String>,
    time_zone: Option<String>,
}

fn derived(resource: &Map<String, Value>, user_name: &str) -> Derived {
    let emails = resource.get("emails").and_then(Value::as_array);
    let listed = emails.and_then(|all| all.get(login_email(all)?)?["value"].as_str());
    let whole =
        [text(resource, "displayName"), part(resource, "name", "formatted")].into_iter().flatten().find_map(short);
    let (first, rest) = match whole.as_deref().and_then(|name| name.split_once(' ')) {
        Some((first, rest)) => (short(first), short(rest)),
        None => (whole.clone(), None),
    };
    let named = |name| part(resource, "name", name).and_then(short);
    Derived {
        email: listed.or_else(|| Some(user_name).filter(|name| is_email(name))).map(str::to_owned),
        given_name: named("givenName").or(first).or_else(|| short(user_name)).unwrap_or_else(|| NO_NAME.into()),
        family_name: named("familyName").or(rest).unwrap_or_else(|| NO_NAME.into()),
        locale: text(resource, "locale").map(|tag| tag.replace('_', "-")).filter(|tag| is_language(tag)),
        time_zone: text(resource, "timezone").filter(|zone| is_zone(zone)).map(str::to_owned),
    }
}

fn is_language(text: &str) -> bool {
    let part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    text.len() <= 35 && text.split('-').all(part)
}

fn is_zone(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b));
    text.len() <= 64 && text.split('/').all(part)
}

/// The manager's id. A `$ref` is never kept, so when there is one, the client has just written it.
fn manager(enterprise: &Map<String, Value>) -> Option<&str> {
    let named = part(enterprise, "manager", "$ref").and_then(|uri| uri.rsplit('/').next());
    named.filter(|id| Uuid::try_parse(id).is_ok()).or_else(|| part(enterprise, "manager", "value"))
}

/// Takes a canonical resource apart.
#[must_use]
pub fn take_apart(mut resource: Map<String, Value>) -> Columns {
    let user_name = text(&resource, "userName").unwrap_or_default().to_owned();
    let made = derived(&resource, &user_name);
    let enterprise = resource.remove(ENTERPRISE).and_then(|v| v.as_object().cloned()).unwrap_or_default();
    let of = |extension: Option<&str>| if extension.is_some() { &enterprise } else { &resource };
    let profile = PROFILE.map(|(extension, name, ours)| (ours, text(of(extension), name).map(str::to_owned))).to_vec();
    let login = made.email.as_deref().map(str::to_lowercase);
    let addresses = resource.get("emails").and_then(Value::as_array).into_iter().flatten();
    let mut other_emails: Vec<String> = addresses.filter_map(|e| Some(e["value"].as_str()?.to_lowercase())).collect();
    other_emails.sort_unstable();
    other_emails.dedup();
    other_emails.retain(|other| Some(other) != login.as_ref());
    Columns {
        external_id: text(&resource, "externalId").map(str::to_owned),
        employee_number: text(&enterprise, "employeeNumber").map(str::to_owned),
        manager: manager(&enterprise).map(str::to_owned),
        active: resource.get("active").and_then(Value::as_bool),
        user_name,
        email: made.email,
        given_name: made.given_name,
        family_name: made.family_name,
        locale: made.locale,
        time_zone: made.time_zone,
        profile,
        other_emails,
        document: resource.into_iter().filter(|(name, _)| !KEPT_ELSEWHERE.contains(&name.as_str())).collect(),
    }
}

/// The canonical resource of a user, without what the server alone sets.
#[must_use]
pub fn put_together(kept: &Kept<'_>) -> Map<String, Value> {
    let user_name = kept.user_name.unwrap_or(kept.email);
    let mut out = kept.document.cloned().unwrap_or_default();
    match kept.document {
        Some(_) => reconcile(&mut out, kept, user_name),
        None => {
            out.insert("name".into(), json!({"givenName": kept.given_name, "familyName": kept.family_name}));
            out.insert("displayName".into(), Value::from(format!("{} {}", kept.given_name, kept.family_name)));
            out.insert("emails".into(), json!([{"value": kept.email, "type": "work", "primary": true}]));
            out.insert("active".into(), Value::Null);
            set(&mut out, "locale", kept.locale);
            set(&mut out, "timezone", kept.time_zone);
        }
    }
    out.insert("userName".into(), Value::from(user_name));
    set(&mut out, "externalId", kept.external_id);
    // Whoever took the attribute away does not see it; everybody else sees the state.
    if let Some(active) = out.get_mut("active") {
        *active = Value::Bool(kept.active);
    }
    let mut enterprise = Map::new();
    set(&mut enterprise, "employeeNumber", kept.employee_number);
    if let Some(manager) = kept.manager {
        enterprise.insert("manager".into(), json!({"value": manager}));
    }
    for (extension, name, ours) in PROFILE {
        let value = match &kept.attributes[ours] {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Bool(_) | Value::Number(_) => Some(kept.attributes[ours].to_string()),
            _ => None,
        };
        set(if extension.is_some() { &mut enterprise } else { &mut out }, name, value.as_deref());
    }
    if !enterprise.is_empty() {
        out.insert(ENTERPRISE.into(), Value::Object(enterprise));
    }
    out
}

fn set(map: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    match value {
        Some(value) => map.insert(name.to_owned(), Value::from(value)),
        None => map.remove(name),
    };
}

/// Puts into the document what has been changed elsewhere since it was written.
fn reconcile(out: &mut Map<String, Value>, kept: &Kept<'_>, user_name: &str) {
    let made = derived(out, user_name);
    if made.email.as_deref().unwrap_or(&no_email(kept.id)) != kept.email {
        let emails = out.entry("emails").or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(all) = emails {
            match login_email(all).and_then(|at| all.get_mut(at)) {
                Some(email) => email["value"] = Value::from(kept.email),
                None => all.push(json!({"value": kept.email, "type": "work", "primary": true})),
            }
        }
    }
    for (name, made, kept) in
        [("givenName", &made.given_name, kept.given_name), ("familyName", &made.family_name, kept.family_name)]
    {
        if made != kept {
            let parts = out.entry("name").or_insert_with(|| Value::Object(Map::new()));
            parts[name] = Value::from(kept);
        }
    }
    for (name, made, kept) in
        [("locale", made.locale.as_deref(), kept.locale), ("timezone", made.time_zone.as_deref(), kept.time_zone)]
    {
        if made != kept {
            set(out, name, kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    /// What is shown again of what was taken apart.
    fn again(resource: &Value) -> Value {
        let columns = take_apart(resource.as_object().unwrap().clone());
        let attributes = Value::Object(
            columns.profile.iter().filter_map(|(n, v)| Some(((*n).to_owned(), Value::from(v.clone()?)))).collect(),
        );
        let email = columns.email.clone().unwrap_or_else(|| no_email(ID));
        let kept = Kept {
            id: ID,
            user_name: Some(&columns.user_name),
            email: &email,
            given_name: &columns.given_name,
            family_name: &columns.family_name,
            external_id: columns.external_id.as_deref(),
            employee_number: columns.employee_number.as_deref(),
            manager: columns.manager.as_deref().and_then(|m| m.parse().ok()),
            active: columns.active.unwrap_or(true),
            locale: columns.locale.as_deref(),
            time_zone: columns.time_zone.as_deref(),
            attributes: &attributes,
            document: Some(&columns.document),
        };
        Value::Object(put_together(&kept))
    }

    #[test]
    fn what_a_client_wrote_is_what_it_sees() {
        for resource in [
            json!({"userName": "ada"}),
            json!({"userName": "ada@example.org", "active": false}),
            json!({"userName": "ada", "displayName": "Ada Lovelace", "locale": "en_US", "timezone": "somewhere else"}),
            json!({"userName": "ada", "externalId": "7", "title": "Countess", "userType": "x", "name": {"formatted": "Ada"},
                "emails": [{"value": "a@home", "type": "home"}, {"value": "a@work", "type": "work"}],
                ENTERPRISE: {"employeeNumber": "1", "department": "Sales", "manager": {"value": Uuid::from_u128(9).to_string()}}}),
        ] {
            assert_eq!(again(&resource), resource);
        }
    }

    #[test]
    fn columns_always_have_what_they_need() {
        let columns = |resource: Value| take_apart(resource.as_object().unwrap().clone());
        let bare = columns(json!({"userName": "ada"}));
        assert_eq!((bare.email, bare.given_name.as_str(), bare.family_name.as_str()), (None, "ada", NO_NAME));
        let named = columns(json!({"userName": "a@b", "displayName": "Ada King Lovelace"}));
        assert_eq!(
            (named.email.as_deref(), &*named.given_name, &*named.family_name),
            (Some("a@b"), "Ada", "King Lovelace")
        );
        let many = columns(
            json!({"userName": "ada", "emails": [{"value": "H@x", "type": "home"}, {"value": "W@x", "type": "work"}, {"type": "other"}]}),
        );
        assert_eq!((many.email.as_deref(), many.other_emails), (Some("W@x"), vec!["h@x".to_owned()]));
    }

    #[test]
    fn a_name_is_shown_everywhere_as_by_its_owner() {
        assert_eq!(shown_name(Some("Countess"), "Ada", "King"), "Countess");
        assert_eq!(shown_name(None, "Ada", "King"), "Ada King");
        assert_eq!(shown_name(None, "Ada", NO_NAME), "Ada");
    }

    #[test]
    fn what_nobody_sees_is_named() {
        let columns = |resource: Value| take_apart(resource.as_object().unwrap().clone());
        let bad = columns(json!({"userName": "a\u{7}", "name": {"givenName": "b\u{7}"}, "displayName": "Ada"}));
        assert_eq!(unprintable(&bad), ["userName", "name.givenName"]);
    }

    #[test]
    fn what_was_changed_elsewhere_counts() {
        let document = json!({"emails": [{"value": "old@x", "type": "work"}], "name": {"givenName": "Ada", "middleName": "K"}, "locale": "en_US", "active": true});
        let kept = Kept {
            id: ID,
            user_name: Some("ada"),
            email: "new@x",
            given_name: "Augusta",
            family_name: "King",
            external_id: None,
            employee_number: None,
            manager: None,
            active: false,
            locale: Some("fr"),
            time_zone: Some("Europe/Paris"),
            attributes: &json!({"department": 7, "title": ["a"]}),
            document: document.as_object(),
        };
        assert_eq!(
            Value::Object(put_together(&kept)),
            json!({"userName": "ada", "emails": [{"value": "new@x", "type": "work"}], "active": false, "locale": "fr", "timezone": "Europe/Paris",
                "name": {"givenName": "Augusta", "familyName": "King", "middleName": "K"}, ENTERPRISE: {"department": "7"}})
        );
        let unknown = Kept { document: None, user_name: None, ..kept };
        assert_eq!(put_together(&unknown)["emails"], json!([{"value": "new@x", "type": "work", "primary": true}]));
        assert_eq!(put_together(&unknown)["active"], false);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(user_name in "[a-z@. ]{1,12}", given in proptest::option::of("[A-Za-z ]{1,8}x"), shown in proptest::option::of("[A-Za-z ]{0,9}x"),
            emails in proptest::collection::vec(("[a-z]{1,3}@[a-z]{1,3}", proptest::bool::ANY), 0..4), locale in proptest::option::of("[a-zA-Z_-]{1,12}")) {
            let mut resource = json!({"userName": user_name});
            if let Some(given) = given { resource["name"] = json!({"givenName": given}); }
            if let Some(shown) = shown { resource["displayName"] = json!(shown); }
            if let Some(locale) = locale { resource["locale"] = json!(locale); }
            if !emails.is_empty() {
                resource["emails"] = emails.iter().map(|(value, work)| json!({"value": value, "type": if *work { "work" } else { "home" }})).collect();
            }
            prop_assert_eq!(again(&resource), resource);
        }
    }
}
