//! Remote desktop connections: to which server they lead, and what of the user's computer they hand over.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::ini;
use crate::model::{IocType, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "remote_desktop",
    kinds: &[Kind::Rdp],
    sees: Sees::Content,
    findings: &["remote-desktop-file"],
    run,
};

/// Settings that name a server or a program on it.
const SERVERS: &[&str] = &[
    "full address",
    "alternate full address",
    "gatewayhostname",
    "remoteapplicationprogram",
    "alternate shell",
];

/// Settings that hand something over, unless they are empty or zero.
const HANDED: &[&str] = &[
    "drivestoredirect",
    "redirectclipboard",
    "redirectsmartcards",
    "redirectprinters",
    "redirectwebauthn",
    "devicestoredirect",
    "usbdevicestoredirect",
];

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let source = text::to_utf8(&artifact.data);
    let mut servers = Vec::new();
    let mut handed = Vec::new();
    for setting in ini::connection(&source).filter(|one| !one.value.is_empty()) {
        if SERVERS.iter().any(|key| setting.is(key)) {
            servers.push(format!("{}: {}", setting.key, setting.value));
            let host = setting.value.split(':').next().unwrap_or_default();
            if setting.key.to_ascii_lowercase().ends_with("address") {
                let address = host.parse::<std::net::Ipv4Addr>().is_ok();
                findings.ioc(
                    if address {
                        IocType::Ip
                    } else {
                        IocType::Domain
                    },
                    host,
                );
            }
        } else if HANDED.iter().any(|key| setting.is(key)) && setting.value != "0" {
            handed.push(format!("{}: {}", setting.key, setting.value));
        }
    }
    if !servers.is_empty() {
        servers.append(&mut handed);
        findings.report(Found::new("remote-desktop-file", &servers.join("; ")));
    }
}
