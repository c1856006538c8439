//! What is said of a disarmed file: for people in two languages, and for programs.

use std::path::Path;

use serde_json::{Value, json};

use crate::knowledge::{Catalogue, Language};
use crate::model::{Artifact, Id, Level, Report};
use crate::report::Detail;
use crate::rewrite::disarm::{Deed, Proven, Refusal};
use crate::text;

use super::super::exit::Failure;

/// Everything that is told.
pub(super) struct Told<'a> {
    pub(super) before: &'a Report,
    pub(super) made: &'a Result<Option<Proven>, Refusal>,
    /// Reasons of the allowances by which something stays.
    pub(super) allowed: &'a [String],
    pub(super) output: Option<&'a Path>,
    pub(super) catalogue: &'a Catalogue,
    pub(super) language: Language,
    pub(super) detail: Detail,
    /// Whether nothing is written, whatever was made.
    pub(super) dry_run: bool,
}

/// The fixed words of one language.
struct Words {
    done: Deeds,
    /// Where nothing is written.
    planned: Deeds,
    refused: &'static str,
    written: &'static str,
    allowed: &'static str,
    verdict: &'static str,
    hint: &'static str,
    levels: [&'static str; 3],
}

/// The words for what was done, or would be.
struct Deeds {
    unchanged: &'static str,
    disarmed: &'static str,
    notice: &'static str,
}

const ENGLISH: Words = Words {
    done: Deeds {
        unchanged: "nothing to take out, copied as it is",
        disarmed: "disarmed",
        notice: "replaced by a notice",
    },
    planned: Deeds {
        unchanged: "nothing to take out, would be copied as it is",
        disarmed: "would be disarmed",
        notice: "would be replaced by a notice",
    },
    refused: "refused",
    written: "written to",
    allowed: "stays, as the configuration allows",
    verdict: "verdict of the result",
    hint: "nothing was written",
    levels: ["clean", "suspicious", "malicious"],
};

const JAPANESE: Words = Words {
    done: Deeds {
        unchanged: "取り除くものはありません（そのままコピーしました）",
        disarmed: "無害化しました",
        notice: "通知文に置き換えました",
    },
    planned: Deeds {
        unchanged: "取り除くものはありません（そのままコピーします）",
        disarmed: "無害化できます（試行のため書き出していません）",
        notice: "通知文に置き換えます",
    },
    refused: "無害化できません",
    written: "出力先",
    allowed: "設定で許可されているため残しました",
    verdict: "無害化後の判定",
    hint: "何も書き出していません",
    levels: ["検出なし", "不審", "悪性"],
};

impl Told<'_> {
    /// For people.
    pub(super) fn text(&self) -> String {
        let words = match self.language {
            Language::English => &ENGLISH,
            Language::Japanese => &JAPANESE,
        };
        let deeds = match self.dry_run {
            true => &words.planned,
            false => &words.done,
        };
        let mut out = String::new();
        match self.made {
            Ok(None) => out.push_str(&format!("{}: {}\n", self.before.path, deeds.unchanged)),
            Ok(Some(proven)) => {
                out.push_str(&format!("{}: {}\n", self.before.path, deeds.disarmed));
                for deed in &proven.made.deeds {
                    self.deed(deed, deeds, &mut out);
                }
                let [clean, suspicious, malicious] = words.levels;
                let level = match proven.report.level {
                    Level::Clean => clean,
                    Level::Suspicious => suspicious,
                    Level::Malicious => malicious,
                };
                out.push_str(&format!("  {}: {level}\n", words.verdict));
            }
            Err(refusal) => out.push_str(&format!(
                "{}: {}: {} ({})\n",
                self.before.path,
                words.refused,
                text::safe(&refusal.to_string()),
                words.hint
            )),
        }
        for reason in self.allowed {
            let reason = text::safe(reason);
            out.push_str(&format!("  {}: {reason}\n", words.allowed));
        }
        if let Some(output) = self.output
            && self.detail != Detail::Brief
        {
            out.push_str(&format!("  {}: {}\n", words.written, text::path(output)));
        }
        out
    }

