#!/usr/bin/env python3
"""Puts `sekisho batch` beside clamscan and olevba on one mailbox, in one run, on one core or more.

    benches/batch_peers.py [--messages 2000] [--cores 1] [--sekisho target/release/sekisho]

Makes a mailbox of a seed: what an office sends, and now and then the macro of testdata/samples. sekisho reads the mailbox,
takes it apart and writes its tables; the others get the files of its messages, taken out beforehand: bodies and
attachments. clamscan and olevba use one core, so that on several cores there is a process of them for each, with its
share of the files. ClamAV has no signatures, and runs three times: with two rules, which is next to nothing; with the
rules that sekisho has embedded, as far as its loader takes them without the words for kinds of files; and with those and
told to look for macros and locked files too, which sekisho also does. Prints a table in Markdown. Needs clamscan (package
clamav) and python3-venv; installs oletools into target/peers.
"""

import argparse
import email
import email.policy
import io
import mailbox
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from email.message import EmailMessage
from pathlib import Path

OLETOOLS = "oletools==0.60.2"
WORDS = "the order of last week please find attached report and invoice for meeting tomorrow regards 見積書 報告 会議".split()
RULES = 'rule one { strings: $a = "sekisho-bench-one" condition: $a }\nrule two { strings: $a = "sekisho-bench-two" condition: $a }\n'


def text(dice, length):
    out = ""
    while len(out) < length:
        out += " ".join(dice.choice(WORDS) for _ in range(12)) + "\n"
    return out


def document(body):
    """A Word document with nothing but text."""
    out = io.BytesIO()
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("[Content_Types].xml", f'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="{main}"/></Types>')
        package.writestr("_rels/.rels", f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="r1" Type="{office}" Target="word/document.xml"/></Relationships>')
        package.writestr("word/document.xml", f'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>{body}</w:t></w:r></w:p></w:body></w:document>')
    return out.getvalue()


def macro_document(root):
    sample = (root / "testdata/samples/invoice-with-macro.eml").read_bytes()
    message = email.message_from_bytes(sample, policy=email.policy.default)
    return next(message.iter_attachments()).get_payload(decode=True)


def make(path, root, count):
    dice = random.Random(7)
    macro = macro_document(root)
    box = mailbox.mbox(path)
    for number in range(count):
        message = EmailMessage(policy=email.policy.default)
        message["From"], message["To"] = "taro@branch.example", "hanako@hq.example.co.jp"
        message["Subject"] = f"{dice.choice(WORDS)} {number}"
        message["Message-ID"] = f"<{number}@branch.example>"
        body = text(dice, dice.randrange(500, 8000))
        message.set_content(body)
        kind = dice.randrange(100)
        if kind < 30:
            message.add_alternative(f"<html><body><p>{body}</p></body></html>", subtype="html")
        elif kind < 60:
            # No two are equal, so that nothing is gained by having seen them before.
            data = document(text(dice, dice.randrange(2000, 60000)))
            message.add_attachment(data, maintype="application", subtype="octet-stream", filename="report.docx")
        elif kind < 62:
            message.add_attachment(macro, maintype="application", subtype="octet-stream", filename="invoice.docm")
        box.add(mailbox.mboxMessage(message.as_bytes()))
    box.flush()


def take_out(path, folder):
    """The bodies and attachments of all messages as files; tells how many."""
    count = 0
    for message in mailbox.mbox(path):
        for part in message.walk():
            data = part.get_payload(decode=True)
            if data is None:
                continue
            ending = (part.get_filename() or "part.txt").rsplit(".", 1)[-1]
            (folder / f"{count:06}.{ending}").write_bytes(data)
            count += 1
    return count


def own_rules(root, folder):
    """The embedded rules that ClamAV takes, in one file, and how many of how many they are."""
    taken, count = [], 0
    probe, nothing = folder / "probe.yar", folder / "nothing"
    nothing.write_bytes(b"")
    for source in sorted((root / "signatures").glob("*.yar")):
        for rule in re.findall(r"^rule .*?^}", source.read_text(), re.S | re.M):
            count += 1
            # ClamAV knows none of the words that tell what a file is: its rule looks into every file.
            rule = re.sub(r"((parent_)?kind (== \"[^\"]*\"|matches /[^/]*/)|is_\w+) and ", "", rule)
            probe.write_text(rule + "\n")
            loaded = subprocess.run(["clamscan", "--no-summary", "-d", probe, nothing], capture_output=True, check=False)
            if loaded.returncode == 0 and not loaded.stderr:
                taken.append(rule)
    rules = folder / "own.yar"
    rules.write_text("\n".join(taken) + "\n")
    return rules, len(taken), count


def timed(commands):
    """Runs commands at the same time, each on a core of its own but for one alone, which has all."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    running = [subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for command in commands]
    for command, process in zip(commands, running):
        output, _ = process.communicate()
        if process.returncode not in (0, 1, 3):
            sys.exit(f"{command[0]}: exit status {process.returncode}: {output[-500:]!r}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - started, processor


def main():
    arguments = argparse.ArgumentParser()
    root = Path(__file__).resolve().parent.parent
    arguments.add_argument("--messages", type=int, default=2000)
    arguments.add_argument("--cores", type=int, default=1)
    arguments.add_argument("--sekisho", default=root / "target/release/sekisho")
    arguments = arguments.parse_args()
    cores = arguments.cores
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    tools = root / "target/peers/bin"
    if not (tools / "olevba").exists():
        subprocess.run([sys.executable, "-m", "venv", tools.parent], check=True)
        subprocess.run([tools / "pip", "install", "-q", OLETOOLS], check=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        box, files, two = folder / "box.mbox", folder / "files", folder / "two.yar"
        files.mkdir()
        two.write_text(RULES)
        make(box, root, arguments.messages)
        count = take_out(box, files)
        own, taken, rules = own_rules(root, folder)
        paths = sorted(files.iterdir())
        shares = []
        for core in range(cores):
            share = folder / f"share-{core}"
            share.write_text("".join(f"{path}\n" for path in paths[core::cores]))
            shares.append(share)
        clamscan = lambda *options: [["clamscan", "--no-summary", "-i", "-f", share, *options] for share in shares]
        size = box.stat().st_size / 1e6
        print(f"{arguments.messages} messages, {size:.1f} MB, {count} files in them, cores: {cores}:\n")
        print("| | seconds | processor seconds | files per processor second |\n| --- | ---: | ---: | ---: |")
        macros = ["--alert-macros", "--alert-encrypted"]
        runs = [
            ("`sekisho batch` on the mailbox, tables and summary written", [[arguments.sekisho, "batch", box, "-o", folder / "out", f"-j{cores}", "-q"]]),
            ("clamscan on the files, two rules", clamscan("-d", two)),
            (f"clamscan, {taken} of the {rules} embedded rules", clamscan("-d", own)),
            (f"clamscan, {taken} of the {rules} embedded rules, all matches, macros and locked files", clamscan("-d", own, "--allmatch", *macros)),
            ("olevba on the files", [[tools / "olevba", "-a", *paths[core::cores]] for core in range(cores)]),
        ]
        for name, commands in runs:
            seconds, processor = timed(commands)
            print(f"| {name} | {seconds:.1f} | {processor:.1f} | {count / processor:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
