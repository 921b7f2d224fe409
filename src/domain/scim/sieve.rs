//! What of a filter an index can answer. A sieve lets through every resource that the filter fits; when it is not exact, also
//! others, which the filter itself then takes out.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::filter::{Filter, Op, Target};
use super::schemas::ENTERPRISE;

/// Conditions that the tables can answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Sieve {
    /// Lets everything through.
    Everything,
    /// Lets nothing through.
    Nothing,
    /// What both let through.
    And(Box<Sieve>, Box<Sieve>),
    /// What one of them lets through.
    Or(Box<Sieve>, Box<Sieve>),
    /// What it does not let through.
    Not(Box<Sieve>),
    /// The resource with this id.
    Id(Uuid),
    /// The name, in lower case: `userName` of users, `displayName` of groups.
    Name(Match, String),
    /// This external id.
    ExternalId(String),
    /// Any external id.
    HasExternalId,
    /// Whether the user is active.
    Active(bool),
    /// Users one of whose e-mail addresses is this, in lower case.
    Email(String),
    /// Users with this employee number.
    EmployeeNumber(String),
    /// Users whose manager this is.
    Manager(Uuid),
    /// Users in this group.
    InGroup(Uuid),
    /// Groups with this member.
    Member(Uuid),
    /// When it was made.
    Created(Op, DateTime<Utc>),
    /// When it was last changed.
    Changed(Op, DateTime<Utc>),
}

/// How a name is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// It is this.
    Is,
    /// It contains this.
    Contains,
    /// It starts with this.
    Starts,
    /// It ends with this.
    Ends,
}

/// What is looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Users.
    User,
    /// Groups.
    Group,
}

/// A sieve and whether it lets through exactly what the filter fits.
pub type Judged = (Sieve, bool);

const ALL: Judged = (Sieve::Everything, false);

/// The sieve of a filter on resources of this kind.
#[must_use]
pub fn sieve(filter: &Filter, kind: Kind) -> Judged {
    match filter {
        Filter::And(a, b) => {
            let ((a, exact_a), (b, exact_b)) = (sieve(a, kind), sieve(b, kind));
            let both = match (a, b) {
                (Sieve::Everything, one) | (one, Sieve::Everything) => one,
                (a, b) => Sieve::And(Box::new(a), Box::new(b)),
            };
            (both, exact_a && exact_b)
        }
        Filter::Or(a, b) => match (sieve(a, kind), sieve(b, kind)) {
            ((Sieve::Everything, exact), _) | (_, (Sieve::Everything, exact)) => (Sieve::Everything, exact),
            ((a, exact_a), (b, exact_b)) => (Sieve::Or(Box::new(a), Box::new(b)), exact_a && exact_b),
        },
        Filter::Not(inner) => match sieve(inner, kind) {
            (inner, true) => (Sieve::Not(Box::new(inner)), true),
            _ => ALL,
        },
        Filter::Present(target) => present(target, kind),
        Filter::Compare(target, op, value) => compare(target, *op, value, kind),
        Filter::Element(path, inner) if path.extension.is_none() => element(&path.name, inner, kind),
        Filter::Element(..) => ALL,
    }
}

fn present(target: &Target, kind: Kind) -> Judged {
    match (target.path.extension, target.path.name.as_str(), kind) {
        (None, "id" | "meta" | "schemas", _) | (None, "userName", Kind::User) | (None, "displayName", Kind::Group) => {
            (Sieve::Everything, target.path.sub.is_none())
        }
        (None, "externalId", _) => (Sieve::HasExternalId, true),
        _ => ALL,
    }
}

fn compare(target: &Target, op: Op, value: &Value, kind: Kind) -> Judged {
    let path = &target.path;
    let Value::String(text) = value else {
        return match (path.extension, path.name.as_str(), kind, op, value) {
            (None, "active", Kind::User, Op::Eq, Value::Bool(wanted)) => (Sieve::Active(*wanted), true),
            _ => ALL,
        };
    };
    if op == Op::Ne {
        return match compare(target, Op::Eq, value, kind) {
            (equal, true) => (Sieve::Not(Box::new(equal)), true),
            _ => ALL,
        };
    }
    let exactly = |sieve| (sieve, true);
    let id = |make: fn(Uuid) -> Sieve| match parse_id(text) {
        Some(id) => exactly(make(id)),
        None => exactly(Sieve::Nothing),
    };
    match (path.extension, path.name.as_str(), path.sub.as_deref(), kind, op) {
        (None, "id", None, _, Op::Eq) => id(Sieve::Id),
        (None, "externalId", None, _, Op::Eq) => exactly(Sieve::ExternalId(text.clone())),
        (None, "userName", None, Kind::User, _) | (None, "displayName", None, Kind::Group, _) => name(op, text),
        (None, "emails", Some("value"), Kind::User, Op::Eq) => (Sieve::Email(text.to_lowercase()), false),
        (None, "groups", Some("value"), Kind::User, Op::Eq) => id(Sieve::InGroup),
        (None, "members", Some("value"), Kind::Group, Op::Eq) => id(Sieve::Member),
        (None, "meta", Some("created"), ..) => instant(op, text, Sieve::Created, true),
        // A group also changes when members come and go, which is found by looking at it.
        (None, "meta", Some("lastModified"), Kind::User, _) => instant(op, text, Sieve::Changed, true),
        (Some(ENTERPRISE), "employeeNumber", None, Kind::User, Op::Eq) => exactly(Sieve::EmployeeNumber(text.clone())),
        (Some(ENTERPRISE), "manager", Some("value"), Kind::User, Op::Eq) => id(Sieve::Manager),
        _ => ALL,
    }
}

