package daemon

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sesame/daemon/config"
	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/state"
	"sesame/scripting"
	"sesame/scripting/difference"
	"sesame/scripting/source"
)

const proofDoors = `
sesame.door "two" { sequence = { 1, 2 }, within = "10s", guards = "tcp/22" }
sesame.door "one" { sequence = { 3 }, guards = "tcp/23" }
sesame.listen "word" { on = "udp/4", bytes = { [1] = "v1" }, on_knock = function(knock) knock:allow { port = "tcp/24" } end }
sesame.door "seen" { sequence = { 5, 6 }, guards = "tcp/25", mode = "observe" }
sesame.door "same" { sequence = { 7, 8 }, guards = "tcp/26" }
`

// A proving is a proof that is given events.
type proving struct {
	*proof
	began time.Time
	ids   uint64
}

func newProving(t *testing.T) *proving {
	t.Helper()
	set, err := scripting.Load(source.Of("scripts", "", []source.File{{Path: "a.lua", Source: []byte(proofDoors)}}), scripting.Options{})
	must(t, err)
	t.Cleanup(set.Close)
	p := &proving{began: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	var changes []difference.Change
	for _, name := range []string{"two", "one", "word", "seen"} {
		changes = append(changes, difference.Change{Kind: difference.Door, Name: name, What: "ttl"})
	}
	changes = append(changes, difference.Change{Kind: difference.Door, Name: "same", What: difference.Gone}, difference.Change{Kind: difference.Command, Name: "same", What: "ttl"})
	p.proof = newProof(p.began, set, changes)
	if len(p.lacking) != 2 {
		t.Errorf("these must be opened: %v", p.lacking)
	}
	delete(p.lacking, "word") // most of these tests are about one
	delete(p.lacking, "two")
	return p
}

var (
	eve = netip.MustParsePrefix("203.0.113.9/32")
	tom = netip.MustParsePrefix("203.0.113.10/32")
)

func (p *proving) stage(door string, source netip.Prefix, stage int) {
	p.events([]engine.Event{{Kind: engine.EventStage, Door: door, Source: source, Stage: stage}})
}

// open gives an opening with one effect, so long after the beginning, and returns the effect.
func (p *proving) open(door string, source netip.Prefix, after time.Duration, effect engine.Effect) uint64 {
	p.ids++
	p.events([]engine.Event{
		{Kind: engine.EventOpen, Door: door, Source: source, Time: p.began.Add(after)},
		{Kind: engine.EventEffect, Effect: effect, Door: door, Source: source, ID: p.ids},
	})
	return p.ids
}

func (p *proving) proves() string {
	select {
	case why := <-p.proved:
		return why
	default:
		return ""
	}
}

// What an opening proves depends on when its attempt began, and on what became of its effects.
func TestProof(t *testing.T) {
	const early, late = 3 * time.Second, 11 * time.Second
	for _, c := range []struct {
		name string
		do   func(*proving) uint64 // returns the effect whose result comes
		err  error
		want string // "": nothing is proved
	}{
		{"a new attempt", func(p *proving) uint64 {
			p.stage("two", eve, 1)
			p.stage("two", eve, 2)
			return p.open("two", eve, early, engine.EffectAllow)
		}, nil, "door two was opened from 203.0.113.9"},
		{"a command", func(p *proving) uint64 {
			p.stage("two", eve, 1)
			return p.open("two", eve, early, engine.EffectExec)
		}, nil, "door two was opened from 203.0.113.9"},
		{"a line in the log", func(p *proving) uint64 {
			p.stage("two", eve, 1)
			return p.open("two", eve, early, engine.EffectLog)
		}, nil, ""},
		{"an effect that fails", func(p *proving) uint64 {
			p.stage("two", eve, 1)
			return p.open("two", eve, early, engine.EffectAllow)
		}, errors.New("no firewall"), ""},
		{"another effect", func(p *proving) uint64 {
			p.stage("two", eve, 1)
			return p.open("two", eve, early, engine.EffectAllow) + 1
		}, nil, ""},
		{"an attempt from before", func(p *proving) uint64 {
			p.stage("two", eve, 2)
			return p.open("two", eve, early, engine.EffectAllow)
		}, nil, ""},
		{"an attempt of somebody else", func(p *proving) uint64 {
			p.stage("two", tom, 1)
			return p.open("two", eve, early, engine.EffectAllow)
		}, nil, ""},
		{"one that ended, and an attempt from before", func(p *proving) uint64 {
			p.stage("two", eve, 1)
			p.events([]engine.Event{{Kind: engine.EventMiss, Door: "two", Source: eve}})
			return p.open("two", eve, early, engine.EffectAllow)
		}, nil, ""},
		{"after the time of the door", func(p *proving) uint64 { return p.open("two", eve, late, engine.EffectAllow) }, nil, "door two was opened from 203.0.113.9"},
		{"at the end of its time", func(p *proving) uint64 { return p.open("two", eve, 10*time.Second, engine.EffectAllow) }, nil, ""},
		{"secret bytes", func(p *proving) uint64 { return p.open("word", eve, early, engine.EffectAllow) }, nil, "door word was opened from 203.0.113.9"},
		{"a door of one knock", func(p *proving) uint64 {
			p.stage("one", eve, 1)
			return p.open("one", eve, late, engine.EffectAllow)
		}, nil, ""},
		{"a door that observes", func(p *proving) uint64 {
			p.stage("seen", eve, 1)
			return p.open("seen", eve, late, engine.EffectAllow)
		}, nil, ""},
		{"a door that did not change", func(p *proving) uint64 {
			p.stage("same", eve, 1)
			return p.open("same", eve, late, engine.EffectAllow)
		}, nil, ""},
		{"an effect without an opening", func(p *proving) uint64 {
			p.stage("two", eve, 1)
			p.events([]engine.Event{{Kind: engine.EventEffect, Effect: engine.EffectAllow, Door: "two", Source: eve, ID: 7}})
			return 7
		}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newProving(t)
			p.result(c.do(p), c.err)
			if got := p.proves(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Each door that changed must be opened: one that works says nothing about another.
func TestProofOfEachDoor(t *testing.T) {
	p := newProving(t)
	p.lacking = map[string]bool{"two": true, "word": true}
	p.result(p.open("word", eve, time.Hour, engine.EffectAllow), nil)
	p.result(p.open("word", tom, time.Hour, engine.EffectAllow), nil)
	if why := p.proves(); why != "" || !p.lacking["two"] || len(p.lacking) != 1 {
		t.Errorf("proved: %q, and %v lack", why, p.lacking)
	}
	p.result(p.open("two", eve, time.Hour, engine.EffectAllow), errors.New("no firewall"))
	if why := p.proves(); why != "" {
		t.Errorf("an effect that failed: %q", why)
	}
	p.result(p.open("two", eve, time.Hour, engine.EffectAllow), nil)
	if why := p.proves(); why != "door two was opened from 203.0.113.9" {
		t.Errorf("proved: %q", why)
	}
}

// Strangers fill no memory, and one proof is enough.
func TestProofIsBounded(t *testing.T) {
	p := newProving(t)
	for i := range maxFresh + 10 {
		p.stage("two", netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}), 32), 1)
	}
	if len(p.fresh) != maxFresh {
		t.Errorf("%d attempts", len(p.fresh))
	}
	for range maxAwaited + 10 {
		p.open("two", eve, time.Hour, engine.EffectAllow)
	}
	if len(p.awaited) != maxAwaited {
		t.Errorf("%d effects", len(p.awaited))
	}
	for id := range p.ids {
		p.result(id, nil)
	}
	if len(p.awaited) != 0 || p.proves() == "" || p.proves() != "" {
		t.Errorf("%d effects are left", len(p.awaited))
	}
}

func TestSessionsProve(t *testing.T) {
	age := func(d time.Duration) *control.Duration { a := control.Duration(d); return &a }
	for _, c := range []struct {
		request control.ConfirmRequest
		want    string // "": it proves
	}{
		{control.ConfirmRequest{SessionAge: age(time.Minute - 1), Session: "sshd, process 7"}, ""},
		{control.ConfirmRequest{SessionAge: age(time.Minute), Session: "sshd, process 7"}, "your session (sshd, process 7) was opened before the trial"},
		{control.ConfirmRequest{SessionAge: age(time.Hour)}, "your session (not named) was opened before"},
		{control.ConfirmRequest{}, "it is not known when your session was opened"},
		{control.ConfirmRequest{SessionAge: age(time.Hour), Force: true}, ""},
		{control.ConfirmRequest{Force: true}, ""},
	} {
		err := proves(&c.request, time.Minute)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "sesame confirm --force")) {
			t.Errorf("%+v: %v, want %q", c.request, err, c.want)
		}
	}
}

