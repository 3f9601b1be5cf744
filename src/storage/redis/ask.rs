//! Sends commands to the server, repeats those that may run twice, and converts errors.

use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind};

use super::handle::{Redis, Result};
use super::record::{MARK_BYTES, unpack};
use super::script::Call;
use crate::background::in_background;
use crate::storage::{Record, StorageError, StorageKey, Timestamp, Version};

impl Redis {
    /// Runs a command that may run twice. If the connection turns out to be closed, the command
    /// is sent on another one.
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

    /// Runs a script. It is sent again in the same case, if it may run twice.
    pub(super) async fn run<T: FromRedisValue>(&self, call: Call<'_>) -> Result<T> {
        let answer = match self.try_run(&call).await {
            Err(cause) if cause.is_connection_dropped() && call.is_repeatable() => {
                self.try_run(&call).await
            }
            answer => answer,
        };
        answer.map_err(to_storage_error)
    }

    /// Runs a script by its hash. A server that does not know the script, such as a replica that
    /// has just become the master, gets its code.
    async fn try_run<T: FromRedisValue>(&self, call: &Call<'_>) -> RedisResult<T> {
        let mut connection = self.connection.clone();
        match call.by_hash().query_async(&mut connection).await {
            Err(cause) if cause.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                call.by_code().query_async(&mut connection).await
            }
            answer => answer,
        }
    }

    /// The live record of a key, and the version that it was created with.
    pub(super) async fn find(
        &self,
        key: &StorageKey,
        now: Timestamp,
    ) -> Result<Option<(Version, Record)>> {
        let mut command = redis::cmd("GET");
        command.arg(self.record_key(key));
        live(self.ask(command).await?, now)
    }

    /// The live records of several keys on one server. They are asked for at once, each by a
    /// command of its own, so that a value of another program fails only its own key.
    pub(super) async fn find_many(
        &self,
        keys: &[StorageKey],
        now: Timestamp,
    ) -> Vec<Result<Option<Record>>> {
        let mut commands = Pipeline::with_capacity(keys.len());
        for key in keys {
            commands.get(self.record_key(key));
        }
        commands.ignore_errors();
        let found: Vec<RedisResult<Option<Vec<u8>>>> = match self.ask_all(&commands).await {
            Ok(found) => found,
            Err(cause) => return vec![Err(to_storage_error(cause)); keys.len()],
        };
        let record = |found| Ok(live(found, now)?.map(|(_, record)| record));
        found.into_iter().map(|found| found.map_err(to_storage_error).and_then(record)).collect()
    }

    /// Runs commands that may run twice, as [`ask`](Self::ask) does.
    async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> RedisResult<T> {
        let mut connection = self.connection.clone();
        match commands.query_async(&mut connection).await {
            Err(cause) if RedisError::is_connection_dropped(&cause) => {
                commands.query_async(&mut connection).await
            }
            answer => answer,
        }
    }

    /// Updates an owner's index after a record has been written or ended. The commands are sent
    /// at once and in order, and nobody waits for the answer. If they fail, the write stands, and
    /// a later login corrects the index.
    pub(super) async fn run_in_background(&self, commands: Pipeline) {
        let mut connection = self.connection.clone();
        let sent = async move { commands.query_async::<()>(&mut connection).await };
        in_background(Box::pin(sent)).await;
    }
}

/// The record in a string, and the version that it was created with, if the record is live.
fn live(found: Option<Vec<u8>>, now: Timestamp) -> Result<Option<(Version, Record)>> {
    let Some(bytes) = found.filter(|bytes| bytes.len() != MARK_BYTES) else { return Ok(None) };
    Ok(Some(unpack(&bytes)?).filter(|(_, record)| record.is_live(now)))
}

/// Whether the error of a first connection says by itself what to look at.
pub(super) fn is_clear(cause: &RedisError) -> bool {
    cause.code().is_some()
        || cause.is_connection_refusal()
        || matches!(cause.kind(), ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig)
}

/// Whether the server has no such database. The client tells this by its text only.
fn refuses_database(cause: &RedisError) -> bool {
    cause.to_string().contains("refused to switch database")
}

/// Converts an error. A retry may help with most of them. The message of a `RedisError` may quote
/// what was sent, so only its kind is shown.
pub(super) fn to_storage_error(cause: RedisError) -> StorageError {
    let kind = cause.kind();
    match (kind, cause.code()) {
        // The key holds a value that another program has written.
        (_, Some("WRONGTYPE")) => StorageError::Corrupt("it is not a string"),
        (_, Some("NOAUTH")) => StorageError::Unavailable(
            "Redis says NOAUTH: it requires a password, and `url` has none; write `redis://:password@host/`".into(),
            None,
        ),
        _ if refuses_database(&cause) => StorageError::Unavailable(
            "Redis has no database with the number at the end of `url`; `CONFIG GET databases` shows how many it has, and a cluster has only number 0".into(),
            None,
        ),
        (_, Some(code)) => StorageError::Unavailable(format!("Redis says {code}"), None),
        (ErrorKind::Parse | ErrorKind::UnexpectedReturnType, _) => {
            StorageError::Other(format!("Redis: {kind:?}"), None)
        }
        (ErrorKind::InvalidClientConfig, _) => StorageError::Other(format!("Redis: {cause}"), None),
        (ErrorKind::AuthenticationFailed, _) => {
            StorageError::Unavailable("Redis refuses the user or the password; check both in `url`, `redis://user:password@host/`".into(), None)
        }
        _ if cause.is_connection_refusal() => StorageError::Unavailable(
            "Redis refuses connections: is it running there? Check the host and the port in `url`".into(),
            None,
        ),
        _ if cause.is_timeout() => StorageError::Unavailable("Redis does not answer".into(), None),
        _ => StorageError::Unavailable(format!("Redis: {kind:?}"), None),
    }
}
