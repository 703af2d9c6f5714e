//go:build linux

package packages

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A file is what a package says of a path, without what is in it.
type file struct {
	mode   int64 // permissions
	kind   byte  // tar.TypeReg, tar.TypeDir
	owner  string
	time   int64
	config bool // a file of the user after the installation
}

// rules are what is in the packages. A path has the first rule whose pattern it matches, and each
// rule has a path. Directories are those that the files need.
var rules = []struct {
	path   string // a pattern
	mode   int64
	config bool
	only   string // the format that alone has it
}{
	{path: `/usr/sbin/sesame`, mode: 0o755},
	{path: `/usr/bin/sesame-knock`, mode: 0o755},
	{path: `/etc/(sesame/sesame\.toml|logrotate\.d/sesame)`, mode: 0o644, config: true},
	{path: `/usr/lib/systemd/system/sesame(-guard|-helper)?\.service`, mode: 0o644},
	{path: `/usr/lib/systemd/system/sesame-helper\.socket`, mode: 0o644},
	{path: `/usr/lib/sysusers\.d/sesame\.conf`, mode: 0o644},
	{path: `/usr/share/man/man8/sesame(-[a-z]+)?\.8\.gz`, mode: 0o644},
	{path: `/usr/share/man/man1/sesame-knock\.1\.gz`, mode: 0o644},
	{path: `/usr/share/man/man5/sesame\.toml\.5\.gz`, mode: 0o644},
	{path: `/usr/share/man/man7/sesame-scripts\.7\.gz`, mode: 0o644},
	{path: `/usr/share/bash-completion/completions/sesame(-knock)?`, mode: 0o644},
	{path: `/usr/share/fish/vendor_completions\.d/sesame(-knock)?\.fish`, mode: 0o644},
	{path: `/usr/share/zsh/vendor-completions/_sesame(-knock)?`, mode: 0o644, only: "deb"},
	{path: `/usr/share/zsh/site-functions/_sesame(-knock)?`, mode: 0o644, only: "rpm"},
	{path: `/usr/share/doc/sesame/(README|ARCHITECTURE|CHANGELOG|CONTRIBUTING|SECURITY)\.md`, mode: 0o644},
	{path: `/usr/share/doc/sesame/NOTICES`, mode: 0o644},
	{path: `/usr/share/doc/sesame/examples/sesame\.toml`, mode: 0o644},
	{path: `/usr/share/doc/sesame/(copyright|changelog\.gz)`, mode: 0o644, only: "deb"},
	{path: `/usr/share/doc/sesame/docs/(monitoring/)?[\w.-]+\.(md|json|yml)`, mode: 0o644},
	{path: `/usr/share/doc/sesame/docs/pictures/[\w-]+\.(svg|png)`, mode: 0o644},
	{path: `/usr/share/doc/sesame/scripts/([\w-]+/)?[\w-]+\.(lua|txt|netset|conf)`, mode: 0o644},
	{path: `/usr/share/doc/sesame/pcaps/([\w-]+\.pcap(ng)?(\.gz|\.zst)?|README\.md)`, mode: 0o644},
	{path: `/usr/share/lintian/overrides/sesame`, mode: 0o644, only: "deb"},
	{path: `/usr/share/licenses/sesame/LICENSE`, mode: 0o644, only: "rpm"},
}

func TestRealPackagesHoldWhatTheyShould(t *testing.T) {
	for architecture, path := range packages(t, "deb", "dpkg-deb") {
		t.Run("deb "+architecture, func(t *testing.T) { compare(t, "deb", debFiles(t, path)) })
	}
	for architecture, path := range packages(t, "rpm", "rpm") {
		t.Run("rpm "+architecture, func(t *testing.T) { compare(t, "rpm", rpmFiles(t, path)) })
	}
}

