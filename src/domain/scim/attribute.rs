//! Definitions of attributes (RFC 7643 §7): what the published schemas say, and what input, filters and PATCH are checked by.

use serde_json::{Value, json};

/// What values an attribute has (RFC 7643 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// An instant (RFC 3339).
    DateTime,
    /// A URI that names something.
    Reference(&'static [&'static str]),
    /// Base64.
    Binary,
    /// Sub-attributes.
    Complex,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::DateTime => "dateTime",
            Self::Reference(_) => "reference",
            Self::Binary => "binary",
            Self::Complex => "complex",
        }
    }
}

/// Whether a client may change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutability {
    /// It may.
    ReadWrite,
    /// The server alone does; what a client sends is ignored (RFC 7644 §3.3).
    ReadOnly,
    /// Only when the resource, or the element of a list, is made.
    Immutable,
    /// It may, and never sees it again.
    WriteOnly,
}

/// When it stands in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// Always.
    Always,
    /// Never.
    Never,
    /// Unless the client asks for others or without it.
    Default,
    /// Only when the client asks for it.
    Request,
}

/// An attribute.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// What values it has.
    pub kind: Kind,
    /// Whether it is a list.
    pub multi: bool,
    /// What it is for.
    pub description: &'static str,
    /// Whether there must be one.
    pub required: bool,
    /// Whether the case of texts counts.
    pub case_exact: bool,
    /// Values that are usual.
    pub canonical: &'static [&'static str],
    /// Whether a client may change it.
    pub mutability: Mutability,
    /// When it stands in an answer.
    pub returned: Returned,
    /// Whether no two resources have the same.
    pub unique: bool,
    /// Its parts.
    pub sub: Vec<Attribute>,
}

impl Attribute {
    /// A text that clients may change.
    #[must_use]
    pub fn text(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            kind: Kind::String,
            multi: false,
            description,
            required: false,
            case_exact: false,
            canonical: &[],
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            unique: false,
            sub: Vec::new(),
        }
    }

    /// An attribute with parts.
    #[must_use]
    pub fn complex(name: &'static str, description: &'static str, sub: Vec<Attribute>) -> Self {
        Self { kind: Kind::Complex, sub, ..Self::text(name, description) }
    }

    /// The same of another kind.
    #[must_use]
    pub fn of(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self.case_exact = matches!(kind, Kind::Reference(_) | Kind::Binary);
        self
    }

    /// The same as a list.
    #[must_use]
    pub fn list(mut self) -> Self {
        self.multi = true;
        self
    }

    /// The same, needed.
    #[must_use]
    pub fn needed(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same, unique in the server.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// The same, with the case of texts counting.
    #[must_use]
    pub fn exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    /// The same with usual values.
    #[must_use]
    pub fn usual(mut self, values: &'static [&'static str]) -> Self {
        self.canonical = values;
        self
    }

    /// The same with another mutability; what is only written is never returned.
    #[must_use]
    pub fn may(mut self, mutability: Mutability) -> Self {
        self.mutability = mutability;
        if mutability == Mutability::WriteOnly {
            self.returned = Returned::Never;
        }
        self
    }

    /// The same, in every answer.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.returned = Returned::Always;
        self
    }

    /// The same, in answers to those who ask for it.
    #[must_use]
    pub fn on_request(mut self) -> Self {
        self.returned = Returned::Request;
        self
    }

    /// The part of this name, whatever its case.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&Attribute> {
        find(&self.sub, name)
    }

    /// As it stands in a published schema.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut out = json!({
            "name": self.name,
            "type": self.kind.as_str(),
            "multiValued": self.multi,
            "description": self.description,
            "required": self.required,
            "mutability": match self.mutability {
                Mutability::ReadWrite => "readWrite",
                Mutability::ReadOnly => "readOnly",
                Mutability::Immutable => "immutable",
                Mutability::WriteOnly => "writeOnly",
            },
            "returned": match self.returned {
                Returned::Always => "always",
                Returned::Never => "never",
                Returned::Default => "default",
                Returned::Request => "request",
            },
        });
        if let Some(members) = out.as_object_mut() {
            if matches!(self.kind, Kind::String | Kind::Reference(_) | Kind::Binary) {
                members.insert("caseExact".into(), self.case_exact.into());
            }
            if self.kind != Kind::Boolean {
                members.insert("uniqueness".into(), if self.unique { "server" } else { "none" }.into());
            }
            if let Kind::Reference(types) = self.kind {
                members.insert("referenceTypes".into(), json!(types));
            }
            if !self.canonical.is_empty() {
                members.insert("canonicalValues".into(), json!(self.canonical));
            }
            if self.kind == Kind::Complex {
                members.insert("subAttributes".into(), self.sub.iter().map(Attribute::to_json).collect());
            }
        }
        out
    }
}

/// The attribute of this name, whatever its case (RFC 7643 §2.1).
#[must_use]
pub fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}
