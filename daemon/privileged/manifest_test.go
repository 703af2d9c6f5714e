//go:build linux

package privileged

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestValues has values that pass, and those that a daemon that was taken over may send.
func TestValues(t *testing.T) {
	d := declared{
		argv: []string{"/bin/a", "{source}/{port}", "{{{door}}}"}, undo: []string{"/bin/b", "{level}"}, timeout: time.Second,
		choices: map[string][]string{"level": {"low", "--high"}},
	}
	isDoor := func(name string) bool { return name == "ssh" }
	good := map[string]string{"source": "2001:db8::7", "port": "22", "door": "ssh", "level": "--high"}
	argv, undo, err := d.fill(good, isDoor)
	if diff := cmp.Diff([]string{"/bin/a", "2001:db8::7/22", "{ssh}"}, argv); err != nil || diff != "" || !cmp.Equal(undo, []string{"/bin/b", "--high"}) {
		t.Errorf("%v, undo %q (-want +got):\n%s", err, undo, diff)
	}
	for _, tt := range []struct{ name, value, want string }{
		{"source", "203.0.113.9", ""},
		{"source", "203.0.113.9/32", `{source} is "203.0.113.9/32": expected an address`},
		{"source", "203.0.113.9; reboot", `{source} is "203.0.113.9; reboot": expected an address`},
		{"source", "2001:DB8::7", `{source} is "2001:DB8::7": expected an address`},
		{"source", "fe80::1%$(reboot)", `{source} is "fe80::1%$(reboot)": expected an address`},
		{"source", "", `{source} is "": expected an address`},
		{"port", "0", ""},
		{"port", "65535", ""},
		{"port", "65536", `{port} is "65536": expected a number from 0 to 65535`},
		{"port", "022", `{port} is "022": expected a number from 0 to 65535`},
		{"port", "+22", `{port} is "+22": expected a number from 0 to 65535`},
		{"port", "-1", `{port} is "-1": expected a number from 0 to 65535`},
		{"port", "22 -j ACCEPT", `{port} is "22 -j ACCEPT": expected a number from 0 to 65535`},
		{"door", "shut", `{door} is "shut", and there is no such door`},
		{"door", "", `{door} is "", and there is no such door`},
		{"level", "low", ""},
		{"level", "lo", `{level} is "lo", which is none of its choices`},
		{"level", "", `{level} is "", which is none of its choices`},
		{"ttl", "1s", `the command has no placeholder {ttl}`},
		{"", "x", `the command has no placeholder {}`},
	} {
		values := map[string]string{}
		for name, value := range good {
			values[name] = value
		}
		values[tt.name] = tt.value
		argv, _, err := d.fill(values, isDoor)
		switch got := ""; {
		case err != nil:
			if got = err.Error(); got != tt.want {
				t.Errorf("%s = %q: got %s, want %s", tt.name, tt.value, got, tt.want)
			}
		case tt.want != "":
			t.Errorf("%s = %q is taken: %q", tt.name, tt.value, argv)
		}
	}
	for name := range good {
		values := map[string]string{}
		for other, value := range good {
			if other != name {
				values[other] = value
			}
		}
		if argv, undo, err := d.fill(values, isDoor); err == nil || !strings.Contains(err.Error(), "{"+name+"}") {
			t.Errorf("without %s: %q, %q, %v", name, argv, undo, err)
		}
	}
}

func TestArgumentsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 256)
	d := declared{argv: []string{"/bin/a", strings.Repeat("{a}", maxFilled/256/2)}, undo: []string{strings.Repeat("{a}", maxFilled/256/2)}, timeout: 1, choices: map[string][]string{"a": {long}}}
	if _, _, err := d.fill(map[string]string{"a": long}, nil); err == nil || err.Error() != "its arguments have 1048582 bytes: at most 1048576" {
		t.Errorf("got %v", err)
	}
	d.argv[0] = ""
	if _, _, err := d.fill(map[string]string{"a": long}, nil); err != nil {
		t.Error(err)
	}
}

// TestTheSetBefore has what may run after a set was replaced.
func TestTheSetBefore(t *testing.T) {
	set := func(program, door string) *manifest {
		return &manifest{doors: []string{door}, commands: []declared{{argv: []string{program, "{door}"}, timeout: time.Second}}, files: []namedFile{{"/once/" + door, true}, {"/list", false}}}
	}
	var k catalog
	start := time.Unix(1000, 0)
	tried := func(program, door string, at time.Time) string {
		r, err := k.find(commandHash([]string{program, "{door}"}, nil), door, map[string]string{"door": door}, at)
		if err != nil {
			return err.Error()
		}
		return strings.Join(r.argv, " ")
	}
	const undeclared = "no script declares the command now: it may have been changed or removed"
	if got := tried("/a", "ssh", start); got != undeclared {
		t.Errorf("without a set: %s", got)
	}
	a, b, c := hash{1}, hash{2}, hash{3}
	k.replace(set("/a", "ssh"), a)
	if k.apply(b, start) || !k.apply(a, start) {
		t.Error("a set is applied that is not the newest, or the newest is not")
	}
	t.Log("# one that was read and is not applied: both count, for any time")
	k.replace(set("/b", "web"), b)
	for _, at := range []time.Time{start, start.Add(100 * time.Hour)} {
		if got := tried("/a", "ssh", at) + ", " + tried("/b", "web", at); got != "/a ssh, /b web" {
			t.Errorf("at %v: %s", at, got)
		}
	}
	if !k.apply(b, start.Add(time.Second)) || !k.apply(b, start.Add(time.Minute)) {
		t.Error("the newest is not applied")
	}
	last := start.Add(time.Second + handover - 1)
	for _, tt := range []struct {
		program, door string
		at            time.Time
		want          string
	}{
		{"/b", "web", start, "/b web"},
		{"/a", "ssh", last, "/a ssh"},
		{"/a", "web", last, undeclared},
		{"/c", "web", last, undeclared},
		{"/b", "ssh", last, `there is no door "ssh" now`},
		{"/a", "ssh", last.Add(1), `there is no door "ssh" now`},
		{"/b", "web", last.Add(time.Hour), "/b web"},
	} {
		if got := tried(tt.program, tt.door, tt.at); got != tt.want {
			t.Errorf("%s for %s at %v: got %s, want %s", tt.program, tt.door, tt.at, got, tt.want)
		}
	}
	for path, want := range map[string]error{"/once/web": nil, "/once/ssh": errNoFile, "/list": errNoFile, "/etc/shadow": errNoFile} {
		if err := k.mayComment(path, last.Add(1)); err != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	k.replace(set("/x", "ssh"), hash{4})
	k.replace(set("/c", "ssh"), c) // the daemon refused the one before
	if got := tried("/x", "ssh", last.Add(time.Hour)); got != undeclared {
		t.Errorf("of a set that was refused: %s", got)
	}
	if err := k.mayComment("/once/web", last.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if got := tried("/a", "ssh", last.Add(time.Hour)); got != undeclared {
		t.Errorf("of the set before the one before: %s", got)
	}
}