// What waits at a start is what was tried, or what changed while files wait for a person.
func TestHeldAtAStart(t *testing.T) {
	set := func(text string) (*scripting.Set, *source.Files) {
		files := source.Of("scripts", "", []source.File{{Path: "a.lua", Source: []byte(text)}})
		set, err := scripting.Load(files, scripting.Options{})
		must(t, err)
		t.Cleanup(set.Close)
		return set, files
	}
	good, _ := set(triedDoor)
	other, _ := set(otherDoor)
	mark := func(why control.Hold) *state.Held { return &state.Held{Why: string(why)} }
	for _, c := range []struct {
		name, reload string
		held         *state.Held
		on           *scripting.Set
		want         control.Hold
		text         string
	}{
		{"nothing", "auto", nil, other, "", ""},
		{"a trial ran", "auto", &state.Held{Running: true, Why: "trial"}, other, control.HeldByTrial, "were on trial"},
		{"a trial ran, of others", "auto", &state.Held{Running: true, Why: "trial"}, good, "", ""},
		{"tried", "auto", mark(control.HeldByTrial), other, control.HeldByTrial, "were on trial"},
		{"given up", "auto", mark(control.HeldByReturn), other, control.HeldByReturn, "a person ended that"},
		{"from elsewhere", "auto", mark(control.HeldByFrom), other, control.HeldByFrom, "scripts of /new were put in force instead"},
		{"tried, and put back", "auto", mark(control.HeldByTrial), good, "", ""},
		{"changed, and nobody asked", "manual", nil, other, control.HeldByManual, `reload = "manual"`},
		{"tried, in manual mode", "manual", mark(control.HeldByTrial), other, control.HeldByTrial, "were on trial"},
		{"the same", "manual", nil, good, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := &daemon{config: Config{Config: config.Config{Reload: c.reload}}}
			hold, text := d.heldAtStart(stateFound{saved: state.Saved{Held: c.held, From: "/new"}}, good, c.on)
			if hold != c.want || !strings.Contains(text, c.text) || (text == "") != (c.text == "") {
				t.Errorf("%q, %q; want %q, %q", hold, text, c.want, c.text)
			}
		})
	}
}

