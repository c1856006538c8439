-- Version 2 of the index: what people are still to be told of.

-- Who is told of which message, and whether they were. `due`: when it is tried next; `done`: when it was sent or
-- given up; `letter`: the Message-ID of the mail that told it.
CREATE TABLE notice (
    row INTEGER PRIMARY KEY,
    message INTEGER NOT NULL REFERENCES message (row),
    recipient TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('recipient', 'administrator')),
    made INTEGER NOT NULL,
    due INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    done INTEGER,
    letter TEXT,
    UNIQUE (message, recipient)
) STRICT;
CREATE INDEX notice_by_due ON notice (due) WHERE done IS NULL;
CREATE INDEX notice_by_letter ON notice (letter);
CREATE INDEX notice_by_done ON notice (recipient, done);

-- The last message about which it was settled who is told.
CREATE TABLE announced (one INTEGER PRIMARY KEY CHECK (one = 1), message INTEGER NOT NULL) STRICT;

PRAGMA user_version = 2;
