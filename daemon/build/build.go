// Package build turns what the Go tool, git or a packager wrote into a program into its version,
// commit and date.
//
// A checkout has them by the Go tool. An archive that git made, as those of releases are, has them
// in archive.txt. Whoever builds from other files, or without the stamp of the Go tool, gives them:
//
//	go build -ldflags '-X sesame/daemon/build.given=1.2.3'
//
// and in the same way givenCommit, 40 hexadecimal digits, and givenDate, by RFC 3339 and in UTC.
package build

import (
	"cmp"
	_ "embed" // for archive.txt
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// What a packager wrote into the program; "": nothing.
var given, givenCommit, givenDate string

// archive has what git writes into its archives: see .gitattributes.
//
//go:embed archive.txt
var archive string

// modified ends a version when files differed from the commit.
const modified = "+modified"

// Unknown stands for a commit or a date that nothing tells.
const Unknown = "unknown"

// unknownVersion sorts below each release.
const unknownVersion = "0.0.0~unknown"

// An Info says what a program was built from. Nothing in it is empty.
type Info struct {
	// Version is that of a tag, 1.2.3 or 1.3.0~rc1, or is made of the tag before and of the commit:
	// 1.2.4~git20261130201710.7668251c or 1.3.0~rc1.git20261130201710.7668251c. Package managers
	// sort it below the release that follows, and by the date of the commit. It ends with +modified
	// when files differed from the commit.
	Version  string `json:"version"`
	Commit   string `json:"commit"` // 40 hexadecimal digits
	Date     string `json:"date"`   // of the commit, as RFC 3339 has it, in UTC
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// Read returns what this program was built from.
func Read() Info {
	info, _ := debug.ReadBuildInfo()
	return of(info, archive).with(given, givenCommit, givenDate)
}

// with returns what a packager says, where he says something.
func (i Info) with(version, commit, date string) Info {
	if version != "" {
		i.Version, i.Modified = version, strings.HasSuffix(version, modified)
	}
	i.Commit, i.Date = cmp.Or(commit, i.Commit), cmp.Or(date, i.Date)
	return i
}

// of returns what a stamp of the Go tool says, or else an archive of git.
func of(stamp *debug.BuildInfo, archive string) Info {
	if stamp == nil {
		stamp = &debug.BuildInfo{}
	}
	settings := map[string]string{}
	for _, s := range stamp.Settings {
		settings[s.Key] = s.Value
	}
	i := Info{
		Version: stamp.Main.Version, Commit: settings["vcs.revision"], Date: settings["vcs.time"], Modified: settings["vcs.modified"] == "true",
		Go: cmp.Or(stamp.GoVersion, runtime.Version()), OS: runtime.GOOS, Arch: runtime.GOARCH,
	}
	if i.Commit == "" {
		i.readArchive(archive)
	}
	i.Version = i.version()
	i.Commit, i.Date = cmp.Or(i.Commit, Unknown), cmp.Or(i.Date, Unknown)
	return i
}

// readArchive reads lines such as "commit 76682515...". Outside an archive they have what git would
// replace.
func (i *Info) readArchive(text string) {
	if strings.Contains(text, "$Format:") {
		return
	}
	for line := range strings.Lines(text) {
		switch name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name {
		case "commit":
			i.Commit = value
		case "date":
			if at, err := time.Parse(time.RFC3339, value); err == nil {
				i.Date = at.UTC().Format(time.RFC3339)
			}
		case "tag":
			i.Version = value
		}
	}
}

// What a version looks like: a tag, what the Go tool makes of a commit, and what git describe does.
// After a tag such as v1.3.0-rc1, the latter two have its end.
const (
	tagged    = `^v?(\d+\.\d+\.\d+)(?:-([0-9A-Za-z.-]+))?$`
	pseudo    = `^v?(\d+\.\d+\.\d+)-(?:(?:([0-9A-Za-z.-]+)\.)?0\.)?\d{14}-[0-9a-f]{12}$`
	described = `^v?(\d+\.\d+\.)(\d+)(?:-([0-9A-Za-z.-]+))?-\d+-g[0-9a-f]+$`
)

// version returns the version in the form that packages have. In a checkout, .ci/packages/version
// makes the same.
func (i *Info) version() string {
	text, _, _ := strings.Cut(i.Version, "+") // +dirty of the Go tool
	end := ""
	if i.Modified {
		end = modified
	}
	base := "0.0.0~git"
	parts := func(pattern string) []string { return regexp.MustCompile(pattern).FindStringSubmatch(text) }
	switch p, d, t := parts(pseudo), parts(described), parts(tagged); {
	case p != nil:
		base = before(p[1], p[2])
	case d != nil && d[3] != "":
		base = before(d[1]+d[2], d[3])
	case d != nil:
		patch, _ := strconv.Atoi(d[2])
		base = before(d[1]+strconv.Itoa(patch+1), "")
	case t != nil && t[2] == "":
		return t[1] + end
	case t != nil:
		return candidate(t[1], t[2]) + end
	}
	at, err := time.Parse(time.RFC3339, i.Date)
	if err != nil || len(i.Commit) < 8 {
		return unknownVersion
	}
	return fmt.Sprintf("%s%s.%.8s%s", base, at.UTC().Format("20060102150405"), i.Commit, end)
}

// candidate returns the version of the tag v1.3.0-rc1, in parts: 1.3.0~rc1.
func candidate(release, name string) string {
	return release + "~" + strings.ReplaceAll(name, "-", ".")
}

// before returns what versions of commits before a release begin with. With the name of a candidate
// they come after that.
func before(release, name string) string {
	if name == "" {
		return release + "~git"
	}
	return candidate(release, name) + ".git"
}
