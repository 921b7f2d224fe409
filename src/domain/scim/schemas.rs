//! The schemas of users, the enterprise extension and groups (RFC 7643 §4, §8.7.1).

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::attribute::{Attribute, Kind, Mutability, find};

/// Users.
pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// What companies know of users.
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// Groups.
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// A schema with its attributes.
#[derive(Debug)]
pub struct Schema {
    /// Its URI.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// The attributes.
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// As it is published (RFC 7643 §7).
    #[must_use]
    pub fn to_json(&self, base: &str) -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "attributes": self.attributes.iter().map(Attribute::to_json).collect::<Vec<_>>(),
            "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{}", self.id)},
        })
    }
}

/// A kind of resource: its core schema, its extensions, and the attributes that all resources have (RFC 7643 §3.1).
#[derive(Debug)]
pub struct ResourceType {
    /// `User` or `Group`.
    pub name: &'static str,
    /// Where its resources are, below the base.
    pub endpoint: &'static str,
    /// What it is.
    pub description: &'static str,
    /// The core schema.
    pub core: &'static Schema,
    /// Extensions; none is needed.
    pub extensions: Vec<&'static Schema>,
}

impl ResourceType {
    /// As it is published (RFC 7643 §6).
    #[must_use]
    pub fn to_json(&self, base: &str) -> Value {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": self.name,
            "name": self.name,
            "endpoint": self.endpoint,
            "description": self.description,
            "schema": self.core.id,
            "schemaExtensions": self.extensions.iter().map(|e| json!({"schema": e.id, "required": false})).collect::<Vec<_>>(),
            "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", self.name)},
        })
    }

    /// A top-level attribute of the core schema, or one that all resources have.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(&self.core.attributes, name).or_else(|| find(&COMMON, name))
    }

    /// The extension with this URI, whatever its case.
    #[must_use]
    pub fn extension(&self, uri: &str) -> Option<&'static Schema> {
        self.extensions.iter().copied().find(|e| e.id.eq_ignore_ascii_case(uri))
    }
}

/// Attributes that all resources have.
pub static COMMON: LazyLock<Vec<Attribute>> = LazyLock::new(|| {
    use Mutability::ReadOnly;
    vec![
        Attribute::text("schemas", "The schemas that the resource has attributes of.")
            .of(Kind::Reference(&["uri"]))
            .list()
            .needed()
            .always(),
        Attribute::text("id", "Cairn's id.").exact().unique().may(ReadOnly).always(),
        Attribute::text("externalId", "The id that the client owns.").exact(),
        Attribute::complex(
            "meta",
            "About the resource itself.",
            vec![
                Attribute::text("resourceType", "Its kind.").exact().may(ReadOnly),
                Attribute::text("created", "When it was made.").of(Kind::DateTime).may(ReadOnly),
                Attribute::text("lastModified", "When it was last changed.").of(Kind::DateTime).may(ReadOnly),
                Attribute::text("location", "Where it is.").of(Kind::Reference(&["uri"])).may(ReadOnly),
                Attribute::text("version", "Its ETag.").exact().may(ReadOnly),
            ],
        )
        .may(ReadOnly),
    ]
});

/// A list of values with type, label and a mark on the primary one (RFC 7643 §2.4).
fn values(
    name: &'static str,
    description: &'static str,
    value: Attribute,
    types: &'static [&'static str],
) -> Attribute {
    Attribute::complex(
        name,
        description,
        vec![
            value,
            Attribute::text("display", "For people."),
            Attribute::text("type", "What it is for.").usual(types),
            Attribute::text("primary", "Whether it is the one to use; at most one is.").of(Kind::Boolean),
        ],
    )
    .list()
}