// compare compares the files of a package with the rules.
func compare(t *testing.T, format string, files map[string]file) {
	t.Helper()
	used := make([]bool, len(rules))
	for _, path := range slices.Sorted(maps.Keys(files)) {
		f := files[path]
		want := file{mode: 0o755, kind: tar.TypeDir, owner: "root:root", time: f.time}
		if f.kind != tar.TypeDir {
			i := ruleOf(path, format)
			if i < 0 {
				t.Errorf("%s is there: no rule expects it", path)
				continue
			}
			used[i] = true
			want = file{mode: rules[i].mode, kind: tar.TypeReg, owner: "root:root", time: f.time, config: rules[i].config}
		}
		if f != want {
			t.Errorf("%s is %+v: expected %+v", path, f, want)
		}
		if strconv.FormatInt(f.time, 10) != epoch {
			t.Errorf("%s has the time %d: expected %s", path, f.time, epoch)
		}
	}
	for i, r := range rules {
		if !used[i] && (r.only == "" || r.only == format) {
			t.Errorf("nothing is at %s", r.path)
		}
	}
}

// ruleOf returns the place of the rule of a path, or -1.
func ruleOf(path, format string) int {
	for i, r := range rules {
		if (r.only == "" || r.only == format) && regexp.MustCompile("^"+r.path+"$").MatchString(path) {
			return i
		}
	}
	return -1
}

// debFiles returns the files of a deb, by path.
func debFiles(t *testing.T, path string) map[string]file {
	t.Helper()
	config := strings.Fields(run(t, "dpkg-deb", "--info", path, "conffiles"))
	files := map[string]file{}
	eachFile(t, path, func(name string, h *tar.Header, _ io.Reader) {
		files[name] = file{mode: h.Mode, kind: h.Typeflag, owner: h.Uname + ":" + h.Gname, time: h.ModTime.Unix(), config: slices.Contains(config, name)}
	})
	return files
}

// eachFile calls do for each file and directory of a deb.
func eachFile(t *testing.T, path string, do func(name string, h *tar.Header, content io.Reader)) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "dpkg-deb", "--fsys-tarfile", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(bytes.NewReader(out)); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		do(strings.TrimSuffix(strings.TrimPrefix(h.Name, "."), "/"), h, archive)
	}
}

// rpmFiles returns the files of an rpm, by path.
func rpmFiles(t *testing.T, path string) map[string]file {
	t.Helper()
	files := map[string]file{}
	for line := range strings.Lines(run(t, "rpm", "-qp", "--qf", `[%{FILENAMES} %{FILEMODES:octal} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEMTIMES} %{FILEFLAGS}\n]`, path)) {
		var name, owner string
		var mode, time, flags int64
		if _, err := fmt.Sscanf(line, "%s %o %s %d %d", &name, &mode, &owner, &time, &flags); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kind := byte(tar.TypeReg)
		if mode&0o170000 == 0o040000 {
			kind = tar.TypeDir
		}
		const config, noReplace = 1, 16 // of rpm/rpmfiles.h
		files[name] = file{mode & 0o7777, kind, owner, time, flags&(config|noReplace) == config|noReplace}
	}
	return files
}

// TestRealLinksOfPackages follows each link of a page to another file: the package has it.
func TestRealLinksOfPackages(t *testing.T) {
	link := regexp.MustCompile(`(?:\]\(|src="|srcset=")([^)"#]+\.[^)"#]+)`)
	for _, deb := range packages(t, "deb", "dpkg-deb") {
		there, links := map[string]bool{}, map[string]string{}
		eachFile(t, deb, func(name string, _ *tar.Header, content io.Reader) {
			there[name] = true
			if path.Ext(name) != ".md" {
				return
			}
			text, err := io.ReadAll(content)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range link.FindAllStringSubmatch(string(text), -1) {
				if !strings.Contains(found[1], ":") {
					links[path.Join(path.Dir(name), found[1])] = name
				}
			}
		})
		if len(links) < 20 {
			t.Errorf("the pages have %d links: expected more", len(links))
		}
		for to, from := range links {
			if !there[to] {
				t.Errorf("%s has a link to %s, which is not there", from, to)
			}
		}
	}
}

