//! The one table of error codes, and the one way an error becomes an answer (RFC 9457 `application/problem+json`).

use std::borrow::Cow;
use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The header that says when to come back, for use cases, which know no HTTP.
pub const RETRY_AFTER: header::HeaderName = header::RETRY_AFTER;

macro_rules! error_codes {
    ($($(#[doc = $doc:literal])+ $name:ident => $status:literal $code:literal $title:literal;)+) => {
        /// Every problem that Cairn can answer with. The names are stable; clients switch on [`Code::as_str`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $name,)+ }

        impl Code {
            /// All codes, for the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The stable name that stands in `code`.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $(Code::$name => $code,)+ } }

            /// The HTTP status it is answered with.
            #[must_use]
            pub fn status(self) -> u16 { match self { $(Code::$name => $status,)+ } }

            /// A short human-readable summary, the same for every occurrence.
            #[must_use]
            pub fn title(self) -> &'static str { match self { $(Code::$name => $title,)+ } }

            /// When it is answered.
            #[must_use]
            pub fn meaning(self) -> &'static str { match self { $(Code::$name => concat!($($doc),+).trim_ascii(),)+ } }
        }
    };
}

error_codes! {
    /// The body is not well-formed JSON or UTF-8, or a header cannot be read.
    Malformed => 400 "malformed_request" "The request cannot be read";
    /// No credential was sent, or it is not valid any more.
    Unauthenticated => 401 "unauthenticated" "A valid access token is needed";
    /// E-mail and password do not belong together, or the account may not log in.
    BadCredentials => 401 "invalid_credentials" "The credentials are not right";
    /// The caller is known but may not do this; `missing` names the scope or the roles that would allow it.
    Forbidden => 403 "forbidden" "You may not do this";
    /// The module, stage or branch is locked; `reasons`, `actions` and `opens_at` say why and what opens it.
    ModuleLocked => 403 "module_locked" "Locked on this learner's path";
    /// The module is hidden from this learner.
    ModuleHidden => 403 "module_hidden" "The module is not part of this learner's path";
    /// The access code is missing or wrong.
    AccessCodeWrong => 403 "access_code_wrong" "The access code is not right";
    /// The course takes no enrollment of this kind.
    EnrollmentClosed => 403 "enrollment_closed" "The course is not open for this enrollment";
    /// No such resource, or none that the caller may see.
    NotFound => 404 "not_found" "Not found";
    /// The path exists, the method does not; `Allow` lists those that do.
    MethodNotAllowed => 405 "method_not_allowed" "This method is not allowed here";
    /// None of the media types in `Accept` can be made.
    NotAcceptable => 406 "not_acceptable" "No acceptable representation";
    /// Something that must be unique exists already.
    Conflict => 409 "conflict" "The request conflicts with what is stored";
    /// The resource is in a state that does not allow it.
    WrongState => 409 "wrong_state" "The resource's state does not allow this";
    /// Something else names what would go; `named_by` says what.
    InUse => 409 "in_use" "Something else rests on this";
    /// A request with this Idempotency-Key is still running.
    StillRunning => 409 "idempotency_in_progress" "The first request with this key is still running";
    /// If-Match names another version; the answer's ETag is the current one.
    PreconditionFailed => 412 "precondition_failed" "The resource has changed";
    /// The body is larger than the limit.
    TooLarge => 413 "body_too_large" "The body is too large";
    /// The body's media type is not understood.
    UnsupportedMediaType => 415 "unsupported_media_type" "The media type is not supported";
    /// The input is well-formed but wrong; `errors` lists every fault.
    Invalid => 422 "validation_failed" "The input is not valid";
    /// The Idempotency-Key was used with another body.
    KeyReused => 422 "idempotency_key_reused" "The Idempotency-Key was used for another request";
    /// The draft has lint errors; `errors` lists them.
    LintFailed => 422 "lint_failed" "The outline has errors";
    /// The learning event cannot be applied.
    EventRejected => 422 "event_rejected" "The learning event was rejected";
    /// Too many requests; `Retry-After` says when to come back.
    TooMany => 429 "too_many_requests" "Too many requests";
    /// A fault in the server. The log has the cause under the request id.
    Internal => 500 "internal_error" "Internal error";
    /// The server cannot answer just now, for example while it stops or the database is away.
    Unavailable => 503 "unavailable" "Not available just now";
}

/// One fault of the input: where (RFC 6901 pointer into the body, or `?name` for a query parameter), which, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// RFC 6901 JSON pointer into the request body; `?name` for a query parameter.
    #[schema(example = "/email")]
    pub pointer: String,
    /// Stable name of the fault.
    #[schema(value_type = String, example = "invalid_email")]
    pub code: Cow<'static, str>,
    /// What is wrong, for people.
    pub detail: String,
}

/// Collects all faults of one input, so that the answer can name every one.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// An empty collection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a fault.
    pub fn add(&mut self, pointer: impl Into<String>, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) {
        self.0.push(Fault { pointer: pointer.into(), code: code.into(), detail: detail.into() });
    }

    /// Adds a fault unless `holds`.
    pub fn ensure(&mut self, holds: bool, pointer: &str, code: &'static str, detail: &str) {
        if !holds {
            self.add(pointer, code, detail);
        }
    }

    /// True when nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets those for which it does not hold.
    pub fn retain(&mut self, holds: impl FnMut(&Fault) -> bool) {
        self.0.retain(holds);
    }

    /// The faults found so far, in place.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// Where the faults found so far are.
    pub fn pointers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|fault| fault.pointer.as_str())
    }

    /// The faults found so far.
    #[must_use]
    pub fn into_vec(self) -> Vec<Fault> {
        self.0
    }

    /// `Ok` when nothing was found, else a 422 with all of them.
    ///
    /// # Errors
    /// [`Code::Invalid`] with every fault.
    pub fn finish(self) -> AppResult<()> {
        if self.0.is_empty() { Ok(()) } else { Err(AppError::invalid(self.0)) }
    }
}

