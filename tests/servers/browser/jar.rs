//! A client over real sockets that keeps cookies by a browser's rules. An answer changes
//! its cookies when the test says that it has arrived.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing that these tests wait for takes longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub struct Browser {
    port: u16,
    /// By name and path. All cookies are the site's own, which is on this machine, so
    /// `Secure` ones go out without TLS.
    cookies: BTreeMap<(String, String), String>,
}

/// What a page's form sends: where to, and its fields.
#[derive(Clone)]
pub struct Form {
    pub action: String,
    pub token: String,
}

/// An answer as it comes from the server. The browser knows nothing of it yet.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub set_cookies: Vec<String>,
    location: Option<String>,
    pub body: String,
}

/// A request that has been sent. Its answer comes.
pub struct Underway(JoinHandle<Answer>);

impl Underway {
    pub async fn answer(self) -> Answer {
        timeout(PATIENCE, self.0).await.expect("an answer in time").expect("an answer")
    }
}

impl Browser {
    pub fn new(port: u16) -> Self {
        Self { port, cookies: BTreeMap::new() }
    }

    /// Sends a request with the cookies of now.
    pub fn send(&self, method: &str, uri: &str, body: &str) -> Underway {
        let mut head =
            format!("{method} {uri} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
        let cookies = self.cookies_for(uri);
        if !cookies.is_empty() {
            head.extend(["Cookie: ", &cookies, "\r\n"]);
        }
        if method == "POST" {
            head += "Content-Type: application/x-www-form-urlencoded\r\n";
        }
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let port = self.port;
        Underway(tokio::spawn(async move {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
            socket.write_all(request.as_bytes()).await.expect("sent");
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.expect("an answer");
            Answer::read(&answer)
        }))
    }

    pub fn cookies_for(&self, uri: &str) -> String {
        let fits = |(name, path): &(String, String), value: &String| {
            uri.starts_with(path.as_str()).then(|| format!("{name}={value}"))
        };
        let fitting = self.cookies.iter().filter_map(|(key, value)| fits(key, value));
        fitting.collect::<Vec<_>>().join("; ")
    }

    /// The answer arrives.
    pub fn take(&mut self, answer: &Answer) {
        for cookie in &answer.set_cookies {
            let mut parts = cookie.split("; ");
            let (name, value) =
                parts.next().and_then(|part| part.split_once('=')).expect("a cookie");
            let attributes: BTreeMap<_, _> =
                parts.map(|part| part.split_once('=').unwrap_or((part, ""))).collect();
            assert!(!attributes.contains_key("Domain"), "{cookie}");
            let key = (name.to_owned(), attributes.get("Path").unwrap_or(&"/").to_string());
            if attributes.get("Max-Age") == Some(&"0") {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
    }

    /// Opens a page, and whatever it redirects to.
    pub async fn open(&mut self, uri: &str) -> Answer {
        let answer = self.send("GET", uri, "").answer().await;
        self.follow(answer).await
    }

    /// The answer arrives, and what it redirects to is opened.
    pub async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..5 {
            self.take(&answer);
            let Some(uri) = answer.location.take() else { return answer };
            answer = self.send("GET", &uri, "").answer().await;
        }
        panic!("it redirects for ever");
    }

    /// Opens a page with a form.
    pub async fn form(&mut self, uri: &str) -> Form {
        let page = self.open(uri).await;
        page.form().unwrap_or_else(|| panic!("{page:?}"))
    }

    /// Sends a form.
    pub fn submit(&self, form: &Form, fields: &str) -> Underway {
        self.send("POST", &form.action, &format!("{fields}&csrf_token={}", form.token))
    }

    /// Who the site says that this is.
    pub async fn who(&mut self) -> String {
        let page = self.open("/").await;
        assert_eq!(page.status, 200, "{page:?}");
        page.body
    }
}

impl Answer {
    fn read(answer: &str) -> Self {
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
        let values = |name: &str| {
            let named = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
            named.map(|(_, value)| (*value).to_owned()).collect::<Vec<_>>()
        };
        assert!(values("transfer-encoding").is_empty(), "{answer}");
        Self {
            status: status.expect("a status"),
            set_cookies: values("set-cookie"),
            location: values("location").pop(),
            body: body.to_owned(),
        }
    }

    /// The form on the page.
    pub fn form(&self) -> Option<Form> {
        let after = |start: &str| {
            let (_, rest) = self.body.split_once(start)?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        Some(Form { action: after("action=\"")?, token: after("name=\"csrf_token\" value=\"")? })
    }
}
