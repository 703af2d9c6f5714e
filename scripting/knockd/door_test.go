package knockd

import (
	"errors"
	"io/fs"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// noFile has no one-time sequences.
func noFile(string) ([]byte, error) { return nil, fs.ErrNotExist }

func engineDoors(t *testing.T, text string, oneTime func(string) ([]byte, error)) []*engine.Door {
	t.Helper()
	f, err := Parse("/etc/knockd.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	doors, err := f.EngineDoors("gate.lua", oneTime)
	if err != nil {
		t.Fatal(err)
	}
	return doors
}

func TestEngineDoors(t *testing.T) {
	syn := engine.FlagTest{Set: packet.SYN}
	knocks := func(flags engine.FlagTest, ports ...packet.Port) (all []engine.Knock) {
		for _, p := range ports {
			all = append(all, engine.Knock{Port: p, Flags: flags})
		}
		return all
	}
	base := engine.Door{Name: "a", Script: "gate.lua", File: "/etc/knockd.conf", Line: 1, Policy: engine.PolicyKnockd, Group: "/etc/knockd.conf",
		Sequence: knocks(engine.FlagTest{}, tcp(1, 2)...), Within: 25 * time.Second, TTL: 10 * time.Second}
	with := func(change func(*engine.Door)) []*engine.Door {
		d := base
		change(&d)
		return []*engine.Door{&d}
	}
	for _, tt := range []struct {
		name, text string
		want       []*engine.Door
	}{
		{"no door", "[options]\n", nil},
		{"a door that only opens", door, with(func(*engine.Door) {})},
		{"flags of all knocks", "[a]\nsequence=1,2:udp\ntcpflags=syn\n", with(func(d *engine.Door) {
			d.Flags, d.Sequence = syn, append(knocks(syn, tcp(1)...), knocks(engine.FlagTest{}, udp(2))...)
		})},
		{"a target", door + "target=203.0.113.5\n", with(func(d *engine.Door) { d.Target = netip.MustParseAddr("203.0.113.5") })},
		{"a target that is unreachable: no packet concerns the door", door + "target=localhost\n", nil},
		{"times", door + "timeout=7\ncmd_timeout=3\n", with(func(d *engine.Door) { d.Within, d.TTL = 7*time.Second, 3*time.Second })},
		{"no time", door + "timeout=0\ncmd_timeout=0\n", with(func(d *engine.Door) { d.Within, d.TTL = 0, time.Millisecond })},
		{"less than no time", door + "timeout=-2147483648\ncmd_timeout=-1\n", with(func(d *engine.Door) { d.Within, d.TTL = 0, time.Millisecond })},
		{"the longest times", door + "timeout=2147483647\ncmd_timeout=2147483647\n", with(func(d *engine.Door) {
			d.Within, d.TTL = 2147483647*time.Second, 2147483647*time.Second
		})},
		{"a stop alone: nothing runs", door + "stop_command=x\n", with(func(*engine.Door) {})},
		{"a start", door + "start_command=x\n", with(func(d *engine.Door) { d.Hooks = engine.HookOpen })},
		{"a start for IPv6 alone", door + "command_6=x\n", with(func(d *engine.Door) { d.Hooks = engine.HookOpen })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := engineDoors(t, tt.text, noFile)
			if diff := cmp.Diff(tt.want, got, sameAddr, cmpopts.IgnoreFields(engine.Door{}, "Handler"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, d := range got {
				if (d.Handler != nil) != (d.Hooks != 0) {
					t.Errorf("%s: handler %v with hooks %d", d.Name, d.Handler, d.Hooks)
				}
			}
		})
	}
}

func TestCommands(t *testing.T) {
	shell := func(text string) []string { return []string{"/bin/sh", "-c", text} }
	run := func(start string) engine.Exec {
		return engine.Exec{Argv: shell(start), Timeout: time.Minute, AnyStatus: true}
	}
	undo := func(start, stop string, ttl time.Duration) engine.Exec {
		e := run(start)
		e.Undo, e.TTL = shell(stop), ttl
		return e
	}
	const four, six = "203.0.113.9", "2001:db8::9"
	for _, tt := range []struct {
		name, text, source string
		want               []engine.Operation
	}{
		{"a start", "command = a %IP%,%IP%%IP% %ip%", four, []engine.Operation{run("a 203.0.113.9,203.0.113.9203.0.113.9 %ip%")}},
		{"half a placeholder", "command = %IP%IP% %%IP%%", four, []engine.Operation{run("203.0.113.9IP% %203.0.113.9%")}},
		{"over IPv6", "command = a %IP%", six, []engine.Operation{run("a 2001:db8::9")}},
		{"a start and a stop", "command = a %IP%\nstop_command = b %IP%\ncmd_timeout = 3", four, []engine.Operation{undo("a 203.0.113.9", "b 203.0.113.9", 3*time.Second)}},
		{"10 seconds unless it says", "command = a\nstop_command = b", four, []engine.Operation{undo("a", "b", 10*time.Second)}},
		{"at once", "command = a\nstop_command = b\ncmd_timeout = 0", four, []engine.Operation{undo("a", "b", time.Millisecond)}},
		{"an empty stop", "command = a\nstop_command =", four, []engine.Operation{run("a")}},
		{"commands of IPv6", "command = a\nstop_command = b\ncommand_6 = c %IP%\nstop_command_6 = d %IP%", six, []engine.Operation{undo("c 2001:db8::9", "d 2001:db8::9", 10*time.Second)}},
		{"which IPv4 does not have", "command = a\nstop_command = b\ncommand_6 = c\nstop_command_6 = d", four, []engine.Operation{undo("a", "b", 10*time.Second)}},
		{"each falls back by itself", "command = a\nstop_command = b\ncommand_6 = c", six, []engine.Operation{undo("c", "b", 10*time.Second)}},
		{"an empty one does nothing", "command = a\nstop_command = b\ncommand_6 =", six, nil},
		{"an empty stop of IPv6", "command = a\nstop_command = b\nstop_command_6 =", six, []engine.Operation{run("a")}},
		{"IPv6 alone", "command_6 = c", four, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := engineDoors(t, door+tt.text+"\n", noFile)[0]
			reply, err := d.Handler.Handle(&engine.Call{Kind: engine.CallOpen, Door: d, Source: netip.MustParseAddr(tt.source)})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(engine.Decision{Operations: tt.want}, reply, cmpopts.IgnoreFields(engine.Exec{}, "Invocation")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOneTimeDoors(t *testing.T) {
	files := map[string]string{"/etc/list": "#1\n 2,3\nx:y\n4:udp\n", "/var/used": "#1\n"}
	read := func(path string) ([]byte, error) {
		if text, found := files[path]; found {
			return []byte(text), nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	knocks := func(ports ...packet.Port) (all []engine.Knock) {
		for _, p := range ports {
			all = append(all, engine.Knock{Port: p})
		}
		return all
	}
	of := []engine.OneTimeSequence{{Line: "2,3", Knocks: knocks(tcp(2, 3)...)}, {Line: "4:udp", Knocks: knocks(udp(4))}}
	for _, tt := range []struct {
		name, text string
		want       *engine.OneTime
	}{
		{"from the file", "[a]\none_time_sequences = /etc/list\n", &engine.OneTime{File: "/etc/list", Sequences: of}},
		{"beside knockd.conf", "[a]\none_time_sequences = ../etc/list\n", &engine.OneTime{File: "/etc/list", Sequences: of}},
		{"by another name of the same", "[a]\none_time_sequences = /etc//x/../list\n", &engine.OneTime{File: "/etc/list", Sequences: of}},
		{"a sequence before those", "[a]\none_time_sequences = /etc/list\nsequence = 9\n", &engine.OneTime{File: "/etc/list",
			Sequences: append([]engine.OneTimeSequence{{Knocks: knocks(tcp(9)...)}}, of...)}},
		{"all used", "[a]\none_time_sequences = /var/used\n", &engine.OneTime{File: "/var/used"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := engineDoors(t, tt.text, read)[0]
			if diff := cmp.Diff(tt.want, d.OneTime); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			first := []engine.Knock(nil)
			if len(tt.want.Sequences) > 0 {
				first = tt.want.Sequences[0].Knocks
			}
			if diff := cmp.Diff(first, d.Sequence); diff != "" {
				t.Errorf("the sequence (-want +got):\n%s", diff)
			}
		})
	}

	f, err := Parse("/etc/knockd.conf", []byte("[a]\none_time_sequences = /gone\n"+"[b]\nsequence = 1\n"+"[c]\none_time_sequences = /gone\x1b\n"))
	if err != nil {
		t.Fatal(err)
	}
	doors, err := f.EngineDoors("gate.lua", read)
	want := `/etc/knockd.conf:2: reading the one-time sequences of the door "a" from "/gone": open /gone: file does not exist` + "\n" +
		`/etc/knockd.conf:6: reading the one-time sequences of the door "c" from "/gone\x1b": open ` + "/gone\x1b" + `: file does not exist`
	if doors != nil || err == nil || err.Error() != want || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("doors %v, error\n%v\nwant\n%s", doors, err, want)
	}
}
