//! The changes of keys that Redis reports. It uses client tracking in broadcasting mode on a
//! connection of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::cluster_routing::{MultipleNodeRoutingInfo, RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, FromRedisValue, PushInfo, PushKind, RedisResult, Value};
use rocket::futures::stream::BoxStream;
use rocket::response::stream::stream;
use rocket::tokio::select;
use rocket::warn;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, Interval, interval_at, sleep, timeout};

use super::connection::OPENING;
use super::target::{Link, Target, silent};
use crate::storage::{Change, StorageKey};

/// The pause between attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the listener checks that every node is still connected.
const PULSE: Duration = Duration::from_secs(5);

/// The changes of the records under `prefix`. Each time that the listener has connected, it
/// begins with [`Change::Any`].
pub(super) fn changes(target: Arc<Target>, prefix: String) -> BoxStream<'static, Change> {
    Box::pin(stream! {
        let mut complained = false;
        loop {
            let opened = timeout(OPENING, ChangeListener::open(&target, &prefix)).await;
            match opened.unwrap_or_else(|_| Err(silent("no server reports changes"))) {
                Ok(mut listener) => {
                    complained = false;
                    yield Change::Any;
                    while let Some(heard) = listener.next(&prefix).await {
                        for change in heard {
                            yield change;
                        }
                    }
                }
                Err(cause) if !complained => {
                    complained = true;
                    let kind = cause.kind();
                    warn!("Redis does not report changes ({kind:?}): until it does, cached copies of sessions may be outdated by up to the `ttl` of their `cache`.");
                }
                Err(_) => {}
            }
            sleep(PAUSE).await;
        }
    })
}

struct ChangeListener {
    link: Link,
    pushes: UnboundedReceiver<PushInfo>,
    pulse: Interval,
    /// The nodes of a cluster. Each node reports only its own keys.
    nodes: Nodes,
    /// All nodes report. If not, the listener ends at the next pulse, and another attempt
    /// follows.
    complete: bool,
}

impl ChangeListener {
    async fn open(target: &Target, prefix: &str) -> RedisResult<Self> {
        let (sender, pushes) = unbounded_channel();
        let mut link = target.open(Some(sender)).await?;
        let nodes = Nodes::discover(&mut link).await?;
        let mut tracking = redis::cmd("CLIENT");
        tracking.arg("TRACKING").arg("ON").arg("BCAST").arg("PREFIX").arg(format!("{prefix}:"));
        // Replicas report as well, because one of them may become a master without notice.
        let complete = everywhere(&mut link, tracking).await? >= nodes.all.len();
        let pulse = interval_at(Instant::now() + PULSE, PULSE);
        Ok(Self { link, pushes, pulse, nodes, complete })
    }

    /// The next changes. `None` as soon as a node no longer reports.
    async fn next(&mut self, prefix: &str) -> Option<Vec<Change>> {
        loop {
            select! {
                push = self.pushes.recv() => match push? {
                    PushInfo { kind: PushKind::Invalidate, data } => return Some(heard(data, prefix)),
                    PushInfo { kind: PushKind::Disconnection, .. } => return None,
                    _ => {}
                },
                _ = self.pulse.tick() => {
                    let alive = timeout(OPENING, async {
                        everywhere(&mut self.link, redis::cmd("PING")).await?;
                        Nodes::discover(&mut self.link).await
                    });
                    if alive.await.ok()?.ok()? != self.nodes || !self.complete {
                        return None;
                    }
                }
            }
        }
    }
}

/// Sends a command to every connected node. Returns how many have answered.
async fn everywhere(link: &mut Link, command: Cmd) -> RedisResult<usize> {
    let Link::Cluster(cluster) = link else {
        return link.req_packed_command(&command).await.map(|_| 1);
    };
    let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllNodes, None));
    match cluster.route_command(command, all).await? {
        Value::Map(answers) => Ok(answers.len()),
        _ => Ok(1),
    }
}

/// The nodes of a cluster and the master of each range of slots, independent of the order in
/// which a node lists them. A single server has none.
#[derive(Debug, Default, PartialEq, Eq)]
struct Nodes {
    all: BTreeSet<String>,
    masters: BTreeSet<(i64, i64, String)>,
}

impl Nodes {
    async fn discover(link: &mut Link) -> RedisResult<Self> {
        let Link::Cluster(cluster) = link else { return Ok(Self::default()) };
        let mut slots = redis::cmd("CLUSTER");
        slots.arg("SLOTS");
        let any = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
        let slots = cluster.route_command(slots, any).await?;
        let mut nodes = Self::default();
        for range in Vec::<Vec<Value>>::from_redis_value(slots)? {
            let mut range = range.into_iter();
            let (Some(first), Some(last)) = (range.next(), range.next()) else { continue };
            // Each node is an address, a port, an id and more. The master comes first.
            let ids = range.map(|node| {
                let id = Vec::<Value>::from_redis_value(node)?.into_iter().nth(2);
                id.map_or(Ok(String::new()), String::from_redis_value)
            });
            let ids = ids.collect::<Result<Vec<_>, _>>()?;
            if let Some(master) = ids.first() {
                let (first, last) = (i64::from_redis_value(first)?, i64::from_redis_value(last)?);
                nodes.masters.insert((first, last, master.clone()));
            }
            nodes.all.extend(ids);
        }
        Ok(nodes)
    }
}

/// The changes of records among the changed keys.
fn heard(data: Vec<Value>, prefix: &str) -> Vec<Change> {
    let record = |key: Value| {
        let Value::BulkString(key) = key else { return None };
        let key = std::str::from_utf8(&key).ok()?.strip_prefix(prefix)?;
        let key = key.strip_prefix(":{")?.strip_suffix("}:r")?;
        StorageKey::from_hex(key).map(Change::Record)
    };
    match data.into_iter().next() {
        Some(Value::Array(keys)) => keys.into_iter().filter_map(record).collect(),
        // The whole database was emptied.
        _ => vec![Change::Any],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_records_under_the_prefix_are_heard_of() {
        let key = StorageKey::from_bytes([7; 32]);
        let keys = [
            format!("app:{{{key}}}:r"),
            format!("app:{{{key}}}:i"),
            format!("app2:{{{key}}}:r"),
            "app:{12}:r".to_owned(),
            format!("app:{{{}}}:r", "é".repeat(32)),
        ];
        let keys = keys.map(|key| Value::BulkString(key.into_bytes())).to_vec();
        assert_eq!(heard(vec![Value::Array(keys)], "app"), [Change::Record(key)]);
        assert_eq!(heard(vec![Value::Nil], "app"), [Change::Any]);
    }
}
