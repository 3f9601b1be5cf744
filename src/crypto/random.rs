//! Random bytes come only from the system's CSPRNG. If it fails, so does the request
//! (docs/security.md, S2).

use std::cell::RefCell;

use rand::TryRng as _;
use rand::rngs::SysRng;

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

/// Bytes of the system's CSPRNG for numbers that are not secrets. A system call for each would cost
/// more than everything else that is done with the number.
#[derive(Default)]
struct Pool(Vec<[u8; 8]>);

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

impl Pool {
    fn take(&mut self) -> Result<[u8; 8], RandomError> {
        if let Some(number) = self.0.pop() {
            return Ok(number);
        }
        let mut bytes = [0; 512];
        SysRng.try_fill_bytes(&mut bytes).map_err(|_| RandomError)?;
        self.0.extend(bytes.as_chunks().0);
        self.0.pop().ok_or(RandomError)
    }
}

impl Random {
    /// A fresh random number that is not a secret, such as the version of a record.
    pub fn number(&self) -> Result<u64, RandomError> {
        let bytes = match self {
            Self::System => POOL.with_borrow_mut(Pool::take)?,
            #[cfg(test)]
            _ => self.bytes()?,
        };
        Ok(u64::from_be_bytes(bytes))
    }

    /// Fresh random bytes.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], RandomError> {
        let mut bytes = [0; N];
        match self {
            Self::System => SysRng.try_fill_bytes(&mut bytes).map_err(|_| RandomError)?,
            #[cfg(test)]
            Self::Broken => return Err(RandomError),
            #[cfg(test)]
            Self::Scripted(script) => bytes.fill(script.lock().pop().ok_or(RandomError)?),
        }
        Ok(bytes)
    }
}