/// Ids are written in one way, and their case counts.
fn parse_id(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|id| id.hyphenated().to_string() == text)
}

fn name(op: Op, text: &str) -> Judged {
    let how = match op {
        Op::Eq => Match::Is,
        Op::Co => Match::Contains,
        Op::Sw => Match::Starts,
        Op::Ew => Match::Ends,
        // Whether one name is greater than another, the databases do not agree on.
        Op::Ne | Op::Gt | Op::Ge | Op::Lt | Op::Le => return ALL,
    };
    (Sieve::Name(how, text.to_lowercase()), true)
}

fn instant(op: Op, text: &str, make: fn(Op, DateTime<Utc>) -> Sieve, exact: bool) -> Judged {
    match (op, DateTime::parse_from_rfc3339(text)) {
        (Op::Co | Op::Sw | Op::Ew, _) | (_, Err(_)) => ALL,
        (op, Ok(at)) => (make(op, at.to_utc()), exact),
    }
}

/// `emails[type eq "work" and value eq "…"]`: what is said of the value counts.
fn element(list: &str, inner: &Filter, kind: Kind) -> Judged {
    match inner {
        Filter::And(a, b) => match (element(list, a, kind), element(list, b, kind)) {
            ((Sieve::Everything, _), (one, _)) | ((one, _), _) => (one, false),
        },
        Filter::Compare(target, Op::Eq, Value::String(text)) if target.path.name == "value" => match (list, kind) {
            ("emails", Kind::User) => (Sieve::Email(text.to_lowercase()), false),
            ("groups", Kind::User) => parse_id(text).map_or((Sieve::Nothing, true), |id| (Sieve::InGroup(id), true)),
            ("members", Kind::Group) => parse_id(text).map_or((Sieve::Nothing, true), |id| (Sieve::Member(id), true)),
            _ => ALL,
        },
        _ => ALL,
    }
}

#[cfg(test)]
mod tests {
    use super::super::schemas::{GROUPS, USERS};
    use super::*;

    fn users(filter: &str) -> Judged {
        sieve(&Filter::parse(filter, &USERS).unwrap(), Kind::User)
    }

    #[test]
    fn what_an_index_answers() {
        let name = |text: &str| Sieve::Name(Match::Is, text.into());
        assert_eq!(users(r#"userName eq "Ada@X""#), (name("ada@x"), true));
        assert_eq!(users(r#"userName ne "ada""#), (Sieve::Not(Box::new(name("ada"))), true));
        assert_eq!(users(r#"externalId eq "HR""#), (Sieve::ExternalId("HR".into()), true));
        assert_eq!(users(r#"emails eq "A@b""#), (Sieve::Email("a@b".into()), false));
        assert_eq!(users(r#"emails[type eq "work" and value eq "a@b"]"#), (Sieve::Email("a@b".into()), false));
        assert_eq!(users(r#"emails[type eq "work"].value eq "a@b""#), (Sieve::Email("a@b".into()), false));
        assert_eq!(users(r#"id eq "x""#), (Sieve::Nothing, true));
        assert_eq!(users("userName pr"), (Sieve::Everything, true));
        let id = "0199c0de-0000-7000-8000-000000000001";
        let group = sieve(&Filter::parse(&format!(r#"members[value eq "{id}"]"#), &GROUPS).unwrap(), Kind::Group);
        assert_eq!(group, (Sieve::Member(id.parse().unwrap()), true));
    }

    #[test]
    fn what_no_index_answers_is_looked_at() {
        for filter in [
            r#"name.givenName eq "Ada""#,
            r#"userName gt "a""#,
            r#"not (emails eq "a@b")"#,
            r#"userName eq "a" or title eq "x""#,
            "nickName pr",
            "externalId eq null",
        ] {
            assert_eq!(users(filter), ALL, "{filter}");
        }
        assert_eq!(users(r#"userName eq "a" and title eq "x""#), (Sieve::Name(Match::Is, "a".into()), false));
    }
}
