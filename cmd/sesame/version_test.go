package main

import (
	"testing"

	"sesame/daemon/build"
)

func TestVersionText(t *testing.T) {
	const commit = "b5315111260d45316f09a3d4c54fe832ff46bd5a"
	for _, tt := range []struct {
		build build.Info
		want  string
	}{
		{build.Info{Version: "1.2.3", Commit: commit, Date: "2026-03-01T12:00:00Z"}, "sesame 1.2.3\ncommit " + commit + "\ndate   2026-03-01T12:00:00Z\n"},
		{build.Info{Version: "1.2.3+modified", Commit: commit, Date: "2026-03-01T12:00:00Z", Modified: true},
			"sesame 1.2.3+modified\ncommit " + commit + ", and files that were changed since\ndate   2026-03-01T12:00:00Z\n"},
	} {
		if got := versionText(tt.build); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
