package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// A recording has its own scripts and options. Flags that would change them, or silently replace
// them by those of this machine, are refused.
func TestARecordingIsReplayedWithItsOwnScripts(t *testing.T) {
	path, err := filepath.Abs("../../simulate/testdata/version1.pcapng.gz")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // no ./scripts is here
	for _, tt := range []struct {
		flags []string
		want  string // after the name of the recording; "": it is replayed
	}{
		{nil, ""},
		{[]string{"--set", "ttl=1h"}, "leave out --set, or name scripts with -s"},
		{[]string{"-c", "gone.toml"}, "leave out -c, or name scripts with -s"},
		{[]string{"-c", "gone.toml", "--set", "ttl=1h"}, "leave out -c and --set, or name scripts with -s"},
	} {
		var stdout, stderr bytes.Buffer
		status := run(append(append([]string{"simulate"}, tt.flags...), path), strings.NewReader(""), &stdout, &stderr)
		switch {
		case tt.want == "" && (status == couldNot || stdout.Len() == 0):
			t.Errorf("%q: status %d, %s", tt.flags, status, stderr.String())
		case tt.want != "" && (status != couldNot || stdout.Len() > 0 || !strings.HasSuffix(stderr.String(),
			path+" is a recording of the daemon, which is replayed with its own scripts and options: "+tt.want+"\n")):
			t.Errorf("%q: status %d, %s%s", tt.flags, status, stdout.String(), stderr.String())
		}
	}
}
