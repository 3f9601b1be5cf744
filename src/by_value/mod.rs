//! Sessions by value: the token contains the session, and the client carries it.

mod commit;
mod revocation;

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

pub(crate) use commit::commit;
pub(crate) use revocation::Revocation;

use crate::codec::Content;
use crate::crypto::Random;
use crate::definition::Definition;
use crate::error::SessionError;
use crate::expiry::{Times, Timestamp};
use crate::plan::Snapshot;
use crate::storage::OwnerKey;
use crate::token::{Claims, ReadToken};
use crate::tracked::{Found, Place, Tracked};

/// Tracks the sessions of a definition whose payload the client carries.
pub(crate) struct ByValue {
    /// Remembers which sessions have ended, if `revocation` is configured.
    pub revocation: Option<Revocation>,
}

/// Where a session by value is: in a token with this identity.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub token_id: [u8; 16],
    /// The owner's epoch that the token belongs to, or zero if unused.
    pub epoch: u64,
    /// This field and the next one are kept as they were found. Nothing sets them yet.
    pub incarnation: u64,
    pub generation: u32,
    /// The owner, where ended sessions are remembered.
    pub owner: Option<OwnerKey>,
}

impl Place for Sealed {
    /// No write needs settling: the storage holds only ended sessions.
    type Attempt = Infallible;
}

impl Sealed {
    /// Returns the place of a session that begins.
    pub fn new(token_id: [u8; 16], epoch: u64, owner: Option<OwnerKey>) -> Self {
        Self { token_id, epoch, incarnation: 0, generation: 0, owner }
    }
}

/// Returns every distinct valid session among `values`. Of several tokens of one session, the
/// newest counts.
pub(crate) fn load(
    definition: &Definition,
    values: &[Cow<'_, str>],
    now: Timestamp,
) -> Found<Sealed> {
    let mut found = Found::<Sealed>::default();
    let tokens = definition.tokens.read();
    for value in values {
        let admits = |times: &Times| {
            let live = definition.admits(times, now);
            found.over |= !live;
            live
        };
        let opened = tokens.open_payload(value, definition.size.bytes, now, admits);
        let Some(opened) = opened else { continue };
        found.ours |= tokens.protects(opened.accepted);
        if opened.stale {
            definition.hints.old_keys(&tokens, std::slice::from_ref(value), now);
        }
        let Some(tracked) = track(definition, opened) else { continue };
        let (seen, token_id) = (tracked.snapshot.times.seen, tracked.place.token_id);
        let same = found.sessions.iter_mut().find(|other| other.place.token_id == token_id);
        match same {
            Some(same) if same.snapshot.times.seen < seen => *same = tracked,
            Some(_) => {}
            None => found.sessions.push(tracked),
        }
    }
    found
}

/// Returns the session in an opened token, unless a transformer cannot read it.
fn track(
    definition: &Definition,
    opened: ReadToken<(Claims, Vec<u8>)>,
) -> Option<Arc<Tracked<Sealed>>> {
    let ReadToken { content: (claims, payload), stale, accepted } = opened;
    let Claims { times, epoch, incarnation, token_id, generation } = claims;
    // A payload in another format never went through this definition's transformers.
    let content =
        if accepted { Content::from_bytes(payload) } else { definition.codec.content(payload)? };
    let snapshot = Snapshot { stale_key: stale, accepted, ..Snapshot::written(times) };
    let place = Sealed { token_id, epoch, incarnation, generation, owner: None };
    Some(Arc::new(Tracked { snapshot, content, place }))
}

/// Seals a session. Returns it with its token.
pub(crate) fn seal(
    definition: &Definition,
    random: &Random,
    place: Sealed,
    times: Times,
    content: Content,
) -> Result<(Tracked<Sealed>, String), SessionError> {
    let Sealed { token_id, epoch, incarnation, generation, .. } = place;
    let claims = Claims { times, epoch, incarnation, token_id, generation };
    let payload = definition.codec.payload(&content)?;
    let room = definition.size.room();
    let token = definition.tokens().seal_payload(&claims, &payload, room, random)?;
    definition.check_token(token.len())?;
    drop(payload);
    let snapshot = Snapshot::written(times);
    Ok((Tracked { snapshot, content, place }, token))
}
