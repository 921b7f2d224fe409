//! Signing keys: Ed25519 (RFC 8037), made on first start, kept in the database, published as JWKS, rotated without log-outs.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};

use crate::clock;
use crate::db::schema::signing_keys;
use crate::db::types::At;
use crate::db::{Conn, Db};
use crate::error::{AppError, AppResult};

/// The keys as one process knows them.
pub struct KeySet {
    /// Id of the key that signs.
    pub current: String,
    /// The key that signs.
    pub signing: EncodingKey,
    /// All keys that verify, by id.
    pub verifying: HashMap<String, DecodingKey>,
    /// The public document.
    pub jwks: Value,
}

/// The installation's keys, reloaded when a token names one that this process has not seen.
pub struct Keys {
    set: RwLock<Arc<KeySet>>,
}

impl Keys {
    /// Loads the keys and makes the first one on an empty database.
    ///
    /// # Errors
    /// Database errors.
    pub fn open(db: &Db, now: DateTime<Utc>) -> AppResult<Self> {
        let set = db.write_here(move |conn| match load_set(conn)? {
            Some(set) => Ok(set),
            None => {
                add(conn, now)?;
                load_set(conn)?.ok_or_else(|| AppError::internal("the new signing key is not there"))
            }
        })?;
        Ok(Self { set: RwLock::new(Arc::new(set)) })
    }

    /// The keys now.
    #[must_use]
    pub fn get(&self) -> Arc<KeySet> {
        Arc::clone(&self.set.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes up what another process did: `cairn keys rotate`, or a server that was started beside this one.
    ///
    /// # Errors
    /// Database errors.
    pub fn reload(&self, db: &Db) -> AppResult<()> {
        let known = self.get();
        if let Some(set) = db.read_here(load_set)?
            && (set.current != known.current || set.verifying.len() != known.verifying.len())
        {
            self.replace(set);
        }
        Ok(())
    }

    /// Takes the keys as they were read again, after another process may have rotated them.
    pub fn replace(&self, set: KeySet) {
        *self.set.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(set);
    }
}

/// Adds a key that signs from now on; those before it still verify, so nobody is logged out. Answers its id.
///
/// # Errors
/// Database errors.
pub fn rotate(conn: &mut Conn, now: DateTime<Utc>) -> AppResult<String> {
    diesel::update(signing_keys::table.filter(signing_keys::retired_at.is_null()))
        .set(signing_keys::retired_at.eq(At(now)))
        .execute(conn)?;
    add(conn, now)
}

fn add(conn: &mut Conn, now: DateTime<Utc>) -> AppResult<String> {
    let key = SigningKey::from_bytes(&clock::random()?);
    let private = key.to_pkcs8_der().map_err(AppError::internal)?;
    let id = URL_SAFE_NO_PAD.encode(clock::random::<12>()?);
    diesel::insert_into(signing_keys::table)
        .values((
            signing_keys::id.eq(&id),
            signing_keys::private_key.eq(STANDARD.encode(private.as_bytes())),
            signing_keys::public_key.eq(URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes())),
            signing_keys::created_at.eq(At(now)),
        ))
        .execute(conn)?;
    Ok(id)
}

/// Reads all keys; none on an empty database.
///
/// # Errors
/// Database errors.
pub fn load_set(conn: &mut Conn) -> AppResult<Option<KeySet>> {
    type Row = (String, String, String, Option<DateTime<Utc>>);
    let rows: Vec<Row> = signing_keys::table
        .select((signing_keys::id, signing_keys::private_key, signing_keys::public_key, signing_keys::retired_at))
        .order((signing_keys::created_at.desc(), signing_keys::id.desc()))
        .load(conn)?;
    let Some((current, private, ..)) = rows.iter().find(|row| row.3.is_none()).or(rows.first()) else {
        return Ok(None);
    };
    let private = STANDARD.decode(private).map_err(AppError::internal)?;
    let mut verifying = HashMap::new();
    let mut published = Vec::new();
    for (id, _, public, _) in &rows {
        verifying.insert(id.clone(), DecodingKey::from_ed_components(public).map_err(AppError::internal)?);
        published.push(json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": public}));
    }
    Ok(Some(KeySet {
        current: current.clone(),
        signing: EncodingKey::from_ed_der(&private),
        verifying,
        jwks: json!({ "keys": published }),
    }))
}
