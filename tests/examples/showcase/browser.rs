//! A browser of the showcase: curl with a cookie jar.

use crate::server::*;

/// A browser with a cookie jar, and what it says of itself.
pub struct Browser<'s> {
    server: &'s Server,
    agent: &'static str,
    pub jar: (tempfile::TempDir, String),
}

impl<'s> Browser<'s> {
    pub fn new(server: &'s Server, agent: &'static str) -> Self {
        Self { server, agent, jar: jar() }
    }

    /// A browser whose user has just registered.
    pub fn of(server: &'s Server, agent: &'static str, name: &str) -> Self {
        let browser = Self::new(server, agent);
        let fields = format!("name={name}&password=swordfish");
        let answer = browser.submit("/register", "/register?next=%2F", &fields);
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        browser
    }

    pub fn ask(&self, path: &str, more: &[&str]) -> String {
        let jar = &self.jar.1;
        let all = [&["-i", "-A", self.agent, "-b", jar, "-c", jar], more].concat();
        // Tera writes a slash like this.
        self.server.curl(path, &all).replace("&#x2F;", "/")
    }

    pub fn get(&self, path: &str) -> String {
        self.ask(path, &[])
    }

    pub fn post(&self, path: &str, fields: &str) -> String {
        self.ask(path, &["-d", fields])
    }

    /// Opens a page and sends its form with this action.
    pub fn submit(&self, page: &str, action: &str, fields: &str) -> String {
        let token = token(&self.get(page), action);
        self.post(action, &format!("{fields}&csrf_token={token}"))
    }

    pub fn log_in(&self, name: &str, password: &str) -> String {
        let fields = format!("name={name}&password={password}");
        self.submit("/login", "/login?next=%2F", &fields)
    }

    pub fn is_logged_in(&self) -> bool {
        self.get("/devices").starts_with("HTTP/1.1 200")
    }

    pub fn devices(&self) -> usize {
        self.get("/devices").matches("class=\"agent\"").count()
    }
}

/// The token of the form with this action.
pub fn token(page: &str, action: &str) -> String {
    let (_, form) = page.split_once(&format!("action=\"{action}\"")).expect(page);
    let (_, field) = form.split_once("name=\"csrf_token\" value=\"").expect(form);
    field.split('"').next().expect("its value").to_owned()
}

/// The `Set-Cookie` of the shopper's session.
pub fn session(answer: &str) -> &str {
    let mut lines = answer.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(_, value)| value.starts_with("__Host-shopper="));
    found.map(|(_, value)| value).expect(answer)
}

pub fn location(answer: &str) -> &str {
    header(answer, "Location").unwrap_or(answer)
}
