//go:build linux

// Package packages turns this checkout into packages, as make packages does, and reads what they
// hold.
package packages

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	checkout = "../../.."
	// version is what the packages of the tests are called, and epoch and commit are what they are
	// said to be made of: 2026-03-01 12:00 UTC.
	version = "1.2.3~rc1"
	epoch   = "1772366400"
	commit  = "0123456789abcdef0123456789abcdef01234567"
	// maintainer has what a shell and YAML could take for their own.
	maintainer = "Jane O'Neill: & Sons $HOME <jane@example.org>"
)

// asked is the variable of the environment that has the architectures of the tests. One is enough
// for make test; SESAME_PACKAGES="amd64 arm64 arm riscv64" is what make packages makes.
const asked = "SESAME_PACKAGES"

var architectures = strings.Fields(cmp.Or(os.Getenv(asked), "amd64"))

// built makes the packages once, in a directory that goes with the tests.
var built = sync.OnceValues(func() (dir string, err error) {
	dir = filepath.Join(scratch, "dist")
	return dir, build(checkout, "DIST="+dir, "ARCHITECTURES="+strings.Join(architectures, " "))
})

// scratch is a directory that goes with the tests.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "sesame-packages"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch)
		return m.Run()
	}())
}

// build makes packages of the sources in a directory.
func build(dir string, environment ...string) error {
	cmd := exec.Command(filepath.Join(dir, ".ci/packages/build"))
	cmd.Env = append(os.Environ(), "VERSION="+version, "SOURCE_DATE_EPOCH="+epoch, "COMMIT="+commit, "MAINTAINER="+maintainer)
	cmd.Env = append(cmd.Env, environment...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making packages: %w\n%s", err, out)
	}
	return nil
}

// packages returns the paths of the built packages of a format, by architecture. It skips the test
// where a program that reads them is missing.
func packages(t *testing.T, format string, readers ...string) map[string]string {
	t.Helper()
	for _, reader := range readers {
		if _, err := exec.LookPath(reader); err != nil {
			t.Skipf("%s is not here: the packages are not looked at", reader)
		}
	}
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{
		"deb amd64": "sesame_%s_amd64.deb", "deb arm64": "sesame_%s_arm64.deb", "deb arm": "sesame_%s_armhf.deb", "deb riscv64": "sesame_%s_riscv64.deb",
		"rpm amd64": "sesame-%s-1.x86_64.rpm", "rpm arm64": "sesame-%s-1.aarch64.rpm", "rpm arm": "sesame-%s-1.armv7hl.rpm", "rpm riscv64": "sesame-%s-1.riscv64.rpm",
	}
	found := map[string]string{}
	for _, architecture := range architectures {
		path := filepath.Join(dir, fmt.Sprintf(names[format+" "+architecture], version))
		if _, err := os.Stat(path); err != nil {
			made, _ := filepath.Glob(filepath.Join(dir, "*"))
			t.Fatalf("%v: made were %v", err, made)
		}
		found[architecture] = path
	}
	return found
}

// run runs a command and returns what it prints.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestRealPackagesHaveTheSameBytes builds again elsewhere, later, without git, with other modes of
// the files and another time zone.
func TestRealPackagesHaveTheSameBytes(t *testing.T) {
	first := []map[string]string{packages(t, "deb"), packages(t, "rpm")}
	copied := filepath.Join(t.TempDir(), "elsewhere")
	copySources(t, copied)
	again := filepath.Join(t.TempDir(), "dist")
	err := build(copied, "DIST="+again, "ARCHITECTURES="+strings.Join(architectures, " "), "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "TMPDIR="+t.TempDir(),
		"GOFLAGS=-trimpath=false", "GOAMD64=v2", "GOARM=5")
	if err != nil {
		t.Fatal(err)
	}
	for _, paths := range first {
		for _, path := range paths {
			a, errA := os.ReadFile(path)
			b, errB := os.ReadFile(filepath.Join(again, filepath.Base(path)))
			if errA != nil || errB != nil || string(a) != string(b) {
				t.Errorf("%s differs from that of another directory: %d and %d bytes, %v, %v", filepath.Base(path), len(a), len(b), errA, errB)
			}
		}
	}
}

