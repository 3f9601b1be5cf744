//! Hooks for the test helpers of applications. Without the feature `testing` they do
//! nothing.

use std::borrow::Cow;

use rocket::{Request, Response};

use crate::application::Defined;
use crate::commit::Holds;
use crate::definition::{Core, Definition};
use crate::error::SessionError;

/// Returns the token of the session that a test gave to this request, or else the values
/// that the transport carried.
#[cfg(feature = "testing")]
pub(super) async fn receive<'r>(
    request: &'r Request<'_>,
    core: &Core,
    definition: &Defined,
    values: Vec<Cow<'r, str>>,
) -> Result<Vec<Cow<'r, str>>, SessionError> {
    let minted = super::minting::receive(request, core, definition).await?;
    Ok(minted.map_or(values, |minted| vec![minted]))
}

#[cfg(not(feature = "testing"))]
#[allow(clippy::unused_async)]
pub(super) async fn receive<'r>(
    _: &'r Request<'_>,
    _: &Core,
    _: &Defined,
    values: Vec<Cow<'r, str>>,
) -> Result<Vec<Cow<'r, str>>, SessionError> {
    Ok(values)
}

/// Tells the test which token the client holds after this response.
#[cfg(feature = "testing")]
pub(crate) fn tell(
    request: &Request<'_>,
    response: &mut Response<'_>,
    definition: &Definition,
    holds: Option<&Holds>,
) {
    let shown = holds.map(|holds| match holds {
        Holds::Token { token, .. } => token.as_str(),
        Holds::Nothing => "",
    });
    super::minting::tell(request, response, definition, shown);
}

#[cfg(not(feature = "testing"))]
pub(crate) fn tell(_: &Request<'_>, _: &mut Response<'_>, _: &Definition, _: Option<&Holds>) {}
