//! A server of the test's own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A running server; killed when dropped.
pub struct Server {
    process: Child,
    command: Vec<String>,
    pub port: u16,
    _folder: tempfile::TempDir,
}

/// Below the ports that outgoing connections take, so that none takes it before
/// the server does. The port 10000 above, Redis's cluster bus, is free as well. No
/// server's own port is among those.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    loop {
        let n = std::process::id().wrapping_mul(97) + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + u16::try_from(n % 10_000).expect("small");
        if free(port) && free(port + 10_000) {
            return port;
        }
    }
}

impl Server {
    /// Starts what `command` makes of a port and a folder.
    pub fn start(command: impl Fn(u16, &str) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let command = command(port, &folder.path().to_string_lossy());
        let mut server = Self { process: spawn(&command), command, port, _folder: folder };
        server.wait();
        server
    }

    /// Kills it and starts it again, on the same port and folder.
    pub fn restart(&mut self) {
        self.kill();
        self.process = spawn(&self.command);
        self.wait();
    }

    /// At once, without a goodbye.
    pub fn kill(&mut self) {
        self.signal("KILL");
        let _ = self.process.wait();
    }

    /// Until it takes connections.
    pub fn wait(&mut self) {
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(60), "the server does not answer");
            // After a kill the remains of the one before may be in the way.
            if self.process.try_wait().expect("its state").is_some() {
                self.process = spawn(&self.command);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends a signal to it and its workers: `STOP`, `CONT`.
    pub fn signal(&self, signal: &str) {
        let id = self.process.id();
        let workers = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let workers = workers.unwrap_or_default();
        let all =
            std::iter::once(id.to_string()).chain(workers.split_whitespace().map(str::to_owned));
        let _ = Command::new("kill")
            .arg(format!("-{signal}"))
            .args(all)
            .stderr(Stdio::null())
            .status()
            .expect("kill");
    }
}

/// A command that does not run as root, which some servers refuse.
pub fn as_user(user: &str, command: &[&str]) -> Vec<String> {
    let root = rustix::process::geteuid().is_root();
    let switch: &[&str] =
        if root { &["setpriv", "--reuid", user, "--regid", user, "--clear-groups"] } else { &[] };
    switch.iter().chain(command).map(|word| (*word).to_owned()).collect()
}

/// Gives a folder to a user, if we are somebody else.
pub fn give(folder: &str, user: &str) {
    if rustix::process::geteuid().is_root() {
        run(&["chown".into(), "-R".into(), user.into(), folder.into()]);
    }
}

/// Runs a command to its end.
pub fn run(command: &[String]) {
    let (program, arguments) = command.split_first().expect("a program");
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|cause| panic!("{program}: {cause}; run scripts/test"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn spawn(command: &[String]) -> Child {
    let (program, arguments) = command.split_first().expect("a program");
    let process =
        Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    process
        .unwrap_or_else(|cause| panic!("{program}: {cause}; run scripts/test, which installs it"))
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
