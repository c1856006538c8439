//! The summary page in a real browser: both colour schemes, both languages, no error, and what the tables say.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sekisho::batch::{Keep, Results, campaigns};

use crate::batch_world::batch;
use crate::support::Folder;

/// Chromium, where it is there. `SEKISHO_TEST_CHROMIUM` says that it must be.
fn chromium() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("SEKISHO_TEST_CHROMIUM") {
        return Some(path.into());
    }
    let path = PathBuf::from("chromium");
    if Command::new(&path).arg("--version").output().is_ok() {
        return Some(path);
    }
    println!("skipped: chromium is not there");
    None
}

fn open(chromium: &Path, folder: &Folder, page: &Path, arguments: &[String]) -> Output {
    Command::new("timeout")
        .arg("120")
        .arg(chromium)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ])
        .args(["--enable-logging=stderr", "--window-size=1200,900"])
        .arg(format!(
            "--user-data-dir={}",
            folder.path("profile").display()
        ))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap()
}

fn console(output: &Output) -> Vec<String> {
    let log = String::from_utf8_lossy(&output.stderr);
    log.lines()
        .filter(|line| line.contains("CONSOLE"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_summary_opens_in_a_browser_and_says_what_the_tables_say() {
    let Some(chromium) = chromium() else { return };
    let folder = Folder::new();
    let output = folder.path("out");
    let reports = batch(&output, Keep::default());
    let page = output.join("summary.html");
    let opened = open(&chromium, &folder, &page, &["--dump-dom".to_owned()]);
    let dom = String::from_utf8_lossy(&opened.stdout).into_owned();
    assert!(dom.contains("</html>"), "{opened:?}");
    assert_eq!(console(&opened), Vec::<String>::new());
    let count = |level: &str| {
        reports
            .iter()
            .filter(|report| report.level.as_str() == level)
            .count()
    };
    for (name, number) in [
        ("messages", reports.len()),
        ("malicious", count("malicious")),
        ("clean", count("clean")),
        ("errors", 1),
    ] {
        assert!(
            dom.contains(&format!("<b data-total=\"{name}\">{number}</b>")),
            "{name} {number}\n{dom}"
        );
    }
    for campaign in campaigns(&Results::open(&output).unwrap()).unwrap() {
        assert!(
            dom.contains(&format!("data-campaign=\"{}\"", campaign.campaign)),
            "{}",
            campaign.campaign
        );
    }
    assert_eq!(
        dom.matches("data-message=\"export.mbox#").count(),
        count("malicious")
    );
    assert!(dom.contains("予算案") && dom.contains("&lt;b&gt;Parcel&lt;/b&gt;"));
    let corner = |scheme: &str| {
        let picture = folder.path(format!("{scheme}.png"));
        let scheme = if scheme == "dark" { 0 } else { 1 };
        let shot = open(
            &chromium,
            &folder,
            &page,
            &[
                format!("--screenshot={}", picture.display()),
                format!("--blink-settings=preferredColorScheme={scheme}"),
            ],
        );
        assert_eq!(console(&shot), Vec::<String>::new());
        let picture = image::open(&picture).unwrap().to_rgb8();
        picture.get_pixel(2, 2).0
    };
    assert!(corner("light").iter().all(|part| *part > 240));
    assert!(corner("dark").iter().all(|part| *part < 60));
    visible_words(&chromium, &folder, &page);
}

/// What is printed is what is seen: one language at a time.
fn visible_words(chromium: &Path, folder: &Folder, page: &Path) {
    if Command::new("pdftotext").arg("-v").output().is_err() {
        println!("skipped in part: pdftotext is not there");
        return;
    }
    let japanese = page.with_file_name("summary-ja.html");
    let text = std::fs::read_to_string(page).unwrap();
    let switched = text
        .replace("id=\"en\" checked", "id=\"en\"")
        .replace("id=\"ja\"", "id=\"ja\" checked");
    std::fs::write(&japanese, switched).unwrap();
    let words = |page: &Path| {
        let pdf = folder.path("page.pdf");
        open(
            chromium,
            folder,
            page,
            &[format!("--print-to-pdf={}", pdf.display())],
        );
        let run = Command::new("pdftotext")
            .args([pdf.as_os_str(), "-".as_ref()])
            .output()
            .unwrap();
        String::from_utf8_lossy(&run.stdout).into_owned()
    };
    let english = words(page);
    assert!(
        english.contains("Campaigns") && english.contains("Malicious messages"),
        "{english}"
    );
    assert!(!english.contains("攻撃キャンペーン"), "{english}");
    let other = words(&japanese);
    assert!(
        !other.contains("Campaigns") && !other.contains("Malicious messages"),
        "{other}"
    );
}
