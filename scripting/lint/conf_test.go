package lint

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

// loadBeside loads one script, a.lua, that names referenced files.
func loadBeside(t *testing.T, script string, files map[string]string) *scripting.Set {
	t.Helper()
	texts := maps.Clone(files)
	texts["a.lua"] = script
	set, err := scripting.Load(sourcetest.Files(texts), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

// TestOptionsThatAreSetElsewhere: what sesame.toml says already is no news.
func TestOptionsThatAreSetElsewhere(t *testing.T) {
	const intro = "[options] is for knockd alone, and Sesame does not use it: in sesame.toml "
	const conf = "OPTIONS\n[web]\nsequence = 7000,9000,8000,7500\ntcpflags = syn\ncommand = true\n"
	for _, tt := range []struct {
		name, options string
		machine       *Machine // nil: check was given scripts alone
		want          []string
	}{
		{"nothing is known", "[options]\nInterface = eth1\nUseSyslog\nPidFile = /run/x", nil,
			[]string{intro + `Interface is interfaces = ["eth1"], UseSyslog is [log] knockd_syslog = true, PidFile is nothing, since none is needed`}},
		{"nothing is said", "[options]\nInterface = eth1\nUseSyslog\nPidFile = /run/x", &Machine{},
			[]string{intro + `Interface is interfaces = ["eth1"], UseSyslog is [log] knockd_syslog = true`}},
		{"the interface is", "[options]\nInterface = eth1\nLogFile = /var/log/k", &Machine{Interfaces: true},
			[]string{intro + `LogFile is [log] knockd = "/var/log/k"`}},
		{"the lines are, one way or the other", "[options]\nInterface = eth1\nUseSyslog\nLogFile = /var/log/k", &Machine{Lines: true},
			[]string{intro + `Interface is interfaces = ["eth1"]`}},
		{"all is", "[options]\nInterface = eth1\nUseSyslog", &Machine{Interfaces: true, Lines: true}, nil},
		{"a pid file needs nothing", "[options]\nPidFile = /run/x", &Machine{}, nil},
		{"a comment that allows it is about other machines too", "# sesame:allow knockd as knockd has it\n[options]\nInterface = eth1", &Machine{Interfaces: true}, nil},
		{"a comment without a reason is not", "# sesame:allow knockd\n[options]\nInterface = eth1", &Machine{Interfaces: true}, []string{`"knockd" is allowed without a reason`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set := loadBeside(t, `sesame.knockd "/k"`, map[string]string{"/k": strings.Replace(conf, "OPTIONS", tt.options, 1)})
			var got []string
			for _, f := range CheckOn(set, tt.machine, nil, time.Time{}) {
				got = append(got, f.Message)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTwoDoorsAreToldOnce: what one door has to do with another is one finding,
// the one that gives the place of the other.
func TestTwoDoorsAreToldOnce(t *testing.T) {
	const rest = "\ntcpflags = syn\ncommand = true\n"
	for _, tt := range []struct {
		a, b string
		want []string
	}{
		{"4,2,3,1", "4,2,3,1", []string{`/k:5: prefix: it has the sequence of door "a" (/k:1): the same knocks open both`}},
		{"4,2,3,1,9", "4,2,3,1", []string{`/k:5: prefix: its sequence is how door "a" (/k:1) begins: whoever knocks that one opens this one on the way`}},
		{"4,2,3,1", "4,2,1,3", []string{`/k:6: knockd: "a" begins with the same knock, so whoever knocks at one of the two has begun both; and knockd drops ` +
			`this door's attempt when the one in "a" ends, which it does first, so there this door hardly ever opens, while here it does: give each its own first port`}},
	} {
		set := loadBeside(t, `sesame.knockd "/k"`, map[string]string{"/k": "[a]\nsequence = " + tt.a + rest + "[b]\nsequence = " + tt.b + rest})
		var got []string
		for _, f := range Check(set) {
			got = append(got, f.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s and %s (-want +got):\n%s", tt.a, tt.b, diff)
		}
	}
}

// TestAFileThatHasNoSequences: anyone who names the wrong file learns it once.
func TestAFileThatHasNoSequences(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines int
		allow bool // the first of them
		want  []string
	}{
		{"ten lines", 10, false, []string{"2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}},
		{"one more", 11, false, []string{`2: 11 lines are hardly meant as they are read; the first is here: this line is skipped: "icmp" is no protocol`}},
		{"one more, and one is meant", 11, true, []string{"4", "5", "6", "7", "8", "9", "10", "11", "12", "13"}},
		{"two more, and one is meant", 12, true, []string{`4: 11 lines are hardly meant`}},
		{"all that are counted", 1000, false, []string{`2: 1000 lines and more are hardly meant`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines := " 400,200,300,100\n"
			for i := range tt.lines {
				if i == 0 && tt.allow {
					lines += "# sesame:allow knockd it is so\n"
				}
				lines += fmt.Sprintf(" %d:icmp\n", i+1)
			}
			set := loadBeside(t, `sesame.door "a" { one_time_sequences = "/once", guards = 22 }`, map[string]string{"/once": lines})
			found := Check(set)
			if len(found) != len(tt.want) {
				t.Fatalf("%d findings, want %d: %v", len(found), len(tt.want), found)
			}
			for i, f := range found {
				if got := fmt.Sprintf("%d: %s", f.Line, f.Message); !strings.HasPrefix(got, tt.want[i]) || f.ID != Knockd {
					t.Errorf("%s: %s\nwant %s", f.ID, got, tt.want[i])
				}
			}
		})
	}
}