// A grant from before a trial lets a new session in, whatever the scripts do by then.
func TestLetInBeforeATrial(t *testing.T) {
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	port := packet.Port{Proto: packet.TCP, Number: 22}
	given := func(door string, source netip.Prefix, after time.Duration) engine.Grant {
		return engine.Grant{Door: door, Source: source, Port: port, TTL: time.Hour, End: began.Add(after).Add(time.Hour)}
	}
	observed, command := given("ssh", eve, -1), given("ssh", eve, -1)
	observed.Observed, command.Port = true, packet.Port{}
	network := netip.MustParsePrefix("203.0.113.0/24")
	for name, c := range map[string]struct {
		grants []engine.Grant
		from   netip.Addr
		want   bool
	}{
		"no grant":                  {nil, eve.Addr(), false},
		"one from before":           {[]engine.Grant{given("ssh", eve, -1)}, eve.Addr(), true},
		"of the neighbours, before": {[]engine.Grant{given("ssh", network, -1)}, eve.Addr(), true},
		"of somebody else":          {[]engine.Grant{given("ssh", tom, -1)}, eve.Addr(), false},
		"of a knock in it":          {[]engine.Grant{given("ssh", eve, 0)}, eve.Addr(), false},
		"both":                      {[]engine.Grant{given("ssh", eve, -1), given("web", eve, 1)}, eve.Addr(), false},
		"by hand":                   {[]engine.Grant{given("", eve, 1)}, eve.Addr(), true},
		"from nowhere":              {[]engine.Grant{given("ssh", eve, -1)}, netip.Addr{}, false},
		"that opened nothing":       {[]engine.Grant{observed, command}, eve.Addr(), false},
	} {
		if got := letInBefore(c.grants, c.from, began); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestATrialThatAStartEnds(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, held := range []*state.Held{nil, {Why: "trial"}, {Why: "from"}} {
		if o := trialAtStart(held, now); o != nil {
			t.Errorf("%+v: %+v", held, o)
		}
	}
	o := trialAtStart(&state.Held{Running: true, Why: "trial", From: "/new"}, now)
	if o == nil || o.kind != control.Held || o.hold != control.HeldByTrial || o.trial.from != "/new" || !strings.Contains(o.text, "scripts of /new were on trial when the daemon ended") {
		t.Errorf("%+v", o)
	}
}
