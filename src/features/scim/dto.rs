//! Shapes for the document. Those of resources are made from the schemas that SCIM itself publishes, so that the two agree.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::domain::scim::attribute::{Attribute, Kind, Mutability, Returned};
use crate::domain::scim::bulk::{BULK_REQUEST, BULK_RESPONSE, MAX_OPERATIONS};
use crate::domain::scim::input::max_length;
use crate::domain::scim::list::{LIST_RESPONSE, MAX_COUNT, SEARCH_REQUEST, Wish};
use crate::domain::scim::patch::{self, PATCH_OP};
use crate::domain::scim::schemas::{COMMON, ENTERPRISE, GROUP, GROUPS, ResourceType, USER, USERS};
use crate::http::scim;

/// What is asked of a list.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Only resources that fit (RFC 7644 §3.4.2.2), such as `userName eq "ada@example.org"`.
    pub filter: Option<String>,
    /// The attribute to sort by; by the order of making when absent.
    pub sort_by: Option<String>,
    /// `ascending` (when absent) or `descending`.
    pub sort_order: Option<String>,
    /// Position of the first resource wanted, from 1.
    #[param(value_type = Option<i64>)]
    pub start_index: Option<String>,
    /// Resources on a page, 0 to 500; 100 when absent.
    #[param(value_type = Option<i64>)]
    pub count: Option<String>,
    /// Pages by cursor (RFC 9865): empty for the first page, then `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// Show these attributes only, separated by commas.
    pub attributes: Option<String>,
    /// Show all attributes but these, separated by commas.
    pub excluded_attributes: Option<String>,
    /// A switch that Microsoft Entra may add to every address; it changes nothing here.
    #[param(ignore)]
    #[serde(rename = "aadOptscim062020")]
    pub entra_switch: Option<String>,
}

impl From<ListQuery> for Wish {
    fn from(query: ListQuery) -> Self {
        Self {
            filter: query.filter,
            sort_by: query.sort_by,
            sort_order: query.sort_order,
            start_index: query.start_index,
            count: query.count,
            cursor: query.cursor,
            attributes: query.attributes,
            excluded_attributes: query.excluded_attributes,
        }
    }
}

/// What is shown of a resource.
#[derive(Debug, Default, Clone, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ShownQuery {
    /// Show these attributes only, separated by commas.
    pub attributes: Option<String>,
    /// Show all attributes but these, separated by commas.
    pub excluded_attributes: Option<String>,
    /// A switch that Microsoft Entra may add to every address; it changes nothing here.
    #[param(ignore)]
    #[serde(rename = "aadOptscim062020")]
    pub entra_switch: Option<String>,
}

fn attribute(one: &Attribute, sent: bool) -> Value {
    let mut schema = match one.kind {
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::DateTime => json!({"type": "string", "format": "date-time"}),
        Kind::Complex => object(&one.sub, sent),
        Kind::Binary | Kind::String | Kind::Reference(_) if sent => {
            json!({"type": "string", "maxLength": max_length(one.kind)})
        }
        Kind::Binary | Kind::String | Kind::Reference(_) => json!({"type": "string"}),
    };
    if one.multi {
        schema = json!({"type": "array", "items": schema});
    }
    if let Some(members) = schema.as_object_mut() {
        members.insert("description".into(), Value::from(one.description));
    }
    schema
}

fn properties(attributes: &[Attribute], sent: bool) -> Map<String, Value> {
    let keep = |one: &&Attribute| {
        if sent { one.mutability != Mutability::ReadOnly } else { one.returned != Returned::Never }
    };
    attributes.iter().filter(keep).map(|one| (one.name.to_owned(), attribute(one, sent))).collect()
}

fn object(attributes: &[Attribute], sent: bool) -> Value {
    json!({"type": "object", "properties": properties(attributes, sent)})
}

