//! JSON Web Tokens that others signed, read with suspicion: the header never chooses the key's kind, brings no key, and says
//! nothing that is not understood; no member is named twice; the claims count only after the signature.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 8192;
/// Most keys of one party.
const MAX_KEYS: usize = 20;
/// Seconds by which clocks may differ.
const LEEWAY: i64 = 60;

/// The algorithms that others may sign with, by every name that they have: `Ed25519` is what RFC 9864 makes of `EdDSA`.
pub const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("RS256", Algorithm::RS256),
    ("PS256", Algorithm::PS256),
    ("ES256", Algorithm::ES256),
    ("EdDSA", Algorithm::EdDSA),
    ("Ed25519", Algorithm::EdDSA),
];

/// The algorithm of this name, if it is one that is accepted of anybody.
#[must_use]
pub fn algorithm(name: &str) -> Option<Algorithm> {
    ALGORITHMS.iter().find(|(known, _)| *known == name).map(|(_, algorithm)| *algorithm)
}

/// Why a token does not count; a sentence for its sender.
pub type Flaw = &'static str;

/// A JSON object in which no name stands twice.
struct Unique(Map<String, Value>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Unique;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unique, A::Error> {
                let mut map = Map::new();
                while let Some((name, value)) = members.next_entry::<String, Value>()? {
                    if map.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a name stands twice"));
                    }
                }
                Ok(Unique(map))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice::<Unique>(&bytes).ok().map(|unique| unique.0)
}

/// A token that can be read; nothing in it is believed yet.
#[derive(Debug)]
pub struct Opened {
    /// What its header calls the algorithm.
    pub algorithm: Algorithm,
    /// The key that its header names.
    pub kid: Option<String>,
    /// Its media type, in lower case.
    pub typ: Option<String>,
    claims: Map<String, Value>,
}

impl Opened {
    /// Reads a token.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(token: &str) -> Result<Self, Flaw> {
        if token.len() > MAX_TOKEN {
            return Err("The token is too long.");
        }
        let parts: Vec<&str> = token.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else { return Err("The token cannot be read.") };
        if signature.is_empty() {
            return Err("The token is not signed.");
        }
        let header = object(header).ok_or("The token's header cannot be read.")?;
        let claims = object(claims).ok_or("The token's claims cannot be read.")?;
        if header.contains_key("crit") {
            return Err("The token's header has a critical member that is not understood.");
        }
        if ["jwk", "jku", "x5u", "x5c", "b64", "zip"].iter().any(|name| header.contains_key(*name)) {
            return Err("The token's header brings or names a key of its own.");
        }
        let text = |name: &str| header.get(name).map(|value| value.as_str().map(str::to_owned));
        let algorithm = text("alg").flatten().and_then(|name| algorithm(&name));
        let algorithm = algorithm.ok_or("The token's algorithm is not accepted.")?;
        let kid = match text("kid") {
            None => None,
            Some(Some(kid)) if kid.len() <= 256 => Some(kid),
            Some(_) => return Err("The token's key id cannot be read."),
        };
        let typ = text("typ").flatten().map(|typ| {
            let lower = typ.to_ascii_lowercase();
            lower.strip_prefix("application/").map_or(lower.clone(), str::to_owned)
        });
        Ok(Self { algorithm, kid, typ, claims })
    }

    /// Who says to have made it; not believed before the signature.
    #[must_use]
    pub fn claimed_issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// The claims, once the signature is good.
    ///
    /// # Errors
    /// What is wrong.
    pub fn verify(self, token: &str, keys: &KeyRing, allowed: &[Algorithm]) -> Result<Claims, Flaw> {
        if !allowed.contains(&self.algorithm) {
            return Err("The token's algorithm is not accepted.");
        }
        let key = keys.find(self.kid.as_deref(), self.algorithm).ok_or("The token was signed with an unknown key.")?;
        self.verify_with(token, &key.key)
    }

    /// The claims, once the signature by this one key is good.
    ///
    /// # Errors
    /// What is wrong.
    pub fn verify_with(self, token: &str, key: &DecodingKey) -> Result<Claims, Flaw> {
        let (signed, signature) = token.rsplit_once('.').ok_or("The token cannot be read.")?;
        // The signature alone: the claims are judged by the server's own clock, and the header was read above.
        match jsonwebtoken::crypto::verify(signature, signed.as_bytes(), key, self.algorithm) {
            Ok(true) => Ok(Claims(self.claims)),
            _ => Err("The token's signature is not right."),
        }
    }
}

