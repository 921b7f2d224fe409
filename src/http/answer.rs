//! The success answer, as data: it can be stored with the write that it tells of and given again to a retry.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, Responder};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::conditional::Conditions;
use crate::db::page::Rows;
use crate::error::{AppError, AppResult};

/// A list, as every list of Cairn looks.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items of this page, in a stable order.
    pub items: Vec<T>,
    /// Pass this as `after` to get the next page; null on the last one.
    #[schema(required)]
    pub next: Option<String>,
}

/// Status, headers and JSON body of an answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    fn json(status: StatusCode, body: &impl Serialize) -> AppResult<Self> {
        let body = serde_json::to_vec(body).map_err(AppError::internal)?;
        Ok(Self { status: status.as_u16(), headers: Vec::new(), body })
    }

    /// 200 with a body.
    ///
    /// # Errors
    /// When the body cannot be written as JSON.
    pub fn ok(body: &impl Serialize) -> AppResult<Self> {
        Self::json(StatusCode::OK, body)
    }

    /// 200 with a body that is JSON text already.
    #[must_use]
    pub fn json_text(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK.as_u16(), headers: Vec::new(), body }
    }

    /// 201 with the new resource and where it is.
    ///
    /// # Errors
    /// As [`Answer::ok`].
    pub fn created(location: &str, body: &impl Serialize) -> AppResult<Self> {
        Ok(Self::json(StatusCode::CREATED, body)?.header("location", location))
    }

    /// 202: what was asked for goes on after this answer.
    ///
    /// # Errors
    /// As [`Answer::ok`].
    pub fn accepted(body: &impl Serialize) -> AppResult<Self> {
        Self::json(StatusCode::ACCEPTED, body)
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT.as_u16(), headers: Vec::new(), body: Vec::new() }
    }

    /// 304: what the caller has under this ETag is what there is.
    #[must_use]
    pub fn not_modified(tag: &str) -> Self {
        Self { status: StatusCode::NOT_MODIFIED.as_u16(), headers: Vec::new(), body: Vec::new() }.header("etag", tag)
    }

    /// 200 with a page and, when there is a next one, a `Link` header (RFC 8288).
    ///
    /// # Errors
    /// As [`Answer::ok`].
    pub fn page<T: Serialize>(rows: Rows<T>, request: &HttpRequest) -> AppResult<Self> {
        let next = rows.next.clone();
        let answer = Self::ok(&Page { items: rows.items, next: rows.next })?;
        Ok(match next {
            None => answer,
            Some(cursor) => answer.header("link", &Self::next_link(request, &cursor)),
        })
    }

    /// The `Link` to the next page, for answers of another form too.
    #[must_use]
    pub fn next_link(request: &HttpRequest, cursor: &str) -> String {
        let mut kept: String = request
            .query_string()
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("after="))
            .flat_map(|pair| [pair, "&"])
            .collect();
        kept.push_str("after=");
        kept.push_str(cursor);
        format!("<{}?{kept}>; rel=\"next\"", request.path())
    }

    /// An answer of SCIM (RFC 7644 §3.1) with this status.
    ///
    /// # Errors
    /// As [`Answer::ok`].
    pub fn scim(status: u16, body: &impl Serialize) -> AppResult<Self> {
        let status = StatusCode::from_u16(status).map_err(AppError::internal)?;
        Ok(Self::json(status, body)?.header("content-type", super::scim::MEDIA_TYPE))
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of a header.
    #[must_use]
    pub fn value_of(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds the ETag of a resource with a version.
    #[must_use]
    pub fn etag(self, version: i64) -> Self {
        let tag = super::conditional::version_tag(version);
        self.header("etag", &tag)
    }

    /// Adds an ETag made from the body, for representations that are computed.
    #[must_use]
    pub fn etag_of_body(self) -> Self {
        let digest = Sha256::digest(&self.body);
        let tag: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        self.header("etag", &format!("\"{tag}\""))
    }

    /// Adds this ETag, or one made from the body when there is none.
    #[must_use]
    pub fn etag_or_body(self, tag: Option<String>) -> Self {
        match tag {
            Some(tag) => self.header("etag", &tag),
            None => self.etag_of_body(),
        }
    }

    /// Answers 304 when `If-None-Match` names this answer's ETag.
    #[must_use]
    pub fn unless_known(mut self, conditions: &Conditions) -> Self {
        let tag = self.headers.iter().find(|(name, _)| name == "etag").map(|(_, tag)| tag.as_str());
        if tag.is_some_and(|tag| conditions.knows(tag)) {
            self.status = StatusCode::NOT_MODIFIED.as_u16();
            self.body = Vec::new();
        }
        self
    }
}

impl Responder for Answer {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut builder = HttpResponse::build(status);
        for (name, value) in &self.headers {
            builder.insert_header((name.as_str(), value.as_str()));
        }
        if self.body.is_empty() {
            return builder.finish();
        }
        if self.value_of("content-type").is_none() {
            builder.insert_header((header::CONTENT_TYPE, "application/json"));
        }
        builder.body(self.body)
    }
}
