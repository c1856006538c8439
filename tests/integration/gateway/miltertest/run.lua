-- Runs `script`, and says how often it was refused what; or why it ended: miltertest itself is silent about that.
local held, why = pcall(dofile, folder .. "/" .. script)
if not held then
    mt.echo(tostring(why))
    error(why)
end
mt.echo(string.format("%d tempfail, %d reject", refused["451"], refused["550"]))
