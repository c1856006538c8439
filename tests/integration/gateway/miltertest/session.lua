-- What the scripts share. Given by -D: `socket` of the milter, `folder` of these files, `mail`: a file that sets
-- `headers` (pairs) and `body` (a file) of a malicious mail.

dofile(mail)

-- What an MTA may offer (mfdef.h).
ADD_HEADERS = 0x1
CHANGE_BODY = 0x2
DELETE_RECIPIENTS = 0x8
CHANGE_HEADERS = 0x10
SET_MACROS = 0x100
ACTIONS = { ADD_HEADERS, CHANGE_BODY, DELETE_RECIPIENTS, CHANGE_HEADERS, SET_MACROS }
ALL_ACTIONS = 0x1ff
-- No answers to: headers, CONNECT, HELO, MAIL, RCPT, DATA, unknown commands, the end of the header, body; then no
-- unknown commands, and blanks as they are.
STEPS = { 0x80, 0x1000, 0x2000, 0x4000, 0x8000, 0x10000, 0x20000, 0x40000, 0x80000, 0x100, 0x100000 }
ALL_STEPS = 0x1ff7ff

function has(set, bit)
    return math.floor(set / bit) % 2 == 1
end

function must(failed, what)
    if failed ~= nil then
        error(what .. ": " .. tostring(failed), 2)
    end
end

function open(version, actions, steps)
    local conn = mt.connect(socket, 50, 0.1)
    if conn == nil then
        error("no connection", 2)
    end
    -- Unlike its manual says, miltertest takes the steps before the actions.
    must(mt.negotiate(conn, version, steps, actions), "negotiate")
    return conn
end

function greet(conn)
    must(mt.conninfo(conn, "localhost", "127.0.0.1"), "connect")
    must(mt.helo(conn, "mx.branch.test"), "helo")
end

function envelope(conn, ...)
    must(mt.mailfrom(conn, "<taro@branch.test>"), "mail")
    for _, to in ipairs({ ... }) do
        must(mt.rcptto(conn, "<" .. to .. ">"), "rcpt")
    end
end

function clean(conn, more)
    must(mt.header(conn, "From", "Taro <taro@branch.test>"), "header")
    must(mt.header(conn, "Subject", "Minutes"), "header")
    must(mt.header(conn, "Message-ID", "<clean@branch.test>"), "header")
    if more ~= nil then
        must(mt.header(conn, more[1], more[2]), "header")
    end
    must(mt.eoh(conn), "end of header")
    must(mt.bodystring(conn, "Nothing of note.\r\n"), "body")
    must(mt.eom(conn), "end of message")
end

function malicious(conn)
    for _, header in ipairs(headers) do
        must(mt.header(conn, header[1], header[2]), "header")
    end
    must(mt.eoh(conn), "end of header")
    must(mt.bodyfile(conn, body), "body")
    must(mt.eom(conn), "end of message")
end

-- The last answer is this one.
function answers(conn, wanted, what)
    local got = mt.getreply(conn)
    if got ~= wanted then
        error(what .. ": answer " .. string.char(got) .. ", not " .. string.char(wanted), 2)
    end
end

-- Refusals by code: miltertest does not tell the codes apart, so that they are counted and compared with the metrics.
refused = { ["451"] = 0, ["550"] = 0 }

function refuses(conn, code, what)
    answers(conn, SMFIR_REPLYCODE, what)
    refused[code] = refused[code] + 1
end

function does(conn, wanted, what, ...)
    if mt.eom_check(conn, ...) ~= wanted then
        error(what .. (wanted and ": not done" or ": done"), 2)
    end
end
