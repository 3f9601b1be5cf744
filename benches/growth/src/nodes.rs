//! What one node asks of its storage, measured, and what many nodes ask, computed from that.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use overhead::scene::Scene;
use rocket_typed_sessions::Sessions;
use serde_json::{Value, json};

use crate::app;
use crate::clock::Batches;
use crate::page::{significant, thousands};
use crate::servers::{Servers, Watched, processor_time, since};

/// Of 100 requests, so many read, change a session, and log in.
const MIX: [u64; 3] = [90, 9, 1];
/// Requests a second of each node, in the arithmetic.
const REQUESTS: f64 = 1_000.0;
/// The pool of a node, in the arithmetic: the default of `max_connections`.
const CONNECTIONS: f64 = 10.0;
const PATHS: [&str; 3] = ["/read/types/1", "/write/types/1", "/login"];

/// The rows of the table.
pub struct Nodes(Vec<Row>);

/// One storage.
struct Row {
    name: &'static str,
    /// The time of a read and of a write, where a route without a session takes 1.
    times: Vec<f64>,
    asked: Option<Asked>,
}

/// What the storage's server is asked.
struct Asked {
    /// Commands or statements of a read, a write and a login.
    commands: Vec<f64>,
    /// Bytes of each, both ways.
    bytes: Option<Vec<f64>>,
    /// Processor time of the server for each second of the node's own, with the mix.
    processor: f64,
}

impl Nodes {
    pub async fn measure(servers: &Servers) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let storages = [
            ("memory", json!("memory"), None),
            ("directory", directory(folder.path()), None),
            (
                "Redis",
                json!({ "type": "redis", "url": servers.redis }),
                Some(Watched::redis(&servers.redis).await?),
            ),
            (
                "PostgreSQL",
                json!({ "type": "postgres", "url": servers.postgres }),
                Some(Watched::postgres(&servers.postgres).await?),
            ),
        ];
        let mut nodes = Vec::new();
        for (name, storage, watched) in storages {
            nodes.push((name, scenes(&storage).await, watched));
        }
        let mut rows = Vec::new();
        let times = times(nodes.iter().map(|(_, scenes, _)| scenes)).await;
        for ((name, scenes, watched), times) in nodes.into_iter().zip(times) {
            let asked = match watched {
                Some(watched) => Some(Asked::of(&watched, &scenes).await?),
                None => None,
            };
            rows.push(Row { name, times, asked });
        }
        Ok(Self(rows))
    }

    /// The table of one node.
    pub fn measured(&self) -> String {
        let mut text = "\
| storage | read, to bare | write, to bare | commands: read | write | login | bytes: read | write | login | server's processor time to the node's |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
"
        .to_owned();
        for Row { name, times, asked } in &self.0 {
            let mut cells: Vec<_> = times.iter().map(|time| format!("{time:.1}")).collect();
            if let Some(Asked { commands, bytes, processor }) = asked {
                cells.extend(commands.iter().map(|commands| significant(*commands)));
                match bytes {
                    Some(bytes) => cells.extend(bytes.iter().map(|bytes| thousands(*bytes))),
                    None => cells.extend([const { String::new() }; 3]),
                }
                cells.push(format!("{processor:.2}"));
            } else {
                cells.extend([const { String::new() }; 7]);
            }
            let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
        }
        text
    }

    /// The table of many nodes.
    pub fn arithmetic(&self) -> String {
        let mut text = String::from("| nodes |");
        for Row { name, asked, .. } in &self.0 {
            let Some(asked) = asked else { continue };
            let traffic =
                asked.bytes.as_ref().map_or("", |_| " Mbit/s | messages/s with a `cache` |");
            let _ = write!(text, " {name}: commands/s |{traffic} connections | busy cores |");
        }
        let columns = text.matches('|').count() - 1;
        let _ = write!(text, "\n{}|\n", "|---:".repeat(columns));
        for nodes in [1.0, 10.0, 100.0] {
            let _ = write!(text, "| {nodes} |");
            for asked in self.0.iter().filter_map(|row| row.asked.as_ref()) {
                let cells: Vec<_> = asked.by(nodes).iter().map(|cell| figure(*cell)).collect();
                let _ = write!(text, " {} |", cells.join(" | "));
            }
            text.push('\n');
        }
        text
    }
}

impl Asked {
    async fn of(watched: &Watched, scenes: &[Scene]) -> io::Result<Self> {
        let (mut commands, mut bytes) = (Vec::new(), Vec::new());
        for scene in scenes {
            commands.push(watched.commands(scene).await?);
            bytes.extend(watched.bytes(scene).await?);
        }
        let before = (watched.processor_times().await?, processor_time("self"));
        for _ in 0..20 {
            for (scene, requests) in scenes.iter().zip(MIX) {
                scene.send(requests).await;
            }
        }
        let after = (watched.processor_times().await?, processor_time("self"));
        let processor = since(&before.0, &after.0) as f64 / (after.1 - before.1) as f64;
        Ok(Self { commands, bytes: Some(bytes).filter(|bytes| !bytes.is_empty()), processor })
    }

    /// The row of so many nodes.
    fn by(&self, nodes: f64) -> Vec<f64> {
        let requests = nodes * REQUESTS;
        let mut cells = vec![requests * mixed(&self.commands)];
        if let Some(bytes) = &self.bytes {
            cells.push(requests * mixed(bytes) * 8.0 / 1e6);
            // Each write tells each node.
            cells.push(requests * mixed(&[0.0, 1.0, 1.0]) * nodes);
        }
        // Redis is asked over one connection of each node.
        cells.push(if self.bytes.is_some() { nodes } else { nodes * CONNECTIONS });
        cells.push(nodes * self.processor);
        cells
    }
}

/// The mean of a request of the mix.
fn mixed(each: &[f64]) -> f64 {
    each.iter().zip(MIX).map(|(one, requests)| one * requests as f64).sum::<f64>() / 100.0
}

fn figure(value: f64) -> String {
    if value < 10.0 && value.fract() != 0.0 { format!("{value:.2}") } else { thousands(value) }
}

fn directory(folder: &Path) -> Value {
    json!({ "type": "directory", "path": folder })
}

/// One for each kind of request.
async fn scenes(storage: &Value) -> Vec<Scene> {
    let mut scenes = Vec::new();
    for path in PATHS {
        let app = app::configured(Sessions::fairing(), storage);
        let mut scene = Scene::new(app, path).await;
        scene.add_browser(0);
        if path != "/login" {
            scene.visit("/start/types/1").await;
        }
        scenes.push(scene);
    }
    scenes
}

/// The times of a read and of a write in each storage, all in turn.
async fn times(storages: impl Iterator<Item = &Vec<Scene>>) -> Vec<Vec<f64>> {
    const ROUNDS: usize = 200;
    let mut all: Vec<Vec<_>> = storages
        .map(|scenes| scenes[..2].iter().map(|scene| (scene, Batches::default())).collect())
        .collect();
    for _ in 0..ROUNDS {
        for (scene, batches) in all.iter_mut().flatten() {
            batches.add(scene).await;
        }
    }
    let ratios =
        |storage: Vec<(_, Batches)>| storage.into_iter().map(|(_, batches)| batches.ratio());
    all.into_iter().map(|storage| ratios(storage).collect()).collect()
}
