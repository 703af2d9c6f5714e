package scripting_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/lint"
	"sesame/scripting/source"
	"sesame/scripting/source/sourcetest"
)

// theConf loads a script with referenced files.
func theConf(t *testing.T, script string, files map[string]string) *world {
	t.Helper()
	texts := map[string]string{"ssh.lua": script}
	maps.Copy(texts, files)
	return theScripts(t, texts, scripting.Options{})
}

func names(set *engine.Set) []string {
	var names []string
	for _, d := range set.Doors {
		names = append(names, d.Name)
	}
	return names
}

func TestTheDoorsOfAKnockdFileAreAGroup(t *testing.T) {
	w := theScript(t, `
sesame.policy "knockd"
sesame.door "open" { sequence = { 7000, 8000, 9000 }, within = "5s", flags = "syn", guards = 22 }
sesame.listen "beacon" { on = "udp/1", on_knock = function() end }
sesame.door "any" { sequence = { "tcp/1111", "udp/2222" }, within = "0s", flags = "any", target = "203.0.113.80", guards = 80 }
sesame.door "zero" { sequence = { "tcp/0", "udp/0", 0, "tcp/5" }, guards = 81 }`)
	if diff := cmp.Diff([]string{"open", "any", "zero", "beacon"}, names(w.set.Engine)); diff != "" {
		t.Errorf("the doors of a group stand together (-want +got):\n%s", diff)
	}
	open, anything, zero, beacon := w.set.Engine.Doors[0], w.set.Engine.Doors[1], w.set.Engine.Doors[2], w.set.Engine.Doors[3]
	for _, d := range []*engine.Door{open, anything, zero} {
		if d.Policy != engine.PolicyKnockd || d.Group != "ssh.lua" {
			t.Errorf("%s has policy %d and group %q", d.Name, d.Policy, d.Group)
		}
	}
	if beacon.Policy != engine.PolicySesame || beacon.Group != "" {
		t.Error("a listener is of a group")
	}
	syn := engine.FlagTest{Set: packet.SYN}
	if open.Flags != syn || open.Sequence[2] != (engine.Knock{Port: packet.Port{Proto: packet.TCP, Number: 9000}, Flags: syn}) || open.Within != 5*time.Second {
		t.Errorf("open is %+v", open)
	}
	if anything.Flags != (engine.FlagTest{}) || anything.Within != 0 || anything.Target != netip.MustParseAddr("203.0.113.80") {
		t.Errorf("any is %+v", anything)
	}
	if zero.Within != 10*time.Second || zero.Flags != engine.SYN || zero.Sequence[1].Port != (packet.Port{Proto: packet.UDP}) || zero.Sequence[2].Port != (packet.Port{Proto: packet.TCP}) {
		t.Errorf("zero is %+v", zero)
	}

	t.Log("# a repeat is a wrong knock, and a port of no door is none")
	w.knock(alice, "tcp/7000", "tcp/7000", "tcp/8000", "tcp/9000", "tcp/7000", "tcp/1234", "tcp/8000", "tcp/9000")
	w.want("open open 203.0.113.9", "allow 203.0.113.9/32 tcp/22 30s")
}

func TestATargetAndAnyFlagsAreForAllPolicies(t *testing.T) {
	w := theScript(t, `sesame.door "ssh" { sequence = { "tcp/7421", "udp/9133" }, flags = "any", target = "::ffff:203.0.113.5", guards = 22 }`)
	d := w.set.Engine.Doors[0]
	if d.Target != netip.MustParseAddr("203.0.113.5") || d.Sequence[0].Flags != (engine.FlagTest{}) || d.Policy != engine.PolicySesame {
		t.Errorf("the door is %+v", d)
	}
}

