//! What to write for a session type that no table, no variable and no code configures.

use std::collections::BTreeMap;

use figment::Provider;
use figment::value::Value;

use crate::table::Context;

/// What is known of sessions that are not defined.
#[derive(Debug, Default)]
pub(crate) struct Undefined {
    /// What to say if Rocket's usual sources are not read.
    hint: Option<String>,
    /// How the names of the sessions' variables begin.
    variable: String,
    /// The tables of profiles that are not selected, by the name of the session.
    elsewhere: BTreeMap<String, String>,
    selected: String,
}

impl Undefined {
    pub(super) fn read(context: &Context<'_>) -> Self {
        let selected = context.figment.profile().to_string();
        let hint = context.without_usual_sources().or_else(|| context.without_file());
        let mut elsewhere = BTreeMap::new();
        for (profile, dict) in context.figment.data().unwrap_or_default() {
            let Some(Value::Dict(_, sessions)) = dict.get("sessions") else { continue };
            let tables =
                sessions.keys().map(|name| (name.clone(), format!("[{profile}.sessions.{name}]")));
            elsewhere.extend(tables);
        }
        Self { hint, variable: context.variable(""), elsewhere, selected }
    }

    /// What to write for the session `name`, whose type is `type_name`.
    pub fn advice(&self, type_name: &str, name: &str) -> String {
        let Self { hint, variable, elsewhere, selected } = self;
        let variable = format!("{variable}{}", name.to_uppercase());
        let not_read = elsewhere.get(name).map(|table| {
            format!("\n    {table} is not read, because the profile is `{selected}`.")
        });
        let hint = hint.as_ref().map(|hint| format!("\n    {hint}."));
        format!(
            "Write in Rocket.toml:\n    [default.sessions.{name}]\n    or set {variable}='{{}}', or configure it in code: `Sessions::fairing().configure::<{type_name}>(…)`.{}{}",
            not_read.unwrap_or_default(),
            hint.unwrap_or_default()
        )
    }
}
