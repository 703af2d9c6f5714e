-- Each of these tests fails, or says why it would not: failures.txt has the results.
sesame.test "a wrong hour" { at = "2026-11-29 09:00 Europe/Madrid", { knock = "files", opens = "files" } }
sesame.test "a country" { facts = { ["203.0.113.9"] = { country = "FR" } }, { knock = "files", opens = "files" } }
sesame.test "two doors" { { knock = { "tcp/7421", "tcp/1111", "udp/9133", "tcp/2222", "tcp/2904" } , opens = "closer" }, }
sesame.test "slow" { { knock = "ssh", delay = "4s", opens = "ssh" } }
sesame.test "typo" { { knock = { "tcp/7421", "udp/9133", "tcp/2905", "tcp/6117" }, opens = "ssh" } }
sesame.test "acks" { { knock = { {"tcp/7421", flags="syn,ack"}, "udp/9133", "tcp/2904", "tcp/6117" }, opens = "ssh" } }
sesame.test "order" { { knock = { "udp/9133", "tcp/7421", "tcp/2904", "tcp/6117" }, opens = "ssh" } }
sesame.test "not expected" { { knock = "ssh" }, {wait="30s" } }
sesame.test "closes not expected" { { knock = "ssh", opens = "ssh" }, {wait="30s" } }
sesame.test "twice" { { knock = "ssh", opens = {"ssh", times = 2} } }
sesame.test "unknown" { { knock = "sshh" } }
sesame.test "unknown expected" { { knock = "ssh", opens = "sshd" } }
sesame.test "back" { at="2026-11-29 09:00 Europe/Madrid", { knock = "ssh", opens = "ssh" }, {at="2026-11-29 08:00 Europe/Madrid"} }
sesame.test "audit" { exits={audit=3}, { knock = {{"udp/62201", payload="x"}}, opens = "beacon", allows = {port="tcp/80"}, runs="audit", logs="beacon of 2" } }
sesame.test "fault" { { knock = {{"udp/62201", payload="fail"}}, refuses = { "beacon", reason="script_error"} } }
sesame.test "fault not expected" { { knock = {{"udp/62201", payload="fail"}}} }
sesame.test "on_close" { { knock = "closer", opens = "closer" }, {wait="10s", closes="closer"} }
sesame.test "exits" { exits={aubit=3}, { knock = "ssh", opens = "ssh" } }
sesame.test "missing" { { replay = "nothing.pcap" } }
sesame.test "other destination" { host = "192.0.2.7", { knock = "ssh", opens = "ssh" }, {knock="ssh", from="2001:db8::1", opens = "ssh"} }
sesame.test "no data" { { knock = "files", refuses = {"files", reason="no_data"} } }
sesame.test "clock" { synchronised=false, facts = { ["203.0.113.9"] = { country = "ES" } }, { knock = "files", refuses = {"files", reason="clock"} } }
sesame.test "another ttl" { { knock = "ssh", opens = "ssh", allows = { port = "tcp/22", ttl = "1h" } } }
sesame.test "another reason" { { knock = { "tcp/7421", "udp/9133", "tcp/6117" }, misses = { "ssh", reason = "total_timeout" } } }
sesame.test "no miss" { { knock = { "tcp/7421" }, misses = "ssh" } }
sesame.test "a miss" { { knock = { "tcp/7421", "udp/9133", "tcp/6117" } } }
