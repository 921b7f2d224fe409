//! Who may do what: one table of acts, and the rule that decides.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A role that a user may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the installation; may do everything.
    Admin,
    /// Instructional designer: writes and publishes courses.
    Author,
    /// Teaches courses: enrols, sees progress, grants exceptions.
    Instructor,
    /// Sees the learning of the people below.
    Manager,
    /// Takes courses.
    Learner,
}

impl Role {
    /// The stable name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Author => "author",
            Self::Instructor => "instructor",
            Self::Manager => "manager",
            Self::Learner => "learner",
        }
    }
}

impl FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Admin, Self::Author, Self::Instructor, Self::Manager, Self::Learner]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a role"))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a role is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Everywhere.
    Site,
    /// Over the people of one organisational unit, with all units below.
    Unit(Uuid),
    /// In one course.
    Course(Uuid),
}

impl Reach {
    /// Reads the two columns of a stored grant.
    #[must_use]
    pub fn from_row(kind: &str, id: Uuid) -> Self {
        match kind {
            "course" => Self::Course(id),
            "unit" => Self::Unit(id),
            _ => Self::Site,
        }
    }

    /// The two columns of a stored grant: the kind, and the id (nil for the site).
    #[must_use]
    pub fn to_row(self) -> (&'static str, Uuid) {
        match self {
            Self::Site => ("site", Uuid::nil()),
            Self::Unit(id) => ("unit", id),
            Self::Course(id) => ("course", id),
        }
    }
}

/// A role and where it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The role.
    pub role: Role,
    /// Where.
    pub reach: Reach,
}

/// A set of roles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    fn bit(role: Role) -> u8 {
        match role {
            Role::Admin => 1,
            Role::Author => 2,
            Role::Instructor => 4,
            Role::Manager => 8,
            Role::Learner => 16,
        }
    }

    /// The set with one more.
    #[must_use]
    pub fn with(self, role: Role) -> Self {
        Self(self.0 | Self::bit(role))
    }

    /// Whether the set has it.
    #[must_use]
    pub fn has(self, role: Role) -> bool {
        self.0 & Self::bit(role) != 0
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        roles.into_iter().fold(Self::default(), Self::with)
    }
}

macro_rules! scopes {
    ($($name:ident $text:literal $doc:literal;)+) => {
        /// What a machine client may be allowed to do. Users' tokens carry no scopes: their roles decide.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Scope { $(#[doc = $doc] #[serde(rename = $text)] $name,)+ }

        impl Scope {
            /// All scopes with what they allow.
            pub const ALL: &'static [(Scope, &'static str, &'static str)] = &[$((Scope::$name, $text, $doc),)+];
            /// The scope as it stands in tokens.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $(Scope::$name => $text,)+ } }
        }

        // The derive does not see names that a macro hands to serde.
        impl utoipa::PartialSchema for Scope {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .description(Some("What a machine client may be allowed to do."))
                    .enum_values(Some([$($text),+]))
                    .into()
            }
        }

        impl ToSchema for Scope {}
    };
}

scopes! {
    UsersRead "users:read" "Read users.";
    UsersWrite "users:write" "Create and change users.";
    GroupsRead "groups:read" "Read groups and their members.";
    GroupsWrite "groups:write" "Create and change groups and their members.";
    CoursesRead "courses:read" "Read courses, drafts and revisions.";
    CoursesWrite "courses:write" "Write and publish courses.";
    EnrollmentsRead "enrollments:read" "Read enrollments, paths and progress.";
    EnrollmentsWrite "enrollments:write" "Enrol and withdraw learners, grant exceptions.";
    AssessmentRead "assessment:read" "Read attempts.";
    AssessmentWrite "assessment:write" "Grade, regrade, write banks of questions.";
    CompetenciesRead "competencies:read" "Read frameworks, mastery and goals.";
    CompetenciesWrite "competencies:write" "Write frameworks, targets, evidence and goals.";
    RulesRead "rules:read" "Read rules and their runs.";
    RulesWrite "rules:write" "Create, change and run rules.";
    GamesRead "games:read" "Read games, leaderboards, points and badges.";
    GamesWrite "games:write" "Create and run games, teams and badges, correct points.";
    CertificatesRead "certificates:read" "Read certificates.";
    CertificatesWrite "certificates:write" "Write certificate templates, issue and revoke certificates.";
    CommunityRead "community:read" "Read threads, posts and help requests.";
    CommunityWrite "community:write" "Write and moderate threads, posts and help requests.";
    ReportsRead "reports:read" "Read reports and transcripts.";
    ReportsWrite "reports:write" "Keep and schedule reports.";
    WebhooksRead "webhooks:read" "Read webhooks and their deliveries.";
    WebhooksWrite "webhooks:write" "Create, change and replay webhooks.";
    ChangesRead "changes:read" "Read the feed of changes.";
    ChangesWrite "changes:write" "Keep one's place in the feed of changes.";
    Scim "scim" "Provision users and groups over SCIM 2.0.";
    ActAs "act_as" "Exchange tokens to act as one user, within the client's other scopes.";
}

