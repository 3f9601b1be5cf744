//! The network between an application and its server, which may fail in silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Hands everything on to a server, until it is told to go silent.
pub struct Proxy {
    pub port: u16,
    /// Connections up to this one stay open, and nothing comes through them.
    silent: Arc<AtomicU64>,
    made: Arc<AtomicU64>,
    /// How many answers come through before one is lost, and its connection with it.
    answers: Arc<AtomicI64>,
    /// Counts down what the clients have sent.
    requests: Arc<AtomicI64>,
}

impl Proxy {
    pub async fn to(server: u16) -> Self {
        Self::far_from(server, Duration::ZERO).await
    }

    /// It takes so long, one way.
    pub async fn far_from(server: u16, way: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (silent, made) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let lost = Arc::new(AtomicI64::new(i64::MAX));
        let sent = Arc::new(AtomicI64::new(i64::MAX));
        let proxy = Self {
            port,
            silent: Arc::clone(&silent),
            made: Arc::clone(&made),
            answers: Arc::clone(&lost),
            requests: Arc::clone(&sent),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = made.fetch_add(1, Ordering::SeqCst) + 1;
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { continue };
                let ((from, back), (answers, to)) = (client.into_split(), server.into_split());
                let there = pass(from, to, number, Arc::clone(&silent), Arc::clone(&sent), way);
                let there = tokio::spawn(there);
                let comes = Arc::clone(&lost);
                let silent = Arc::clone(&silent);
                tokio::spawn(async move {
                    pass(answers, back, number, silent, comes, way).await;
                    there.abort();
                });
            }
        });
        proxy
    }

    /// How often clients have sent something. What they send at once counts once.
    pub fn requests(&self) -> i64 {
        i64::MAX - self.requests.load(Ordering::SeqCst)
    }

    /// The `n`th answer from now on is lost, and its connection breaks.
    pub fn lose_answer(&self, n: i64) {
        self.answers.store(n - 1, Ordering::SeqCst);
    }

    /// As a firewall that has forgotten its connections: nobody is told.
    pub fn forget_connections(&self) {
        self.silent.store(self.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    number: u64,
    silent: Arc<AtomicU64>,
    comes: Arc<AtomicI64>,
    way: Duration,
) {
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if number <= silent.load(Ordering::SeqCst) {
            continue;
        }
        if !way.is_zero() {
            tokio::time::sleep(way).await;
        }
        if comes.fetch_sub(1, Ordering::SeqCst) == 0 {
            comes.store(i64::MAX, Ordering::SeqCst);
            return;
        }
        if to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
    // A goodbye does not come through either.
    if number <= silent.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
}
