//! Sends commands to the server, again where that is safe, and turns answers into errors.

use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind};

use super::handle::{Redis, Result};
use super::record::{MARK_BYTES, unpack};
use super::script::Call;
use crate::background::in_background;
use crate::storage::{Record, StorageError, StorageKey, Timestamp, Version};

impl Redis {
    /// Runs a command that may just as well run twice: if the server has gone
    /// away since the last one, it is asked on another connection.
    pub(super) async fn ask<T: FromRedisValue>(&self, command: Cmd) -> Result<T> {
        let mut connection = self.connection.clone();
        let answer = match command.query_async(&mut connection).await {
            Err(cause) if RedisError::is_connection_dropped(&cause) => {
                command.query_async(&mut connection).await
            }
            answer => answer,
        };
        answer.map_err(to_storage_error)
    }

    /// Runs a script, the same way if it may run twice.
    pub(super) async fn run<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T> {
        let answer = match self.try_run(&call).await {
            Err(cause) if cause.is_connection_dropped() && call.is_repeatable() => {
                self.try_run(&call).await
            }
            answer => answer,
        };
        answer.map_err(to_storage_error)
    }

    /// A server that does not know the script, a replica that has just become a
    /// master, is given its code.
    async fn try_run<T: FromRedisValue>(&self, call: &Call<'_>) -> RedisResult<T> {
        let mut connection = self.connection.clone();
        match call.by_hash().query_async(&mut connection).await {
            Err(cause) if cause.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                call.by_code().query_async(&mut connection).await
            }
            answer => answer,
        }
    }

    /// The record of a key, and the version that it was created with.
    pub(super) async fn find(
        &self,
        key: &StorageKey,
        now: Timestamp,
    ) -> Result<Option<(Version, Record)>> {
        let mut command = redis::cmd("GET");
        command.arg(self.record_key(key));
        let found = self.ask::<Option<Vec<u8>>>(command).await?;
        let Some(bytes) = found.filter(|bytes| bytes.len() != MARK_BYTES) else { return Ok(None) };
        Ok(Some(unpack(&bytes)?).filter(|(_, record)| record.is_live(now)))
    }

    /// Keeps the books on an owner after a record has been written or ended:
    /// sent at once, in order, and not waited for. If it fails, the write stands,
    /// and what is missing here is found out in time.
    pub(super) async fn afterwards(&self, commands: Pipeline) {
        let mut connection = self.connection.clone();
        let sent = async move { commands.query_async::<()>(&mut connection).await };
        in_background(Box::pin(sent)).await;
    }
}

/// Whatever keeps Redis from answering: a retry may help. Its message may quote
/// what was sent, so only the kind of failure is told.
pub(super) fn to_storage_error(cause: RedisError) -> StorageError {
    let kind = cause.kind();
    match (kind, cause.code()) {
        // Somebody else's value under our key.
        (_, Some("WRONGTYPE")) => StorageError::Corrupt("it is no string"),
        (_, Some(code)) => StorageError::Unavailable(format!("Redis says {code}"), None),
        (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, _) => {
            StorageError::Other(format!("Redis: {kind:?}"), None)
        }
        (ErrorKind::InvalidClientConfig, _) => StorageError::Other(format!("Redis: {cause}"), None),
        (ErrorKind::AuthenticationFailed, _) => {
            StorageError::Unavailable("Redis refuses the user or the password".into(), None)
        }
        _ if cause.is_connection_refusal() => {
            StorageError::Unavailable("Redis refuses connections: does it run there?".into(), None)
        }
        _ if cause.is_timeout() => StorageError::Unavailable("Redis does not answer".into(), None),
        _ => StorageError::Unavailable(format!("Redis: {kind:?}"), None),
    }
}
