//! `sekisho config check|show|schema`: whether a configuration holds, what is in force, what may stand in it.
//!
//! `check` tries every file that the configuration names, as `serve` does when it starts: rules, texts, keys,
//! certificates. Exit status: 0 good, 1 not, 2 could not be read.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::{BadConfig, Config, client_tls};
use crate::engine::Engine;
use crate::gateway::{Authenticator, Certificates, try_harmless};
use crate::knowledge::Knowledge;
use crate::rules::Rules;
use crate::text;

use super::exit::{Exit, Failure};
use super::settings::Settings;
use super::{put, say, serve};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say whether a configuration holds
    Check {
        /// The file [default: the one that other commands would use]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print the configuration in force, with defaults spelled out
    Show,
    /// Print the JSON Schema of the configuration file
    Schema,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Check { file } => check(settings, file.clone()),
        Command::Show => {
            let (_, config) = settings.knowledge()?;
            let origin = match &config.origin {
                Some(path) => format!("# from {}\n", text::path(path)),
                None => "# no configuration file: built-in defaults\n".to_owned(),
            };
            put(&(origin + &config.to_toml()))?;
            Ok(Exit::Success)
        }
        Command::Schema => {
            let schema = serde_json::to_string_pretty(&Config::schema()).map_err(Failure::new)?;
            put(&(schema + "\n"))?;
            Ok(Exit::Success)
        }
    }
}

/// What does not hold of the files that a configuration names, each with what to do about it.
fn tried(settings: &Settings, config: &Config) -> Vec<(String, &'static str)> {
    let mut wrong = Vec::new();
    let rules = match settings.rule_sources(config, &[]) {
        Ok(sources) => match Rules::compile(sources, settings.strictness()) {
            Ok(rules) => harmless(config, rules).map(|error| (error, serve::HARMLESS)),
            Err(error) => Some((format!("a rule does not compile\n{error}"), RULES)),
        },
        Err(Failure::Told { message, .. }) => Some((message, RULES)),
        Err(Failure::NobodyReads) => None,
    };
    wrong.extend(rules);
    let key = Authenticator::new(&config.signatures).err();
    wrong.extend(key.map(|error| (error, KEY)));
    let certificates = Certificates::read(config.gateway.relay.as_ref()).err();
    wrong.extend(certificates.map(|error| (error, CERTIFICATES)));
    let notify = config.notify.as_ref();
    let servers = [
        ("release", Some(&config.quarantine.next_hop)),
        ("notify", notify.map(|notify| &notify.server)),
    ];
    for (table, server) in servers {
        let Some(server) = server else { continue };
        let client = client_tls(table, server.starttls, server.ca.as_deref());
        wrong.extend(client.err().map(|error| (error, CERTIFICATES)));
    }
    let path = &config.quarantine.path;
    if path.exists() && !path.is_dir() {
        let what = format!("quarantine.path: {} is no folder", text::path(path));
        wrong.push((what, "name a folder; it is made where there is none"));
    }
    for root in config
        .gateway
        .clamd
        .roots
        .iter()
        .filter(|root| !root.is_dir())
    {
        let what = format!("clamd.roots: {} is no folder", text::path(root));
        wrong.push((what, "make it, or take it out of the list"));
    }
    wrong
}

/// Why the gateway would not start or reload with these rules and scores, though they hold.
fn harmless(config: &Config, rules: Rules) -> Option<String> {
    let mut knowledge = Knowledge::embedded().ok()?;
    for (id, severity) in &config.severities {
        knowledge.catalogue.set_severity(id, *severity);
    }
    let mut limits = config.limits.clone();
    limits.max_unpacked = config.gateway.max_unpacked;
    let engine = Engine {
        rules,
        knowledge,
        limits,
        thresholds: config.thresholds,
    };
    try_harmless(&engine).err()
}

const RULES: &str = "`sekisho rules check FILE` lists all that is wrong in a file of rules";

const KEY: &str =
    "`openssl genrsa -out FILE 2048` makes a key; the user of the service must be able to read it";

const CERTIFICATES: &str = "`openssl x509 -noout -text -in FILE` shows a certificate; the user of the service must be able to read certificates and keys";

fn check(settings: &Settings, file: Option<PathBuf>) -> Result<Exit, Failure> {
    let Some(path) = file.or_else(|| settings.config_path()) else {
        put("no configuration file: built-in defaults\n")?;
        return Ok(Exit::Success);
    };
    let knowledge = Knowledge::embedded().map_err(Failure::new)?;
    match Config::read(&path, &knowledge.catalogue) {
        Ok(config) => {
            let wrong = tried(settings, &config);
            for (what, hint) in &wrong {
                say(&format!("{}: {what}", text::path(&path)));
                say(&format!("hint: {hint}"));
            }
            if !wrong.is_empty() {
                return Ok(Exit::Found);
            }
            put(&format!("{}: good\n", text::path(&path)))?;
            Ok(Exit::Success)
        }
        Err(error @ BadConfig::Invalid { .. }) => {
            say(&error.to_string());
            Ok(Exit::Found)
        }
        Err(error @ BadConfig::Unreadable { .. }) => Err(Failure::new(error)),
    }
}
