#!/usr/bin/env python3
"""Compares sekisho with olevba, mraptor and ClamAV's heuristics on the same labelled files, in one run.

    benches/peers.py --data DIR [--sekisho target/release/sekisho] [--missed]

DIR holds labels.tsv (columns `file` and `labels`, the latter joined by commas) and the files it names.
Prints a table in Markdown; --missed lists what a peer flags and sekisho does not.
Needs clamscan (package clamav) and python3-venv; installs oletools into target/peers.
ClamAV runs without its signatures: what is compared is what can be said of a file nobody has seen before.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
import time
from pathlib import Path

OLETOOLS = "oletools==0.60.2"

# Question, labels of the files, and what counts as an answer of sekisho.
QUESTIONS = [
    ("VBA macros with code", {"macro"}, {"vba-macro"}),
    ("Excel 4 macros", {"xlm"}, {"xlm-macro", "sylk-macro"}),
    ("DDE", {"dde"}, {"dde-link"}),
    ("remote template or object", {"template-injection", "external-object-remote"}, {"remote-template", "external-object-link"}),
    ("embedded package or object", {"ole-package", "rtf-object"}, {"ole-package", "ole-package-executable", "rtf-object"}),
    ("programs, scripts and shortcuts", {"executable", "embedded-exe", "lnk"}, {"executable", "embedded-executable", "ole-package-executable", "script", "shortcut-lnk"}),
    ("locked by a password", {"encrypted"}, {"encrypted-archive", "encrypted-document", "pdf-encrypted", "decrypted-with-known-password"}),
]


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, **options)


def ask_sekisho(binary, data, files):
    """File -> (ids found, level)."""
    out = run([binary, "scan", "-j", "1", "--format", "ndjson", *files], cwd=data).stdout
    reports = [json.loads(line) for line in out.splitlines()]
    return {r["path"]: ({f["id"] for f in r["findings"]}, r["level"]) for r in reports}


def ask_olevba(tools, data, files):
    """File -> flags: `macros`, `code` (a line that is no attribute), `suspicious` (or starting by itself)."""
    out = run([tools / "olevba", "-j", *files], cwd=data).stdout
    answers = {}
    # One file that breaks it down costs the rest of the list: what was not answered is asked again, one by one.
    for group in [files] + [[name] for name in files]:
        missing = [name for name in group if name not in answers]
        if not missing:
            continue
        if group is not files:
            out = run([tools / "olevba", "-j", *missing], cwd=data).stdout
        try:
            rows = json.loads(out[out.index("[\n"):])
        except ValueError:
            continue
        for row in rows:
            name = row.get("file")
            if name not in files:
                continue
            text = row.get("type") == "Text"
            found = {a["type"] for a in row.get("analysis") or []}
            flags = set()
            # It takes every text for the source of a macro.
            if row.get("macros") and not text:
                flags.add("macros")
            # What it prints of a workbook's sheets is no code.
            modules = [macro for macro in row.get("macros") or [] if macro.get("vba_filename") != "xlm_macro.txt"]
            lines = [line.strip() for macro in modules for line in (macro.get("code") or "").splitlines()]
            if any(line and not line.startswith("Attribute ") for line in lines):
                flags.add("code")
            if "Suspicious" in found or "AutoExec" in found:
                flags.add("suspicious")
            before = answers.get(name, set())
            answers[name] = before | flags
    return answers


def ask_mraptor(tools, data, files):
    """File -> flags. Asked one by one: its table cuts long names in two."""
    answers = {}
    for name in files:
        out = run([tools / "mraptor", name], cwd=data).stdout
        flags = set()
        if "SUSPICIOUS" in out:
            flags = {"macros", "suspicious"}
        elif "Macro OK" in out:
            flags = {"macros"}
        answers[name] = flags
    return answers


def ask_clamav(data, files, folder):
    """File -> names of what was found."""
    signatures = folder / "one.hdb"
    # It refuses to run without any signature.
    signatures.write_text("0" * 32 + ":1:Nothing\n")
    options = ["--alert-macros=yes", "--alert-encrypted=yes", "--alert-exceeds-max=yes", "--alert-broken=yes", "--no-summary"]
    out = run(["clamscan", "-d", signatures.resolve(), *options, *files], cwd=data).stdout
    answers = {name: set() for name in files}
    for line in out.splitlines():
        match = re.match(r"(.*): (\S+) FOUND$", line)
        if match:
            path = Path(match[1])
            name = str(path.relative_to(data)) if path.is_absolute() else str(path)
            answers.setdefault(name, set()).add(match[2])
    return answers


def timed(command, data):
    """Median of three runs in seconds; none where the program breaks down on the way."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = run(command, cwd=data)
        times.append(time.perf_counter() - start)
        if "Traceback" in done.stderr:
            return None
    return sorted(times)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--sekisho", default="target/release/sekisho", type=Path)
    parser.add_argument("--missed", action="store_true")
    arguments = parser.parse_args()
    data, binary = arguments.data.resolve(), arguments.sekisho.resolve()

    folder = Path("target/peers")
    tools = (folder / "bin").absolute()
    if not (tools / "olevba").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([tools / "pip", "install", "-q", OLETOOLS], check=True)

    with open(data / "labels.tsv", newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    labels = {row["file"]: set(row["labels"].split(",")) for row in rows}
    files = sorted(labels)

    ours = ask_sekisho(binary, data, files)
    olevba = ask_olevba(tools, data, files)
    mraptor = ask_mraptor(tools, data, files)
    clamav = ask_clamav(data, files, folder)

    print("| | files | sekisho | olevba | mraptor | ClamAV |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for question, asked, ids in QUESTIONS:
        asked_of = [name for name in files if labels[name] & asked]
        if "macro" in asked:
            asked_of = [name for name in asked_of if "code" in olevba.get(name, set())]
        counts = [
            sum(bool(ours.get(name, (set(), ""))[0] & ids) for name in asked_of),
            sum(bool(olevba.get(name)) for name in asked_of),
            sum(bool(mraptor.get(name)) for name in asked_of),
            sum(bool(clamav.get(name)) for name in asked_of),
        ]
        print(f"| {question} | {len(asked_of)} | " + " | ".join(map(str, counts)) + " |")
    clean = [name for name in files if "clean" in labels[name]]
    alarms = [
        sum(ours[name][1] != "clean" for name in clean),
        sum("suspicious" in olevba.get(name, set()) for name in clean),
        sum("suspicious" in mraptor.get(name, set()) for name in clean),
        sum(bool(clamav.get(name)) for name in clean),
    ]
    print(f"| false alarms on clean files | {len(clean)} | " + " | ".join(map(str, alarms)) + " |")
    answered = [len(ours), len(olevba), len(mraptor), len(clamav)]
    print(f"| files with an answer | {len(files)} | " + " | ".join(map(str, answered)) + " |")

    # A document that olevba has no password for ends its run.
    documents = [name for name in files if name.startswith("office/") and "encrypted" not in labels[name]]
    own = timed([binary, "scan", "-j", "1", *documents], data)
    signatures = (folder / "one.hdb").resolve()
    peers = [
        timed([tools / "olevba", "-j", *documents], data),
        timed([tools / "mraptor", *documents], data),
        timed(["clamscan", "-d", signatures, "--alert-macros=yes", *documents], data),
    ]
    ratios = " | ".join("breaks down" if peer is None else f"{peer / own:.1f}×" for peer in peers)
    print(f"| time for the Office documents, one process, one thread | {len(documents)} | 1 | {ratios} |")

    if arguments.missed:
        for name in files:
            peers_say = {
                "olevba": olevba.get(name, set()),
                "mraptor": mraptor.get(name, set()),
                "ClamAV": clamav.get(name, set()),
            }
            said = {peer: sorted(flags) for peer, flags in peers_say.items() if flags}
            if said and not ours[name][0] - {"type-mismatch", "container-irregular", "html-script"}:
                print(f"{name}: {said}; labels {sorted(labels[name])}")


if __name__ == "__main__":
    main()
