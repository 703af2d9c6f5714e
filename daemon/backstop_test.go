package daemon

import (
	"net/netip"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting/source/sourcetest"
)

// slowFacts answer when their time is over.
type slowFacts time.Duration

func (s slowFacts) Answer(engine.Question) engine.Answer {
	<-time.After(time.Duration(s))
	return engine.Answer{}
}

// The set that runs is loaded with the backstop: here a database holds the function.
func TestFunctionsOfTheRunningSetEndByTheClock(t *testing.T) {
	d := &daemon{config: Config{Log: hclog.NewNullLogger()}}
	set, err := d.load(sourcetest.Files(map[string]string{
		"a.lua": `sesame.listen "a" { on = "udp/9", on_knock = function(knock) local c = knock.country knock:log("on") end }`,
	}), nil)
	must(t, err)
	defer set.Close()
	at := time.Unix(1e9, 0)
	e := engine.New(engine.Config{}, at)
	e.SetFacts(slowFacts(8 * backstop))
	e.Swap(at, set.Engine)
	e.Packet(&packet.Packet{Time: at, Source: netip.MustParseAddr("203.0.113.9"), Port: packet.Port{Proto: packet.UDP, Number: 9}})
	if ended := e.TimedOut(); len(ended) != 1 || ended[0].Script != "a.lua" {
		t.Errorf("got %v, want a timeout of a.lua", ended)
	}
}
