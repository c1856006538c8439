//! The fixed words of reports, in English and Japanese. What is said of findings stands in the catalogue.

use crate::knowledge::Language;
use crate::model::{Level, Severity};

/// The words of one language.
#[derive(Debug)]
pub(crate) struct Words {
    /// The language's tag in HTML.
    pub(crate) tag: &'static str,
    levels: [&'static str; 3],
    severities: [&'static str; 5],
    pub(crate) title: &'static str,
    pub(crate) incomplete: &'static str,
    pub(crate) score: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) action: &'static str,
    pub(crate) together: &'static str,
    pub(crate) decoded: &'static str,
    pub(crate) offset: &'static str,
    pub(crate) same_as: &'static str,
    pub(crate) vba_hash: &'static str,
    pub(crate) vba_signer: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    pub(crate) subject: &'static str,
    pub(crate) date: &'static str,
    pub(crate) declared: &'static str,
    pub(crate) indicators: &'static str,
    pub(crate) tree: &'static str,
    pub(crate) findings: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) inputs: &'static str,
    pub(crate) unread: &'static str,
    pub(crate) seconds: &'static str,
    pub(crate) rules: &'static str,
    pub(crate) version: &'static str,
    pub(crate) rule_title: &'static str,
    pub(crate) rule_meaning: &'static str,
    pub(crate) rule_action: &'static str,
}

impl Words {
    pub(crate) fn level(&self, level: Level) -> &'static str {
        let [clean, suspicious, malicious] = self.levels;
        match level {
            Level::Clean => clean,
            Level::Suspicious => suspicious,
            Level::Malicious => malicious,
        }
    }

    pub(crate) fn severity(&self, severity: Severity) -> &'static str {
        let [info, low, medium, high, critical] = self.severities;
        match severity {
            Severity::Info => info,
            Severity::Low => low,
            Severity::Medium => medium,
            Severity::High => high,
            Severity::Critical => critical,
        }
    }
}

/// The words of a language.
pub(crate) fn words(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Japanese => &JAPANESE,
    }
}

static ENGLISH: Words = Words {
    tag: "en",
    levels: ["clean", "suspicious", "malicious"],
    severities: ["info", "low", "medium", "high", "critical"],
    title: "sekisho scan report",
    incomplete: "not looked through whole",
    score: "score",
    meaning: "What it means",
    action: "What to do",
    together: "Together",
    decoded: "decoded",
    offset: "at byte",
    same_as: "same bytes as",
    vba_hash: "hash of the macros",
    vba_signer: "macros signed by",
    from: "From",
    to: "To",
    subject: "Subject",
    date: "Date",
    declared: "declared",
    indicators: "Indicators",
    tree: "Contents",
    findings: "Findings",
    summary: "Summary",
    inputs: "inputs",
    unread: "could not be read",
    seconds: "s",
    rules: "rules",
    version: "version",
    rule_title: "Match of a detection rule",
    rule_meaning: "A detection rule recognised something in the bytes of this file; the description and the matching text say what.",
    rule_action: "Do not open the file before someone who knows the rule has looked at it.",
};

static JAPANESE: Words = Words {
    tag: "ja",
    levels: ["検出なし", "不審", "悪性"],
    severities: ["情報", "低", "中", "高", "重大"],
    title: "sekisho 検査レポート",
    incomplete: "一部検査不可",
    score: "スコア",
    meaning: "内容",
    action: "対処",
    together: "組み合わせ",
    decoded: "復元結果",
    offset: "バイト位置",
    same_as: "同一内容",
    vba_hash: "マクロのハッシュ値",
    vba_signer: "マクロの署名者",
    from: "差出人",
    to: "宛先",
    subject: "件名",
    date: "日時",
    declared: "申告された形式",
    indicators: "痕跡情報（IOC）",
    tree: "構成",
    findings: "検出結果",
    summary: "まとめ",
    inputs: "件",
    unread: "読み取り不可",
    seconds: "秒",
    rules: "ルール",
    version: "バージョン",
    rule_title: "検知ルールとの一致",
    rule_meaning: "このファイルの内容が検知ルールに一致しました。ルールの説明と一致した箇所を確認してください。",
    rule_action: "ルールの内容が分かる担当者が確認するまで、ファイルを開かないでください。",
};
