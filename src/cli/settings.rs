//! The options that every command has, and what becomes of them: the configuration, the language, the engine.

use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::config::{self, BadConfig, Config, Size};
use crate::engine::Engine;
use crate::knowledge::{Knowledge, Language};
use crate::limits::Limits;
use crate::report::{Detail, Paint};
use crate::rules::{RuleSource, Rules, Strictness, embedded};
use crate::source::rule_sources;
use crate::text;
use crate::unpack::Passwords;

use super::exit::Failure;
use super::say;

#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(super) struct Common {
    /// Configuration file [default: $SEKISHO_CONFIG, else /etc/sekisho/sekisho.toml if there is one]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// YARA rules beside the embedded ones: a file, or a folder of *.yar and *.yara (may be repeated)
    #[arg(long, global = true, value_name = "DIR|FILE")]
    rules: Vec<PathBuf>,
    /// Leave out the embedded rules
    #[arg(long, global = true)]
    no_default_rules: bool,
    /// Skip rules that do not compile, and say so, instead of ending
    #[arg(long, global = true)]
    rules_lenient: bool,
    /// Say more: the whole tree with sizes and digests, what was passed over
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// Say less: only the inputs that are not clean
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Language of explanations [default: by LC_ALL, LC_MESSAGES, LANG]
    #[arg(long, global = true, value_enum)]
    lang: Option<Lang>,
    /// When to colour the output; NO_COLOR is heeded
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Lang {
    /// English
    En,
    /// Japanese
    Ja,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Color {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The limits of a scan; each wins over the configuration.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArguments {
    /// Time for one input [default: 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=604_800))]
    timeout: Option<u64>,
    /// Containers within containers [default: 24]
    #[arg(long, value_name = "N")]
    max_depth: Option<u32>,
    /// Things found in one input [default: 20000]
    #[arg(long, value_name = "N")]
    max_artifacts: Option<u32>,
    /// Bytes unpacked from one input [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    max_unpacked: Option<Size>,
    /// Bytes read of one input; of a larger one only the head is looked at [default: 2GiB]
    #[arg(long, value_name = "SIZE")]
    max_file: Option<Size>,
    /// Bytes unpacked for one packed byte, counted from 32 MiB of one container on [default: 250]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_ratio: Option<u64>,
}

impl LimitArguments {
    /// The limits of the configuration with the given ones in their place.
    fn over(&self, limits: &Limits) -> Limits {
        Limits {
            timeout: self.timeout.map_or(limits.timeout, Duration::from_secs),
            max_depth: self.max_depth.unwrap_or(limits.max_depth),
            max_artifacts: self.max_artifacts.unwrap_or(limits.max_artifacts),
            max_unpacked: self.max_unpacked.map_or(limits.max_unpacked, |size| size.0),
            max_file: self.max_file.map_or(limits.max_file, |size| size.0),
            max_ratio: self.max_ratio.unwrap_or(limits.max_ratio),
        }
    }
}

/// Passwords to try on what is locked.
#[derive(Debug, Args)]
pub(super) struct PasswordArguments {
    /// Password to try on locked archives and documents (may be repeated)
    #[arg(long, value_name = "WORD")]
    password: Vec<String>,
    /// File of passwords to try, one a line
    #[arg(long, value_name = "FILE")]
    passwords: Option<PathBuf>,
    /// Name the password that opened something in its finding
    #[arg(long)]
    show_passwords: bool,
}

impl PasswordArguments {
    /// All of them, the ones of the command line first.
    pub(super) fn read(&self) -> Result<Passwords, Failure> {
        let mut passwords = self.password.clone();
        if let Some(path) = &self.passwords {
            let bytes = std::fs::read(path).map_err(|error| {
                Failure::new(format!(
                    "cannot read passwords: {}: {error}",
                    text::path(path)
                ))
            })?;
            let lines = text::to_utf8(&bytes);
            let lines = lines.split('\n').map(|line| line.trim_end_matches('\r'));
            passwords.extend(lines.filter(|line| !line.is_empty()).map(str::to_owned));
        }
        Ok(Passwords {
            words: passwords,
            show: self.show_passwords,
        })
    }
}

/// The common options.
#[derive(Debug)]
pub(super) struct Settings {
    common: Common,
}

impl Settings {
    pub(super) fn new(common: Common) -> Self {
        Self { common }
    }

    /// The language of explanations.
    pub(super) fn language(&self) -> Language {
        match self.common.lang {
            Some(Lang::En) => Language::English,
            Some(Lang::Ja) => Language::Japanese,
            None => {
                let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
                    .iter()
                    .filter_map(std::env::var_os)
                    .find(|value| !value.is_empty());
                language_of(&locale.unwrap_or_default().to_string_lossy())
            }
        }
    }

    /// How much is said.
    pub(super) fn detail(&self) -> Detail {
        if self.common.verbose {
            Detail::Whole
        } else if self.common.quiet {
            Detail::Brief
        } else {
            Detail::Normal
        }
    }

    /// Whether standard output is coloured.
    pub(super) fn paint(&self) -> Paint {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let coloured = match self.common.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
            }
        };
        if coloured {
            Paint::Colours
        } else {
            Paint::Plain
        }
    }

    /// The file of the configuration, where there is one.
    pub(super) fn config_path(&self) -> Option<PathBuf> {
        Config::locate(
            self.common.config.as_deref(),
            std::env::var_os(config::ENVIRONMENT),
        )
    }

    /// The configuration, checked against the embedded catalogue.
    pub(super) fn config(&self, knowledge: &Knowledge) -> Result<Config, BadConfig> {
        match self.config_path() {
            Some(path) => Config::read(&path, &knowledge.catalogue),
            None => Ok(Config::default()),
        }
    }

    /// The catalogue and the lists, with the severities of the configuration.
    pub(super) fn knowledge(&self) -> Result<(Knowledge, Config), Failure> {
        let mut knowledge = Knowledge::embedded().map_err(Failure::new)?;
        let config = self.config(&knowledge).map_err(|error| {
            Failure::new(error).hint("`sekisho config check` tries a configuration")
        })?;
        for (id, severity) in &config.severities {
            knowledge.catalogue.set_severity(id, *severity);
        }
        Ok((knowledge, config))
    }

    /// The rules of `--rules`, as given.
    pub(super) fn given_rules(&self) -> &[PathBuf] {
        &self.common.rules
    }

    /// Whether a rule that does not compile ends the run.
    pub(super) fn strictness(&self) -> Strictness {
        if self.common.rules_lenient {
            Strictness::Lenient
        } else {
            Strictness::Strict
        }
    }

    /// The sources of all rules to be used: the embedded ones, those of the configuration, of `--rules`, and `more`.
    pub(super) fn rule_sources(
        &self,
        config: &Config,
        more: &[PathBuf],
    ) -> Result<Vec<RuleSource>, Failure> {
        let mut sources = Vec::new();
        if config.default_rules && !self.common.no_default_rules {
            sources.extend(embedded());
        }
        for path in config
            .rule_paths
            .iter()
            .chain(&self.common.rules)
            .chain(more)
        {
            sources.extend(rule_sources(path).map_err(Failure::new)?);
        }
        Ok(sources)
    }

    /// An engine by configuration and options.
    pub(super) fn engine(
        &self,
        limits: &LimitArguments,
        more_rules: &[PathBuf],
    ) -> Result<(Arc<Engine>, Config), Failure> {
        let (knowledge, config) = self.knowledge()?;
        let sources = self.rule_sources(&config, more_rules)?;
        let rules = Rules::compile(sources, self.strictness()).map_err(|error| {
            Failure::new(format!("a rule does not compile\n{error}"))
                .hint("--rules-lenient skips such rules; `sekisho rules check` lists them all")
        })?;
        for bad in rules.skipped() {
            say(&format!("rule skipped\n{bad}"));
        }
        let engine = Engine {
            rules,
            knowledge,
            limits: limits.over(&config.limits),
            thresholds: config.thresholds,
        };
        Ok((Arc::new(engine), config))
    }
}

/// The number of scan threads: as given, else by the configuration, else one for each core.
pub(super) fn threads(given: Option<NonZeroUsize>, config: &Config) -> usize {
    given
        .map(NonZeroUsize::get)
        .or(config.threads)
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, NonZeroUsize::get))
}

fn language_of(locale: &str) -> Language {
    if locale.to_ascii_lowercase().starts_with("ja") {
        Language::Japanese
    } else {
        Language::English
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_chooses_the_language() {
        for japanese in ["ja", "ja_JP.UTF-8", "ja_JP.eucJP", "JA"] {
            assert_eq!(language_of(japanese), Language::Japanese, "{japanese}");
        }
        for other in ["", "C", "C.UTF-8", "en_US.UTF-8", "de_DE"] {
            assert_eq!(language_of(other), Language::English, "{other}");
        }
    }
}
