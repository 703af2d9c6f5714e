sesame.script "beacon"

local audit = sesame.command { "/usr/local/bin/audit", "{source}" }

sesame.listen "beacon" {
  on       = "udp/62201",
  length   = 20,                -- tested before the limit and before Lua
  prefix   = "SESA",
  guards   = "tcp/8006",
  ttl      = "5m",
  on_knock = function(knock)
    if not sesame.store:once(knock.payload:sub(5), "3650d") then return false, "used" end
    knock:allow()
    knock:exec(audit)
  end,
}
