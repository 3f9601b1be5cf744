//! A server of the test's own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server; killed when dropped.
pub struct Server {
    process: Child,
    command: Vec<String>,
    pub port: u16,
    _folder: tempfile::TempDir,
}

pub fn free_port() -> u16 {
    // Redis's cluster bus takes the port 10000 above.
    loop {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = socket.local_addr().expect("an address").port();
        if port < 55_000 {
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
        let server = Self { process: spawn(&command), command, port, _folder: folder };
        server.wait();
        server
    }

    /// Kills it and starts it again, on the same port and folder.
    pub fn restart(&mut self) {
        self.kill();
        self.process = spawn(&self.command);
        self.wait();
    }

    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Until it takes connections.
    pub fn wait(&self) {
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "the server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal: `STOP`, `CONT`.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([&format!("-{signal}"), &self.process.id().to_string()])
            .status();
        assert!(status.expect("kill").success());
    }
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