func TestOneTimeSequences(t *testing.T) {
	const script = `POLICY
sesame.door "ssh" { FIRST one_time_sequences = "once", flags = "syn", guards = 22 }`
	const file = "# 1,2\n 7421,9133:udp \n\nbad:icmp\n4,5:udp,6"
	syn := engine.FlagTest{Set: packet.SYN}
	tcp := func(n uint16) engine.Knock {
		return engine.Knock{Port: packet.Port{Proto: packet.TCP, Number: n}, Flags: syn}
	}
	udp := func(n uint16) engine.Knock { return engine.Knock{Port: packet.Port{Proto: packet.UDP, Number: n}} }
	lines := []engine.OneTimeSequence{
		{Line: "7421,9133:udp", Knocks: []engine.Knock{tcp(7421), udp(9133)}},
		{Line: "4,5:udp,6", Knocks: []engine.Knock{tcp(4), udp(5), tcp(6)}},
	}
	first := engine.OneTimeSequence{Knocks: []engine.Knock{tcp(1), tcp(2)}}
	for _, tt := range []struct {
		name, first string
		want        []engine.OneTimeSequence
	}{
		{"of a file alone", "", lines},
		{"and the script's own before them", "sequence = { 1, 2 },", append([]engine.OneTimeSequence{first}, lines...)},
	} {
		for _, policy := range []string{"", `sesame.policy "knockd"`} {
			t.Run(tt.name+policy, func(t *testing.T) {
				w := theConf(t, strings.NewReplacer("POLICY", policy, "FIRST", tt.first).Replace(script), map[string]string{"/srv/scripts/once": file})
				d := w.set.Engine.Doors[0]
				if diff := cmp.Diff(&engine.OneTime{File: "/srv/scripts/once", Sequences: tt.want}, d.OneTime); diff != "" {
					t.Errorf("sequences (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.want[0].Knocks, d.Sequence); diff != "" {
					t.Errorf("the door begins elsewhere (-want +got):\n%s", diff)
				}
				if f := w.set.Files[1]; f.Path != "/srv/scripts/once" || !f.OneTime || !f.Referenced() || string(f.Source) != file {
					t.Errorf("the files are %+v", w.set.Files)
				}
				if len(w.set.Warnings) != 1 || w.set.Warnings[0].Line != 4 {
					t.Errorf("the warnings are %+v", w.set.Warnings)
				}
			})
		}
	}
}

func TestOneTimeSequencesAreUsedOnce(t *testing.T) {
	w := theConf(t, `sesame.door "ssh" { sequence = { 1, 2 }, one_time_sequences = "/once", guards = 22 }`, map[string]string{"/once": "3,4"})
	w.knock(alice, "tcp/3", "tcp/4", "tcp/1", "tcp/2", "tcp/1", "tcp/2")
	if got := opens(w); got != 1 {
		t.Errorf("the script's own opened it %d times", got)
	}
	w.knock(bob, "tcp/3", "tcp/4", "tcp/3", "tcp/4")
	if got := opens(w); got != 1 {
		t.Errorf("the line of the file opened it %d times", got)
	}
}

func opens(w *world) (n int) {
	for _, event := range w.got {
		if event.Kind == engine.EventOpen {
			n++
		}
	}
	w.got = nil
	return n
}

func TestAnEmptyFileOfSequences(t *testing.T) {
	for _, text := range []string{"", "# 1,2\n"} {
		w := theConf(t, `sesame.door "ssh" { one_time_sequences = "/once", guards = 22 }`, map[string]string{"/once": text})
		w.knock(alice, "tcp/1", "tcp/2")
		if got := opens(w); got != 0 || len(w.set.Engine.Doors[0].Sequence) != 0 {
			t.Errorf("%q opened %d times", text, got)
		}
		found := lint.Check(w.set)
		if !slices.ContainsFunc(found, func(f lint.Finding) bool { return f.ID == lint.UsedUp }) {
			t.Errorf("nobody says so: %v", found)
		}
	}
}

// TestAFileOfPasswords names a file that has no sequence. A knock would mark a line of it.
func TestAFileOfPasswords(t *testing.T) {
	const text = "root:$6$salt$hash:19000:0:99999:7:::\n"
	for name, files := range map[string]map[string]string{
		"a door":        {"a.lua": `sesame.door "ssh" { one_time_sequences = "/shadow", guards = 22 }`, "/shadow": text},
		"a knockd.conf": {"a.lua": `sesame.knockd "/knockd.conf"`, "/knockd.conf": "[a]\none_time_sequences = /shadow\n", "/shadow": text},
	} {
		_, err := scripting.Load(sourcetest.Files(files), scripting.Options{})
		if err == nil || !strings.Contains(err.Error(), "line 1 is no sequence") || strings.Contains(err.Error(), "salt") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAStatusThatDoesNotMatter(t *testing.T) {
	w := theScript(t, `
local strict = sesame.command { "/bin/a" }
local easy   = sesame.command { "/bin/b", status = "any" }
sesame.door "ssh" { sequence = { 1, 2 }, on_open = function(attempt) attempt:exec(strict) attempt:exec(easy) end }`)
	if w.set.Commands[0].AnyStatus || !w.set.Commands[1].AnyStatus {
		t.Errorf("the commands are %+v", w.set.Commands)
	}
	w.knock(alice, "tcp/1", "tcp/2")
	for _, event := range w.got {
		if event.Effect == engine.EffectExec && event.Argv[0] == "/bin/b" {
			w.got = nil
			w.see(w.e.Result(w.now, event.ID, &engine.CommandError{Status: 3}))
			if len(w.got) != 1 || w.got[0].Kind != engine.EventFailed || w.got[0].Status != 3 {
				t.Errorf("after a run that failed: %+v", w.got)
			}
			return
		}
	}
	t.Error("the command was not run")
}

// What a function does does not depend on its commands, except on those that it needs.
func TestACommandThatIsRequired(t *testing.T) {
	for required, want := range map[bool]string{false: "failed", true: "failed close"} {
		w := theScript(t, fmt.Sprintf(`
local audit = sesame.command { "/usr/local/bin/audit", required = %t }
sesame.door "ssh" { sequence = { 1, 2 }, guards = "tcp/22", on_open = function(attempt) attempt:allow() attempt:exec(audit) end }`, required))
		w.knock(alice, "tcp/1", "tcp/2")
		run := w.got[len(w.got)-1]
		if run.Effect != engine.EffectExec || run.Required != required {
			t.Fatalf("the last event is %+v", run)
		}
		w.got = nil
		w.see(w.e.Result(w.now, run.ID, errors.New("no such file or directory")))
		var kinds []string
		for _, event := range w.got {
			if event.Effect != engine.EffectPersist {
				kinds = append(kinds, event.Kind.Name())
			}
		}
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("required %t: %s, want %s", required, got, want)
		}
	}
}

const seedConf = `[options]
	UseSyslog
	logfile = /var/log/knockd.log
	interface = eth1

[opencloseSSH]
	sequence      = 2222:udp,3333:tcp,4444:udp
	seq_timeout   = 15
	tcpflags      = syn
	start_command = /sbin/iptables -A INPUT -s %IP% -j ACCEPT
	stop_command  = /sbin/iptables -D INPUT -s %IP% -j ACCEPT
	cmd_timeout   = 20

# sesame:allow no-effect it is only to be seen in the log
[nothing]
	sequence = 9,8,7/udp,6

[six]
	sequence  = 1009,1008,1003,1006
	command_6 = echo {%IP%}
`

func TestAKnockdConfIsReadDirectly(t *testing.T) {
	w := theConf(t, `
sesame.door "own" { sequence = { 2222, 3333 }, guards = 23 }
sesame.knockd "/etc/knockd.conf"
sesame.door "other" { sequence = { 5, 6 }, guards = 24 }`, map[string]string{"/etc/knockd.conf": seedConf})
	if diff := cmp.Diff([]string{"own", "opencloseSSH", "nothing", "six", "other"}, names(w.set.Engine)); diff != "" {
		t.Errorf("doors (-want +got):\n%s", diff)
	}
	d := w.set.Engine.Doors[1]
	if d.File != "/etc/knockd.conf" || d.Line != 6 || d.Group != d.File || d.Script != "ssh.lua" || d.Policy != engine.PolicyKnockd || d.Within != 15*time.Second {
		t.Errorf("the door is %+v", d)
	}
	if own := w.set.Engine.Doors[0]; own.Policy != engine.PolicySesame {
		t.Error("the other doors have its policy")
	}
	w.knock(alice, "udp/2222", "tcp/3333", "udp/4444")
	w.want("open opencloseSSH 203.0.113.9", `exec ["/bin/sh" "-c" "/sbin/iptables -A INPUT -s 203.0.113.9 -j ACCEPT"]`)
	w.later(20 * time.Second)
	w.want("close opencloseSSH none/0 expired", `undo ["/bin/sh" "-c" "/sbin/iptables -D INPUT -s 203.0.113.9 -j ACCEPT"]`)
	w.knock(alice, "tcp/1009", "tcp/1008", "tcp/1003", "tcp/1006")
	w.want("open six 203.0.113.9")
	w.knock(bob, "tcp/1009", "tcp/1008", "tcp/1003", "tcp/1006")
	w.want("open six 2001:db8::7", `exec ["/bin/sh" "-c" "echo {2001:db8::7}"]`)
}

func TestWhatAKnockdConfCanDoIsTold(t *testing.T) {
	w := theConf(t, `sesame.knockd "/etc/knockd.conf"`, map[string]string{"/etc/knockd.conf": seedConf})
	effects := lint.Effects(w.set)
	if len(effects) != 1 || effects[0].File != "/etc/knockd.conf" || len(effects[0].Doors) != 3 || effects[0].Commands != nil {
		t.Fatalf("effects of %+v", effects)
	}
	want := [][]lint.Command{
		{{Name: "opencloseSSH", Line: 10, Argv: []string{"/bin/sh", "-c", "/sbin/iptables -A INPUT -s {source} -j ACCEPT"},
			Undo: []string{"/bin/sh", "-c", "/sbin/iptables -D INPUT -s {source} -j ACCEPT"}}},
		nil,
		{{Name: "six", Line: 20, Argv: []string{"/bin/sh", "-c", "echo {{{source}}}"}}},
	}
	for i, d := range effects[0].Doors {
		if diff := cmp.Diff(want[i], d.Commands); diff != "" {
			t.Errorf("commands of %s (-want +got):\n%s", d.Name, diff)
		}
	}

	var got []string
	for _, f := range lint.Check(w.set) {
		got = append(got, f.String())
	}
	for _, want := range []string{
		"/etc/knockd.conf:1: knockd: [options] is for knockd alone", `Interface is interfaces = ["eth1"]`, `LogFile is [log] knockd = "/var/log/knockd.log"`, "UseSyslog is [log] knockd_syslog = true",
		"/etc/knockd.conf:16: knockd:", "7/udp",
	} {
		if !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("no finding says %q:\n%s", want, strings.Join(got, "\n"))
		}
	}
	for _, unwanted := range []string{"no-effect", "unused-allow", "strict"} {
		if strings.Contains(strings.Join(got, "\n"), unwanted) {
			t.Errorf("a finding says %q:\n%s", unwanted, strings.Join(got, "\n"))
		}
	}
}

func TestADoorOfAKnockdConfInAKnockdFile(t *testing.T) {
	w := theConf(t, `
sesame.policy "knockd"
sesame.door "a" { sequence = { 1, 2 }, guards = 22 }
sesame.knockd "/etc/knockd.conf"
sesame.door "b" { sequence = { 2, 1 }, guards = 22 }`, map[string]string{"/etc/knockd.conf": "[c]\nsequence = 1,3\ncommand = x\n"})
	if diff := cmp.Diff([]string{"a", "b", "c"}, names(w.set.Engine)); diff != "" {
		t.Errorf("two groups, each together (-want +got):\n%s", diff)
	}
}

// TestAScriptWithAKnockdConfStartsAgain breaks the Lua state of a script: what it
// reads is not read again.
func TestAScriptWithAKnockdConfStartsAgain(t *testing.T) {
	w := theConf(t, `
sesame.knockd "/etc/knockd.conf"
sesame.door "once" { one_time_sequences = "/once", guards = 23 }
local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt) if attempt.family == "ipv6" then deep(1e6) end attempt:allow() end }`,
		map[string]string{"/etc/knockd.conf": "[c]\nsequence = 11,13\ncommand = x\n", "/once": "21,22"})
	w.knock(bob, "tcp/1", "tcp/2")
	w.got = nil
	w.knock(alice, "tcp/1", "tcp/2")
	w.want("open ssh 203.0.113.9", "allow 203.0.113.9/32 tcp/22 30s")
	w.knock(alice, "tcp/11", "tcp/13")
	w.want("open c 203.0.113.9", `exec ["/bin/sh" "-c" "x"]`)
}

// TestWhatStandsBeforeThePolicy: the message names what is to go below it.
func TestWhatStandsBeforeThePolicy(t *testing.T) {
	for script, want := range map[string]string{
		"local x = 1\nsesame.door \"a\" { sequence = { 1, 2 }, guards = 22 }\nsesame.listen \"b\" { on = 9, on_knock = function() end }\nsesame.policy \"knockd\"": `a.lua:4:1: sesame.policy: it stands behind sesame.door "a" in line 2: write it at the head of the file`,
		"sesame.knockd \"/k\"\nsesame.door \"a\" { sequence = { 1, 2 }, guards = 22 }\nsesame.policy \"knockd\"":                                                   `a.lua:3:1: sesame.policy: it stands behind sesame.knockd in line 1: write it at the head of the file`,
		"require \"m\"\nsesame.policy \"knockd\"":            `a.lua:2:1: sesame.policy: it stands behind sesame.door "m" in lib/m.lua:2: write it at the head of the file`,
		"sesame.policy \"knockd\"\nsesame.policy \"sesame\"": `a.lua:2:1: sesame.policy: it is named twice: a file has one policy`,
	} {
		_, err := scripting.Load(sourcetest.Files(map[string]string{
			"a.lua":     script,
			"lib/m.lua": "\nsesame.door \"m\" { sequence = { 1, 2 }, guards = 22 }",
			"/k":        "[c]\nsequence = 1,3\ncommand = x\n",
		}), scripting.Options{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngives %v\nwant  %s", script, err, want)
		}
	}
}

// TestADoorWithoutASequence: what is proposed is what the policy takes.
func TestADoorWithoutASequence(t *testing.T) {
	for _, policy := range []string{"", `sesame.policy "knockd" `} {
		_, err := scripting.Load(sourcetest.Files(map[string]string{"a.lua": policy + `sesame.door "a" { guards = 22 }`}), scripting.Options{})
		if err == nil || !strings.Contains(err.Error(), `sequence is missing: expected 1 to 32 ports, such as sequence = { "tcp/7421", "udp/9133" }, or the path of a file of them in one_time_sequences`) || strings.Contains(err.Error(), "flags") {
			t.Errorf("%v", err)
		}
	}
}

func TestNothingReadsReferencedFiles(t *testing.T) {
	files := source.Of("scripts", "", []source.File{{Path: "a.lua", Source: []byte(`sesame.knockd "/etc/knockd.conf"
sesame.knockd "knockd.conf"`)}})
	_, err := scripting.Load(files, scripting.Options{})
	if err == nil || !strings.Contains(err.Error(), "a.lua:1:1: sesame.knockd: reading /etc/knockd.conf: it was not kept with the scripts") ||
		!strings.Contains(err.Error(), `a.lua:2:1: sesame.knockd: "knockd.conf" is a relative path`) {
		t.Errorf("%v", err)
	}
}