// TestRealProgramsOfPackages reads the programs: static, and of the right machine.
func TestRealProgramsOfPackages(t *testing.T) {
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM, "riscv64": elf.EM_RISCV}
	for architecture, path := range packages(t, "deb", "dpkg-deb") {
		programs := 0
		eachFile(t, path, func(name string, h *tar.Header, content io.Reader) {
			if h.Mode&0o111 == 0 || h.Typeflag != tar.TypeReg {
				return
			}
			programs++
			text, err := io.ReadAll(content)
			if err != nil {
				t.Fatal(err)
			}
			program, err := elf.NewFile(bytes.NewReader(text))
			if err != nil {
				t.Fatalf("%s %s: %v", architecture, name, err)
			}
			if program.Machine != machines[architecture] {
				t.Errorf("%s %s is for %v: expected %v", architecture, name, program.Machine, machines[architecture])
			}
			for _, part := range program.Progs {
				if part.Type == elf.PT_INTERP || part.Type == elf.PT_DYNAMIC {
					t.Errorf("%s %s has a part %v: expected a static program", architecture, name, part.Type)
				}
			}
			for _, said := range []string{version, commit} {
				if !bytes.Contains(text, []byte(said)) {
					t.Errorf("%s %s does not say %s", architecture, name, said)
				}
			}
		})
		if programs != 2 {
			t.Errorf("%s has %d programs: expected two", architecture, programs)
		}
	}
}

// TestRealFieldsOfPackages reads what the packages say of themselves.
func TestRealFieldsOfPackages(t *testing.T) {
	for architecture, path := range packages(t, "deb", "dpkg-deb") {
		named := map[string]string{"amd64": "amd64", "arm64": "arm64", "arm": "armhf", "riscv64": "riscv64"}[architecture]
		for field, want := range map[string]string{
			"Package": "sesame", "Version": version, "Architecture": named, "Section": "net", "Priority": "optional",
			"Depends": "", "Pre-Depends": "", "Conflicts": "", "Replaces": "", "Recommends": "nftables", "Suggests": "iptables, tor-geoipdb", "Maintainer": maintainer,
		} {
			if got := strings.TrimSpace(run(t, "dpkg-deb", "--field", path, field)); got != want {
				t.Errorf("%s: %s is %q: expected %q", architecture, field, got, want)
			}
		}
		if got := run(t, "dpkg-deb", "--field", path, "Description"); strings.Count(got, "\n") < 5 || !strings.Contains(got, "closes no port") {
			t.Errorf("%s: the description is\n%s", architecture, got)
		}
		changelog := changelogOf(t, path)
		if !strings.HasPrefix(changelog, "sesame ("+version+") ") || !strings.HasSuffix(changelog, "  Sun, 01 Mar 2026 12:00:00 +0000\n") {
			t.Errorf("%s: the changelog is\n%s", architecture, changelog)
		}
	}
	for architecture, path := range packages(t, "rpm", "rpm") {
		named := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "arm": "armv7hl", "riscv64": "riscv64"}[architecture]
		got := run(t, "rpm", "-qp", "--qf", `%{NAME} %{VERSION} %{RELEASE} %{ARCH} %{LICENSE} %{BUILDHOST} %{BUILDTIME} [%{REQUIRES} ]`, path)
		if want := fmt.Sprintf("sesame %s 1 %s MIT reproducible %s ", version, named, epoch); got != want {
			t.Errorf("%s says %q: expected %q", architecture, got, want)
		}
		if got := run(t, "rpm", "--checksig", path); !strings.Contains(got, "digests OK") {
			t.Errorf("rpm --checksig says %s", got)
		}
	}
}

// changelogOf returns Debian's changelog of a deb.
func changelogOf(t *testing.T, path string) (text string) {
	t.Helper()
	eachFile(t, path, func(name string, _ *tar.Header, content io.Reader) {
		if name != "/usr/share/doc/sesame/changelog.gz" {
			return
		}
		unpacked, err := gzip.NewReader(content)
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(unpacked)
		if err != nil {
			t.Fatal(err)
		}
		text = string(all)
	})
	return text
}

// TestRealLintian has Debian's own checks look at the deb. What it may find is in the overrides,
// with the reason.
func TestRealLintian(t *testing.T) {
	for _, path := range packages(t, "deb", "lintian") {
		out, err := exec.CommandContext(t.Context(), "lintian", "--allow-root", "--fail-on", "error,warning", path).CombinedOutput()
		if err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("lintian: %v\n%s", err, out)
		}
	}
}
