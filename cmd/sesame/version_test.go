package main

import (
	"runtime/debug"
	"testing"
)

func TestVersion(t *testing.T) {
	settings := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{
			{Key: "vcs.revision", Value: "b5315111260d45316f09a3d4c54fe832ff46bd5a"}, {Key: "vcs.time", Value: "2026-03-01T12:00:00Z"}, {Key: "vcs.modified", Value: modified},
		}
	}
	const commit = "commit b5315111260d45316f09a3d4c54fe832ff46bd5a"
	for _, tt := range []struct {
		name string
		info *debug.BuildInfo
		want string
	}{
		{"a release", &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: settings("false")}, "sesame v1.2.3\n" + commit + "\ndate   2026-03-01T12:00:00Z\n"},
		{"changed files", &debug.BuildInfo{Main: debug.Module{Version: "v1.2.4-0.20260301120000-b5315111260d+dirty"}, Settings: settings("true")},
			"sesame v1.2.4-0.20260301120000-b5315111260d+dirty\n" + commit + ", and files that were changed since\ndate   2026-03-01T12:00:00Z\n"},
		{"no checkout", &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "sesame (devel)\ncommit unknown\ndate   unknown\n"},
		{"nothing", nil, "sesame (unknown)\ncommit unknown\ndate   unknown\n"},
	} {
		if got := readBuild(tt.info, tt.info != nil).String(); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