/// The schema of a resource: what clients send, or what they get.
fn resource(of: &ResourceType, sent: bool, example: Value) -> Value {
    let mut all = properties(&COMMON, sent);
    all.extend(properties(&of.core.attributes, sent));
    for extension in &of.extensions {
        all.insert(extension.id.to_owned(), object(&extension.attributes, sent));
    }
    let schemas: Vec<&str> = std::iter::once(of.core.id).chain(of.extensions.iter().map(|one| one.id)).collect();
    all.insert("schemas".into(), uris(&schemas));
    let mut required = vec!["schemas"];
    if sent {
        required.extend(of.core.attributes.iter().filter(|one| one.required).map(|one| one.name));
    } else {
        required.push("id");
    }
    json!({"type": "object", "description": of.description, "properties": all, "required": required, "example": example})
}

/// The `schemas` of a message: these URIs.
fn uris(uris: &[&str]) -> Value {
    json!({"type": "array", "minItems": 1, "items": {"type": "string", "enum": uris}, "description": "What it is."})
}

/// Any JSON.
fn anything(description: &str) -> Value {
    let plain = json!({"type": ["string", "number", "boolean", "object", "null"]});
    json!({"anyOf": [plain.clone(), {"type": "array", "items": plain}], "description": description})
}

fn list_of(items: &Value) -> Value {
    json!({
        "type": "object",
        "description": "A page of a list.",
        "properties": {
            "schemas": uris(&[LIST_RESPONSE]),
            "totalResults": {"type": "integer", "minimum": 0, "description": "How many fit, on all pages."},
            "itemsPerPage": {"type": "integer", "minimum": 0, "maximum": MAX_COUNT, "description": "How many are on this page."},
            "startIndex": {"type": "integer", "minimum": 1, "description": "Position of the first; not with cursors."},
            "nextCursor": {"type": "string", "description": "Cursor of the next page; absent on the last, and without cursors."},
            "Resources": {"type": "array", "items": items, "description": "The resources."},
        },
        "required": ["schemas", "totalResults", "itemsPerPage", "Resources"],
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn written_user() -> Value {
    json!({
        "schemas": [USER, ENTERPRISE], "userName": "ada@example.org", "externalId": "00u1a2b3",
        "name": {"givenName": "Ada", "familyName": "Lovelace"}, "displayName": "Ada Lovelace",
        "emails": [{"value": "ada@example.org", "type": "work", "primary": true}], "active": true, "locale": "en-GB",
        ENTERPRISE: {"employeeNumber": "1017", "department": "Sales"},
    })
}

fn written_group() -> Value {
    json!({"schemas": [GROUP], "displayName": "Sales", "externalId": "g-7", "members": [{"value": "0199c0de-0000-7000-8000-000000000001"}]})
}

fn shown(mut written: Value, kind: &str, path: &str, id: &str) -> Value {
    let meta = json!({
        "resourceType": kind, "created": "2026-11-23T09:00:00.000000Z", "lastModified": "2026-11-23T09:00:00.000000Z",
        "location": format!("https://lms.example/scim/v2/{path}/{id}"), "version": "W/\"1\"",
    });
    if let Some(members) = written.as_object_mut() {
        members.insert("id".into(), Value::from(id));
        members.insert("meta".into(), meta);
    }
    written
}

macro_rules! shapes {
    ($($(#[doc = $doc:literal])+ $name:ident $schema:expr;)+) => {
        $(
            $(#[doc = $doc])+
            pub struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    serde_json::from_value($schema).map_or_else(|_| RefOr::T(Schema::default()), RefOr::T)
                }
            }

            impl ToSchema for $name {}
        )+
    };
}

shapes! {
    /// A user as it is shown.
    ScimUser resource(&USERS, false, shown(written_user(), "User", "Users", "0199c0de-0000-7000-8000-000000000001"));
    /// A user as clients write it.
    ScimUserIn resource(&USERS, true, written_user());
    /// A group as it is shown.
    ScimGroup resource(&GROUPS, false, shown(written_group(), "Group", "Groups", "0199c0de-0000-7000-8000-0000000000f1"));
    /// A group as clients write it.
    ScimGroupIn resource(&GROUPS, true, written_group());
    /// A page of users.
    ScimUserList list_of(&reference("ScimUser"));
    /// A page of groups.
    ScimGroupList list_of(&reference("ScimGroup"));
    /// A page of users and groups.
    ScimResourceList list_of(&json!({"anyOf": [reference("ScimUser"), reference("ScimGroup")]}));
    /// Operations on a resource (RFC 7644 §3.5.2).
    ScimPatch json!({
        "type": "object",
        "description": "Operations on a resource (RFC 7644 §3.5.2), done in order, all or none.",
        "properties": {
            "schemas": uris(&[PATCH_OP]),
            "Operations": {
                "type": "array", "minItems": 1, "maxItems": patch::MAX_OPERATIONS, "description": "What to do.",
                "items": {
                    "type": "object",
                    "properties": {
                        "op": {"type": "string", "enum": ["add", "replace", "remove"], "description": "What to do, in any case of letters."},
                        "path": {"type": "string", "description": "Where: `attr`, `attr.sub`, `attr[filter]` or `attr[filter].sub`; absent for the whole resource."},
                        "value": anything("With what."),
                    },
                    "required": ["op"],
                },
            },
        },
        "required": ["schemas", "Operations"],
        "example": {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "path": "displayName", "value": "Augusta Ada King"}]},
    });
    /// A search (RFC 7644 §3.4.3): what a list's query says, as a body.
    ScimSearch json!({
        "type": "object",
        "description": "A search (RFC 7644 §3.4.3): what a list's query says, as a body.",
        "properties": {
            "schemas": uris(&[SEARCH_REQUEST]),
            "filter": {"type": "string", "description": "Only resources that fit."},
            "sortBy": {"type": "string", "description": "The attribute to sort by."},
            "sortOrder": {"type": "string", "enum": ["ascending", "descending"], "description": "`ascending` when absent."},
            "startIndex": {"type": "integer", "description": "Position of the first resource wanted, from 1."},
            "count": {"type": "integer", "description": "Resources on a page, 0 to 500; 100 when absent."},
            "cursor": {"type": "string", "description": "Pages by cursor (RFC 9865)."},
            "attributes": {"type": "array", "items": {"type": "string"}, "description": "Show these attributes only."},
            "excludedAttributes": {"type": "array", "items": {"type": "string"}, "description": "Show all attributes but these."},
        },
        "required": ["schemas"],
        "example": {"schemas": [SEARCH_REQUEST], "filter": "meta.lastModified gt \"2026-11-23T09:00:00Z\"", "startIndex": 1, "count": 50},
    });
    /// Many writes (RFC 7644 §3.7).
    ScimBulk json!({
        "type": "object",
        "description": "Many writes (RFC 7644 §3.7).",
        "properties": {
            "schemas": uris(&[BULK_REQUEST]),
            "failOnErrors": {"type": "integer", "minimum": 1, "description": "Errors after which it stops; goes on to the end when absent."},
            "Operations": {
                "type": "array", "maxItems": MAX_OPERATIONS, "description": "What to do. `bulkId:<id>` stands for the id of what another operation makes.",
                "items": {
                    "type": "object",
                    "properties": {
                        "method": {"type": "string", "enum": ["POST", "PUT", "PATCH", "DELETE"], "description": "What to do."},
                        "bulkId": {"type": "string", "description": "The operation's name in this request; a POST needs one."},
                        "version": {"type": "string", "description": "As `If-Match`."},
                        "path": {"type": "string", "description": "`/Users`, `/Groups`, or one below."},
                        "data": {"type": "object", "description": "The body."},
                    },
                    "required": ["method", "path"],
                },
            },
        },
        "required": ["schemas", "Operations"],
        "example": {
            "schemas": [BULK_REQUEST], "failOnErrors": 1,
            "Operations": [
                {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"schemas": [GROUP], "displayName": "Sales", "members": [{"value": "bulkId:ada"}]}},
                {"method": "POST", "path": "/Users", "bulkId": "ada", "data": {"schemas": [USER], "userName": "ada@example.org"}},
            ],
        },
    });
    /// How each write fared, in the order given.
    ScimBulkOut json!({
        "type": "object",
        "description": "How each write fared, in the order given.",
        "properties": {
            "schemas": uris(&[BULK_RESPONSE]),
            "Operations": {
                "type": "array", "description": "The writes that were done or refused.",
                "items": {
                    "type": "object",
                    "properties": {
                        "method": {"type": "string", "description": "As given."},
                        "bulkId": {"type": "string", "description": "As given."},
                        "location": {"type": "string", "description": "Where the resource is."},
                        "version": {"type": "string", "description": "Its ETag."},
                        "status": {"type": "string", "description": "The HTTP status."},
                        "response": reference("ScimError"),
                    },
                    "required": ["status"],
                },
            },
        },
        "required": ["schemas", "Operations"],
    });
    /// An error, as SCIM tells it.
    ScimError json!({
        "type": "object",
        "description": "An error, as SCIM tells it (RFC 7644 §3.12).",
        "properties": {
            "schemas": uris(&[scim::ERROR]),
            "status": {"type": "string", "description": "The HTTP status."},
            "scimType": {"type": "string", "description": "Stable name: invalidFilter, tooMany, uniqueness, mutability, invalidSyntax, invalidPath, noTarget, invalidValue, invalidCursor, expiredCursor, invalidCount."},
            "detail": {"type": "string", "description": "For people."},
        },
        "required": ["schemas", "status", "detail"],
        "example": {"schemas": [scim::ERROR], "status": "409", "scimType": "uniqueness", "detail": "Another user has this userName."},
    });
    /// What of the protocol is spoken.
    ScimConfig json!({
        "type": "object",
        "description": "What of the protocol is spoken (RFC 7643 §5, RFC 9865).",
        "properties": {
            "schemas": uris(&["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"]),
            "documentationUri": {"type": "string"}, "patch": {"type": "object"}, "bulk": {"type": "object"}, "filter": {"type": "object"},
            "changePassword": {"type": "object"}, "sort": {"type": "object"}, "etag": {"type": "object"}, "pagination": {"type": "object"},
            "authenticationSchemes": {"type": "array", "items": {"type": "object"}}, "meta": {"type": "object"},
        },
        "required": ["schemas", "patch", "bulk", "filter", "changePassword", "sort", "etag", "pagination", "authenticationSchemes"],
    });
    /// A kind of resources.
    ScimResourceType json!({
        "type": "object",
        "description": "A kind of resources (RFC 7643 §6).",
        "properties": {
            "schemas": uris(&["urn:ietf:params:scim:schemas:core:2.0:ResourceType"]),
            "id": {"type": "string"}, "name": {"type": "string"}, "endpoint": {"type": "string"}, "description": {"type": "string"},
            "schema": {"type": "string"}, "schemaExtensions": {"type": "array", "items": {"type": "object"}}, "meta": {"type": "object"},
        },
        "required": ["schemas", "name", "endpoint", "schema"],
    });
    /// The kinds of resources.
    ScimResourceTypeList list_of(&reference("ScimResourceType"));
    /// A schema.
    ScimSchema json!({
        "type": "object",
        "description": "A schema: the attributes of a kind of resources (RFC 7643 §7).",
        "properties": {
            "schemas": uris(&["urn:ietf:params:scim:schemas:core:2.0:Schema"]),
            "id": {"type": "string"}, "name": {"type": "string"}, "description": {"type": "string"},
            "attributes": {"type": "array", "items": {"type": "object"}}, "meta": {"type": "object"},
        },
        "required": ["schemas", "id", "attributes"],
    });
    /// The schemas.
    ScimSchemaList list_of(&reference("ScimSchema"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_read() {
        for schema in [
            ScimUser::schema(),
            ScimUserIn::schema(),
            ScimGroupIn::schema(),
            ScimPatch::schema(),
            ScimBulk::schema(),
            ScimConfig::schema(),
        ] {
            let text = serde_json::to_string(&schema).unwrap();
            assert!(text.contains("\"schemas\""), "{text}");
        }
        for schema in [ScimPatch::schema(), ScimBulk::schema(), ScimBulkOut::schema()] {
            let schema = serde_json::to_value(&schema).unwrap();
            assert!(schema["properties"]["Operations"]["items"]["properties"].is_object(), "{schema}");
        }
    }
}