impl FromStr for Scope {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .find(|(_, name, _)| *name == text)
            .map(|(s, ..)| *s)
            .ok_or_else(|| format!("`{text}` is not a scope"))
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person with their grants.
    User {
        /// The user.
        id: Uuid,
        /// Roles held.
        grants: Vec<Grant>,
    },
    /// A machine with its scopes.
    Client {
        /// The client.
        id: Uuid,
        /// What its token allows.
        scopes: Vec<Scope>,
    },
    /// Cairn itself: the worker, a command.
    System,
}

/// How the actor stands to what is acted upon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relation {
    /// It is the actor's own.
    pub own: bool,
    /// The course that it belongs to.
    pub course: Option<Uuid>,
    /// Its owner is somewhere below the actor, who is their manager.
    pub managed: bool,
    /// The roles that the actor holds over a unit to which it, or its owner, belongs.
    pub unit_roles: Roles,
}

/// Everything that needs a right. [`Act::rule`] is the access table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Read one user.
    ReadUser,
    /// List users.
    ListUsers,
    /// Create and change users, their roles and state.
    WriteUser,
    /// Give and take roles for the whole site.
    GrantSiteRole,
    /// Give and take roles over the people of a unit.
    GrantUnitRole,
    /// See who reports to somebody.
    ReadReports,
    /// Plan and apply the whole list of employees; read plans.
    SyncUsers,
    /// Read and write users and groups over SCIM.
    Provision,
    /// Read a group.
    ReadGroup,
    /// See who is in a group.
    ReadMembers,
    /// Create, change and delete units and static groups, put users in and out.
    WriteGroup,
    /// Create groups at the top of the tree, move units there, write the conditions of dynamic groups.
    WriteAnyGroup,
    /// See which groups a course is assigned to.
    ReadAssignment,
    /// Assign a course to a group.
    AssignGroup,
    /// Change one's own name, locale, time zone and password.
    WriteOwnProfile,
    /// Choose how one is shown, end one's session.
    ManageOwnAccount,
    /// Create, change and list machine clients.
    ManageClients,
    /// Read a published course.
    ReadCourse,
    /// Read drafts, revisions and outlines, with the answers in them.
    ReadOutline,
    /// Create a course.
    CreateCourse,
    /// Change, publish, archive a course.
    WriteCourse,
    /// Enrol oneself.
    EnrollSelf,
    /// Enrol, approve and withdraw others.
    EnrollOthers,
    /// Read an enrollment, its path and attempts.
    ReadEnrollment,
    /// Do the learning: events, attempts, choices.
    Learn,
    /// Withdraw oneself, move oneself to a newer revision.
    LeaveOrUpgrade,
    /// Waive modules, grant attempts, mark modules complete.
    GrantException,
    /// Read a certificate.
    ReadCertificate,
    /// Revoke a certificate.
    RevokeCertificate,
    /// Read a game, its leaderboards, teams and badges.
    ReadGame,
    /// Read somebody's points, ledger and badges.
    ReadPoints,
    /// Join and leave teams, choose how to be shown.
    Play,
    /// Create, change and close a game, its teams, badges and matches.
    WriteGame,
    /// Correct points, give and revoke badges, review flags, see who hides behind a pseudonym.
    RefereeGame,
    /// Read frameworks and competencies.
    ReadFramework,
    /// Create, import, change and delete frameworks and competencies.
    WriteFramework,
    /// Read what a course covers and requires.
    ReadCoverage,
    /// Set what a course requires, and by when.
    WriteTarget,
    /// Read somebody's mastery, evidence and goals; in a course, that of its learners.
    ReadMastery,
    /// Record evidence by one's own judgement, and take it back.
    RecordEvidence,
    /// Read goals.
    ReadGoal,
    /// See who has a goal.
    ReadGoalLearners,
    /// Create, change and delete goals.
    WriteGoal,
    /// Give a goal to somebody and take it away.
    AssignGoal,
    /// Correct the grade of an attempt, or delete it.
    CorrectGrade,
    /// Move the sandbox clock.
    MoveClock,
    /// Read and export who did what.
    ReadAudit,
    /// Let somebody who failed to log in too often try again at once.
    UnlockUser,
    /// Get everything that is held on a person.
    ExportPerson,
    /// Erase what identifies a person.
    ErasePerson,
}

