//! Lua scripts.

use redis::{Cmd, ToRedisArgs};
use sha1::{Digest, Sha1};

use crate::crypto::hex;

/// A script, and the hash by which a server knows it after it has run once.
#[derive(Clone)]
pub(super) struct Script {
    code: String,
    hash: String,
    /// Running the script twice has the same effect as running it once, whatever happens in
    /// between.
    repeatable: bool,
}

/// A script with its keys and arguments. All keys lie in one slot.
pub(super) struct Call<'s> {
    script: &'s Script,
    keys: Vec<String>,
    arguments: Vec<Vec<u8>>,
}

/// The scripts of the storage.
pub(super) struct Scripts {
    pub create: Script,
    pub update: Script,
    pub touch: Script,
    pub end: Script,
    pub end_reserved: Script,
    pub reserve: Script,
    pub settled: Script,
    pub revoke: Script,
    pub login: Script,
    /// `login` for a login that replaces a session.
    pub succeed: Script,
}

impl Scripts {
    pub fn new() -> Self {
        let [create, update, reserve] =
            [include_str!("create.lua"), include_str!("update.lua"), include_str!("reserve.lua")];
        let login = Script::new(&format!(
            "{}{}{}{}",
            function("reserve", reserve),
            function("create", create),
            function("update", update),
            include_str!("login.lua"),
        ));
        Self {
            create: Script::new(create),
            update: Script { repeatable: false, ..Script::new(update) },
            touch: Script::new(include_str!("touch.lua")),
            // A second run would answer that there was no record.
            end: Script { repeatable: false, ..Script::new(include_str!("end.lua")) },
            end_reserved: Script::new(include_str!("end_reserved.lua")),
            reserve: Script::new(reserve),
            settled: Script::new(include_str!("settled.lua")),
            revoke: Script::new(include_str!("revoke.lua")),
            succeed: Script { repeatable: false, ..login.clone() },
            login,
        }
    }
}

/// Makes a function of a script, for use in another script.
fn function(name: &str, code: &str) -> String {
    format!("local function {name}(KEYS, ARGV)\n{code}end\n")
}

impl Script {
    fn new(code: &str) -> Self {
        let hash = hex::encode(&Sha1::digest(code));
        Self { code: code.to_owned(), hash, repeatable: true }
    }

    pub fn call(&self) -> Call<'_> {
        Call { script: self, keys: Vec::new(), arguments: Vec::new() }
    }

    pub fn key(&self, key: String) -> Call<'_> {
        let mut call = self.call();
        call.key(key);
        call
    }
}

impl Call<'_> {
    pub fn key(&mut self, key: String) -> &mut Self {
        self.keys.push(key);
        self
    }

    pub fn arg(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        argument.write_redis_args(&mut self.arguments);
        self
    }

    pub fn is_repeatable(&self) -> bool {
        self.script.repeatable
    }

    /// The command for a server that knows the script.
    pub fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", &self.script.hash)
    }

    /// The command for a server that does not know the script. It knows the script from then on.
    pub fn by_code(&self) -> Cmd {
        self.command("EVAL", &self.script.code)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let mut command = redis::cmd(name);
        command.arg(script).arg(self.keys.len()).arg(&self.keys).arg(&self.arguments);
        command
    }
}
