//! The system's CSPRNG, and only that; a failure fails closed (checklist S2).

/// The system's random generator failed.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system's random generator failed")]
pub(crate) struct RandomError;

/// Where ids and IVs come from.
#[derive(Clone, Default)]
pub(crate) enum Random {
    #[default]
    System,
    /// A generator that fails, for tests.
    #[cfg(test)]
    Broken,
    /// A generator that returns each of these in turn as every byte, for tests.
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