/// What allows an [`Act`]: any one of these suffices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Scope that a client needs; `None` means that clients may not.
    pub scope: Option<Scope>,
    /// Roles that allow it, held for the site or for the course in question. Admins always may.
    pub roles: &'static [Role],
    /// The owner may.
    pub own: bool,
    /// Managers of the owner may.
    pub manager: bool,
}

impl Act {
    /// The access table.
    #[must_use]
    pub fn rule(self) -> Rule {
        use Role::{Author, Instructor, Learner, Manager};
        const EVERYONE: &[Role] = &[Author, Instructor, Manager, Learner];
        let rule = |scope, roles, own, manager| Rule { scope, roles, own, manager };
        match self {
            Self::ReadUser => rule(Some(Scope::UsersRead), &[], true, true),
            Self::ListUsers => rule(Some(Scope::UsersRead), &[Manager], false, false),
            Self::WriteUser => rule(Some(Scope::UsersWrite), &[], false, false),
            Self::GrantSiteRole | Self::GrantUnitRole => rule(Some(Scope::UsersWrite), &[], false, false),
            Self::ReadReports => rule(Some(Scope::UsersRead), &[], true, true),
            Self::SyncUsers => rule(Some(Scope::UsersWrite), &[], false, false),
            Self::Provision => rule(Some(Scope::Scim), &[], false, false),
            Self::ReadGroup => rule(Some(Scope::GroupsRead), &[Author, Instructor, Manager], false, false),
            Self::ReadMembers => rule(Some(Scope::GroupsRead), &[Instructor], false, false),
            Self::WriteGroup | Self::WriteAnyGroup => rule(Some(Scope::GroupsWrite), &[], false, false),
            Self::ReadAssignment => rule(Some(Scope::EnrollmentsRead), &[Instructor], false, false),
            Self::AssignGroup => rule(Some(Scope::EnrollmentsWrite), &[Instructor], false, false),
            Self::WriteOwnProfile | Self::ManageOwnAccount => rule(None, &[], true, false),
            Self::ManageClients | Self::MoveClock | Self::ReadAudit | Self::ErasePerson => {
                rule(None, &[], false, false)
            }
            Self::UnlockUser => rule(Some(Scope::UsersWrite), &[], false, false),
            Self::ExportPerson => rule(None, &[], true, false),
            Self::ReadCourse => rule(Some(Scope::CoursesRead), EVERYONE, false, false),
            Self::ReadOutline => rule(Some(Scope::CoursesRead), &[Author, Instructor], false, false),
            Self::CreateCourse | Self::WriteCourse => rule(Some(Scope::CoursesWrite), &[Author], false, false),
            Self::EnrollSelf => rule(None, EVERYONE, true, false),
            Self::EnrollOthers => rule(Some(Scope::EnrollmentsWrite), &[Instructor], false, true),
            Self::ReadEnrollment => rule(Some(Scope::EnrollmentsRead), &[Instructor], true, true),
            Self::Learn => rule(None, &[], true, false),
            Self::LeaveOrUpgrade => rule(Some(Scope::EnrollmentsWrite), &[Instructor], true, false),
            Self::GrantException => rule(Some(Scope::EnrollmentsWrite), &[Instructor], false, false),
            Self::ReadCertificate => rule(Some(Scope::CertificatesRead), &[Instructor], true, true),
            Self::ReadGame => rule(Some(Scope::GamesRead), EVERYONE, false, false),
            Self::ReadPoints => rule(Some(Scope::GamesRead), &[Instructor], true, true),
            Self::Play => rule(None, EVERYONE, true, false),
            Self::WriteGame => rule(Some(Scope::GamesWrite), &[Author, Instructor], false, false),
            Self::RefereeGame => rule(Some(Scope::GamesWrite), &[Instructor], false, false),
            Self::RevokeCertificate => rule(None, &[], false, false),
            Self::ReadFramework | Self::ReadGoal => rule(Some(Scope::CompetenciesRead), EVERYONE, false, false),
            Self::WriteFramework => rule(Some(Scope::CompetenciesWrite), &[Author], false, false),
            Self::ReadCoverage => rule(Some(Scope::CompetenciesRead), &[Author, Instructor], false, false),
            Self::WriteTarget | Self::WriteGoal => {
                rule(Some(Scope::CompetenciesWrite), &[Author, Instructor], false, false)
            }
            Self::ReadMastery => rule(Some(Scope::CompetenciesRead), &[Instructor], true, true),
            Self::RecordEvidence => rule(Some(Scope::CompetenciesWrite), &[Instructor], false, false),
            Self::ReadGoalLearners => rule(Some(Scope::CompetenciesRead), &[Instructor, Manager], false, true),
            Self::AssignGoal => rule(Some(Scope::CompetenciesWrite), &[Instructor], false, true),
            Self::CorrectGrade => rule(Some(Scope::AssessmentWrite), &[Instructor], false, false),
        }
    }
}

