//! Decisions over reports made by hand.

use std::path::Path;

use jiff::civil::date;

use super::*;
use crate::config::Config;
use crate::knowledge::Knowledge;
use crate::model::{Evidence, Fact, Kind, Level, Raised, Severity};

const TODAY: Date = date(2026, 11, 24);

fn knowledge() -> Knowledge {
    Knowledge::embedded().unwrap()
}

fn policy(text: &str) -> Policy {
    let config = Config::parse(text, Path::new("sekisho.toml"), &knowledge().catalogue).unwrap();
    Policy::new(&config.policy, config.thresholds)
}

fn refusal(text: &str) -> String {
    Config::parse(text, Path::new("sekisho.toml"), &knowledge().catalogue)
        .unwrap_err()
        .to_string()
}

/// A mail (0) with a document (1) that holds a module (2), and a program (3).
fn report(findings: &[(&'static str, Severity, Id)]) -> Report {
    let tree = [
        (Kind::Eml, None),
        (Kind::Docm, Some(0)),
        (Kind::VbaSource, Some(1)),
        (Kind::Pe, Some(0)),
    ];
    let artifacts = (0u32..)
        .zip(tree)
        .map(|(id, (kind, parent))| Artifact {
            id,
            parent,
            via: parent.map(|_| if id == 2 { "vba-module" } else { "mime-part" }),
            sha256: [u8::try_from(id).unwrap(); 32],
            ..Artifact::alone(kind, bytes::Bytes::new())
        })
        .collect();
    let findings = findings.iter().map(|(id, severity, artifact)| Finding {
        id: (*id).into(),
        severity: *severity,
        score: severity.score(),
        artifact: *artifact,
        evidence: Evidence {
            text: String::new(),
            offset: None,
            decoded: None,
        },
        attack: Vec::new(),
        more: None,
    });
    Report {
        path: "mail.eml".to_owned(),
        level: Level::Clean,
        score: 0,
        complete: true,
        artifacts,
        findings: findings.collect(),
        raised: Vec::new(),
        iocs: Vec::new(),
        rules: String::new(),
        version: "",
        elapsed_us: 0,
    }
}

fn envelope() -> Envelope {
    Envelope {
        client: Some("10.20.3.4".parse().unwrap()),
        listener: "milter".to_owned(),
        sender: "taro@osaka.branch.example".to_owned(),
        recipients: vec!["hanako@hq.example.co.jp".to_owned()],
        ..Envelope::default()
    }
}

fn decide(policy: &Policy, report: &Report, envelope: &Envelope) -> Decision {
    policy
        .decide(report, envelope, &knowledge().catalogue, TODAY)
        .remove(0)
}

fn action(text: &str, findings: &[(&'static str, Severity, Id)]) -> Action {
    decide(&policy(text), &report(findings), &envelope()).action
}

#[test]
fn without_routes_the_built_in_actions_hold() {
    for (findings, expected) in [
        (&[][..], Action::Deliver),
        (&[("vba-macro", Severity::Low, 2)][..], Action::Deliver),
        (&[("executable", Severity::Medium, 3)], Action::Strip),
        (&[("embedded-executable", Severity::High, 3)], Action::Strip),
        (&[("pdf-launch", Severity::Critical, 3)], Action::Quarantine),
        (&[("encrypted-archive", Severity::Medium, 3)], Action::Hold),
        // It opened: what was found in it decides.
        (
            &[("decrypted-with-known-password", Severity::Info, 3)],
            Action::Deliver,
        ),
        (
            &[("malformed-container", Severity::Medium, 3)],
            Action::Quarantine,
        ),
        // A PDF that opens with the empty password is read whole; one that does not is locked content.
        (&[("pdf-encrypted", Severity::Info, 3)], Action::Deliver),
        (&[("pdf-encrypted", Severity::Medium, 3)], Action::Hold),
        // Findings of rules have no entry in the catalogue.
        (&[("yara:mine", Severity::High, 3)], Action::Strip),
    ] {
        assert_eq!(action("", findings), expected, "{findings:?}");
    }
}

#[test]
fn the_most_specific_key_decides_and_over_all_findings_the_strictest() {
    let route = |actions: &str| format!("[[route]]\nname = \"all\"\n[route.actions]\n{actions}");
    let macros = &[("vba-suspicious-call", Severity::Medium, 2)];
    assert_eq!(action(&route("suspicious = \"tag\""), macros), Action::Tag);
    assert_eq!(
        action(&route("suspicious = \"tag\"\nmacros = \"hold\""), macros),
        Action::Hold
    );
    let text = route("suspicious = \"tag\"\nmacros = \"hold\"\nvba-suspicious-call = \"deliver\"");
    assert_eq!(action(&text, macros), Action::Deliver);
    let both = &[
        ("vba-suspicious-call", Severity::Medium, 2),
        ("executable", Severity::Medium, 3),
    ];
    assert_eq!(action(&text, both), Action::Tag);
    // What is not named keeps its default.
    assert_eq!(
        action(&text, &[("pdf-launch", Severity::Critical, 3)]),
        Action::Quarantine
    );
}

#[test]
fn changes_name_the_artifacts_they_are_for() {
    let found = report(&[
        ("executable", Severity::Medium, 3),
        ("vba-macro", Severity::Low, 2),
    ]);
    let text = "[[route]]\nname = \"all\"\n[route.actions]\nmacros = \"disarm\"\n";
    let decision = decide(&policy(text), &found, &envelope());
    assert_eq!(decision.action, Action::Strip);
    let grounds = &decision.grounds;
    let parts: Vec<_> = grounds.parts.clone().into_iter().collect();
    assert_eq!(parts, [(2, Action::Disarm), (3, Action::Strip)]);
    assert_eq!(grounds.because, [0].into());
}

#[test]
fn a_combination_counts_as_its_level_where_its_findings_stand() {
    let mut found = report(&[
        ("vba-autoexec", Severity::Low, 2),
        ("vba-suspicious-call", Severity::Medium, 2),
    ]);
    found.raised.push(Raised {
        by: "autostart-with-call".to_owned(),
        score: 100,
        findings: vec![0, 1],
    });
    let text =
        "[[route]]\nname = \"all\"\n[route.actions]\nmacros = \"disarm\"\nmalicious = \"strip\"\n";
    let decision = decide(&policy(text), &found, &envelope());
    assert_eq!(
        (decision.action, decision.grounds.parts.get(&2)),
        (Action::Strip, Some(&Action::Strip))
    );
    assert_eq!(
        decide(&policy(""), &found, &envelope()).action,
        Action::Quarantine
    );
    // Once one of its findings is lifted it is no combination any more.
    let allowed =
        "[[allow]]\nfinding = \"vba-autoexec\"\nreason = \"ticket 7\"\nexpires = 2027-01-31\n";
    let decision = decide(&policy(allowed), &found, &envelope());
    assert_eq!(
        (decision.action, decision.grounds.allowed.clone()),
        (Action::Strip, vec!["ticket 7".to_owned()])
    );
}

#[test]
fn the_first_route_that_matches_wins_recipient_by_recipient() {
    let policy = policy(
        "[[route]]\nname = \"branch\"\nclient = [\"10.20.0.0/16\"]\nfrom = [\"*@*.BRANCH.example\"]\nto = [\"*@hq.example.co.jp\"]\n\
         [route.actions]\nexecutables = \"hold\"\n\
         [[route]]\nname = \"dry\"\nlistener = [\"milter\"]\ndry_run = true\n\
         [[route]]\nname = \"never\"\n",
    );
    let mut mail = envelope();
    mail.recipients.push("jiro@lab.example".to_owned());
    let found = report(&[("executable", Severity::Medium, 3)]);
    let decisions = policy.decide(&found, &mail, &knowledge().catalogue, TODAY);
    let seen: Vec<_> = decisions
        .iter()
        .map(|d| (d.route.name.as_str(), d.action, d.route.dry_run))
        .collect();
    assert_eq!(
        seen,
        [
            ("branch", Action::Hold, false),
            ("dry", Action::Strip, true)
        ]
    );
    // An address of version 4 in the clothes of version 6 is the same address.
    mail.client = Some("::ffff:10.20.3.4".parse().unwrap());
    assert_eq!(policy.route(&mail, &mail.recipients[0]).name, "branch");
    mail.client = None;
    assert_eq!(policy.route(&mail, &mail.recipients[0]).name, "dry");
    mail.listener = "relay".to_owned();
    assert_eq!(policy.route(&mail, &mail.recipients[0]).name, "never");
}

#[test]
fn what_a_sender_has_to_prove_is_asked_for() {
    let policy = policy(
        "[[route]]\nname = \"signed\"\nfrom = [\"*@partner.example\"]\nrequire = \"dkim\"\n[route.actions]\nmalicious = \"tag\"\n",
    );
    let mut mail = envelope();
    mail.sender = "a@Partner.example".to_owned();
    assert_eq!(policy.route(&mail, "x@y").name, DEFAULT_ROUTE);
    mail.dkim = vec!["other.example".to_owned()];
    assert_eq!(policy.route(&mail, "x@y").name, DEFAULT_ROUTE);
    mail.dkim.push("partner.example".to_owned());
    assert_eq!(policy.route(&mail, "x@y").name, "signed");
}

#[test]
fn allowances_lift_findings_until_they_expire_and_the_floor_stays() {
    let hash = "03".repeat(32);
    let allow =
        format!("[[allow]]\nsha256 = \"{hash}\"\nreason = \"our tool\"\nexpires = 2026-11-24\n");
    let found = report(&[
        ("executable", Severity::Medium, 3),
        ("vba-suspicious-call", Severity::Medium, 2),
    ]);
    let decision = decide(&policy(&allow), &found, &envelope());
    assert_eq!(
        decision.grounds.parts.keys().copied().collect::<Vec<_>>(),
        [2]
    );
    let tomorrow = date(2026, 11, 25);
    let late = policy(&allow)
        .decide(&found, &envelope(), &knowledge().catalogue, tomorrow)
        .remove(0);
    assert_eq!(late.grounds.parts.len(), 2);
    let floor = format!("[floor]\nexecutables = \"hold\"\n{allow}");
    assert_eq!(
        decide(&policy(&floor), &found, &envelope()).action,
        Action::Hold
    );
    let route = "[[route]]\nname = \"lax\"\nclient = [\"0.0.0.0/0\"]\n[route.actions]\nmalicious = \"deliver\"\n[floor]\nmalicious = \"hold\"\n";
    assert_eq!(
        action(route, &[("pdf-launch", Severity::Critical, 3)]),
        Action::Hold
    );
}

#[test]
fn an_allowance_for_a_document_holds_for_what_is_in_it() {
    let allow = format!(
        "[[allow]]\nsha256 = \"{}\"\nreason = \"form 12\"\nexpires = 2027-01-01\n",
        "01".repeat(32)
    );
    let found = report(&[("vba-suspicious-call", Severity::Medium, 2)]);
    assert_eq!(
        decide(&policy(&allow), &found, &envelope()).action,
        Action::Deliver
    );
}

#[test]
fn what_does_not_hold_is_refused_with_its_line() {
    for (text, expected) in [
        (
            "[[route]]\nname = \"a\"\n[route.actions]\nexecutable = \"stripp\"\n",
            "sekisho.toml:4: executable = \"stripp\": must be one of deliver, tag",
        ),
        (
            "[[route]]\nname = \"a\"\n[route.actions]\nexecutabel = \"strip\"\n",
            "sekisho.toml:4: no level, group or finding \"executabel\"",
        ),
        (
            "[[route]]\nname = \"a\"\nclient = [\"10.0.0\"]\n",
            "sekisho.toml:3: client \"10.0.0\" is no network",
        ),
        (
            "[[route]]\nname = \"a\"\nlistener = [\"smtp\"]\n",
            "sekisho.toml:3: listener \"smtp\"",
        ),
        (
            "[[route]]\nname = \"a\"\nsubject_mark = \"a\\r\\nBcc: x\"\n",
            "sekisho.toml:3: subject_mark = \"a\\r\\nBcc: x\": write 1 to 16 characters",
        ),
        (
            "[[route]]\nname = \"a\"\nfrm = [\"x\"]\n",
            "sekisho.toml:3: unknown setting `frm`",
        ),
        (
            "[[route]]\nname = \"a\"\n[[route]]\nname = \"a\"\n",
            "sekisho.toml:4: route \"a\" stands twice",
        ),
        (
            "[[route]]\nname = \"a\"\nfrom = [\"*@partner.example\"]\n[route.actions]\nmalicious = \"tag\"\n",
            "sekisho.toml:2: route \"a\" is weaker than the default",
        ),
        (
            "[[route]]\nname = \"a\"\nfrom = [\"*@partner.example\"]\n[route.actions]\nmacros = \"disarm\"\n",
            "sekisho.toml:2: route \"a\" is weaker than the default (macros, where vba-suspicious-call would be strip)",
        ),
        (
            "[[allow]]\nfinding = \"script\"\nreason = \" \"\nexpires = 2027-01-01\n",
            "sekisho.toml:3: allow: the reason is empty",
        ),
        (
            "[[allow]]\nfrom = [\"a@b\"]\nreason = \"x\"\nexpires = 2027-01-01\n",
            "sekisho.toml:3: allow: a sender's address can be forged",
        ),
        (
            "[[allow]]\nreason = \"x\"\nexpires = 2027-01-01\n",
            "sekisho.toml:2: allow: name sha256",
        ),
        (
            "[floor]\nmalicious = \"tempfail\"\n",
            "sekisho.toml:2: malicious = \"tempfail\": must be one of",
        ),
    ] {
        assert!(
            refusal(text).starts_with(expected),
            "{text}: {}",
            refusal(text)
        );
    }
    // Stricter than the default, or resting on something that cannot be forged.
    policy(
        "[[route]]\nname = \"a\"\nfrom = [\"*@partner.example\"]\n[route.actions]\nmacros = \"reject\"\n",
    );
    policy(
        "[[route]]\nname = \"a\"\nfrom = [\"*@partner.example\"]\nclient = [\"192.0.2.1\"]\n[route.actions]\nmalicious = \"tag\"\n",
    );
}

#[test]
fn macros_that_are_known_by_their_hash_are_lifted_and_nothing_else() {
    let hash = "ab".repeat(32);
    let allow = |conditions: &str| {
        format!(
            "[[route]]\nname = \"all\"\n[route.actions]\nmacros = \"disarm\"\nactive-content = \"strip\"\n\
             [[allow]]\nvba = \"{hash}\"\n{conditions}reason = \"form 12\"\nexpires = 2026-11-24\n"
        )
    };
    let known = |findings: &[(&'static str, Severity, Id)], byte: u8| {
        let mut found = report(findings);
        let sha256 = [byte; 32];
        found.artifacts[1].facts.push(Fact::VbaHash { sha256 });
        found
    };
    let macros = [
        ("vba-macro", Severity::Low, 1),
        ("vba-autoexec", Severity::Low, 2),
    ];
    let decided = decide(&policy(&allow("")), &known(&macros, 0xab), &envelope());
    assert_eq!(decided.action, Action::Deliver);
    assert_eq!(decided.grounds.allowed, ["form 12"]);
    // Other macros, also those of one more line.
    let decided = decide(&policy(&allow("")), &known(&macros, 0xac), &envelope());
    assert_eq!(decided.action, Action::Disarm);
    assert_eq!(decided.grounds.disarm.len(), 2);
    // What the document does beside its macros, names that lie, and code that is not in the source.
    for (id, at, wanted) in [
        ("dde-link", 1, Action::Strip),
        ("macro-in-disguise", 1, Action::Disarm),
        ("vba-stomped", 1, Action::Disarm),
        ("vba-stomped", 2, Action::Disarm),
    ] {
        let found = known(&[macros[0], (id, Severity::High, at)], 0xab);
        let decided = decide(&policy(&allow("")), &found, &envelope());
        assert_eq!(
            (decided.action, decided.grounds.disarm.contains(&0)),
            (wanted, false),
            "{id}"
        );
    }
    // Only from whom it is meant for, and while it lasts.
    let elsewhere = "client = [\"192.0.2.0/24\"]\n";
    let decided = decide(
        &policy(&allow(elsewhere)),
        &known(&macros, 0xab),
        &envelope(),
    );
    assert_eq!(decided.action, Action::Disarm);
    let here = "client = [\"10.20.0.0/16\"]\nfrom = [\"*@*.branch.example\"]\n";
    let decided = decide(&policy(&allow(here)), &known(&macros, 0xab), &envelope());
    assert_eq!(decided.action, Action::Deliver);
    let late = policy(&allow("")).decide(
        &known(&macros, 0xab),
        &envelope(),
        &knowledge().catalogue,
        date(2026, 11, 25),
    );
    assert_eq!(late[0].action, Action::Disarm);
    assert!(refusal(&allow("").replace(&hash, "ab")).contains("is no SHA-256 in hex"));
}

#[test]
fn many_recipients_and_findings_do_not_cost_their_product() {
    let rules = policy(
        "[[route]]\nname = \"sales\"\nto = [\"*@sales.example\"]\nclient = [\"10.0.0.0/8\"]\n[route.actions]\nmacros = \"hold\"\n\
         [[allow]]\nfinding = \"vba-autoexec\"\nto = [\"b@*\"]\nreason = \"known\"\nexpires = 2027-01-01\nclient = [\"10.0.0.0/8\"]\n",
    );
    let findings = vec![("vba-autoexec", Severity::Medium, 2); 20_000];
    let mut mail = envelope();
    let addresses = ["a@sales.example", "b@sales.example", "c@hq.example"];
    mail.recipients = addresses
        .repeat(1000)
        .iter()
        .map(|to| (*to).to_owned())
        .collect();
    let decisions = rules.decide(&report(&findings), &mail, &knowledge().catalogue, TODAY);
    let actions: Vec<Action> = decisions.iter().map(|decision| decision.action).collect();
    assert_eq!(
        actions,
        [Action::Hold, Action::Deliver, Action::Strip].repeat(1000)
    );
    // Looked through once for each set of rules.
    assert_eq!(distinct(&decisions).len(), 3);
    assert_eq!(decisions[1].grounds.allowed, ["known"]);
    assert_eq!(decisions[2].grounds.because.len(), 20_000);
}
