//! Routes, allowances and floor as the text of a configuration file.

use std::fmt::Write as _;

use super::policy::{Actions, Conditions, KnownMacros, PolicySettings, Require, Unscannable};

/// Appends the tables of a policy.
pub(super) fn write(policy: &PolicySettings, out: &mut String) {
    // Writing to a String cannot fail.
    for route in &policy.routes {
        let _ = writeln!(out, "\n[[route]]\nname = {}", quoted(&route.name));
        conditions(&route.conditions, out);
        let _ = writeln!(out, "dry_run = {}", route.dry_run);
        if let Some(mark) = &route.subject_mark {
            let _ = writeln!(out, "subject_mark = {}", quoted(mark));
        }
        actions("route.actions", &route.actions, out);
    }
    for allow in &policy.allows {
        let _ = writeln!(out, "\n[[allow]]");
        conditions(&allow.conditions, out);
        let vba = allow.vba.as_ref().map(KnownMacros::written);
        for (name, text) in [
            ("sha256", &allow.sha256),
            ("finding", &allow.finding),
            ("vba", &vba),
        ] {
            if let Some(text) = text {
                let _ = writeln!(out, "{name} = {}", quoted(text));
            }
        }
        let reason = quoted(&allow.reason);
        let _ = writeln!(out, "reason = {reason}\nexpires = {}", allow.expires);
    }
    actions("floor", &policy.floor, out);
}

fn conditions(conditions: &Conditions, out: &mut String) {
    let client = conditions.client.as_ref();
    let client = client.map(|nets| nets.iter().map(ToString::to_string).collect::<Vec<_>>());
    let from = conditions.from.as_ref().map(|list| list.written().to_vec());
    let to = conditions.to.as_ref().map(|list| list.written().to_vec());
    for (name, list) in [
        ("client", client),
        ("user", conditions.user.clone()),
        ("listener", conditions.listener.clone()),
        ("from", from),
        ("to", to),
    ] {
        if let Some(list) = list {
            let list = list.into_iter().map(toml::Value::String).collect();
            let _ = writeln!(out, "{name} = {}", toml::Value::Array(list));
        }
    }
    if let Some(require) = conditions.require {
        let word = match require {
            Require::Dkim => "dkim",
            Require::Spf => "spf",
        };
        let _ = writeln!(out, "require = \"{word}\"");
    }
}

fn actions(table: &str, actions: &Actions, out: &mut String) {
    let _ = writeln!(out, "\n[{table}]");
    for (key, action) in &actions.of {
        let _ = writeln!(out, "{} = \"{}\"", quoted(key.name()), action.as_str());
    }
    if let Some(unscannable) = actions.unscannable {
        let word = match unscannable {
            Unscannable::Tempfail => "tempfail",
            Unscannable::Act(action) => action.as_str(),
        };
        let _ = writeln!(out, "unscannable = \"{word}\"");
    }
}

fn quoted(text: &str) -> toml::Value {
    toml::Value::String(text.to_owned())
}
