//! `sekisho serve`: the gateway. Logs to standard error; ends by SIGTERM or SIGINT, reloads by SIGHUP.

use std::sync::Arc;

use clap::Args;

use crate::config::{Config, LogFormat};
use crate::engine::{Engine, Memory};
use crate::gateway::{Authenticator, Certificates, Generation, NotServed, Server, ServerSettings};
use crate::notify::Post;
use crate::policy::Policy;
use crate::quarantine::{Store, StoreSettings, Tries};
use crate::rules::Rules;

use super::exit::{Exit, Failure};
use super::settings::{self, Settings};

/// What to do where harmless mails are taken for something else.
pub(super) const HARMLESS: &str =
    "every such mail would be acted on: mend the rule, the severity or the limit that is named";

#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run(settings: Settings, _: &Arguments) -> Result<Exit, Failure> {
    let (generation, config) = read(&settings)?;
    if config.gateway.listeners.is_empty() {
        return Err(Failure::new("the configuration turns no listener on")
            .hint("add a table [milter], [relay] or another of `sekisho config schema`"));
    }
    start_log(config.gateway.log);
    let quarantine = &config.quarantine;
    let limits = StoreSettings {
        keep: quarantine.keep,
        max_size: quarantine.max_size,
    };
    let store = Store::open(&quarantine.path, limits)?;
    let tries = Tries::open(&quarantine.path)?;
    let store = Arc::new(store);
    let post = match &config.notify {
        None => None,
        Some(notify) => {
            let catalogue = generation.engine.knowledge.catalogue.clone();
            let post = Post::start(Arc::clone(&store), notify.clone(), catalogue);
            let why = |error| Failure::new(format!("cannot start sending notices: {error}"));
            Some(post.map_err(why)?)
        }
    };
    let server = ServerSettings {
        threads: settings::threads(None, &config),
        max_waiting: config.gateway.max_waiting,
        max_memory: config.gateway.max_memory,
        timeout: config.limits.timeout,
    };
    let reload = Arc::new(move || {
        let read = read(&settings).map_err(|failure| match failure {
            Failure::Told { message, .. } => message,
            Failure::NobodyReads => "nobody reads".to_owned(),
        });
        read.map(|(generation, _)| generation)
    });
    let server = Server::new(generation, store, tries, server, reload)
        .map_err(|error| Failure::new(error).hint(HARMLESS))?;
    let served = server.serve(config.gateway);
    served.map_err(|NotServed { what, hint }| Failure::new(what).hint(hint))?;
    drop(post);
    Ok(Exit::Success)
}

/// Configuration and rules as they stand now.
pub(super) fn read(settings: &Settings) -> Result<(Generation, Config), Failure> {
    let (knowledge, config) = settings.knowledge()?;
    let sources = settings.rule_sources(&config, &[])?;
    let rules = Rules::compile(sources, settings.strictness())
        .map_err(|error| Failure::new(format!("a rule does not compile: {error}")))?;
    let mut limits = config.limits.clone();
    limits.max_unpacked = config.gateway.max_unpacked;
    let generation = Generation {
        engine: Engine {
            rules,
            knowledge,
            limits,
            thresholds: config.thresholds,
        },
        policy: Policy::new(&config.policy, config.thresholds),
        strip: config.strip.clone(),
        auth: Arc::new(Authenticator::new(&config.signatures).map_err(Failure::new)?),
        certificates: Certificates::read(config.gateway.relay.as_ref()).map_err(Failure::new)?,
        memory: remembered(config.gateway.max_remembered),
    };
    Ok((generation, config))
}

/// Nothing of one engine is remembered for the next: its rules, lists and limits may say otherwise.
fn remembered(bytes: u64) -> Option<Arc<Memory>> {
    let most = usize::try_from(bytes).unwrap_or(usize::MAX);
    (most > 0).then(|| Arc::new(Memory::new(most)))
}

fn start_log(format: LogFormat) {
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false);
    // Fails only where a log was started before.
    let _ = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
}
