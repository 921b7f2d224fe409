//! A client that says what was answered when that is not what a test expects.

use std::ops::Index;

use serde_json::{Value, json};
use ureq::http::Request;

/// Somebody who calls the API.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    pub token: Option<String>,
    /// The user behind the token, where the test made it.
    pub user_id: Option<String>,
}

/// What was answered.
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
    pub json: Value,
    call: String,
}

impl Client {
    pub fn new(base: &str, token: Option<String>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .timeout_global(Some(std::time::Duration::from_secs(120)))
            .build();
        Self { agent: config.into(), base: base.to_owned(), token, user_id: None }
    }

    /// The id of the user behind this client.
    pub fn id(&self) -> &str {
        self.user_id.as_deref().expect("the test knows who this is")
    }

    /// Any call, with a body as it is.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&[u8]>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) =
            self.token.as_ref().filter(|_| !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("authorization")))
        {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let call = format!("{method} {path}");
        let response = match body {
            Some(body) => self.agent.run(request.body(body).expect("a request")),
            None => self.agent.run(request.body(()).expect("a request")),
        };
        let mut response = response.unwrap_or_else(|error| panic!("{call}: {error}"));
        let headers = response.headers().clone();
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(256 << 20).read_to_vec().expect("a whole body");
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer { status, headers, body, json, call }
    }

    /// A call with a JSON body and headers.
    pub fn call(&self, method: &str, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Answer {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        match body {
            None => self.send(method, path, headers, None),
            Some(body) => {
                let bytes = serde_json::to_vec(&body).expect("JSON");
                let mut headers = headers.to_vec();
                if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                    headers.push(("content-type", kind));
                }
                self.send(method, path, &headers, Some(&bytes))
            }
        }
    }

    /// The answer to a GET as it comes in, for streams.
    pub fn stream(&self, path: &str) -> ureq::http::Response<ureq::Body> {
        let token = self.token.as_deref().unwrap_or_default();
        let request =
            Request::builder().uri(format!("{}{path}", self.base)).header("authorization", format!("Bearer {token}"));
        self.agent.run(request.body(()).expect("a request")).expect("an answer")
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None, &[])
    }

    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body), &[])
    }

    pub fn put(&self, path: &str, body: Value) -> Answer {
        self.call("PUT", path, Some(body), &[])
    }

    pub fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, Some(body), &[])
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None, &[])
    }

    /// A form, as the OAuth endpoints take it.
    pub fn form(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| {
            text.bytes()
                .map(|b| {
                    if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
                        (b as char).to_string()
                    } else {
                        format!("%{b:02X}")
                    }
                })
                .collect::<String>()
        };
        let body = fields.iter().map(|(n, v)| format!("{}={}", encode(n), encode(v))).collect::<Vec<_>>().join("&");
        let mut headers = headers.to_vec();
        headers.push(("content-type", "application/x-www-form-urlencoded"));
        self.send("POST", path, &headers, Some(body.as_bytes()))
    }

    /// Every item of a list, page by page.
    pub fn all(&self, path: &str) -> Vec<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = match &after {
                None => self.get(path).ok(),
                Some(cursor) => self.get(&format!("{path}{separator}after={cursor}")).ok(),
            };
            items.extend(page["items"].as_array().expect("a list").clone());
            match page["next"].as_str() {
                Some(next) => after = Some(next.to_owned()),
                None => return items,
            }
        }
    }

    /// The same client, logged in.
    pub fn login(&self, email: &str, password: &str) -> Self {
        let session = self.post("/v1/sessions", json!({"email": email, "password": password})).expect(201);
        Self { token: session["access_token"].as_str().map(str::to_owned), ..self.clone() }
    }
}

impl Answer {
    /// The answer, if it has this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.call, self.text());
        self
    }

    /// The answer, if it is a success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!((200..300).contains(&self.status), "{}: {}: {}", self.call, self.status, self.text());
        self
    }

    /// The problem, if the answer is one of this status and code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{}", answer.call);
        assert_eq!(answer.json["code"], code, "{}: {}", answer.call, answer.text());
        assert_eq!(answer.json["status"], status, "{}", answer.call);
        assert!(answer.json["request_id"].is_string(), "{}", answer.call);
        answer
    }

    /// The error of SCIM, if the answer is one of this status and keyword.
    #[track_caller]
    pub fn scim_error(self, status: u16, keyword: Option<&str>) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{}", answer.call);
        assert_eq!(answer.json["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]), "{}", answer.call);
        assert_eq!(answer.json["status"], status.to_string(), "{}", answer.call);
        assert_eq!(answer.json["scimType"].as_str(), keyword, "{}: {}", answer.call, answer.text());
        assert!(answer.json["detail"].is_string(), "{}", answer.call);
        answer
    }

    /// Whether the call was one of SCIM, whose errors have a form of their own.
    pub fn of_scim(&self) -> bool {
        self.call.split(' ').nth(1).is_some_and(|path| path.starts_with("/scim"))
    }

    /// The pointers of the faults, if the answer is a 422 that names faults.
    #[track_caller]
    pub fn faults(self) -> Vec<String> {
        let answer = self.problem(422, "validation_failed");
        let mut all: Vec<String> = answer.json["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|fault| fault["pointer"].as_str().expect("a pointer").to_owned())
            .collect();
        all.sort();
        all
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(3000).collect()
    }

    /// The `id` of what was answered.
    #[track_caller]
    pub fn id(&self) -> String {
        self.json["id"].as_str().unwrap_or_else(|| panic!("{}: no id in {}", self.call, self.text())).to_owned()
    }
}

impl Index<&str> for Answer {
    type Output = Value;
    fn index(&self, name: &str) -> &Value {
        &self.json[name]
    }
}
