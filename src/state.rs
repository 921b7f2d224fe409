//! What every part of a running server shares, and what every use case is told about its request.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::auth::limits::Limits;
use crate::auth::outside::Outside;
use crate::auth::passwords::Passwords;
use crate::auth::tokens::Tokens;
use crate::clock::{self, Clock};
use crate::config::Config;
use crate::db::Db;
use crate::domain::permission::{Act, Actor, Delegation, Missing, Relation};
use crate::error::{AppError, AppResult, Code};

/// Shared state; cheap to clone.
#[derive(Clone)]
pub struct State(Arc<Shared>);

/// The fields of [`State`].
pub struct Shared {
    /// Settings.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// The server's time.
    pub clock: Clock,
    /// Signs and verifies access tokens.
    pub tokens: Tokens,
    /// Outside issuers whose tokens are accepted.
    pub outside: Outside,
    /// How often callers may call.
    pub limits: Limits,
    /// Hashes passwords.
    pub passwords: Passwords,
    /// Idempotency keys of requests that are running in this process.
    pub running_keys: Mutex<HashSet<(String, String)>>,
    /// Base of links.
    pub public_url: String,
}

impl State {
    /// Wraps the parts.
    #[must_use]
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Lifetime of an access token.
    #[must_use]
    pub fn access_lifetime(&self) -> Duration {
        Duration::from_secs(self.config.access_token_seconds.into())
    }

    /// A context for what Cairn does by itself.
    #[must_use]
    pub fn system(&self) -> Ctx {
        Ctx { actor: Actor::System, now: self.clock.now(), request_id: None, session_id: None, via: None }
    }
}

impl Deref for State {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What a use case knows of its request: who acts, and when.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// Who acts.
    pub actor: Actor,
    /// When; one instant for the whole request.
    pub now: DateTime<Utc>,
    /// The request's id, for the event log.
    pub request_id: Option<String>,
    /// The session of a logged-in user.
    pub session_id: Option<Uuid>,
    /// The client that acts for the user, after a token exchange.
    pub via: Option<Delegation>,
}

impl Ctx {
    /// A new id of this instant.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        clock::new_id(self.now)
    }

    /// Refuses with a 403 that names what is missing, unless the actor may do this.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn require(&self, act: Act, relation: &Relation) -> AppResult<()> {
        self.judge(act, relation).map_err(|missing| {
            let needs = match (&missing.scope, missing.roles.as_slice()) {
                (Some(scope), _) => format!("The client needs the scope {scope}."),
                (None, []) if act.takes_the_person() => {
                    "This takes the person themself; no client does it in their name.".to_owned()
                }
                (None, []) => "Clients may not do this.".to_owned(),
                (None, roles) => format!("This needs one of the roles {}.", roles.join(", ")),
            };
            AppError::new(Code::Forbidden, needs).with("missing", missing)
        })
    }

    /// True when the actor may do this.
    #[must_use]
    pub fn may(&self, act: Act, relation: &Relation) -> bool {
        self.judge(act, relation).is_ok()
    }

    fn judge(&self, act: Act, relation: &Relation) -> Result<(), Missing> {
        if let Some(via) = &self.via {
            via.allows(act)?;
        }
        self.actor.may(act, relation)
    }

    /// The acting user.
    ///
    /// # Errors
    /// 403 for clients, who are nobody that could learn.
    pub fn user(&self) -> AppResult<Uuid> {
        self.actor.user_id().ok_or_else(|| AppError::new(Code::Forbidden, "Only a logged-in user can do this."))
    }
}
