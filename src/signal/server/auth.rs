//! Who may join a room.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::{SystemTime, UNIX_EPOCH};

use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, Claims, Header, UntrustedToken};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

use crate::ids::{PeerId, TopicHash};
use crate::protocol::blind_topic;

/// Somebody who wants to join, and has proved to hold the key behind `id`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct JoinRequest {
    /// The topic, as the server knows it; compare with [`blind_topic`] of a name.
    pub topic: TopicHash,
    /// Who it is.
    pub id: PeerId,
    /// The `Origin` header of the upgrade request; empty where there was none.
    pub origin: String,
    /// What it shows to be let in.
    pub token: Option<String>,
}

/// What somebody who joins may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grant {
    /// Use the ICE servers that ask for credentials. Relaying costs the one who runs the relay.
    pub relay: bool,
}

impl Grant {
    /// Everything.
    pub const ALL: Self = Self { relay: true };

    /// Without relaying.
    pub const WITHOUT_RELAY: Self = Self { relay: false };
}

/// The peer may not join. It learns no more than that, so nobody can find out by trying which rooms there are or which
/// part of a token was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not allowed to join")]
pub struct Denied;

/// What an [`Authorizer`] decides, once it has.
pub type Decision = Pin<Box<dyn Future<Output = Result<Grant, Denied>> + Send>>;

/// Decides who may join a room. Asked once for each join, after the limits of the peer's address and before the joins
/// of the room are counted: denied peers use up none of these. The time allowed for `hello` goes on meanwhile.
///
/// Ready ones are [`Open`] and [`RoomTokens`]; any closure from a [`JoinRequest`] to a future is one too:
///
/// ```
/// use converge_signal::protocol::blind_topic;
/// use converge_signal::server::{Denied, Grant, JoinRequest, Settings};
///
/// let lobby = blind_topic("lobby");
/// let settings = Settings::default()
///     .authorizer(move |join: JoinRequest| async move { if join.topic == lobby { Ok(Grant::ALL) } else { Err(Denied) } });
/// # let _ = settings;
/// ```
pub trait Authorizer: Send + Sync + 'static {
    /// Allows or denies a peer that has proved to hold the key behind its id.
    fn authorize(&self, request: JoinRequest) -> Decision;

    /// Decides at once where that is cheap, before the peer has proved its id. Strangers are then denied, and the
    /// room's joins counted, before the costlier check of the signature. The default, `None`, asks
    /// [`Authorizer::authorize`] after the proof.
    fn decide(&self, request: &JoinRequest) -> Option<Result<Grant, Denied>> {
        let _ = request;
        None
    }

    /// Returns whether a grant proves that the peer was invited to the room. If so, its joins of empty rooms are not
    /// counted as guesses. Default: `false`.
    fn vouches(&self) -> bool {
        false
    }

    /// What it is called at [`WELL_KNOWN_PATH`](crate::protocol::WELL_KNOWN_PATH), for clients to know whether to bring
    /// a token.
    fn kind(&self) -> &'static str {
        "custom"
    }
}

impl<F, T> Authorizer for F
where
    F: Fn(JoinRequest) -> T + Send + Sync + 'static,
    T: Future<Output = Result<Grant, Denied>> + Send + 'static,
{
    fn authorize(&self, request: JoinRequest) -> Decision {
        Box::pin(self(request))
    }
}

/// Everybody may join every room.
#[derive(Debug, Clone, Copy, Default)]
pub struct Open;

impl Authorizer for Open {
    fn authorize(&self, _: JoinRequest) -> Decision {
        Box::pin(std::future::ready(Ok(Grant::ALL)))
    }

    fn decide(&self, _: &JoinRequest) -> Option<Result<Grant, Denied>> {
        Some(Ok(Grant::ALL))
    }

    fn kind(&self) -> &'static str {
        "open"
    }
}

/// What is wrong with a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SecretError {
    /// RFC 7518 section 3.2: no shorter than the hash.
    #[error("a token secret needs at least 32 bytes, this one has {0}: make one with 'openssl rand -base64 32'")]
    Short(usize),
    /// There is one to sign with, and one that is on its way out.
    #[error("one or two token secrets, not {0}: the one in use, and the one before it")]
    Count(usize),
}

