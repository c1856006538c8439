-- Whatever an MTA offers and leaves out, in every version: nothing else is asked for, nothing is done that it did not
-- offer, and what cannot be done is to be tried again instead of let through.
dofile(folder .. "/session.lua")

local function try(version, actions, steps)
    local what = string.format("version %d, actions %#x, steps %#x: ", version, actions, steps)
    local conn = open(version, actions, steps)
    for _, bit in ipairs(ACTIONS) do
        if mt.test_action(conn, bit) and not has(actions, bit) then
            error(what .. string.format("action %#x was not offered", bit))
        end
    end
    for _, bit in ipairs(STEPS) do
        local offered = has(steps, bit) and (version > 2 or bit < 0x80)
        if mt.test_option(conn, bit) and not offered then
            error(what .. string.format("step %#x was not offered", bit))
        end
    end
    greet(conn)
    local add, body = has(actions, ADD_HEADERS), has(actions, CHANGE_BODY)
    local drop, change = has(actions, DELETE_RECIPIENTS), has(actions, CHANGE_HEADERS)

    envelope(conn, "a@hq.test")
    clean(conn)
    answers(conn, SMFIR_CONTINUE, what .. "clean mail")
    does(conn, add, what .. "verdict", version > 2 and MT_HDRINSERT or MT_HDRADD, "X-Sekisho-Verdict")

    envelope(conn, "a@hq.test")
    clean(conn, { "X-Sekisho-Verdict", "clean; forged" })
    if change then
        answers(conn, SMFIR_CONTINUE, what .. "forged header")
        does(conn, true, what .. "forged header", MT_HDRDELETE, "X-Sekisho-Verdict")
    else
        refuses(conn, "451", what .. "forged header")
    end

    envelope(conn, "strip@hq.test")
    malicious(conn)
    if change and body then
        answers(conn, SMFIR_CONTINUE, what .. "strip")
        does(conn, true, what .. "strip", MT_BODYCHANGE)
    else
        refuses(conn, "451", what .. "strip")
    end

    envelope(conn, "tag@hq.test", "a@hq.test")
    malicious(conn)
    if add and drop then
        answers(conn, SMFIR_CONTINUE, what .. "some recipients")
        does(conn, true, what .. "some recipients", MT_RCPTDELETE, "<a@hq.test>")
        does(conn, false, what .. "some recipients", MT_RCPTDELETE, "<tag@hq.test>")
    else
        refuses(conn, "451", what .. "some recipients")
    end

    envelope(conn, "a@hq.test")
    malicious(conn)
    answers(conn, SMFIR_DISCARD, what .. "quarantine")

    envelope(conn, "reject@hq.test")
    malicious(conn)
    refuses(conn, "550", what .. "reject")
    mt.disconnect(conn)
end

for number = 0, 2 ^ #ACTIONS - 1 do
    local actions = 0
    for place, bit in ipairs(ACTIONS) do
        if has(number, 2 ^ (place - 1)) then
            actions = actions + bit
        end
    end
    for _, version in ipairs({ 2, 6 }) do
        try(version, actions, 0)
        try(version, actions, ALL_STEPS)
    end
end
for version = 2, 6 do
    for _, step in ipairs(STEPS) do
        try(version, ALL_ACTIONS, step)
        try(version, ALL_ACTIONS, ALL_STEPS - step)
    end
end
