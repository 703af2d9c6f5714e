package build

import (
	"runtime/debug"
	"testing"
)

const (
	commit = "b5315111260d45316f09a3d4c54fe832ff46bd5a"
	date   = "2026-03-01T12:00:00Z"
)

func TestVersions(t *testing.T) {
	stamp := func(version, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: commit}, {Key: "vcs.time", Value: date}, {Key: "vcs.modified", Value: modified},
		}}
	}
	bare := &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}
	archived := func(tag string) string {
		return "commit " + commit + "\ndate 2026-03-01T13:00:00+01:00\ntag " + tag + "\n"
	}
	for _, tt := range []struct {
		name    string
		stamp   *debug.BuildInfo
		archive string
		want    Info
	}{
		{"a release", stamp("v1.2.3", "false"), "", Info{Version: "1.2.3", Commit: commit, Date: date}},
		{"a release that was changed", stamp("v1.2.3+dirty", "true"), "", Info{Version: "1.2.3+modified", Commit: commit, Date: date, Modified: true}},
		{"before a release", stamp("v1.2.3-rc-1", "false"), "", Info{Version: "1.2.3~rc.1", Commit: commit, Date: date}},
		{"no tag", stamp("v0.0.0-20260301120000-b5315111260d", "false"), "", Info{Version: "0.0.0~git20260301120000.b5315111", Commit: commit, Date: date}},
		{"after a tag", stamp("v1.2.4-0.20260301120000-b5315111260d+dirty", "true"), "",
			Info{Version: "1.2.4~git20260301120000.b5315111+modified", Commit: commit, Date: date, Modified: true}},
		{"between a candidate and its release", stamp("v1.2.4-rc-1.0.20260301120000-b5315111260d", "false"), "",
			Info{Version: "1.2.4~rc.1.git20260301120000.b5315111", Commit: commit, Date: date}},
		{"a stamp counts before an archive", stamp("v1.2.3", "false"), "commit 0\ntag v9.9.9\n", Info{Version: "1.2.3", Commit: commit, Date: date}},
		{"an archive of a release", bare, archived("v1.2.3"), Info{Version: "1.2.3", Commit: commit, Date: date}},
		{"an archive after one", bare, archived("v1.2.9-14-gb531511"), Info{Version: "1.2.10~git20260301120000.b5315111", Commit: commit, Date: date}},
		{"an archive after a candidate", bare, archived("v1.2.9-rc-1-14-gb531511"), Info{Version: "1.2.9~rc.1.git20260301120000.b5315111", Commit: commit, Date: date}},
		{"an archive without a tag", bare, archived(""), Info{Version: "0.0.0~git20260301120000.b5315111", Commit: commit, Date: date}},
		{"a checkout is no archive", bare, archive, Info{Version: unknownVersion, Commit: Unknown, Date: Unknown}},
		{"an archive with a strange date", bare, "commit " + commit + "\ndate yesterday\n", Info{Version: unknownVersion, Commit: commit, Date: Unknown}},
		{"nothing", nil, "", Info{Version: unknownVersion, Commit: Unknown, Date: Unknown}},
	} {
		got := of(tt.stamp, tt.archive)
		if got.Go == "" || got.OS == "" || got.Arch == "" {
			t.Errorf("%s: %+v", tt.name, got)
		}
		if got.Go, got.OS, got.Arch = "", "", ""; got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestWhatAPackagerSaysCounts(t *testing.T) {
	stamped := Info{Version: "0.0.0~git20260301120000.b5315111+modified", Commit: commit, Date: date, Modified: true}
	for _, tt := range []struct {
		version, commit, date string
		want                  Info
	}{
		{"", "", "", stamped},
		{"1.2.3", "", "", Info{Version: "1.2.3", Commit: commit, Date: date}},
		{"1.2.3+modified", "00", "2027-01-01T00:00:00Z", Info{Version: "1.2.3+modified", Commit: "00", Date: "2027-01-01T00:00:00Z", Modified: true}},
	} {
		if got := stamped.with(tt.version, tt.commit, tt.date); got != tt.want {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
}

// The Go tool knows nothing of a test's commit, and what it says then is no version for people.
func TestAnyProgramHasAVersion(t *testing.T) {
	if got := Read(); got.Version == "" || got.Version == "(devel)" {
		t.Errorf("version %q", got.Version)
	}
}