impl Act {
    /// Whether it is about a person's own account: the person does it alone, no client in their name.
    #[must_use]
    pub fn takes_the_person(self) -> bool {
        matches!(self, Self::WriteOwnProfile | Self::ManageOwnAccount | Self::ExportPerson)
    }

    /// The roles that allow the act when they are held for a unit and the act concerns that unit's people: those of the rule,
    /// admin, and manager where a manager may. Acts that concern nobody are never allowed by them.
    pub fn held_over_units(self) -> impl Iterator<Item = Role> {
        let rule = self.rule();
        let manager = if rule.manager { Some(Role::Manager) } else { None };
        std::iter::once(Role::Admin).chain(rule.roles.iter().copied()).chain(manager)
    }
}

/// What would have allowed the act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The scope, for a client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<&'static str>,
    /// The roles, any of which suffices, for a user.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<&'static str>,
}

impl Actor {
    /// Decides whether the actor may do this.
    ///
    /// # Errors
    /// What is missing.
    pub fn may(&self, act: Act, relation: &Relation) -> Result<(), Missing> {
        let rule = act.rule();
        match self {
            Self::System => Ok(()),
            Self::Client { scopes, .. } => match rule.scope {
                Some(needed) if scopes.contains(&needed) => Ok(()),
                needed => Err(Missing { scope: needed.map(Scope::as_str), roles: Vec::new() }),
            },
            Self::User { grants, .. } => {
                let by_role = grants.iter().any(|grant| {
                    let reaches = match grant.reach {
                        Reach::Site => true,
                        Reach::Course(course) => relation.course == Some(course),
                        // Which of them reach is in `unit_roles`.
                        Reach::Unit(_) => false,
                    };
                    reaches && (grant.role == Role::Admin || rule.roles.contains(&grant.role))
                });
                if by_role
                    || act.held_over_units().any(|role| relation.unit_roles.has(role))
                    || (rule.own && relation.own)
                    || (rule.manager && relation.managed)
                {
                    return Ok(());
                }
                let mut roles = vec![Role::Admin.as_str()];
                roles.extend(rule.roles.iter().map(|role| role.as_str()));
                if rule.manager && !roles.contains(&"manager") {
                    roles.push("manager");
                }
                Err(Missing { scope: None, roles })
            }
        }
    }

