-- Macros in any set, at any stage, or none at all; stages left out; a client without an address.
dofile(folder .. "/session.lua")

local sets = {
    {},
    { { SMFIC_CONNECT, "j", "mx.hq.test" } },
    { { SMFIC_MAIL, "i", "Q1" } },
    { { SMFIC_MAIL, "{auth_authen}", "taro" } },
    { { SMFIC_MAIL, "{auth_authen}", "" } },
    { { SMFIC_RCPT, "i", "Q2" }, { SMFIC_RCPT, "{rcpt_addr}", "a@hq.test" } },
    { { SMFIC_HELO, "i", "Q3" }, { SMFIC_MAIL, "i", "" } },
    { { SMFIC_CONNECT, "i", string.rep("Q", 500) }, { SMFIC_RCPT, "{nobody_knows}", "x" } },
}
for number, set in ipairs(sets) do
    local conn = open(6, ALL_ACTIONS, number % 2 == 0 and ALL_STEPS or 0)
    local function tell(stage)
        for _, macro in ipairs(set) do
            if macro[1] == stage then
                must(mt.macro(conn, stage, macro[2], macro[3]), "macro")
            end
        end
    end
    tell(SMFIC_CONNECT)
    must(mt.conninfo(conn, "localhost", "127.0.0.1"), "connect")
    tell(SMFIC_HELO)
    must(mt.helo(conn, "mx.branch.test"), "helo")
    for _ = 1, 2 do
        tell(SMFIC_MAIL)
        must(mt.mailfrom(conn, "<taro@branch.test>"), "mail")
        tell(SMFIC_RCPT)
        must(mt.rcptto(conn, "<reject@hq.test>"), "rcpt")
        malicious(conn)
        refuses(conn, "550", "set " .. number)
    end
    mt.disconnect(conn)
end

-- A client of no known family matches no route by address: the default holds.
local conn = open(6, ALL_ACTIONS, 0)
must(mt.conninfo(conn, "localhost", "unspec"), "connect")
must(mt.helo(conn, "mx.branch.test"), "helo")
envelope(conn, "reject@hq.test")
malicious(conn)
answers(conn, SMFIR_DISCARD, "a client without an address")
-- The null sender, no header at all, no body at all.
must(mt.mailfrom(conn, "<>"), "mail")
must(mt.rcptto(conn, "<a@hq.test>"), "rcpt")
must(mt.eoh(conn), "end of header")
must(mt.eom(conn), "end of message")
answers(conn, SMFIR_CONTINUE, "an empty mail")
mt.disconnect(conn)