/// Claims whose signature was good.
#[derive(Debug, Clone)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// A claim that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty() && !text.contains('\0'))
    }

    /// A claim that is true, also when it is the text.
    #[must_use]
    pub fn is_true(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| *value == Value::Bool(true) || value.as_str() == Some("true"))
    }

    /// When it expires, seconds since 1970.
    #[must_use]
    pub fn expires(&self) -> Option<i64> {
        self.seconds("exp").ok().flatten()
    }

    /// All of them, as a type that names them.
    ///
    /// # Errors
    /// When one is missing or of another kind.
    pub fn typed<T: serde::de::DeserializeOwned>(self) -> Result<T, Flaw> {
        serde_json::from_value(Value::Object(self.0)).map_err(|_| "The token's claims are not what they should be.")
    }

    fn seconds(&self, name: &str) -> Result<Option<i64>, Flaw> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => {
                let whole =
                    value.as_i64().or_else(|| value.as_f64().and_then(|n| format!("{:.0}", n.floor()).parse().ok()));
                whole
                    .filter(|n| (0..=253_402_300_799).contains(n))
                    .map(Some)
                    .ok_or("A time in the token cannot be read.")
            }
        }
    }

    /// Checks expiry (required), beginning and issue.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check_times(&self, now: DateTime<Utc>) -> Result<(), Flaw> {
        let now = now.timestamp();
        let soon = now.saturating_add(LEEWAY);
        match self.seconds("exp")? {
            None => return Err("The token has no expiry."),
            Some(exp) if exp <= now => return Err("The token has expired."),
            Some(_) => {}
        }
        if self.seconds("nbf")?.is_some_and(|nbf| nbf > soon) {
            return Err("The token is not valid yet.");
        }
        if self.seconds("iat")?.is_some_and(|iat| iat > soon) {
            return Err("The token was issued in the future.");
        }
        Ok(())
    }

    /// Checks that the token is meant for one of these.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_audience(&self, expected: &[&str]) -> Result<(), Flaw> {
        let named = match self.0.get("aud") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
            _ => return Err("The token names no audience."),
        };
        if named.iter().any(|aud| expected.contains(aud)) {
            Ok(())
        } else {
            Err("The token is meant for somebody else.")
        }
    }
}

struct Key {
    kid: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

impl Key {
    /// Whether a token could mean either.
    fn is_mistaken_for(&self, other: &Self) -> bool {
        let share = || self.algorithms.iter().any(|algorithm| other.algorithms.contains(algorithm));
        self.kid == other.kid && (self.kid.is_some() || share())
    }
}

/// The public keys of one party, each bound to the algorithms of its kind.
pub struct KeyRing(Vec<Key>);

impl KeyRing {
    /// Reads a JWK set (RFC 7517). Keys of other kinds or uses are left out.
    ///
    /// # Errors
    /// Every fault, with its JSON pointer below the set.
    pub fn parse(set: &Value) -> (Self, Vec<(String, String)>) {
        let mut keys: Vec<Key> = Vec::new();
        let mut faults = Vec::new();
        let Some(list) = set.get("keys").and_then(Value::as_array) else {
            return (Self(keys), vec![("/keys".into(), "A JWK set has a list `keys`.".into())]);
        };
        if list.is_empty() || list.len() > MAX_KEYS {
            faults.push(("/keys".into(), format!("There must be 1 to {MAX_KEYS} keys.")));
        }
        for (index, value) in list.iter().take(MAX_KEYS).enumerate() {
            match key(value) {
                Ok(one) if keys.iter().any(|other| other.is_mistaken_for(&one)) => {
                    let why = "Two keys have the same `kid`, or none and an algorithm in common.";
                    faults.push((format!("/keys/{index}/kid"), why.into()));
                }
                Ok(one) => keys.push(one),
                Err(why) => faults.push((format!("/keys/{index}"), why.to_owned())),
            }
        }
        (Self(keys), faults)
    }

