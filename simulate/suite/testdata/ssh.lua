local audit = sesame.command { "/usr/local/bin/audit", "{source}" }
local hours = sesame.window { days = "mon-fri", from = "08:00", to = "19:00", tz = "Europe/Madrid" }
local iberia = sesame.country { "ES", "PT" }
sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, guards = "tcp/22", ttl = "30s" }
sesame.door "files" { sequence = { "tcp/4519", "udp/8204", "tcp/3127", "udp/6990" }, guards = "tcp/445", ttl = "1h", when = { hours, iberia }, ends_with = hours }
sesame.listen "beacon" { on = "udp/62201", guards = "tcp/8006", on_knock = function(knock)
  if knock.payload == "fail" then error("no") end
  if not sesame.store:once(knock.payload, "1d") then return false, "used" end
  knock:allow()
  knock:exec(audit)
  knock:log("beacon of", #knock.payload)
end }
local pass = sesame.command { "/sbin/pass", "{source}", undo = { "/sbin/pass", "-d", "{source}" }, ttl = "1m" }
sesame.door "pass" { sequence = { "tcp/5111", "tcp/6222", "tcp/7334" }, on_open = function(attempt) attempt:exec(pass) end }
sesame.door "closer" { sequence = { "tcp/1111", "tcp/2222", "tcp/3334" }, guards = "tcp/80", ttl = "10s", on_close = function() error("in on_close") end }