    /// The user who acts, if it is one.
    #[must_use]
    pub fn user_id(&self) -> Option<Uuid> {
        match self {
            Self::User { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// The units over whose people the actor may do this, by a role held for them.
    #[must_use]
    pub fn units_for(&self, act: Act) -> Vec<Uuid> {
        let Self::User { grants, .. } = self else { return Vec::new() };
        let may = |role: Role| act.held_over_units().any(|one| one == role);
        grants
            .iter()
            .filter_map(|grant| match grant.reach {
                Reach::Unit(unit) if may(grant.role) => Some(unit),
                _ => None,
            })
            .collect()
    }

    /// The roles held for units, with the units.
    pub fn unit_grants(&self) -> impl Iterator<Item = (Uuid, Role)> {
        let grants = match self {
            Self::User { grants, .. } => grants.as_slice(),
            _ => &[],
        };
        grants.iter().filter_map(|grant| match grant.reach {
            Reach::Unit(unit) => Some((unit, grant.role)),
            _ => None,
        })
    }

    /// The id of whoever acts; none for Cairn itself.
    #[must_use]
    pub fn id(&self) -> Option<Uuid> {
        match self {
            Self::User { id, .. } | Self::Client { id, .. } => Some(*id),
            Self::System => None,
        }
    }

    /// `user`, `client` or `system`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Client { .. } => "client",
            Self::System => "system",
        }
    }

    /// The actor when a client acts in their name: no grant of the role admin counts, for the site or for a unit, so that whoever
    /// acts as an admin administers nothing.
    #[must_use]
    pub fn without_administration(mut self) -> Self {
        if let Self::User { grants, .. } = &mut self {
            grants.retain(|grant| grant.role != Role::Admin);
        }
        self
    }

    /// True when the user holds the role for the whole site.
    #[must_use]
    pub fn has_site_role(&self, role: Role) -> bool {
        matches!(self, Self::User { grants, .. } if grants.iter().any(|g| g.role == role && g.reach == Reach::Site))
    }
}

/// A client that acts as a user: the user's rights, narrowed to the client's scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// The client that acts.
    pub client: Uuid,
    /// What its token allows.
    pub scopes: Vec<Scope>,
}

