//! Keys for tests alone, and tokens made with them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::{Value, json};

const RSA: &str = "MIIEowIBAAKCAQEAvoWLQXdZvVJVqwk9gYIvsb7uhPi58RJNEyX402l0GvnC05gil1lIh92kBCDS4YocSDmEwNPqaqj1GpZV6hOIVKy6zAF5fxge0z7UIVYlfP4pV8i51onopvjqYwq0a+mGPppaZWK7F3nrKV3Qtb4h2pzzaJQRl86QUzWV/Svm64QiygwcuvX68b7Su6SRB/EcuSXK+6DT2kJYP2xoNCf9CN1YgGxM/YKwitm2sVJCvmCihjWCrsiGtSMMMuOeaatIoSOZyDE4oLLTfoMZWzZiY1rcV6GuD0tsLBaOm7ylMfyQYrx+VbK2TI6akzSpZKDOkxt+pANqE1rySHXoke/3lwIDAQABAoIBAFW349WKizegyaZwO9n+5tKD4vC0r4QFBeRtmywTMAfLA5sLwdRyeS2XzOmGkxqiduMP7eiL79YZOl3B8dmk/BuMs2aB61YBVi0ZAXwWNDuuZo92YhZiaehl6Z6x/EbpBFs6Ox2OdDq1wdYUvYhniPfA0crlg5zXdRva6ibED9s6Cx3F8r2aYB0rMdoYoVXiX60vazO4bPUM+oJnqllc5+SEK+I1mJYE8MLK2nBsA84o6fsHCTFf3QnKq+slsj9a8nl/sQjWTiLxz18hvshcfaYGkQhgzHClzGQrT0mcUjrPEf/7BSqse6IyxMXN5IqEIneIeEnq3AWuUoZ/YOUAYXECgYEA6VUUC9ylI4F0z5j+TxWIG5Zrnt/J6tHQt6ONCItJRXnJNy8uePEfeka2eY2g6jJX8BKmndHRelmPr66LLd+2Rqm/sYpWS7rcv2zIxP5efYWjCrpOXrMJymako3dnye+/2g8wnBxQ+r8Iy1byBJXbkR68u19lT4nMgAwM/jUIf9UCgYEA0QfGGs372Kzp1zFaS1YimLYa1dVp5GJJYYwsf7AHzp+gSk+UPi56P1mV9AZykoq1QtFQ3gSiDAxT/BPzVVHyfclSWO42IYSLlVZb1Z7itjiv5Dz0qwxK027erNBcmi90h/ABkW5qPQgTViH3Ftoe6t+aaQXn1RxVMdwgVqjyu7sCgYEAr7n4b/qLkFL180cI9+yCZiyB/tQR0LyV0UfmdnHYC+/tf5cUC9ek2kUZNjBY6ShjHBYfz6nudpOu6COvBCyArXU4PnCuDzi6+ZvnFJ1x8lzL7s9jKGT0Ua+9/LJ3wxjBx2s7M8cLodxvthxUBuoJw6B/iSoONbnU/vaUbnroXMUCgYA2SqybvbCSIKdD61+mfaLSw0nJDHtKhHTGz1+ncpM0iaVaZ7z7QZsi5SPbk+kiQsC9sBwu7kkgk/skWBI1sOko3qdyzbxljEWs7hdALtp3tdWJlIOAAdtVe1B+1keXDIhZ3m6p1WHmpDhRgNTqrJCnNJioeo4yff9qyd/kYlFZjQKBgENvE9joaQE7vu3XO93enMh9MIncgxiqax2q5fZTceEPJEeC1lMIQL/PEgrNTNQX3Zf1sXQuzQQiL6HYtJcqp3r1Z4lLBzFoCavSl9Wa/SFzvkNfV5LBUDvVtdFx2FH+GbXZJbbNSIOxK4zMy917mNowzPKBzpYVH9tPToyhtGGw";
const RSA_N: &str = "voWLQXdZvVJVqwk9gYIvsb7uhPi58RJNEyX402l0GvnC05gil1lIh92kBCDS4YocSDmEwNPqaqj1GpZV6hOIVKy6zAF5fxge0z7UIVYlfP4pV8i51onopvjqYwq0a-mGPppaZWK7F3nrKV3Qtb4h2pzzaJQRl86QUzWV_Svm64QiygwcuvX68b7Su6SRB_EcuSXK-6DT2kJYP2xoNCf9CN1YgGxM_YKwitm2sVJCvmCihjWCrsiGtSMMMuOeaatIoSOZyDE4oLLTfoMZWzZiY1rcV6GuD0tsLBaOm7ylMfyQYrx-VbK2TI6akzSpZKDOkxt-pANqE1rySHXoke_3lw";
const EC: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgetljhrGaWdn5/d+NmAF/bHzIbbzpyEc0wMjo9b9oayGhRANCAAQ7sr8johDoN0iBMR0FGkZiN5oiOiQXaJ2t1uCAPXI7RFMlcBO6OH39i/W+RDZ/YABO/xdz1cJwfyc1dI923aa/";
const EC_XY: (&str, &str) =
    ("O7K_I6IQ6DdIgTEdBRpGYjeaIjokF2idrdbggD1yO0Q", "UyVwE7o4ff2L9b5ENn9gAE7_F3PVwnB_JzV0j3bdpr8");

/// The public keys, as somebody registers or publishes them.
pub fn jwks() -> Value {
    let own = ed25519_dalek::SigningKey::from_bytes(&[9; 32]);
    json!({"keys": [
        {"kty": "RSA", "kid": "rsa", "n": RSA_N, "e": "AQAB"},
        {"kty": "EC", "kid": "ec", "crv": "P-256", "x": EC_XY.0, "y": EC_XY.1},
        {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(own.verifying_key().as_bytes())},
    ]})
}