/// Who has a token for the room may join it: a JSON Web Token (RFC 7519), signed with HMAC-SHA-256 (`HS256`, and
/// nothing else) and these claims:
///
/// | claim | what |
/// |---|---|
/// | `room` | the topic's name, in any Unicode normalization form: it is normalized to NFC, as clients do |
/// | `exp` | until when it may be used to join, in seconds since 1970 |
/// | `nbf` | from when, optional |
/// | `aud` | the server that it is for: the audience in the server's settings, or a list that includes it |
/// | `can` | a list: `join`; and `relay`, to be given TURN servers |
/// | `sub` | optional: the one peer id that may use it |
///
/// A token whose header has `crit` is denied: `crit` names extensions that must be understood (RFC 7515 section
/// 4.1.11), and none is supported.
///
/// Any JWT library makes them, and so does [`RoomTokens::mint`]. Two secrets are known, so that they can be changed: the
/// first signs, the second is still accepted.
#[derive(Clone)]
pub struct RoomTokens {
    keys: Vec<Hs256Key>,
    audience: String,
}

/// `aud` in either form that RFC 7519 section 4.1.3 allows.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn includes(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Several(several) => several.iter().any(|one| one == name),
        }
    }
}

/// The header fields that are checked beside the algorithm.
#[derive(Debug, Clone, Deserialize)]
struct Extensions {
    /// Whether the field `crit` exists, whatever its value.
    #[serde(default, rename = "crit", deserialize_with = "is_present")]
    critical: bool,
}

fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Returns the hash of a room's name as clients compute it, from the name in NFC.
fn topic_of(room: &str) -> TopicHash {
    blind_topic(&room.nfc().collect::<String>())
}

#[derive(Debug, Serialize, Deserialize)]
struct RoomClaims {
    aud: Audience,
    room: String,
    can: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
}

impl RoomTokens {
    /// Tokens for this audience, signed with the first of one or two secrets.
    ///
    /// # Errors
    /// If there are none or more than two, or one has less than 32 bytes.
    pub fn new<S: AsRef<[u8]>>(secrets: &[S], audience: impl Into<String>) -> Result<Self, SecretError> {
        if !(1..=2).contains(&secrets.len()) {
            return Err(SecretError::Count(secrets.len()));
        }
        let key = |secret: &S| match secret.as_ref() {
            secret if secret.len() < 32 => Err(SecretError::Short(secret.len())),
            secret => Ok(Hs256Key::new(secret)),
        };
        let keys = secrets.iter().map(key).collect::<Result<_, _>>()?;
        Ok(Self { keys, audience: audience.into() })
    }

    /// Mints a token that lets its holder join the room until `expires`, and be relayed if `grant` says so. With `sub`,
    /// only the peer with that id may use it.
    pub fn mint(&self, room: &str, expires: SystemTime, grant: Grant, sub: Option<PeerId>) -> String {
        let mut can = vec!["join".to_owned()];
        if grant.relay {
            can.push("relay".to_owned());
        }
        let aud = Audience::One(self.audience.clone());
        let room = RoomClaims { aud, room: room.nfc().collect(), can, sub: sub.map(|id| id.to_string()) };
        let seconds = expires.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let mut claims = Claims::new(room);
        claims.expiration =
            i64::try_from(seconds).ok().and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
        // These claims are strings and numbers: nothing that could fail to be written.
        Hs256.token(&Header::empty(), &claims, &self.keys[0]).unwrap_or_default()
    }