impl Delegation {
    /// Decides whether the client may do this in the user's name. What no client may do by itself it may do for a user only
    /// where it is the user's own affair, such as learning, and never the account itself; so acting as an admin makes no client an admin.
    ///
    /// # Errors
    /// The scope that is missing.
    pub fn allows(&self, act: Act) -> Result<(), Missing> {
        let rule = act.rule();
        match rule.scope {
            Some(needed) if self.scopes.contains(&needed) => Ok(()),
            None if rule.own && !act.takes_the_person() => Ok(()),
            needed => Err(Missing { scope: needed.map(Scope::as_str), roles: Vec::new() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(role: Role, reach: Reach) -> Actor {
        Actor::User { id: Uuid::nil(), grants: vec![Grant { role, reach }] }
    }

    #[test]
    fn a_course_role_reaches_its_course_only() {
        let (here, there) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let author = user(Role::Author, Reach::Course(here));
        assert!(author.may(Act::WriteCourse, &Relation { course: Some(here), ..Relation::default() }).is_ok());
        assert!(author.may(Act::WriteCourse, &Relation { course: Some(there), ..Relation::default() }).is_err());
        assert!(author.may(Act::CreateCourse, &Relation::default()).is_err());
    }

    #[test]
    fn a_client_in_somebodys_name_learns_but_leaves_the_account_alone() {
        let scopes = Scope::ALL.iter().map(|(scope, ..)| *scope).collect();
        let via = Delegation { client: Uuid::nil(), scopes };
        assert!(via.allows(Act::Learn).is_ok() && via.allows(Act::ReadUser).is_ok());
        for act in [Act::WriteOwnProfile, Act::ManageOwnAccount, Act::ExportPerson, Act::ManageClients] {
            assert!(via.allows(act).is_err(), "{act:?}");
        }
    }

    #[test]
    fn a_refusal_names_what_is_missing() {
        let learner = user(Role::Learner, Reach::Site);
        let missing = learner.may(Act::WriteCourse, &Relation::default()).unwrap_err();
        assert_eq!(missing.roles, ["admin", "author"]);
        let client = Actor::Client { id: Uuid::nil(), scopes: vec![Scope::UsersRead] };
        let missing = client.may(Act::WriteUser, &Relation::default()).unwrap_err();
        assert_eq!(missing.scope, Some("users:write"));
    }

    #[test]
    fn managers_see_learning_but_do_not_write_users() {
        let manager = user(Role::Learner, Reach::Site);
        let below = Relation { managed: true, ..Relation::default() };
        assert!(manager.may(Act::ReadEnrollment, &below).is_ok());
        assert!(manager.may(Act::WriteUser, &below).is_err());
        assert!(manager.may(Act::Learn, &below).is_err());
    }

    #[test]
    fn a_unit_role_reaches_its_people_and_nothing_else() {
        let unit = Uuid::from_u128(7);
        let admin = user(Role::Admin, Reach::Unit(unit));
        let over = Relation { unit_roles: Roles::default().with(Role::Admin), ..Relation::default() };
        for act in [Act::ReadUser, Act::WriteUser, Act::ReadEnrollment, Act::EnrollOthers, Act::WriteGroup] {
            assert!(admin.may(act, &over).is_ok(), "{act:?}");
            assert!(admin.may(act, &Relation::default()).is_err(), "{act:?}");
            assert_eq!(admin.units_for(act), [unit], "{act:?}");
        }
        let manager = user(Role::Manager, Reach::Unit(unit));
        let over = Relation { unit_roles: Roles::default().with(Role::Manager), ..Relation::default() };
        assert!(manager.may(Act::ReadEnrollment, &over).is_ok());
        assert!(manager.may(Act::WriteUser, &over).is_err());
        assert_eq!(manager.units_for(Act::ReadUser), [unit]);
        assert!(manager.units_for(Act::WriteGroup).is_empty());
    }

    #[test]
    fn admins_may_everything_and_clients_nothing_without_scope() {
        let acts =
            [Act::ReadUser, Act::WriteUser, Act::ManageClients, Act::WriteCourse, Act::GrantException, Act::MoveClock];
        let nobody = Actor::Client { id: Uuid::nil(), scopes: Vec::new() };
        for act in acts {
            assert!(user(Role::Admin, Reach::Site).may(act, &Relation::default()).is_ok(), "{act:?}");
            assert!(nobody.may(act, &Relation { own: true, managed: true, ..Relation::default() }).is_err(), "{act:?}");
        }
    }

    #[test]
    fn whoever_acts_as_an_admin_administers_nothing() {
        let unit = Uuid::from_u128(7);
        let grants =
            [Reach::Site, Reach::Unit(unit), Reach::Course(unit)].map(|reach| Grant { role: Role::Admin, reach });
        let other = Grant { role: Role::Author, reach: Reach::Site };
        let actor = Actor::User { id: Uuid::nil(), grants: [grants.as_slice(), &[other]].concat() };
        let through = actor.without_administration();
        for act in
            [Act::WriteUser, Act::GrantSiteRole, Act::GrantUnitRole, Act::SyncUsers, Act::UnlockUser, Act::Provision]
        {
            assert!(through.may(act, &Relation::default()).is_err(), "{act:?}");
            assert!(through.units_for(act).is_empty() && through.unit_grants().next().is_none(), "{act:?}");
        }
        assert!(!through.has_site_role(Role::Admin));
        assert!(through.may(Act::WriteCourse, &Relation::default()).is_ok(), "what they are beside stays");
        let own = Relation { own: true, ..Relation::default() };
        assert!(through.may(Act::Learn, &own).is_ok());
    }

    #[test]
    fn acting_as_somebody_is_narrowed_to_the_scopes_and_never_administers() {
        let through = Delegation { client: Uuid::nil(), scopes: vec![Scope::EnrollmentsRead] };
        for (act, allowed) in [
            (Act::ReadEnrollment, true),
            (Act::Learn, true),
            (Act::EnrollOthers, false),
            (Act::ManageClients, false),
            (Act::ErasePerson, false),
            (Act::ReadAudit, false),
        ] {
            assert_eq!(through.allows(act).is_ok(), allowed, "{act:?}");
        }
    }
}
