//! The two servers, and what they are asked.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use overhead::scene::Scene;
use redis::aio::MultiplexedConnection;
use sqlx::PgPool;

/// The servers that `benches/growth/run` has started.
pub struct Servers {
    pub redis: String,
    pub postgres: String,
}

impl Servers {
    pub fn new(redis: &str, postgres: &str) -> Self {
        Self { redis: redis.to_owned(), postgres: postgres.to_owned() }
    }
}

/// A server that is watched.
pub enum Watched {
    Redis { connection: MultiplexedConnection, address: String },
    Postgres(PgPool),
}

impl Watched {
    pub async fn redis(url: &str) -> io::Result<Self> {
        let client = redis::Client::open(url).map_err(io::Error::other)?;
        let connection = client.get_multiplexed_async_connection().await;
        let address = url.trim_start_matches("redis://").trim_end_matches('/').to_owned();
        Ok(Self::Redis { connection: connection.map_err(io::Error::other)?, address })
    }

    pub async fn postgres(url: &str) -> io::Result<Self> {
        let pool = PgPool::connect(url).await.map_err(io::Error::other)?;
        let extension = sqlx::query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
        extension.execute(&pool).await.map_err(io::Error::other)?;
        Ok(Self::Postgres(pool))
    }

    /// The commands or statements of a request.
    pub async fn commands(&self, scene: &Scene) -> io::Result<f64> {
        const REQUESTS: u64 = 100;
        let commands = match self {
            Self::Redis { address, .. } => {
                let monitor = Monitor::on(address)?;
                scene.send(REQUESTS).await;
                monitor.commands()? as f64
            }
            Self::Postgres(pool) => {
                let reset = sqlx::query("SELECT pg_stat_statements_reset()");
                reset.execute(pool).await.map_err(io::Error::other)?;
                scene.send(REQUESTS).await;
                let calls = sqlx::query_scalar(
                    "SELECT sum(calls)::float8 FROM pg_stat_statements
                     WHERE query NOT LIKE '%pg_stat_statements%'",
                );
                calls.fetch_one(pool).await.map_err(io::Error::other)?
            }
        };
        Ok(commands / REQUESTS as f64)
    }

    /// The bytes of a request to Redis and back.
    pub async fn bytes(&self, scene: &Scene) -> io::Result<Option<f64>> {
        const REQUESTS: u64 = 1_000;
        let Self::Redis { connection, .. } = self else { return Ok(None) };
        // To ask costs bytes, too.
        let [first, before] = [traffic(connection).await?, traffic(connection).await?];
        scene.send(REQUESTS).await;
        let after = traffic(connection).await?;
        let bytes = (after - before) - (before - first);
        Ok(Some(bytes as f64 / REQUESTS as f64))
    }

    /// The processor time that each process of the server has used.
    pub async fn processor_times(&self) -> io::Result<Times> {
        let processes: Vec<i32> = match self {
            Self::Redis { connection, .. } => {
                vec![i32::try_from(info(connection, "process_id").await?).expect("an id")]
            }
            Self::Postgres(pool) => {
                let all = sqlx::query_scalar("SELECT pid FROM pg_stat_activity");
                all.fetch_all(pool).await.map_err(io::Error::other)?
            }
        };
        Ok(processes.into_iter().map(|id| (id, processor_time(&id.to_string()))).collect())
    }
}

/// The nanoseconds of each process.
pub type Times = HashMap<i32, u64>;

/// What the processes have used since. One that is new began with nothing.
pub fn since(before: &Times, after: &Times) -> u64 {
    let used = |(id, time): (&i32, &u64)| time.saturating_sub(before.get(id).copied().unwrap_or(0));
    after.iter().map(used).sum()
}

/// Nanoseconds of processor time that a process has used: a number, or `self`.
pub fn processor_time(process: &str) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok());
    stats.filter_map(|stat| stat.split(' ').next()?.parse::<u64>().ok()).sum()
}

async fn traffic(connection: &MultiplexedConnection) -> io::Result<u64> {
    let input = info(connection, "total_net_input_bytes").await?;
    Ok(input + info(connection, "total_net_output_bytes").await?)
}

/// One figure of Redis's `INFO`.
async fn info(connection: &MultiplexedConnection, name: &str) -> io::Result<u64> {
    let mut connection = connection.clone();
    let all = redis::cmd("INFO").query_async::<String>(&mut connection).await;
    let all = all.map_err(io::Error::other)?;
    let figure = all.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    figure.and_then(|figure| figure.trim().parse().ok()).ok_or_else(|| io::Error::other("no INFO"))
}

/// Everything that clients send to Redis.
struct Monitor(TcpStream);

impl Monitor {
    fn on(address: &str) -> io::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        socket.write_all(b"MONITOR\r\n")?;
        let monitor = Self(socket);
        monitor.commands()?;
        Ok(monitor)
    }

    /// The commands since the last time. What a script does is not among them.
    fn commands(&self) -> io::Result<usize> {
        let mut seen = Vec::new();
        match (&self.0).read_to_end(&mut seen) {
            Err(cause) if cause.kind() != io::ErrorKind::WouldBlock => return Err(cause),
            _ => {}
        }
        let seen = String::from_utf8_lossy(&seen);
        let sent =
            |line: &&str| line.split_once("] ").is_some_and(|(from, _)| !from.ends_with("lua"));
        Ok(seen.lines().filter(sent).count())
    }
}
