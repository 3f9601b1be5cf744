//! The token is the session.

use std::borrow::Cow;

use super::{Content, Found, Origin, Place};
use crate::definition::Definition;
use crate::error::SessionError;
use crate::expiry::{Times, Timestamp};
use crate::random::Random;
use crate::token::{Claims, SessionId};

/// Every distinct valid session among `values`; of one session's several
/// tokens the newest.
pub(crate) fn load(definition: &Definition, values: &[Cow<'_, str>], now: Timestamp) -> Found {
    let mut found: Vec<(Claims, Origin)> = Vec::new();
    let mut over = false;
    for value in values {
        let opened = definition.format().open_payload(value, definition.size.bytes, now, |times| {
            let live = definition.lifetime.admits(times, now);
            over |= !live;
            live
        });
        let Some(opened) = opened else { continue };
        let (claims, payload) = opened.content;
        // Another format's payload never went through this one's transformers.
        let payload =
            if opened.accepted { Some(payload) } else { definition.transform_read(payload) };
        let Some(payload) = payload else { continue };
        let place = Place::Client { token_id: claims.token_id, epoch: claims.epoch };
        let origin = Origin {
            times: claims.times,
            content: Content::owned(payload),
            stale_key: opened.stale,
            accepted: opened.accepted,
            place,
        };
        match found.iter_mut().find(|(other, _)| other.token_id == claims.token_id) {
            Some(same) if same.0.times.seen < claims.times.seen => *same = (claims, origin),
            Some(_) => {}
            None => found.push((claims, origin)),
        }
    }
    Found { origins: found.into_iter().map(|(_, origin)| origin).collect(), over }
}

/// Seals `content`. `before` is the session it continues under its id, if it
/// does; else `planned` says which id it takes, if that was asked for already.
pub(crate) fn seal(
    definition: &Definition,
    random: &Random,
    before: Option<&Origin>,
    planned: Option<&SessionId>,
    epoch: u64,
    times: Times,
    content: Content,
) -> Result<(Origin, String), SessionError> {
    let token_id = match before.map(|origin| &origin.place) {
        Some(Place::Client { token_id, .. }) => *token_id,
        _ => planned.map_or_else(|| random.bytes(), |planned| Ok(planned.secret()))?,
    };
    let payload = definition.transform_write(content.bytes())?;
    let token =
        definition.format().seal_payload(&Claims { times, epoch, token_id }, &payload, random)?;
    definition.check_token(token.len())?;
    let place = Place::Client { token_id, epoch };
    Ok((Origin { times, content, stale_key: false, accepted: false, place }, token))
}
