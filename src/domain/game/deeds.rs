//! The events that are about a person: what point rules and badges can be for.

use std::borrow::Cow;

use serde_json::Value;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// What an event may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Point rules and badges.
    Points,
    /// Badges only: points for what points bring about would feed themselves.
    Badges,
}

use Use::{Badges, Points};

/// Every event that is about a person, by name.
const ALL: &[(&str, Use)] = &[
    ("attempt.corrected", Points),
    ("attempt.deleted", Points),
    ("attempt.started", Points),
    ("badge.awarded", Points),
    ("badge.revoked", Points),
    ("branch.chosen", Points),
    ("certificate.issued", Points),
    ("certificate.revoked", Points),
    ("client.acted_as", Points),
    ("competency.behind", Points),
    ("competency.lost", Points),
    ("competency.mastered", Points),
    ("course.completed", Points),
    ("course.staff_changed", Points),
    ("enrollment.approved", Points),
    ("enrollment.created", Points),
    ("enrollment.expired", Points),
    ("enrollment.promoted", Points),
    ("enrollment.rejected", Points),
    ("enrollment.reopened", Points),
    ("enrollment.upgraded", Points),
    ("enrollment.withdrawn", Points),
    ("evidence.deleted", Points),
    ("evidence.recorded", Points),
    ("game.flag_resolved", Badges),
    ("goal.assigned", Points),
    ("goal.unassigned", Points),
    ("group.joined", Points),
    ("group.left", Points),
    ("level.reached", Badges),
    ("module.completed", Points),
    ("module.reopened", Points),
    ("module.started", Points),
    ("override.granted", Points),
    ("points.changed", Badges),
    ("quiz.failed", Points),
    ("quiz.passed", Points),
    ("session.created", Points),
    ("session.ended", Points),
    ("session.failed", Points),
    ("session.reuse_detected", Points),
    ("session.revoked", Points),
    ("team.joined", Points),
    ("team.left", Points),
    ("user.created", Points),
    ("user.erased", Points),
    ("user.exported", Points),
    ("user.password_refused", Points),
    ("user.role_granted", Points),
    ("user.role_revoked", Points),
    ("user.roles_changed", Points),
    ("user.state_changed", Points),
    ("user.unlocked", Points),
    ("user.updated", Points),
];

/// Whether this is the name of an event that is about a person.
#[must_use]
pub fn is_deed(name: &str) -> bool {
    ALL.iter().any(|(known, _)| *known == name)
}

/// Whether points can be given for it.
#[must_use]
pub fn earns_points(name: &str) -> bool {
    ALL.contains(&(name, Points))
}

/// The names of all events that are about a person.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

/// The names of those that points can be given for.
pub fn names_for_points() -> impl Iterator<Item = &'static str> {
    ALL.iter().filter(|(_, usable)| *usable == Points).map(|(name, _)| *name)
}

fn schema_of(names: impl Iterator<Item = &'static str>, description: &str) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .enum_values(Some(names.map(Value::from).collect::<Vec<_>>()))
        .examples(["module.completed"])
        .into()
}

/// The name of an event that a badge can be for, in the document.
pub struct BadgeEvent;

impl PartialSchema for BadgeEvent {
    fn schema() -> RefOr<Schema> {
        schema_of(ALL.iter().map(|(name, _)| *name), "An event that is about a person.")
    }
}

impl ToSchema for BadgeEvent {
    fn name() -> Cow<'static, str> {
        "BadgeEvent".into()
    }
}

/// The name of an event that points can be given for, in the document.
pub struct PointEvent;

impl PartialSchema for PointEvent {
    fn schema() -> RefOr<Schema> {
        let names = ALL.iter().filter(|(_, usable)| *usable == Points).map(|(name, _)| *name);
        schema_of(names, "An event that is about a person, and is not brought about by points.")
    }
}

impl ToSchema for PointEvent {
    fn name() -> Cow<'static, str> {
        "PointEvent".into()
    }
}
