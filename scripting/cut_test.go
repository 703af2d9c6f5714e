package scripting_test

import (
	"testing"
	"time"
)

func TestADoorAndAListenerCut(t *testing.T) {
	w := theScript(t, `
sesame.door "ssh" { sequence = { 1 }, guards = 22, cut = true }
sesame.door "web" { sequence = { 2 }, guards = 80, cut = false }
sesame.listen "beacon" { on = "udp/3", ports = "tcp/443", cut = true, on_knock = function(knock) knock:allow { port = "tcp/443" } end }`)
	w.knock(alice, "tcp/1", "tcp/2", "udp/3")
	w.later(time.Minute)
	w.want("open ssh 203.0.113.9", "allow 203.0.113.9/32 tcp/22 30s", "open web 203.0.113.9", "allow 203.0.113.9/32 tcp/80 30s",
		"open beacon 203.0.113.9", "allow 203.0.113.9/32 tcp/443 30s",
		"close ssh tcp/22 expired cut", "close web tcp/80 expired", "close beacon tcp/443 expired cut")
}

func TestADoorOfKnockdsPolicyCuts(t *testing.T) {
	w := theScript(t, `
sesame.policy "knockd"
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, cut = true }`)
	w.knock(alice, "tcp/1", "tcp/2")
	w.later(time.Minute)
	w.want("open ssh 203.0.113.9", "allow 203.0.113.9/32 tcp/22 30s", "close ssh tcp/22 expired cut")
}

// attempt:close and grant:close end a UDP flow, and a TCP session goes on.
func TestACloseEndsFlows(t *testing.T) {
	w := theScript(t, `
sesame.door "open" { sequence = { 1 }, guards = { "tcp/22", "udp/53" } }
sesame.door "shut" { sequence = { 2 }, on_open = function(attempt) attempt:close "open" end }`)
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open open 203.0.113.9", "allow 203.0.113.9/32 tcp/22 30s", "allow 203.0.113.9/32 udp/53 30s",
		"open shut 203.0.113.9", "close open tcp/22 closed_by_door", "close open udp/53 closed_by_door cut")
}
