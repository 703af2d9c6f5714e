package daemon

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/knockdlog"
	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

func TestCommandsThatCannotBeRun(t *testing.T) {
	text := `local good = sesame.command { "/bin/sh", undo = { "/bin/sh" } }
local half = sesame.command { "/bin/sh", undo = { "/nowhere/undo" } }
`
	for i := range 30 {
		text += fmt.Sprintf("local c%[1]d = sesame.command { '/nowhere/%[1]d' }\n", i)
	}
	set, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": text}), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	list, count := unrunnable(set, false)
	if len(list) != maxUnrunnable || count != 31 {
		t.Errorf("%d of %d", len(list), count)
	}
	want := control.Unrunnable{Command: "half", Program: "/nowhere/undo", Undo: true, File: "a.lua", Line: 2, Problem: "/nowhere/undo does not exist: install it, or correct the path"}
	if diff := cmp.Diff(want, list[0]); diff != "" {
		t.Errorf("the first (-want +got):\n%s", diff)
	}
}

// A failing command is forgotten when the scripts do not have it any more: so is one that was
// mended, whose program they still have.
func TestCommandsThatASetStillHas(t *testing.T) {
	set, err := scripting.Load(sourcetest.Files(map[string]string{
		"/srv/knockd.conf": "[web]\n sequence = 7000\n start_command = echo {%IP%}\n cmd_timeout = 9\n stop_command = :\n",
		"a.lua": `sesame.knockd "/srv/knockd.conf"
			local nft = sesame.command { "/nft", "add", "{source}", undo = { "/undo", "{source}" } }
			sesame.door "a" { sequence = { "udp/501" }, on_open = function(a) a:exec(nft) end }`,
	}), scripting.Options{})
	must(t, err)
	defer set.Close()
	has := hasCommand(set)
	for _, tt := range []struct {
		failing effect.FailingCommand
		want    bool
	}{
		{effect.FailingCommand{Door: "a", Program: "/nft", Argv: []string{"/nft", "add", "{source}"}}, true},
		{effect.FailingCommand{Program: "/nft", Argv: []string{"/nft", "add", "{source}"}}, true},
		{effect.FailingCommand{Door: "a", Program: "/nft", Argv: []string{"/nft", "ad", "{source}"}}, false},
		{effect.FailingCommand{Door: "b", Program: "/nft", Argv: []string{"/nft", "add", "{source}"}}, false},
		{effect.FailingCommand{Door: "a", Program: "/undo", Undo: true}, true},
		{effect.FailingCommand{Door: "a", Program: "/nft", Undo: true}, false},
		{effect.FailingCommand{Door: "web", Program: "/bin/sh", Argv: []string{"/bin/sh", "-c", "echo {{{source}}}"}}, true},
		{effect.FailingCommand{Door: "web", Program: "/bin/sh", Argv: []string{"/bin/sh", "-c", "ehco {{{source}}}"}}, false},
		{effect.FailingCommand{Door: "web", Program: "/bin/sh", Undo: true}, true},
	} {
		if got := has(tt.failing); got != tt.want {
			t.Errorf("%+v: %v", tt.failing, got)
		}
	}
}

// What strangers cause has one line a minute at info, and each has one at debug.
func TestMissesAreSummarised(t *testing.T) {
	var text bytes.Buffer
	log := hclog.New(&hclog.LoggerOptions{Output: &text, Level: hclog.Info, DisableTime: true})
	knockd, err := knockdlog.Open(config.Log{}, "", nil, log)
	if err != nil {
		t.Fatal(err)
	}
	r := newReporter(control.NewTail(), knockd, nil, log)
	r.setDoors([]*engine.Door{{Name: "bell", Sequence: make([]engine.Knock, 1)}, {Name: "ssh", Sequence: make([]engine.Knock, 3)}})
	begin := time.Date(2026, 11, 24, 23, 14, 5, 0, time.UTC)
	for i := range 300 {
		now := begin.Add(time.Duration(i) * time.Second)
		who := netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i % 7)}), 32)
		r.events([]engine.Event{
			{Kind: engine.EventMiss, Time: now, Door: "ssh", Source: who},
			{Kind: engine.EventRefuse, Time: now, Door: "web", Source: who},
			{Kind: engine.EventOpen, Time: now, Door: "bell", Source: who},
		})
		r.summarise(now)
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 15 {
		t.Errorf("%d lines, want 5 of each kind in five minutes:\n%s", len(lines), &text)
	}
	want := []string{
		"[INFO]  attempts ended without opening: count=1 doors=ssh sources=1 last_source=203.0.113.0",
		"[INFO]  complete knocks were refused: count=1 doors=web sources=1 last_source=203.0.113.0",
		"[INFO]  doors opened that anybody can knock at: count=1 doors=bell sources=1 last_source=203.0.113.0",
		"[INFO]  attempts ended without opening: count=60 doors=ssh sources=7 last_source=203.0.113.4 over=59s",
	}
	if diff := cmp.Diff(want, lines[:4]); diff != "" {
		t.Errorf("logged (-want +got):\n%s", diff)
	}
	t.Log("# who knows a sequence has a line for each opening")
	text.Reset()
	for range 20 {
		r.events([]engine.Event{{Kind: engine.EventOpen, Time: begin.Add(time.Hour), Door: "ssh", Source: netip.MustParsePrefix("203.0.113.9/32")}})
	}
	if n := strings.Count(text.String(), "[INFO]  open: door=ssh source=203.0.113.9\n"); n != 20 {
		t.Errorf("%d lines, want 20:\n%s", n, &text)
	}
}