    fn deed(&self, deed: &Deed, words: &Deeds, out: &mut String) {
        out.push_str(&format!("  {}", self.way(deed.artifact)));
        if deed.replaced_for.is_empty() {
            out.push('\n');
            for removed in &deed.removed {
                let title = self.title(&removed.finding);
                out.push_str(&format!(
                    "    - {title} ({}): {}\n",
                    removed.finding, removed.place
                ));
            }
            return;
        }
        out.push_str(&format!(": {}\n", words.notice));
        for id in &deed.replaced_for {
            out.push_str(&format!("    - {} ({id})\n", self.title(id)));
        }
    }

    fn title<'t>(&'t self, id: &'t str) -> &'t str {
        let entry = self.catalogue.entry(id);
        entry.map_or(id, |entry| entry.text(self.language).title.as_str())
    }

    /// The names of the files around an artifact and its own, with its kind.
    fn way(&self, id: Id) -> String {
        let mut names = Vec::new();
        let mut kind = "";
        let mut at = Some(id);
        // Ends because parents stand before their children.
        while let Some(artifact) = at.and_then(|id| self.artifact(id)) {
            if names.is_empty() {
                kind = artifact.kind.as_str();
            }
            names.push(match artifact.label() {
                "" => format!("({})", artifact.via.unwrap_or("input")),
                name => name.to_owned(),
            });
            at = artifact.parent;
        }
        names.reverse();
        format!("{} [{kind}]", names.join(" > "))
    }

    fn artifact(&self, id: Id) -> Option<&Artifact> {
        self.before.artifacts.get(usize::try_from(id).ok()?)
    }

    /// For programs.
    pub(super) fn json(&self) -> Result<String, Failure> {
        let (status, reason) = match self.made {
            Ok(None) => ("unchanged", None),
            Ok(Some(_)) => ("disarmed", None),
            Err(refusal) => ("refused", Some(text::safe(&refusal.to_string()))),
        };
        let verdict = |report: &Report| {
            json!({
                "level": report.level.as_str(), "score": report.score, "complete": report.complete
            })
        };
        let mut object = serde_json::Map::new();
        object.insert("path".to_owned(), json!(self.before.path));
        object.insert("status".to_owned(), json!(status));
        if self.dry_run {
            object.insert("dry_run".to_owned(), json!(true));
        }
        if let Some(reason) = reason {
            object.insert("reason".to_owned(), json!(reason));
        }
        if let Some(output) = self.output {
            object.insert("output".to_owned(), json!(text::path(output)));
        }
        if !self.allowed.is_empty() {
            object.insert("allowed".to_owned(), json!(self.allowed));
        }
        object.insert("before".to_owned(), verdict(self.before));
        if let Ok(Some(proven)) = self.made {
            object.insert("after".to_owned(), verdict(&proven.report));
            let (removed, replaced) = self.deeds(&proven.made.deeds);
            object.insert("removed".to_owned(), Value::Array(removed));
            object.insert("replaced".to_owned(), Value::Array(replaced));
        }
        let mut text = serde_json::to_string_pretty(&object).map_err(Failure::new)?;
        text.push('\n');
        Ok(text)
    }

    fn deeds(&self, deeds: &[Deed]) -> (Vec<Value>, Vec<Value>) {
        let (mut removed, mut replaced) = (Vec::new(), Vec::new());
        for deed in deeds {
            let name = self.artifact(deed.artifact).map(Artifact::label);
            if !deed.replaced_for.is_empty() {
                replaced.push(json!({
                    "artifact": deed.artifact, "name": name, "findings": deed.replaced_for
                }));
            }
            for one in &deed.removed {
                removed.push(json!({
                    "artifact": deed.artifact, "name": name, "finding": one.finding, "place": one.place
                }));
            }
        }
        (removed, replaced)
    }
}