/// Result of a use case.
pub type AppResult<T> = Result<T, AppError>;

/// An error on its way to the client. Cheap to move; the cause of a 5xx is kept for the log only.
#[derive(Clone)]
pub struct AppError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    detail: String,
    errors: Vec<Fault>,
    extra: Map<String, Value>,
    headers: Vec<(header::HeaderName, String)>,
    cause: Option<String>,
}

impl AppError {
    /// An error of this code with a sentence for people.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            extra: Map::new(),
            headers: Vec::new(),
            cause: None,
        }))
    }

    /// A 422 that names every fault.
    #[must_use]
    pub fn invalid(errors: Vec<Fault>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => one.detail.clone(),
            [one] => format!("{}: {}", one.pointer, one.detail),
            many => format!("{} faults were found in the input.", many.len()),
        };
        Self::new(Code::Invalid, detail).with_errors(errors)
    }

    /// A 422 for one field.
    #[must_use]
    pub fn field(pointer: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::invalid(vec![Fault { pointer: pointer.to_owned(), code: code.into(), detail: detail.into() }])
    }

    /// A 404 that does not tell whether the thing exists.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}, or you may not see it."))
    }

    /// Another error in place of a 404; any other, a database that is away for one, stays what it is.
    #[must_use]
    pub fn when_missing(self, other: impl FnOnce() -> Self) -> Self {
        if self.0.code == Code::NotFound { other() } else { self }
    }

    /// A 500 whose cause goes to the log only.
    #[must_use]
    pub fn internal(cause: impl fmt::Display) -> Self {
        let mut error =
            Self::new(Code::Internal, "The server could not do this. The log has the cause under this request id.");
        error.0.cause = Some(cause.to_string());
        error
    }

    /// The same error with these faults listed.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Fault>) -> Self {
        self.0.errors = errors;
        self
    }

    /// The same error with one more member in the problem document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.0.extra.insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// The same error with one more response header.
    #[must_use]
    pub fn with_header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }

    /// The code of this error.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The sentence for people.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The faults listed.
    #[must_use]
    pub fn errors(&self) -> &[Fault] {
        &self.0.errors
    }

    /// A further member of the problem document.
    #[must_use]
    pub fn extra(&self, name: &str) -> Option<&Value> {
        self.0.extra.get(name)
    }

    /// The cause, for the log.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The problem document (RFC 9457) of this error.
    #[must_use]
    pub fn problem(&self, request_id: &str) -> Value {
        let mut body = Map::new();
        let code = self.0.code;
        body.insert("type".into(), Value::from(format!("urn:cairn:problem:{}", code.as_str())));
        body.insert("title".into(), Value::from(code.title()));
        body.insert("status".into(), Value::from(code.status()));
        body.insert("detail".into(), Value::from(self.0.detail.as_str()));
        body.insert("code".into(), Value::from(code.as_str()));
        body.insert("request_id".into(), Value::from(request_id));
        if !self.0.errors.is_empty() {
            body.insert("errors".into(), serde_json::to_value(&self.0.errors).unwrap_or(Value::Null));
        }
        for (name, value) in &self.0.extra {
            body.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Value::Object(body)
    }

    /// The short form that stands in a per-item verdict of a bulk answer: `{code, detail, errors?, …}`.
    #[must_use]
    pub fn verdict(&self) -> Value {
        let mut body = Map::new();
        body.insert("code".into(), Value::from(self.0.code.as_str()));
        body.insert("detail".into(), Value::from(self.0.detail.as_str()));
        if !self.0.errors.is_empty() {
            body.insert("errors".into(), serde_json::to_value(&self.0.errors).unwrap_or(Value::Null));
        }
        for (name, value) in &self.0.extra {
            body.insert(name.clone(), value.clone());
        }
        Value::Object(body)
    }
}