    fn check(&self, request: &JoinRequest, now: SystemTime) -> Option<Grant> {
        let token = UntrustedToken::<Extensions>::try_from(request.token.as_deref()?).ok()?;
        if token.header().other_fields.critical {
            return None;
        }
        // The algorithm is not the token's to choose: validating it as HS256 refuses every other.
        let valid = |key: &Hs256Key| Hs256.validator::<RoomClaims>(key).validate(&token).ok();
        let token = self.keys.iter().find_map(valid)?;
        let claims = token.claims();
        let now = i64::try_from(now.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
        let in_time =
            claims.expiration?.timestamp() > now && claims.not_before.is_none_or(|from| from.timestamp() <= now);
        let RoomClaims { aud, room, can, sub } = &claims.custom;
        let can = |what: &str| can.iter().any(|word| word == what);
        let for_whom = sub.as_ref().is_none_or(|sub| sub.parse() == Ok(request.id));
        let for_here = aud.includes(&self.audience) && topic_of(room) == request.topic;
        let good = in_time && for_whom && for_here && can("join");
        good.then(|| Grant { relay: can("relay") })
    }
}

impl Authorizer for RoomTokens {
    fn authorize(&self, request: JoinRequest) -> Decision {
        Box::pin(std::future::ready(self.check(&request, SystemTime::now()).ok_or(Denied)))
    }

    fn decide(&self, request: &JoinRequest) -> Option<Result<Grant, Denied>> {
        Some(self.check(request, SystemTime::now()).ok_or(Denied))
    }

    fn vouches(&self) -> bool {
        true
    }

    fn kind(&self) -> &'static str {
        "token"
    }
}