// copySources copies the sources as an archive has them, with other modes and times.
func copySources(t *testing.T, to string) {
	t.Helper()
	names := run(t, "git", "-C", checkout, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.TrimRight(names, "\x00"), "\x00") {
		from := filepath.Join(checkout, name)
		info, err := os.Stat(from)
		if err != nil { // deleted, and not yet committed
			continue
		}
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, info.Mode()&0o700|fs.FileMode(0o004)); err != nil {
			t.Fatal(err)
		}
	}
}

// Without git, the version and the time of the sources must be named.
func TestOutsideGit(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, ".ci/packages"), os.DirFS(checkout+"/.ci/packages")); err != nil {
		t.Fatal(err)
	}
	for _, environment := range [][]string{{"VERSION="}, {"SOURCE_DATE_EPOCH="}} {
		err := build(dir, environment...)
		if err == nil || !strings.Contains(err.Error(), "make packages VERSION=1.2.3 SOURCE_DATE_EPOCH=1700000000") {
			t.Errorf("%v: %v", environment, err)
		}
	}
	for environment, want := range map[string]string{
		"VERSION=v1-2": "the version v1-2: expected", "COMMIT=7668251": "the commit 7668251: expected 40 hexadecimal digits",
		"MAINTAINER=Jane O'Neill": "the maintainer Jane O'Neill: expected a name and an address", "MAINTAINER=Jane \"J\" <a@b>": "expected a name",
		"MAINTAINER=Jane <a@b>\n": "expected a name", "MAINTAINER=<a@b>": "expected a name", "MAINTAINER=Jane <a.b>": "expected a name",
	} {
		if err := build(dir, environment); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", environment, err)
		}
	}
}

// TestVersion makes commits and tags, and looks that each version sorts above those before it.
func TestVersion(t *testing.T) {
	dir := t.TempDir()
	git := func(at int, args ...string) {
		t.Helper()
		date := strconv.Itoa(1772366400+at) + " +0100"
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir, "-c", "user.name=a", "-c", "user.email=a@b", "-c", "tag.gpgsign=false"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	script, err := filepath.Abs(checkout + "/.ci/packages/version")
	if err != nil {
		t.Fatal(err)
	}
	ask := func() string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TZ=Asia/Tokyo")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	step := func(at int, tag string) string {
		t.Helper()
		git(at, "commit", "-q", "--allow-empty", "-m", "one")
		if tag != "" {
			git(at, "tag", "-a", "-m", tag, tag)
		}
		return ask()
	}
	git(0, "init", "-q")
	var versions []string
	for i, at := range []struct{ tag, want string }{
		{"", "0.0.0~git20260301120000."}, {"v2", "0.0.0~git20260301130000."}, {"v1.0.0-rc-1", "1.0.0~rc.1"}, {"", "1.0.0~rc.1.git20260301150000."},
		{"v1.0.0-rc-2", "1.0.0~rc.2"}, {"v1.0.0", "1.0.0"}, {"", "1.0.1~git20260301180000."}, {"v1.0.1", "1.0.1"},
	} {
		got := step(3600*i, at.tag)
		versions = append(versions, got)
		made := strings.HasSuffix(at.want, ".")
		if got != at.want && !(made && strings.HasPrefix(got, at.want) && len(got) == len(at.want)+8) {
			t.Errorf("version %d is %s: expected %s", i, got, at.want)
		}
	}
	git(30000, "tag", "-a", "-m", "rc", "v1.0.1-rc1")
	if got := ask(); got != "1.0.1" {
		t.Errorf("a release that has a newer tag of its candidate is %s", got)
	}
	if _, err := exec.LookPath("dpkg"); err == nil {
		for i := range versions[1:] {
			run(t, "dpkg", "--compare-versions", versions[i], "lt", versions[i+1])
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got != "1.0.1+modified" {
		t.Errorf("with a file that git does not know, the version is %s", got)
	}
	git(0, "add", "file")
	if got := ask(); got != "1.0.1+modified" {
		t.Errorf("with a file that is not committed, the version is %s", got)
	}
}