    /// Whether there is no usable key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a token of this key id could be checked.
    #[must_use]
    pub fn knows(&self, kid: Option<&str>, algorithm: Algorithm) -> bool {
        self.find(kid, algorithm).is_some()
    }

    /// The key that a token names; when it names none (RFC 7515 §4.1.4), the only one that it may have been signed with.
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm))
            .filter(|key| kid.is_none() || key.kid.as_deref() == kid);
        fitting.next().filter(|_| fitting.next().is_none())
    }
}

/// Whether these bytes are an exponent with which a signature proves something: with 1 everybody could make one.
fn is_exponent(bytes: &[u8]) -> bool {
    let value = bytes.iter().try_fold(0_u64, |value, byte| value.checked_mul(256)?.checked_add(u64::from(*byte)));
    value.is_some_and(|value| value % 2 == 1 && (3..=u64::from(u32::MAX)).contains(&value))
}

fn key(value: &Value) -> Result<Key, Flaw> {
    if ["d", "p", "q", "dp", "dq", "qi", "k"].iter().any(|name| value.get(*name).is_some()) {
        return Err("This is a private or shared key; only public keys are taken.");
    }
    if value.get("use").is_some_and(|usage| usage != "sig") {
        return Err("This key is not for signatures.");
    }
    let jwk: Jwk = serde_json::from_value(value.clone()).map_err(|_| "This is not a key that is known.")?;
    let mut algorithms = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).map_err(|_| "The key's modulus cannot be read.")?;
            if !(256..=1024).contains(&modulus.len()) {
                return Err("An RSA key needs 2048 to 8192 bits.");
            }
            let exponent = URL_SAFE_NO_PAD.decode(&rsa.e).map_err(|_| "The key's exponent cannot be read.")?;
            if !is_exponent(&exponent) {
                return Err("An RSA key's exponent is an odd number from 3 to 4294967295.");
            }
            vec![Algorithm::RS256, Algorithm::PS256]
        }
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => vec![Algorithm::ES256],
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => {
            // What is shorter would be found out only by a token, and badly.
            if URL_SAFE_NO_PAD.decode(&okp.x).is_ok_and(|point| point.len() != 32) {
                return Err("An Ed25519 key has 32 bytes.");
            }
            vec![Algorithm::EdDSA]
        }
        _ => return Err("Only RSA, P-256 and Ed25519 keys are taken."),
    };
    if let Some(alg) = value.get("alg").and_then(Value::as_str) {
        let named = algorithm(alg);
        algorithms.retain(|algorithm| Some(*algorithm) == named);
        if algorithms.is_empty() {
            return Err("The key's `alg` does not fit its kind; RS256, PS256, ES256 and EdDSA are known.");
        }
    }
    let decoding = DecodingKey::from_jwk(&jwk).map_err(|_| "The key cannot be read.")?;
    // A signature that is none tells whether the key itself is one: a point beside the curve is refused before the signature.
    if algorithms.iter().any(|algorithm| jsonwebtoken::crypto::verify("", b"", &decoding, *algorithm).is_err()) {
        return Err("This is no point of the key's curve.");
    }
    Ok(Key { kid: jwk.common.key_id, algorithms, key: decoding })
}
