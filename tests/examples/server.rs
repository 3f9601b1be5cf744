//! A running example, and what curl says to it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub const GONE: &str = "Session doesn't exist or is expired.";

pub const EMPTY: &str = "Your basket is empty.";

pub const CART: &str = "Product IDs: [1, 3, 7]";

/// A running example; killed like `kill -9` when dropped.
pub struct Server {
    pub process: Child,
    pub port: u16,
}

impl Server {
    pub fn start(example: &str, environment: &[(&str, &str)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a port")
            .port();
        let process = Command::new(binary(example))
            .env("ROCKET_PORT", port.to_string())
            .env("ROCKET_LOG_LEVEL", "off")
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .spawn()
            .expect("the example is built");
        let server = Self { process, port };
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(20), "{example} does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    pub fn curl(&self, path: &str, arguments: &[&str]) -> String {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let output =
            Command::new("curl").args(["-s", "--max-time", "10"]).args(arguments).arg(url).output();
        let output = output.expect("curl is installed");
        assert!(output.status.success(), "curl {path}: {}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }

    /// A whole response to a raw request head.
    pub fn raw(&self, path: &str, head: &[u8]) -> String {
        let mut socket = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let begin = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        // The server may answer and close before it has read everything.
        let _ = socket.write_all(&[begin.as_bytes(), head, b"\r\n"].concat());
        let mut response = Vec::new();
        let _ = socket.read_to_end(&mut response);
        String::from_utf8_lossy(&response).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `target/<profile>/examples/<name>`, which `cargo test` builds.
pub fn binary(example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test's path");
    let profile = test.parent().and_then(Path::parent).expect("target/<profile>");
    profile.join("examples").join(example)
}

pub fn jar() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("jar").to_string_lossy().into_owned();
    (dir, path)
}

pub fn header<'a>(response: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = response.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

pub fn body(response: &str) -> &str {
    response.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

pub const SECRET: &str = "hex:8f2a6c1e5b7d90432f6e8a1c3d5b7f9e02468ace13579bdf0f1e2d3c4b5a6978";
