sesame.test "four knocks start the server, and three stop it" {
  { knock = { "tcp/7000", "tcp/3000", "tcp/55000", "tcp/1500" }, opens = "openSSH", runs = { argv = { "/bin/sh", "-c", "/etc/init.d/ssh start" } } },
  { knock = { "tcp/9000", "tcp/8000", "tcp/7000" }, opens = "closeSSH", runs = { argv = { "/bin/sh", "-c", "/etc/init.d/ssh stop" } } },
}

sesame.test "five seconds are the limit" {
  { knock = { "tcp/7000", "tcp/3000", "tcp/55000", "tcp/1500" }, delay = "1600ms", opens = "openSSH" },
  { wait = "10s" },
  { knock = { "tcp/7000", "tcp/3000", "tcp/55000", "tcp/1500" }, delay = "1800ms", misses = { "openSSH", reason = "total_timeout" } },
  { wait = "10s" },
  { knock = { "tcp/9000", "tcp/8000", "tcp/7000" }, delay = "2400ms", opens = "closeSSH" },
  { wait = "10s" },
  { knock = { "tcp/9000", "tcp/8000", "tcp/7000" }, delay = "2700ms", misses = { "closeSSH", reason = "total_timeout" } },
}

local function acknowledgements(...)
  local packets = {}
  for i, port in ipairs { ... } do packets[i] = { port, flags = "ack" } end
  return packets
end

sesame.test "a knock is a SYN" {
  { knock = acknowledgements("tcp/7000", "tcp/3000", "tcp/55000", "tcp/1500") },
  { knock = acknowledgements("tcp/9000", "tcp/8000", "tcp/7000") },
}
