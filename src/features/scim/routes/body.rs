//! Bodies of SCIM: any JSON object, whose members are read without regard to case.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use serde_json::{Map, Value};

use crate::domain::scim::ErrorType;
use crate::error::{AppError, AppResult, Code, Faults};
use crate::features::scim::fault::fault;
use crate::http::{Bytes, body, schema};
use crate::state::State;

/// A JSON object.
pub struct ScimBody {
    /// Its members.
    pub members: Map<String, Value>,
    /// The body as it came.
    pub raw: Bytes,
}

impl FromRequest for ScimBody {
    type Error = AppError;
    type Future = Pin<Box<dyn Future<Output = AppResult<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let media_type = body::check_media_type(request);
        let limit = request.app_data::<web::Data<State>>().map_or(0, |state| state.config.body_limit_bytes);
        let bytes = body::read(request, payload, limit);
        Box::pin(async move {
            let raw = bytes.await?;
            media_type?;
            Ok(Self { members: parse(&raw)?, raw })
        })
    }
}

fn parse(raw: &[u8]) -> AppResult<Map<String, Value>> {
    let text = std::str::from_utf8(raw).map_err(|_| AppError::new(Code::Malformed, "The body is not UTF-8."))?;
    let value: Value = serde_json::from_str(text)
        .map_err(|e| AppError::new(Code::Malformed, format!("The body is not JSON: {e}.")))?;
    let mut faults = Faults::new();
    schema::find_nul(text, &mut faults);
    faults.finish()?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(fault(ErrorType::InvalidSyntax, "The body must be an object.")),
    }
}
