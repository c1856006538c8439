-- Aborted behind every stage, and more than once: the next message of the connection is judged as if nothing had been.
dofile(folder .. "/session.lua")

local stages = {
    function(conn) must(mt.mailfrom(conn, "<evil@branch.test>"), "mail") end,
    function(conn) must(mt.rcptto(conn, "<reject@hq.test>"), "rcpt") end,
    function(conn) must(mt.rcptto(conn, "<dry@hq.test>"), "rcpt") end,
    function(conn) must(mt.data(conn), "data") end,
    function(conn) must(mt.header(conn, "X-Sekisho-Verdict", "clean; forged"), "header") end,
    function(conn)
        for _, header in ipairs(headers) do
            must(mt.header(conn, header[1], header[2]), "header")
        end
    end,
    function(conn) must(mt.eoh(conn), "end of header") end,
    function(conn) must(mt.bodyfile(conn, body), "body") end,
    function(conn) must(mt.bodyfile(conn, body), "body") end,
}

for _, steps in ipairs({ 0, ALL_STEPS }) do
    local conn = open(6, ALL_ACTIONS, steps)
    greet(conn)
    must(mt.abort(conn), "abort before any message")
    for last = 1, #stages do
        for stage = 1, last do
            stages[stage](conn)
        end
        must(mt.abort(conn), "abort")
        local what = "clean mail after an abort at stage " .. last
        envelope(conn, "a@hq.test")
        clean(conn)
        answers(conn, SMFIR_CONTINUE, what)
        does(conn, true, what, MT_HDRINSERT, "X-Sekisho-Verdict")
        does(conn, false, what, MT_HDRDELETE, "X-Sekisho-Verdict")
        does(conn, false, what, MT_RCPTDELETE, "<dry@hq.test>")
        does(conn, false, what, MT_BODYCHANGE)
    end
    must(mt.abort(conn), "abort behind a message")
    must(mt.abort(conn), "abort twice")
    envelope(conn, "reject@hq.test")
    malicious(conn)
    refuses(conn, "550", "malicious mail after all of it")
    mt.disconnect(conn)
end

-- Gone without a word at every stage: nobody else notices.
for last = 1, #stages do
    local conn = open(6, ALL_ACTIONS, 0)
    greet(conn)
    for stage = 1, last do
        stages[stage](conn)
    end
    mt.disconnect(conn, false)
end
local conn = open(6, ALL_ACTIONS, ALL_STEPS)
greet(conn)
envelope(conn, "a@hq.test")
malicious(conn)
answers(conn, SMFIR_DISCARD, "malicious mail after connections that broke off")
mt.disconnect(conn)