impl fmt::Debug for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.as_str(), self.0.detail)?;
        if let Some(cause) = &self.0.cause {
            write!(f, " (cause: {cause})")?;
        }
        for fault in &self.0.errors {
            write!(f, "\n  {} {}: {}", fault.pointer, fault.code, fault.detail)?;
        }
        Ok(())
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for AppError {}

impl ResponseError for AppError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body is written by the outermost middleware, which knows the request id.
    fn error_response(&self) -> HttpResponse {
        let mut builder = HttpResponse::build(self.status_code());
        for (name, value) in &self.0.headers {
            builder.insert_header((name.clone(), value.as_str()));
        }
        if self.0.code == Code::Unauthenticated {
            builder.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"cairn\""));
        }
        let mut response = builder.finish();
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl From<DieselError> for AppError {
    #[track_caller]
    fn from(error: DieselError) -> Self {
        let at = std::panic::Location::caller();
        match &error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, info) => {
                let mut e = Self::new(Code::Conflict, "Something with the same unique value exists already.");
                e.0.cause = Some(format!("{} at {at}", info.message()));
                e
            }
            // Nothing was written, and a second try will most likely find its way.
            DieselError::DatabaseError(kind, info)
                if matches!(kind, DatabaseErrorKind::SerializationFailure) || info.message() == "deadlock detected" =>
            {
                let mut e = Self::new(Code::Unavailable, "Too much was changing at the same time. Try again.")
                    .with_header(header::RETRY_AFTER, "1");
                e.0.cause = Some(format!("{} at {at}", info.message()));
                e
            }
            _ => Self::internal(format_args!("database: {error} at {at}")),
        }
    }
}

/// True when a unique key refused the row. SQLite names no constraint, so only the kind is matched.
#[must_use]
pub fn is_unique_violation(error: &DieselError) -> bool {
    matches!(error, DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}

impl AppError {
    /// The answer, for handlers that answer in another form than problem documents on success.
    #[must_use]
    pub fn into_response(self) -> HttpResponse {
        HttpResponse::from_error(self)
    }
}
