//! Texts that many inputs have in common: one definition serves the check of a body and the OpenAPI document, so that
//! whatever the document allows is accepted.

use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::error::Faults;

/// A kind of text: its length in characters, what it may contain, and how a fault is told.
pub trait Shape {
    /// Fewest characters.
    const MIN: usize;
    /// Most characters.
    const MAX: usize;
    /// What it looks like, as an ECMA-262 regular expression.
    const PATTERN: &'static str;
    /// Code of the fault.
    const CODE: &'static str;
    /// The fault, for people.
    const DETAIL: &'static str;

    /// What [`Shape::PATTERN`] says, in code.
    fn fits(text: &str) -> bool;

    /// Whether the text is of this kind.
    fn has(text: &str) -> bool {
        (Self::MIN..=Self::MAX).contains(&text.chars().count()) && Self::fits(text)
    }

    /// Adds a fault when the text does not fit.
    fn check(text: &str, at: &str, faults: &mut Faults) {
        faults.ensure(Self::has(text), at, Self::CODE, Self::DETAIL);
    }

    /// [`Shape::check`] of a text that may be absent.
    fn check_option(text: Option<&String>, at: &str, faults: &mut Faults) {
        if let Some(text) = text {
            Self::check(text, at, faults);
        }
    }
}

/// Any text; U+0000 is found for all texts at once.
pub const ANY: &str = r"^[^\x00]*$";
/// Text with something in it that can be seen, and no control characters, line breaks among them.
const PRINTABLE: &str = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
/// Text with something in it that can be seen.
const VISIBLE: &str = r"^[^\x00]*[^\s\x00][^\x00]*$";

/// What stands nowhere in an e-mail address, within a class: spaces, control characters, what cannot be seen, marks around addresses.
macro_rules! no_email {
    () => {
        r"\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0;,<>()"
    };
}

macro_rules! shapes {
    ($($(#[doc = $doc:literal])+ $name:ident $length:expr, $pattern:expr, $code:literal $detail:literal, $example:literal, $format:expr, $fits:expr;)+) => {
        $(
            $(#[doc = $doc])+
            pub struct $name;

            impl Shape for $name {
                const MIN: usize = *$length.start();
                const MAX: usize = *$length.end();
                const PATTERN: &'static str = $pattern;
                const CODE: &'static str = $code;
                const DETAIL: &'static str = $detail;
                fn fits(text: &str) -> bool {
                    let fits: fn(&str) -> bool = $fits;
                    fits(text)
                }
            }

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    let format: Option<KnownFormat> = $format;
                    ObjectBuilder::new()
                        .schema_type(SchemaType::Type(Type::String))
                        .description(Some(concat!($($doc),+).trim_ascii()))
                        .min_length(Some(Self::MIN))
                        .max_length(Some(Self::MAX))
                        .pattern(Some(Self::PATTERN))
                        .format(format.map(SchemaFormat::KnownFormat))
                        .examples([$example])
                        .into()
                }
            }

            impl ToSchema for $name {}
        )+
    };
}

fn visible(text: &str) -> bool {
    !text.trim().is_empty()
}

fn printable(text: &str) -> bool {
    visible(text) && !text.chars().any(char::is_control)
}

/// Characters that take up no room, so that two addresses look the same; as the classes in the pattern of [`Email`] have them.
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
    )
}

fn is_email(text: &str) -> bool {
    let misplaced = |c: char| matches!(c, ';' | ',' | '<' | '>' | '(' | ')');
    !text.chars().any(|c| c.is_whitespace() || c.is_control() || is_unseen(c) || misplaced(c))
        && text.split_once('@').is_some_and(|(local, domain)| {
            (1..=64).contains(&local.chars().count())
                && !local.contains(':')
                && !domain.contains('@')
                && domain.split('.').all(|label| !label.is_empty())
        })
}

fn is_language(text: &str) -> bool {
    text.split('-').all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
}

fn is_time_zone(text: &str) -> bool {
    text.split('/').all(|part| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-'))
    })
}

fn is_user_ref(text: &str) -> bool {
    super::Ref::parse(text).is_some_and(|which| !matches!(which, super::Ref::External(id) if id.is_empty()))
}

