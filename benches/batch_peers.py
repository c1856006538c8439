#!/usr/bin/env python3
"""Puts `sekisho batch` beside clamscan and olevba on one mailbox, in one run on one core.

    benches/batch_peers.py [--messages 2000] [--sekisho target/release/sekisho]

Makes a mailbox of a seed: what an office sends, and now and then the macro of testdata/samples. sekisho reads the mailbox; the
others, which know no mailboxes, get the files of its messages, taken out beforehand: bodies and attachments. Prints a
table in Markdown. Needs clamscan (package clamav) and python3-venv; installs oletools into target/peers. ClamAV runs
with the two rules of this script and no signatures, so that it has less to do than in real life.
"""

import argparse
import email
import email.policy
import io
import mailbox
import random
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


def timed(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    done = subprocess.run(["taskset", "-c", "0", *map(str, command)], capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1, 3):
        sys.exit(f"{command[0]}: exit status {done.returncode}: {done.stderr[-500:]!r}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - started, processor


def main():
    arguments = argparse.ArgumentParser()
    root = Path(__file__).resolve().parent.parent
    arguments.add_argument("--messages", type=int, default=2000)
    arguments.add_argument("--sekisho", default=root / "target/release/sekisho")
    arguments = arguments.parse_args()
    tools = root / "target/peers/bin"
    if not (tools / "olevba").exists():
        subprocess.run([sys.executable, "-m", "venv", tools.parent], check=True)
        subprocess.run([tools / "pip", "install", "-q", OLETOOLS], check=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        box, files, rules = folder / "box.mbox", folder / "files", folder / "two.yar"
        files.mkdir()
        rules.write_text(RULES)
        make(box, root, arguments.messages)
        count = take_out(box, files)
        size = box.stat().st_size / 1e6
        print(f"{arguments.messages} messages, {size:.1f} MB, {count} files in them, one core:\n")
        print("| | seconds | processor seconds | files/s |\n| --- | ---: | ---: | ---: |")
        runs = [
            ("`sekisho batch` on the mailbox, tables and summary written", [arguments.sekisho, "batch", box, "-o", folder / "out", "-j1", "-q"]),
            ("clamscan on the files, two rules, no signatures", ["clamscan", "-r", "--no-summary", "-i", "-d", rules, files]),
            ("olevba on the files", [tools / "olevba", "-a", *sorted(files.iterdir())]),
        ]
        for name, command in runs:
            seconds, processor = timed(command)
            print(f"| {name} | {seconds:.1f} | {processor:.1f} | {count / processor:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
