package effect

import (
	"strings"
	"testing"
)

func TestACommandIsKnownByWhatItsShellRuns(t *testing.T) {
	long := strings.Repeat("x", 200)
	for _, tt := range []struct {
		argv []string
		want string
	}{
		{[]string{"/usr/sbin/nft", "-c", "list ruleset"}, "/usr/sbin/nft"},
		{[]string{"/bin/sh", "-c", "wakeonlan 00:11:22:33:44:55"}, "wakeonlan 00:11:22:33:44:55"},
		{[]string{"/usr/bin/bash", "-c", " a;\n\tb\x1b[2J "}, "a; b\ufffd[2J"},
		{[]string{"/bin/sh", "-c", long}, long[:maxName] + "..."},
		{[]string{"/bin/sh", "-c", "echo $1", "x"}, "/bin/sh"},
		{[]string{"/bin/sh", "-c", "\n"}, "/bin/sh"},
		{[]string{"/bin/sh", "/a/script"}, "/bin/sh"},
	} {
		if got := nameOf(tt.argv); got != tt.want {
			t.Errorf("%q is called %q, want %q", tt.argv, got, tt.want)
		}
	}
}