shapes! {
    /// An e-mail address.
    Email 3..=254, concat!("^[^:", no_email!(), "@]{1,64}@[^", no_email!(), "@.]+(\\.[^", no_email!(), "@.]+)*$"),
        "invalid_email" "This is not an e-mail address.", "ada@example.org", None, is_email;
    /// A given or family name.
    PersonName 1..=200, PRINTABLE, "length" "A name has 1 to 200 characters, and no control characters.", "Ada", None, printable;
    /// A name or title, for people.
    Title 1..=200, VISIBLE, "length" "A title has 1 to 200 characters.", "From the classroom to asynchronous", None, visible;
    /// A longer text, for people.
    Summary 0..=5000, ANY, "length" "A summary has up to 5,000 characters.", "Why and how.", None, |_| true;
    /// A remark for the record.
    Remark 0..=1000, ANY, "length" "A reason has up to 1,000 characters.", "The power failed.", None, |_| true;
    /// A remark for the record that must say something.
    NeededRemark 1..=1000, VISIBLE, "length" "A reason has 1 to 1,000 characters.", "Issued by mistake.", None, visible;
    /// A remark on a revision.
    Notes 0..=2000, ANY, "length" "Notes have up to 2,000 characters.", "Shorter introduction.", None, |_| true;
    /// A new password.
    Password 8..=256, ANY, "length" "A password has 8 to 256 characters.", "correct-horse-battery-staple", Some(KnownFormat::Password), |_| true;
    /// The id that an outside system owns.
    ExternalId 1..=200, r"^[^\s\x00]([^\x00]*[^\s\x00])?$", "length" "An external id has 1 to 200 characters, and no space at its ends.", "hr-17", None, |text| text.trim() == text;
    /// A BCP 47 language tag.
    LanguageTag 1..=35, r"^[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8})*$", "invalid_language" "This is not a BCP 47 language tag, such as fr or pt-BR.", "fr", None, is_language;
    /// An IANA time zone. Its form is checked, not whether there is one of this name.
    TimeZone 1..=64, r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$", "invalid_time_zone" "This is not an IANA time zone, such as Europe/Paris.", "Europe/Paris", None, is_time_zone;
    /// The code that lets learners into a course.
    AccessCode 1..=100, VISIBLE, "length" "An access code has 1 to 100 characters.", "welcome-2027", None, visible;
    /// A user: an id, or `ext:<external_id>`.
    UserRef 5..=204, r"^(ext:[^\x00]+|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})$",
        "wrong_format" "This is neither an id nor ext:<external_id>.", "ext:hr-17", None, is_user_ref;
}

/// Profile attributes by name: texts, numbers, booleans, or lists of those; null in a merge patch removes one.
pub struct Attributes;

impl PartialSchema for Attributes {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String).max_length(Some(2000)).pattern(Some(ANY));
        let plain =
            || ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Number, Type::Boolean, Type::Null]));
        let list = ArrayBuilder::new()
            .items(RefOr::T(Schema::from(AnyOfBuilder::new().item(text()).item(plain()))))
            .max_items(Some(100));
        let value = AnyOfBuilder::new().item(text()).item(plain()).item(list);
        let name =
            ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).max_length(Some(100)).pattern(Some(ANY));
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("Profile attributes by name: texts, numbers, booleans, or lists of those; null in a merge patch removes one."))
            .max_properties(Some(100))
            .property_names(Some(name))
            .additional_properties(Some(RefOr::T(Schema::from(value))))
            .examples([serde_json::json!({"department": "Sales", "site": "Lyon"})])
            .into()
    }
}

impl ToSchema for Attributes {}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees<S: Shape>(good: &[&str], bad: &[&str]) {
        let pattern =
            serde_json::json!({"type": "string", "minLength": S::MIN, "maxLength": S::MAX, "pattern": S::PATTERN});
        let schema = jsonschema::validator_for(&pattern).unwrap();
        for (texts, expected) in [(good, true), (bad, false)] {
            for text in texts {
                let mut faults = Faults::new();
                S::check(text, "", &mut faults);
                assert_eq!(faults.is_empty(), expected, "check of {text:?}");
                assert_eq!(schema.is_valid(&serde_json::json!(text)), expected, "schema of {text:?}");
            }
        }
    }

    #[test]
    fn the_check_of_a_shape_and_its_schema_agree() {
        agrees::<Email>(
            &["a@b", "ada@example.org", "ä.ö@xn--d.example"],
            &[
                "",
                "ada",
                "a@b@c",
                "a b@c",
                "@c",
                "a@",
                "a@.b",
                "a@b..c",
                "a@b ",
                "a@b\n",
                "a\u{200b}@b",
                "a@b\u{ad}",
                "a@\u{feff}b",
                "mailto:a@b",
                "<a@b>",
                "a@b,c@d",
            ],
        );
        agrees::<PersonName>(&["Ada", " x "], &["", "  ", "\n", "A\u{7}da", "A\nda", "\u{9f}"]);
        agrees::<LanguageTag>(&["fr", "pt-BR", "zh-Hant-TW"], &["", "-", "fr-", "toolonglanguage", "f_r"]);
        agrees::<TimeZone>(
            &["Europe/Paris", "UTC", "Etc/GMT+3", "America/Argentina/Ushuaia"],
            &["", "/", "Europe/", "Mid Earth"],
        );
        agrees::<UserRef>(&["ext:hr-17", "0199c0de-0000-7000-8000-000000000001"], &["", "ext:", "hr-17", "0199c0de"]);
        agrees::<ExternalId>(&["hr-17", "hr 17", "h", "\u{1F600}"], &["", " ", " hr1", "hr1 ", "hr1\n"]);
    }
}