/// The modulus of the RSA key, which anybody may know.
pub fn public_rsa() -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(RSA_N).unwrap()
}

/// The private key for an algorithm, and its key id.
fn key(algorithm: Algorithm) -> (EncodingKey, &'static str) {
    use ed25519_dalek::pkcs8::EncodePrivateKey;
    match algorithm {
        Algorithm::RS256 | Algorithm::PS256 => (EncodingKey::from_rsa_der(&STANDARD.decode(RSA).unwrap()), "rsa"),
        Algorithm::ES256 => (EncodingKey::from_ec_der(&STANDARD.decode(EC).unwrap()), "ec"),
        _ => {
            let own = ed25519_dalek::SigningKey::from_bytes(&[9; 32]).to_pkcs8_der().unwrap();
            (EncodingKey::from_ed_der(own.as_bytes()), "ed")
        }
    }
}

/// A JWT signed by the key of this algorithm.
pub fn sign(algorithm: Algorithm, claims: &Value) -> String {
    let (key, kid) = key(algorithm);
    let header = Header { kid: Some(kid.into()), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, &key).unwrap()
}

/// A JWT with this header and these claims, as JSON text, truly signed with the Ed25519 key of the tests.
pub fn sign_text(header: &str, claims: &str) -> String {
    sign_text_with(&key(Algorithm::EdDSA).0, header, claims)
}

fn sign_text_with(key: &EncodingKey, header: &str, claims: &str) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = jsonwebtoken::crypto::sign(text.as_bytes(), key, Algorithm::EdDSA).unwrap();
    format!("{text}.{signature}")
}

/// The same with no signature, for what is not signed or signed elsewhere.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Every attack on these claims that must be refused, whoever judges them. All that are signed are signed with the true key: the
/// Ed25519 key of the tests.
pub fn attacks(claims: &Value, now: i64) -> Vec<(&'static str, String)> {
    attacks_by(&key(Algorithm::EdDSA).0, "ed", "JWT", claims, now)
}

/// The same by the Ed25519 key of somebody else.
pub fn attacks_by(own: &EncodingKey, kid: &str, typ: &str, claims: &Value, now: i64) -> Vec<(&'static str, String)> {
    let ed = json!({"alg": "EdDSA", "kid": kid, "typ": typ});
    let sign_text = |header: &str, claims: &str| sign_text_with(own, header, claims);
    let with = |base: &Value, name: &str, value: Value| {
        let mut changed = base.clone();
        changed[name] = value;
        changed
    };
    let header = |name: &str, value: Value| sign_text(&with(&ed, name, value).to_string(), &claims.to_string());
    let claim = |name: &str, value: Value| sign_text(&ed.to_string(), &with(claims, name, value).to_string());
    let mut without = claims.clone();
    without.as_object_mut().unwrap().remove("exp");
    let confused = |secret: &[u8]| {
        let header = Header { kid: Some("rsa".into()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
    };
    let good = sign_text(&ed.to_string(), &claims.to_string());
    let (start, signature) = good.rsplit_once('.').unwrap();
    let flipped: String = signature.chars().rev().collect();
    let evil = json!({"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": jwks()["keys"][2]["x"]});
    vec![
        ("no algorithm", unsigned(&with(&ed, "alg", json!("none")), claims)),
        ("no algorithm, in capitals", format!("{}{signature}", unsigned(&with(&ed, "alg", json!("NoNe")), claims))),
        ("no signature", format!("{start}.")),
        ("another signature", format!("{start}.{flipped}")),
        ("the public key as a shared secret", confused(&public_rsa())),
        ("the public key's text as a shared secret", confused(RSA_N.as_bytes())),
        ("an algorithm of another kind of key", header("kid", json!("rsa"))),
        ("a path as key id", header("kid", json!("../../../../dev/null"))),
        ("SQL as key id", header("kid", json!("' UNION SELECT 'x' --"))),
        ("no text as key id", header("kid", json!(7))),
        ("a key in the header", header("jwk", evil)),
        ("keys from elsewhere", header("jku", json!("https://evil.example/jwks.json"))),
        ("a certificate from elsewhere", header("x5u", json!("https://evil.example/x.pem"))),
        ("a certificate in the header", header("x5c", json!(["MIIB"]))),
        ("a critical member", header("crit", json!(["exp"]))),
        ("another type", header("typ", json!("secevent+jwt"))),
        ("expired", claim("exp", json!(now - 1))),
        ("without expiry", sign_text(&ed.to_string(), &without.to_string())),
        ("expiry that is no time", claim("exp", json!("tomorrow"))),
        ("not valid yet", claim("nbf", json!(now + 600))),
        ("issued in the future", claim("iat", json!(now + 600))),
        ("another audience", claim("aud", json!("https://elsewhere.example"))),
        ("no audience", claim("aud", json!(null))),
        ("another issuer", claim("iss", json!("https://evil.example"))),
        ("a claim twice", sign_text(&ed.to_string(), &claims.to_string().replacen('{', "{\"exp\":99999999999,", 1))),
        (
            "a header member twice",
            sign_text(&ed.to_string().replacen('{', "{\"alg\":\"none\",", 1), &claims.to_string()),
        ),
        ("too long", claim("padding", json!("x".repeat(9000)))),
        ("two parts", start.to_owned()),
        ("five parts", format!("{good}.x.y")),
    ]
}