static USER_SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    use Mutability::{ReadOnly, WriteOnly};
    let text = Attribute::text;
    let value = |what| text("value", what);
    Schema {
        id: USER,
        name: "User",
        description: "A person.",
        attributes: vec![
            text("userName", "The name to log in with at the client; unique whatever its case.").needed().unique(),
            Attribute::complex(
                "name",
                "The parts of the name.",
                vec![
                    text("formatted", "The whole name."),
                    text("familyName", "Family name."),
                    text("givenName", "Given name."),
                    text("middleName", "Middle names."),
                    text("honorificPrefix", "Title before the name."),
                    text("honorificSuffix", "What follows the name."),
                ],
            ),
            text("displayName", "The name to show."),
            text("nickName", "The casual name."),
            text("profileUrl", "A page about the person.").of(Kind::Reference(&["external"])),
            text("title", "Position, such as Vice President."),
            text("userType", "Kind of employment, such as Contractor."),
            text("preferredLanguage", "Languages, as in Accept-Language."),
            text("locale", "BCP 47 language tag for dates and numbers."),
            text("timezone", "IANA time zone."),
            text("active", "Whether the person may log in.").of(Kind::Boolean),
            text("password", "For log-in at Cairn.").exact().may(WriteOnly),
            values(
                "emails",
                "E-mail addresses; the primary one is for log-in.",
                value("The address."),
                &["work", "home", "other"],
            ),
            values(
                "phoneNumbers",
                "Telephone numbers.",
                value("The number."),
                &["work", "home", "mobile", "fax", "pager", "other"],
            ),
            values("ims", "Addresses for instant messages.", value("The address."), &[]),
            values(
                "photos",
                "Pictures.",
                value("Where it is.").of(Kind::Reference(&["external"])),
                &["photo", "thumbnail"],
            ),
            Attribute::complex(
                "addresses",
                "Postal addresses.",
                vec![
                    text("formatted", "The whole address."),
                    text("streetAddress", "Street and number."),
                    text("locality", "City."),
                    text("region", "State or region."),
                    text("postalCode", "Postal code."),
                    text("country", "ISO 3166-1 alpha-2 code."),
                    text("type", "What it is for.").usual(&["work", "home", "other"]),
                    text("primary", "Whether it is the one to use; at most one is.").of(Kind::Boolean),
                ],
            )
            .list(),
            Attribute::complex(
                "groups",
                "The groups that the person is in; changed at the groups.",
                vec![
                    text("value", "The group's id.").exact().may(ReadOnly),
                    text("$ref", "Where the group is.").of(Kind::Reference(&["Group"])).may(ReadOnly),
                    text("display", "The group's name.").may(ReadOnly),
                    text("type", "Whether the membership is of the group itself.")
                        .usual(&["direct", "indirect"])
                        .may(ReadOnly),
                ],
            )
            .list()
            .may(ReadOnly),
            values("entitlements", "What the person is entitled to.", value("The entitlement."), &[]),
            values("roles", "Roles at the client; Cairn's own are at /v1/users.", value("The role."), &[]),
            values("x509Certificates", "Certificates.", value("DER in base64.").of(Kind::Binary), &[]),
        ],
    }
});

static ENTERPRISE_SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let text = Attribute::text;
    Schema {
        id: ENTERPRISE,
        name: "EnterpriseUser",
        description: "What companies know of a person.",
        attributes: vec![
            text("employeeNumber", "The company's number for the person; no two have the same.").exact().unique(),
            text("costCenter", "Cost centre."),
            text("organization", "Organisation."),
            text("division", "Division."),
            text("department", "Department."),
            Attribute::complex(
                "manager",
                "The manager.",
                vec![
                    text("value", "The manager's id.").exact(),
                    text("$ref", "Where the manager is.").of(Kind::Reference(&["User"])),
                    text("displayName", "The manager's name.").may(Mutability::ReadOnly).on_request(),
                ],
            ),
        ],
    }
});

static GROUP_SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let text = Attribute::text;
    Schema {
        id: GROUP,
        name: "Group",
        description: "People who belong together.",
        attributes: vec![
            text("displayName", "The group's name.").needed(),
            Attribute::complex(
                "members",
                "The members.",
                vec![
                    text("value", "The member's id.").exact().may(Mutability::Immutable),
                    text("$ref", "Where the member is.").of(Kind::Reference(&["User"])).may(Mutability::Immutable),
                    text("type", "What the member is.").usual(&["User"]).may(Mutability::Immutable),
                    text("display", "The member's name.").may(Mutability::ReadOnly).on_request(),
                ],
            )
            .list(),
        ],
    }
});

/// Users.
pub static USERS: LazyLock<ResourceType> = LazyLock::new(|| ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "People.",
    core: &USER_SCHEMA,
    extensions: vec![&*ENTERPRISE_SCHEMA],
});

/// Groups.
pub static GROUPS: LazyLock<ResourceType> = LazyLock::new(|| ResourceType {
    name: "Group",
    endpoint: "/Groups",
    description: "Groups of people.",
    core: &GROUP_SCHEMA,
    extensions: Vec::new(),
});

static ANY_SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let mut attributes = USER_SCHEMA.attributes.clone();
    attributes
        .extend(GROUP_SCHEMA.attributes.iter().filter(|a| find(&USER_SCHEMA.attributes, a.name).is_none()).cloned());
    for attribute in &mut attributes {
        attribute.required = false;
    }
    Schema { id: USER, name: "Resource", description: "A user or a group.", attributes }
});

/// Users and groups alike, for searches in both; it is not published.
pub static ANYTHING: LazyLock<ResourceType> = LazyLock::new(|| ResourceType {
    name: "Resource",
    endpoint: "",
    description: "Users and groups.",
    core: &ANY_SCHEMA,
    extensions: vec![&*ENTERPRISE_SCHEMA],
});

/// All schemas.
#[must_use]
pub fn all() -> [&'static Schema; 3] {
    [&USER_SCHEMA, &ENTERPRISE_SCHEMA, &GROUP_SCHEMA]
}
