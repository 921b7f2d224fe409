//! Passwords: argon2id (RFC 9106) with the parameters OWASP advises: 19 MiB, 2 passes, 1 lane.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};

use crate::clock;
use crate::error::{AppError, AppResult, Code};

/// Hashes and checks passwords away from the HTTP threads, as many at once as there are cores, which also bounds the memory.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    accounts: Arc<[Mutex<()>]>,
}

/// Queues for accounts; those whose names fall together share one.
const QUEUES: usize = 1024;

/// What a log-in with an unknown e-mail is checked against, so that it takes as long as one with a known e-mail. Random bytes,
/// the hash of nothing known; written out, because hashing one at start would leave the idle server with 19 MiB more.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$3uR/2oC13kFQKbPVod4wFQ$eIaptsIjfouLl07owfbwj0vHQfpo86JwUcJCgXsbwaE";

fn hasher() -> AppResult<Argon2<'static>> {
    let params = Params::new(19 * 1024, 2, 1, None).map_err(AppError::internal)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password on this thread.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn hash_here(password: &str) -> AppResult<String> {
    let salt = SaltString::encode_b64(&clock::random::<16>()?).map_err(AppError::internal)?;
    Ok(hasher()?.hash_password(password.as_bytes(), &salt).map_err(AppError::internal)?.to_string())
}

fn verify_here(password: &str, hash: &str) -> AppResult<bool> {
    let parsed = PasswordHash::new(hash).map_err(AppError::internal)?;
    Ok(hasher()?.verify_password(password.as_bytes(), &parsed).is_ok())
}

impl Passwords {
    /// For a machine with this many cores.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        let accounts = (0..QUEUES).map(|_| Mutex::new(())).collect();
        Self { turns: Arc::new(Semaphore::new(cores.max(1))), accounts }
    }

    /// Hashes a password.
    ///
    /// # Errors
    /// When the server is stopping.
    pub async fn hash(&self, password: String) -> AppResult<String> {
        let _turn = self.turn().await?;
        block(move || hash_here(&password)).await
    }

    /// Waits until no other password of this account is being checked; always before a turn is waited for.
    ///
    /// # Errors
    /// None, as there are queues.
    pub async fn queue(&self, account: &str) -> AppResult<MutexGuard<'_, ()>> {
        let mut hasher = DefaultHasher::new();
        account.hash(&mut hasher);
        let at = usize::try_from(hasher.finish()).unwrap_or(usize::MAX) % QUEUES;
        let queue = self.accounts.get(at).ok_or_else(|| AppError::internal("no queue"))?;
        Ok(queue.lock().await)
    }

    /// Checks a password in a turn that was waited for; with no hash it takes as long and answers false.
    ///
    /// # Errors
    /// When the server is stopping.
    pub async fn verify_in(&self, _: &SemaphorePermit<'_>, password: String, hash: Option<String>) -> AppResult<bool> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| DECOY.to_owned());
        Ok(block(move || verify_here(&password, &hash)).await? && known)
    }

    /// Waits until a password may be hashed or checked.
    ///
    /// # Errors
    /// When the server is stopping.
    pub async fn turn(&self) -> AppResult<SemaphorePermit<'_>> {
        self.turns.acquire().await.map_err(|_| AppError::new(Code::Unavailable, "The server is stopping."))
    }
}

async fn block<T: Send + 'static>(f: impl FnOnce() -> AppResult<T> + Send + 'static) -> AppResult<T> {
    actix_web::web::block(f).await.map_err(AppError::internal)?
}
