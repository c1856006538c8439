-- The index of the quarantine, version 1 (PRAGMA user_version). Times are seconds since 1970 in UTC.

CREATE TABLE message (
    row INTEGER PRIMARY KEY,
    ticket TEXT NOT NULL UNIQUE,
    -- What makes it the same message again: envelope and bytes without leading trace headers.
    key BLOB NOT NULL,
    -- SHA-256 of the bytes: the name of the file.
    digest BLOB NOT NULL,
    size INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('held', 'quarantined', 'released', 'expired', 'deleted')),
    action TEXT NOT NULL,
    route TEXT NOT NULL,
    received INTEGER NOT NULL,
    level TEXT NOT NULL,
    score INTEGER NOT NULL,
    -- JSON.
    envelope TEXT NOT NULL,
    -- JSON: Message-ID, Date, From, To, Subject.
    mail TEXT NOT NULL,
    -- What is wrong with the file, once that was seen.
    damage TEXT
) STRICT;

CREATE UNIQUE INDEX message_by_key ON message (key) WHERE state IN ('held', 'quarantined', 'released');
CREATE INDEX message_by_time ON message (received);
CREATE INDEX message_by_digest ON message (digest);

-- zlib over JSON; goes with the bytes of the message.
CREATE TABLE report (
    message INTEGER PRIMARY KEY REFERENCES message (row),
    size INTEGER NOT NULL,
    json BLOB NOT NULL
) STRICT;

-- Findings and combinations of a message, each once.
CREATE TABLE finding (
    message INTEGER NOT NULL REFERENCES message (row),
    id TEXT NOT NULL,
    PRIMARY KEY (message, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX finding_by_id ON finding (id, message);

-- A recipient to whom a message went or is going on: reply is NULL as long as no answer is known.
CREATE TABLE release (
    message INTEGER NOT NULL REFERENCES message (row),
    recipient TEXT NOT NULL,
    at INTEGER NOT NULL,
    reply TEXT,
    PRIMARY KEY (message, recipient)
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    nonce BLOB PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES message (row),
    recipient TEXT NOT NULL,
    made INTEGER NOT NULL,
    redeemed INTEGER
) STRICT, WITHOUT ROWID;

-- One row for each file in messages/.
CREATE TABLE file (
    digest BLOB PRIMARY KEY,
    stored INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Files that no message needs any more and that are still to be taken away.
CREATE TABLE doomed (digest BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;

-- Bytes of all files.
CREATE TABLE usage (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL) STRICT;
INSERT INTO usage VALUES (1, 0);
CREATE TRIGGER file_added AFTER INSERT ON file
    BEGIN UPDATE usage SET bytes = bytes + NEW.stored; END;
CREATE TRIGGER file_removed AFTER DELETE ON file
    BEGIN UPDATE usage SET bytes = bytes - OLD.stored; END;

CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    message TEXT,
    why TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_message ON audit (message, number);
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is not changed'); END;
CREATE TRIGGER audit_is_not_shortened BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit is not shortened'); END;

PRAGMA user_version = 1;
