//! Random bytes come only from the system's CSPRNG. If it fails, so does the request
//! (docs/security.md, S2).

/// The system's random generator failed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system's random generator failed")]
pub(crate) struct RandomError;

/// The source of random ids and IVs.
#[derive(Clone, Default)]
pub(crate) enum Random {
    #[default]
    System,
    /// A generator that fails, for tests.
    #[cfg(test)]
    Broken,
    /// A generator for tests: each call takes the last of these bytes and repeats it.
    #[cfg(test)]
    Scripted(std::sync::Arc<parking_lot::Mutex<Vec<u8>>>),
}

impl Random {
    /// Fresh random bytes.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], RandomError> {
        let mut bytes = [0; N];
        match self {
            Self::System => getrandom::fill(&mut bytes).map_err(|_| RandomError)?,
            #[cfg(test)]
            Self::Broken => return Err(RandomError),
            #[cfg(test)]
            Self::Scripted(script) => bytes.fill(script.lock().pop().ok_or(RandomError)?),
        }
        Ok(bytes)
    }
}
