//! SQL about what rules' conditions ask of many players at once.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use uuid::Uuid;

use super::groups;
use crate::db::Conn;
use crate::db::schema::{certificates, enrollments, users};
use crate::db::types::Id;
use crate::domain::facts::{CourseFact, GroupFact, HeldCertificate, LearnerFacts};
use crate::domain::outline::FactNeeds;
use crate::error::AppResult;

fn ids(list: &[Uuid]) -> Vec<Id> {
    list.iter().map(|id| Id(*id)).collect()
}

/// Attributes, courses, certificates and groups of these players, as far as they are needed.
pub fn load(conn: &mut Conn, of: &[Uuid], needs: &FactNeeds) -> AppResult<HashMap<Uuid, LearnerFacts>> {
    let mut all: HashMap<Uuid, LearnerFacts> = of.iter().map(|id| (*id, LearnerFacts::default())).collect();
    if needs.attributes {
        let rows: Vec<(Uuid, serde_json::Value)> =
            users::table.filter(users::id.eq_any(ids(of))).select((users::id, users::attributes)).load(conn)?;
        for (user, attributes) in rows {
            if let (Some(facts), serde_json::Value::Object(attributes)) = (all.get_mut(&user), attributes) {
                facts.attributes = attributes;
            }
        }
    }
    if !needs.courses.is_empty() {
        let rows: Vec<(Uuid, Uuid, String)> = enrollments::table
            .filter(enrollments::user_id.eq_any(ids(of)))
            .filter(enrollments::course_id.eq_any(ids(&needs.courses)))
            .filter(enrollments::status.eq_any(["active", "completed"]))
            .select((enrollments::user_id, enrollments::course_id, enrollments::status))
            .load(conn)?;
        for (user, course, status) in rows {
            if let Some(facts) = all.get_mut(&user) {
                facts.courses.push(CourseFact { course, completed: status == "completed" });
            }
        }
    }
    if !needs.certificates.is_empty() {
        type Row = (Uuid, Uuid, DateTime<Utc>, Option<DateTime<Utc>>, Option<DateTime<Utc>>);
        let rows: Vec<Row> = certificates::table
            .filter(certificates::user_id.eq_any(ids(of)))
            .filter(certificates::course_id.eq_any(ids(&needs.certificates)))
            .select((
                certificates::user_id,
                certificates::course_id,
                certificates::issued_at,
                certificates::expires_at,
                certificates::revoked_at,
            ))
            .load(conn)?;
        for (user, course, issued_at, expires_at, revoked) in rows {
            if let Some(facts) = all.get_mut(&user) {
                let revoked = revoked.is_some();
                facts.certificates.push(HeldCertificate { course, issued_at, expires_at, revoked });
            }
        }
    }
    if !needs.groups.is_empty() {
        let known = groups::existing(conn, &needs.groups)?;
        let members: BTreeSet<(Uuid, Uuid)> = groups::memberships(conn, &known, of)?.into_iter().collect();
        for (user, facts) in &mut all {
            let fact = |group: &Uuid| GroupFact { group: *group, member: members.contains(&(*group, *user)) };
            facts.groups = known.iter().map(fact).collect();
        }
    }
    Ok(all)
}
