//! Files that install or carry programs, told by what they are: installers, Java programs, disk images.

use memchr::memmem;

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::pe;
use crate::model::{Family, Kind};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "packages_of_programs",
    kinds: &[
        Kind::Msi,
        Kind::Msp,
        Kind::Appx,
        Kind::Deb,
        Kind::Rpm,
        Kind::Xpi,
        Kind::Crx,
        Kind::MobileConfig,
        Kind::Apk,
        Kind::Jar,
        Kind::Iso,
        Kind::Udf,
        Kind::Img,
        Kind::Vhd,
        Kind::Vhdx,
        Kind::Vmdk,
        Kind::Qcow,
        Kind::Vdi,
        Kind::Dmg,
        Kind::Ntfs,
        Kind::Hfs,
        Kind::Apfs,
        Kind::SquashFs,
        Kind::RareDisk,
        Kind::Cab,
        Kind::Pe,
        Kind::Zip,
    ],
    sees: Sees::Place,
    findings: &["installer", "java-archive", "disk-image", "script"],
    run,
};

/// Bytes behind a program in which the mark of an installer is looked for.
const OVERLAY: usize = 4 << 20;

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let kinds = std::iter::once(artifact.kind).chain(artifact.readings.iter().copied());
    for kind in kinds {
        let id = match kind {
            Kind::Pe => {
                if let Some(maker) = installer_in(&artifact.data) {
                    findings.report(Found::new("installer", &format!("program made by {maker}")));
                }
                // The script lies behind the interpreter, or in its resources.
                if let Some(at) = memmem::find(&artifact.data, b"AU3!EA0") {
                    findings.report(Found::new("script", "compiled AutoIt script").at(at));
                }
                continue;
            }
            Kind::Jar if is_in_package(look) => continue,
            Kind::Jar => "java-archive",
            Kind::Cab if is_diagnostic(look) => {
                findings.report(Found::new("script", "diagnostic package (diagcab)"));
                continue;
            }
            Kind::Cab => continue,
            Kind::Zip => {
                if let Some(what) = package_by_name(look) {
                    findings.report(Found::new("installer", what));
                }
                continue;
            }
            kind if kind.family() == Family::Disk => "disk-image",
            kind if kind.family() == Family::Installer => "installer",
            _ => continue,
        };
        findings.report(Found::new(id, kind.describe()));
    }
}

/// A library of a Java program or of an app.
fn is_in_package(look: &Look<'_>) -> bool {
    look.ancestors()
        .any(|above| matches!(above.kind, Kind::Jar | Kind::Apk | Kind::Appx | Kind::Xpi))
}

/// A cabinet that the troubleshooter of Windows opens and runs.
fn is_diagnostic(look: &Look<'_>) -> bool {
    let name = look.artifact.name.as_ref();
    name.is_some_and(|name| name.extensions().any(|one| one == "diagcab"))
}

/// What a zip is opened as by its name: its members may be anything.
fn package_by_name(look: &Look<'_>) -> Option<&'static str> {
    let name = look.artifact.name.as_ref()?;
    name.extensions().find_map(|one| match one.as_str() {
        "gadget" => Some("Windows gadget"),
        "xpi" => Some("browser extension"),
        "themepack" | "deskthemepack" => Some("package of desktop themes"),
        _ => None,
    })
}

/// The maker of installers whose mark stands in or behind a program.
fn installer_in(data: &[u8]) -> Option<&'static str> {
    const BEHIND: &[(&[u8], &str)] = &[
        (b"\xef\xbe\xad\xdeNullsoftInst", "NSIS"),
        (b"InstallShield", "InstallShield"),
        (b"ISSetupStream", "InstallShield"),
        (b"Inno Setup Setup Data", "Inno Setup"),
    ];
    let program = pe::read(data)?;
    let head = data.get(..4096).unwrap_or(data);
    if memmem::find(head, b".wixburn").is_some() {
        return Some("WiX");
    }
    let behind = data.get(program.end..)?;
    let behind = behind.get(..OVERLAY).unwrap_or(behind);
    let found = BEHIND
        .iter()
        .find(|(mark, _)| memmem::find(behind, mark).is_some());
    found.map(|(_, maker)| *maker)
}