// The keys must not reach a log.
impl fmt::Debug for RoomTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomTokens").field("keys", &self.keys.len()).field("audience", &self.audience).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use jwt_compact::Algorithm;
    use jwt_compact::alg::{Hs384, Hs384Key};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &[u8] = b"a secret of thirty-two bytes, ok";
    const FORMER: &[u8] = b"another one of at least 32 bytes";

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000)
    }

    fn tokens() -> RoomTokens {
        RoomTokens::new(&[SECRET, FORMER], "meet.example").unwrap()
    }

    fn request(token: impl Into<Option<String>>) -> JoinRequest {
        let id = PeerId::from_bytes([7; 32]);
        JoinRequest { topic: blind_topic("lobby"), id, origin: String::new(), token: token.into() }
    }

    fn check(token: impl Into<Option<String>>) -> Option<Grant> {
        tokens().check(&request(token), now())
    }

    /// A token with these claims, written by hand as another library would.
    fn signed<A: Algorithm>(algorithm: &A, key: &A::SigningKey, claims: &Value) -> String {
        signed_with(algorithm, key, &json!({}), claims)
    }

    /// Signs a token with these header fields too.
    fn signed_with<A: Algorithm>(algorithm: &A, key: &A::SigningKey, header: &Value, claims: &Value) -> String {
        algorithm.token(&Header::new(header.clone()), &Claims::new(claims.clone()), key).unwrap()
    }

    #[test]
    fn a_token_lets_in_as_far_as_it_says() {
        let later = now() + Duration::from_secs(60);
        assert_eq!(check(tokens().mint("lobby", later, Grant::ALL, None)), Some(Grant::ALL));
        assert_eq!(check(tokens().mint("lobby", later, Grant::WITHOUT_RELAY, None)), Some(Grant::WITHOUT_RELAY));
    }

    #[test]
    fn the_former_secret_is_accepted_and_no_other() {
        let later = now() + Duration::from_secs(60);
        let mint =
            |secret: &[u8]| RoomTokens::new(&[secret], "meet.example").unwrap().mint("lobby", later, Grant::ALL, None);
        assert!(check(mint(FORMER)).is_some());
        assert!(check(mint(b"a secret that this server was never told")).is_none());
    }

    #[test]
    fn a_token_must_be_whole_in_time_and_for_this_room_server_and_peer() {
        let key = Hs256Key::new(SECRET);
        let good = json!({ "aud": "meet.example", "room": "lobby", "can": ["join"], "exp": 1_000_060 });
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            match value {
                Value::Null => claims.as_object_mut().unwrap().remove(name),
                value => claims.as_object_mut().unwrap().insert(name.to_owned(), value),
            };
            signed(&Hs256, &key, &claims)
        };
        let id = PeerId::from_bytes([7; 32]).to_string();
        for (what, token, expected) in [
            ("as it is", with("x", json!(1)), true),
            ("for this peer", with("sub", json!(id)), true),
            ("valid since a minute", with("nbf", json!(999_940)), true),
            ("for another peer", with("sub", json!(PeerId::from_bytes([8; 32]).to_string())), false),
            ("for nobody that could be", with("sub", json!("ada")), false),
            ("too old", with("exp", json!(1_000_000)), false),
            ("for ever", with("exp", Value::Null), false),
            ("valid until a word", with("exp", json!("tomorrow")), false),
            ("valid tomorrow", with("nbf", json!(1_000_030)), false),
            ("for this server and another", with("aud", json!(["other.example", "meet.example"])), true),
            ("for another server", with("aud", json!("other.example")), false),
            ("for other servers", with("aud", json!(["other.example", "meet.example.org"])), false),
            ("for no server of a list", with("aud", json!([])), false),
            ("for a server and a number", with("aud", json!(["meet.example", 1])), false),
            ("for no server", with("aud", Value::Null), false),
            ("for another room", with("room", json!("attic")), false),
            ("for the room's hash", with("room", json!(blind_topic("lobby").to_string())), false),
            ("for no room", with("room", Value::Null), false),
            ("to do nothing", with("can", json!([])), false),
            ("to do something else", with("can", json!(["relay"])), false),
            ("signed otherwise", signed(&Hs384, &Hs384Key::new(SECRET), &good), false),
        ] {
            assert_eq!(check(token).is_some(), expected, "{what}");
        }
        let whole = with("x", json!(1));
        let (head, signature) = whole.rsplit_once('.').unwrap();
        let unsigned = format!("{}.{}.", "eyJhbGciOiJub25lIn0", head.split_once('.').unwrap().1);
        for bad in ["", ".", "..", "a.b.c", head, &format!("{head}."), &format!("{head}.A{signature}"), &unsigned] {
            assert_eq!(check(bad.to_owned()), None, "{bad}");
        }
        assert_eq!(check(None), None);
    }

    #[test]
    fn a_token_that_demands_an_extension_is_denied() {
        let key = Hs256Key::new(SECRET);
        let claims = json!({ "aud": "meet.example", "room": "lobby", "can": ["join"], "exp": 1_000_060 });
        assert!(check(signed_with(&Hs256, &key, &json!({ "kid": "1", "x": 1 }), &claims)).is_some());
        // `crit` must be a list of names, but a token with any other value is denied too.
        for crit in [json!(["exp"]), json!(["b64"]), json!([]), json!("exp"), Value::Null, json!({ "a": 1 })] {
            assert_eq!(check(signed_with(&Hs256, &key, &json!({ "crit": crit }), &claims)), None, "{crit}");
        }
    }

    #[test]
    fn a_token_names_its_room_in_any_normalization_form() {
        let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
        let key = Hs256Key::new(SECRET);
        for room in [composed, decomposed] {
            let claims = json!({ "aud": "meet.example", "room": room, "can": ["join"], "exp": 1_000_060 });
            let minted = tokens().mint(room, now() + Duration::from_secs(60), Grant::ALL, None);
            for token in [signed(&Hs256, &key, &claims), minted] {
                let request = JoinRequest { topic: blind_topic(composed), ..request(token) };
                assert!(tokens().check(&request, now()).is_some(), "{room:?}");
            }
        }
    }

    #[test]
    fn a_token_is_minted_for_one_peer() {
        let mint = |id| tokens().mint("lobby", now() + Duration::from_secs(60), Grant::ALL, Some(id));
        assert!(check(mint(PeerId::from_bytes([7; 32]))).is_some());
        assert!(check(mint(PeerId::from_bytes([8; 32]))).is_none());
    }

    #[test]
    fn secrets_that_are_none_are_refused() {
        assert_eq!(RoomTokens::new(&["short"], "a").err(), Some(SecretError::Short(5)));
        assert_eq!(RoomTokens::new::<&str>(&[], "a").err(), Some(SecretError::Count(0)));
        assert_eq!(RoomTokens::new(&[SECRET; 3], "a").err(), Some(SecretError::Count(3)));
        assert!(!format!("{:?}", tokens()).contains("thirty"));
    }
}
