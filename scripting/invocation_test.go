package scripting_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/scripting"
)

// TestInvocationsMakeTheSameArguments fills the arguments of each run a second time, as a process
// does that does not believe the one that decided.
func TestInvocationsMakeTheSameArguments(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		files        map[string]string
		source       string
		values       map[string]string
	}{
		{"a script", `local ban = sesame.command { "/sbin/ban", "{source} {{x}}", "{level}", choices = { level = { "low", "{high}" } },
  undo = { "/sbin/ban", "-d{port}", "{door}" } }
sesame.door "ssh" { sequence = { 1, 2 }, guards = 22, on_open = function(attempt) attempt:exec(ban, { level = "{high}", port = 2222 }) end }`,
			nil, alice, map[string]string{"source": alice, "level": "{high}", "port": "2222", "door": "ssh"}},
		{"a knockd.conf", `sesame.knockd "/etc/knockd.conf"`,
			map[string]string{"/etc/knockd.conf": "[a]\nsequence = 1,2\ncommand = echo {%IP%}} ${X}\nstop_command = b %IP% {source}\n"}, alice, map[string]string{"source": alice}},
		{"a knockd.conf for IPv6", `sesame.knockd "/etc/knockd.conf"`,
			map[string]string{"/etc/knockd.conf": "[a]\nsequence = 1,2\ncommand = a %IP%\ncommand_6 = b {{%IP%\n"}, bob, map[string]string{"source": bob}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := theConf(t, tt.script, tt.files)
			w.knock(tt.source, "tcp/1", "tcp/2")
			var undo []string
			ran := false
			for _, e := range w.got {
				if e.Effect == engine.EffectPersist {
					undo = e.Persist.Grant.Undo
				}
				if e.Effect != engine.EffectExec {
					continue
				}
				ran = true
				if diff := cmp.Diff(tt.values, e.Invocation.Values); diff != "" {
					t.Errorf("values (-want +got):\n%s", diff)
				}
				for _, again := range []struct{ declared, want []string }{{e.Invocation.Argv, e.Argv}, {e.Invocation.Undo, undo}} {
					if got, err := scripting.Fill(again.declared, e.Invocation.Values); err != nil || !cmp.Equal(again.want, got) && len(again.want)+len(got) > 0 {
						t.Errorf("%q is filled to %q, %v: want %q", again.declared, got, err, again.want)
					}
				}
				if command := w.set.Commands; !cmp.Equal(command[len(command)-1].Argv, e.Invocation.Argv) || !cmp.Equal(command[len(command)-1].Undo, e.Invocation.Undo) {
					t.Errorf("the declared command is %q with %q, the invocation %+v", command[len(command)-1].Argv, command[len(command)-1].Undo, e.Invocation)
				}
			}
			if !ran {
				t.Error("nothing ran")
			}
		})
	}
}

// TestArgumentsThatCannotBeFilled has what no loaded set declares.
func TestArgumentsThatCannotBeFilled(t *testing.T) {
	for _, tt := range []struct{ argument, want string }{
		{"{source}", `unknown placeholder {source}: expected one of a`},
		{"{", `a lone "{": write it twice, or a placeholder such as {source}`},
	} {
		if got, err := scripting.Fill([]string{"/bin/a", tt.argument}, map[string]string{"a": "1"}); err == nil || err.Error() != tt.want {
			t.Errorf("%q is filled to %q, %v: want %s", tt.argument, got, err, tt.want)
		}
	}
}
