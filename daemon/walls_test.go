package daemon_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// arrows lists, for each of our packages, which of our packages it may import. Imports run one way:
// from packages that act on the world, over packages that decide, to packages that decode. A new
// package adds a row here. A row, or an entry of a row, that no package uses fails the test.
var arrows = map[string][]string{
	"daemon/packet":                {},
	"daemon/wire":                  {"daemon/packet"},
	"daemon/engine":                {"daemon/packet", "daemon/wire"},
	"daemon/geo":                   {"daemon/engine", "daemon/geo/country"},
	"daemon/geo/country":           {"daemon/spelling"},
	"daemon/geofile":               {"daemon/engine", "daemon/geo", "daemon/openfile"},
	"daemon/geo/geotest":           {},
	"daemon/filter":                {"daemon/packet"},
	"daemon/capture":               {"daemon/packet"},
	"daemon/effect":                {"daemon/packet", "daemon/engine", "daemon/executable", "daemon/tally", "daemon/terminal", "daemon/openfile"},
	"daemon/privileged":            {"daemon/confine", "daemon/effect", "daemon/engine", "daemon/executable", "daemon/openfile", "daemon/writable", "daemon/watch", "daemon/wire", "scripting", "scripting/source"},
	"daemon/tally":                 {},
	"daemon/executable":            {"daemon/openfile"},
	"daemon/openfile":              {},
	"daemon/writable":              {},
	"daemon/writable/writabletest": {},
	"daemon/terminal":              {},
	"daemon/effect/firewall":       {"daemon/packet", "daemon/effect", "daemon/effect/listing", "daemon/reach"},
	"daemon/effect/listing":        {"daemon/confine"},
	"daemon/reach":                 {"daemon/packet"},
	"daemon/transcript":            {"daemon/packet", "daemon/engine"},
	"daemon/record":                {"daemon/packet", "daemon/engine", "daemon/wire", "daemon/openfile"},
	"daemon/state":                 {"daemon/packet", "daemon/engine", "daemon/wire", "daemon/account"},
	"daemon/account":               {"daemon/writable"},
	"daemon/control":               {"daemon/packet", "daemon/engine", "daemon/wire", "daemon/reach", "daemon/transcript", "daemon/geofile", "daemon/writable", "daemon/account", "daemon/terminal"},
	"daemon/metrics":               {"daemon/control", "daemon/effect", "daemon/engine", "daemon/packet"},
	"daemon/config":                {"daemon/packet", "daemon/spelling", "daemon/openfile"},
	"daemon/spelling":              {},
	"daemon/confine":               {},
	"daemon/build":                 {},
	"daemon/systemd":               {},
	"daemon/resolve":               {"daemon/engine", "daemon/spelling"},
	"daemon/output":                {},
	"daemon/journald":              {"daemon/terminal"},
	"daemon/logtest":               {},
	"daemon/audit":                 {"daemon/account", "daemon/logfile", "daemon/openfile", "daemon/output", "daemon/terminal"},
	"daemon/logfile":               {"daemon/openfile", "daemon/account"},
	"daemon/knockdlog":             {"daemon/engine", "daemon/config", "daemon/output", "daemon/transcript", "daemon/logfile"},
	"daemon/watch":                 {"scripting/source"},
	"scripting/sandbox":            {"daemon/spelling"},
	"scripting/knockd":             {"daemon/packet", "daemon/engine", "daemon/spelling"},
	"scripting/hostiletest":        {},
	"scripting/knockd/knockdtest":  {"daemon/packet", "scripting/knockd"},
	"scripting/zone":               {"daemon/spelling"},
	"scripting/source":             {"daemon/packet", "daemon/engine", "daemon/spelling", "scripting/sandbox", "scripting/zone", "daemon/openfile"},
	"scripting/condition":          {"daemon/packet", "daemon/engine", "daemon/geo/country", "daemon/spelling", "daemon/transcript"},
	"scripting/mistake":            {"scripting/source"},
	"scripting/spec":               {"daemon/packet", "daemon/spelling", "scripting/source"},
	"scripting/source/sourcetest":  {"scripting/source"},
	"scripting":                    {"daemon/packet", "daemon/engine", "daemon/geo/country", "daemon/spelling", "daemon/transcript", "scripting/sandbox", "scripting/source", "scripting/condition", "scripting/knockd", "scripting/mistake", "scripting/spec"},
	"simulate/suite/report":        {"daemon/transcript", "scripting/source", "simulate/suite"},
	"simulate": {"daemon/packet", "daemon/engine", "daemon/filter", "daemon/geo/country", "daemon/record", "daemon/spelling", "daemon/split", "daemon/transcript",
		"scripting", "scripting/condition", "scripting/source", "simulate/account", "simulate/trace"},
	"simulate/page":        {"daemon/engine", "daemon/transcript", "simulate/account"},
	"simulate/account":     {"daemon/packet", "daemon/engine", "daemon/split", "daemon/transcript"},
	"scripting/difference": {"daemon/packet", "daemon/engine", "daemon/spelling", "daemon/transcript", "scripting", "scripting/source", "scripting/condition"},
	"scripting/reference":  {"daemon/spelling", "scripting"},
	"scripting/starter":    {"daemon/packet", "scripting", "scripting/lint", "scripting/reference", "scripting/sandbox", "scripting/source", "simulate/opening"},
	"scripting/lint":       {"daemon/packet", "daemon/engine", "daemon/spelling", "scripting", "scripting/source", "scripting/condition", "scripting/knockd"},
	"simulate/suite": {"daemon/packet", "daemon/engine", "daemon/openfile", "daemon/spelling", "daemon/transcript",
		"scripting", "scripting/condition", "scripting/source", "scripting/spec", "simulate", "simulate/craft", "simulate/opening"},
	"simulate/compare":    {"daemon/engine", "daemon/packet", "daemon/transcript", "scripting", "scripting/difference", "simulate", "simulate/account"},
	"simulate/pcaptest":   {"daemon/packet", "simulate/craft"},
	"simulate/scrub":      {"daemon/packet", "daemon/engine", "daemon/record", "daemon/transcript", "daemon/wire", "scripting", "simulate"},
	"simulate/craft":      {"daemon/packet"},
	"simulate/repeat":     {},
	"simulate/perturb":    {"daemon/engine", "daemon/packet", "daemon/transcript", "simulate", "simulate/account", "simulate/repeat"},
	"simulate/trace":      {"daemon/engine", "daemon/packet", "daemon/transcript"},
	"simulate/draft":      {"daemon/engine", "daemon/packet", "daemon/transcript", "scripting", "scripting/spec", "simulate", "simulate/craft", "simulate/opening", "simulate/suite"},
	"simulate/opening":    {"daemon/packet", "daemon/engine", "daemon/spelling", "scripting/condition", "simulate", "simulate/craft"},
	"simulate/attack":     {"daemon/packet", "daemon/engine", "simulate", "simulate/craft", "simulate/repeat"},
	"simulate/naive":      {}, // tests only
	"daemon/split":        {"daemon/packet", "daemon/engine", "daemon/transcript"},
	"daemon/damagetest":   {},
	"daemon/livetest":     {},
	"daemon":              anything,
	"cmd/sesame":          anything,
	"cmd/sesame/manual":   {},
	"cmd/sesame/e2e":      {}, // tests only
	"cmd/sesame/packages": {}, // tests only
	"cmd/sesame/system":   {}, // tests only
	"cmd/knock":           {"cmd/knock/client", "daemon/build"},
	"cmd/knock/client":    {},
	"pcaps":               {"daemon/packet", "simulate/craft"},
	"docs":                {},
	"docs/pagetest":       {},
	"docs/pictures":       {},
}

var anything = []string{"*"}

// unreachable lists what a package must not import, even through other packages.
var unreachable = []struct {
	from, to, reason string
}{
	{"simulate", "daemon/capture", offline},
	{"simulate", "daemon/effect", offline},
	{"simulate", "daemon/effect/firewall", offline},
	{"simulate", "daemon/state", offline},
	{"simulate/suite", "daemon/capture", offline},
	{"simulate/suite", "daemon/effect", offline},
	{"simulate/suite", "daemon/state", offline},
	{"cmd/knock", "scripting", "the client is small, and builds where the daemon does not"},
	{"daemon/engine", "os/exec", "the engine decides, and effect acts"},
}

const offline = "that a simulation cannot touch the machine is a property of the import graph"

// confined lists which of our packages may import a foreign package, or one below it.
var confined = []struct {
	foreign string
	allowed []string
	reason  string
}{
	{"github.com/yuin/gopher-lua", []string{"scripting", "scripting/source", "scripting/sandbox", "scripting/mistake"},
		"one place contains what scripts can do"},
	{"github.com/google/gopacket", []string{"daemon/packet"},
		"the rest of the program must not depend on how packets are decoded"},
	{"github.com/google/gopacket/layers", nil, "its tables take half of the time of a start; tests compare our layers with it"},
	{"github.com/fsnotify/fsnotify", []string{"daemon/watch"}, "watching files is one trigger of a reload, and the daemon's"},
	{"github.com/oschwald/maxminddb-golang", []string{"daemon/geo"}, "one place reads databases about addresses, and bounds what that costs"},
	{"github.com/gaissmai/bart", []string{"scripting/condition", "daemon/engine"}, "one condition looks addresses up in a list, and the engine looks for networks among grants"},
	{"github.com/google/nftables", []string{"daemon/effect/firewall"}, "one place changes the firewall"},
	{"github.com/vishvananda/netlink", []string{"daemon/capture", "daemon/livetest"}, "one place listens to the machine's links and addresses"},
	{"github.com/landlock-lsm/go-landlock", []string{"daemon/confine"}, "one place confines the process"},
	{"github.com/elastic/go-seccomp-bpf", []string{"daemon/confine"}, "one place confines the process"},
	{"github.com/prometheus/client_model", []string{"daemon/metrics"}, "the types of what client_golang gathers"},
	{"github.com/prometheus/client_golang", []string{"daemon/metrics"}, "one place has all metrics, and the daemon counts without a library"},
	{"os/exec", []string{"daemon/effect", "daemon/effect/listing", "daemon/livetest", "pcaps", "cmd/sesame"}, "one place runs commands"}, // cmd/sesame runs git and an editor for the person who called it
	{"unsafe", []string{"daemon/capture", "scripting/sandbox"}, "only what the kernel writes to needs it, and the instruction that the machine of Lua runs next"},
}

// pure lists what the packages that decide must not import. They read no clock, do no I/O and write
// no log, so the same inputs give the same events.
var pure = struct {
	packages, forbidden []string
}{
	[]string{"daemon/packet", "daemon/wire", "daemon/engine", "daemon/filter", "daemon/reach"},
	[]string{"github.com/hashicorp/go-hclog", "log", "log/slog", "os", "net", "net/http", "syscall", "math/rand", "crypto/rand"},
}

// A listed package is one package of `go list` for Linux, without its test files.
type listed struct {
	ImportPath string
	Imports    []string // that its files import
	Deps       []string // that it reaches, directly or through others
}

// support reports whether the package is for tests alone. The names of such packages end in "test".
func (p *listed) support() bool { return strings.HasSuffix(p.ImportPath, "test") }

func TestWalls(t *testing.T) {
	packages := list(t)
	if len(packages) < 3 {
		t.Fatalf("the go command lists %d packages: expected the whole module", len(packages))
	}
	for _, breach := range append(breaches(packages), unused(packages)...) {
		t.Error(breach)
	}
}

func TestWallsStand(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   listed
		want []string
	}{
		{"what is allowed", listed{"sesame/daemon/engine", []string{"slices", "sesame/daemon/packet"}, nil}, nil},
		{"an import against the arrows", listed{"sesame/daemon/packet", []string{"sesame/daemon/engine"}, nil},
			[]string{"daemon/packet imports daemon/engine: imports run one way, and packet is left of it"}},
		{"a package that nobody placed", listed{"sesame/misc", nil, nil},
			[]string{"misc has no place: add it to arrows, with what it may import"}},
		{"a simulation that reaches the machine", listed{"sesame/simulate", nil, []string{"sesame/daemon/effect"}},
			[]string{"simulate reaches daemon/effect: " + offline}},
		{"Lua outside scripting", listed{"sesame/simulate", []string{"github.com/yuin/gopher-lua/parse"}, nil},
			[]string{"simulate imports github.com/yuin/gopher-lua/parse: one place contains what scripts can do"}},
		{"decoding outside packet", listed{"sesame/daemon/engine", []string{"github.com/google/gopacket"}, nil},
			[]string{"daemon/engine imports github.com/google/gopacket: the rest of the program must not depend on how packets are decoded"}},
		{"the slow tables", listed{"sesame/daemon/packet", []string{"github.com/google/gopacket/layers"}, nil},
			[]string{"daemon/packet imports github.com/google/gopacket/layers: its tables take half of the time of a start; tests compare our layers with it"}},
		{"a command run by a script", listed{"sesame/scripting", []string{"os/exec"}, nil},
			[]string{"scripting imports os/exec: one place runs commands"}},
		{"an engine that logs", listed{"sesame/daemon/engine", []string{"github.com/hashicorp/go-hclog"}, nil},
			[]string{"daemon/engine imports github.com/hashicorp/go-hclog: what decides does no I/O, writes no log and reads no randomness"}},
		{"a shipped package that reaches test support", listed{"sesame/cmd/sesame", nil, []string{"sesame/daemon/livetest"}},
			[]string{"cmd/sesame reaches daemon/livetest: only tests may import a package whose name ends in test"}},
		{"test support that reaches test support", listed{"sesame/simulate/pcaptest", nil, []string{"sesame/daemon/livetest"}}, nil},
		{"the top of the program", listed{"sesame/cmd/sesame", []string{"sesame/daemon/effect", "sesame/simulate"}, nil}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, breaches([]listed{tt.in})); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnusedRows gives each table of the walls a package list in which its rows have no object.
func TestUnusedRows(t *testing.T) {
	packages := list(t)
	if found := unused(packages); found != nil {
		t.Fatalf("the module itself: %q", found)
	}
	var fewer []listed // without filter, and without anybody who imports os/exec
	for _, p := range packages {
		if ours(p.ImportPath) == "daemon/filter" {
			continue
		}
		keep := func(path string) bool { return path != "sesame/daemon/filter" && path != "os/exec" }
		p.Imports, p.Deps = kept(p.Imports, keep), kept(p.Deps, keep)
		fewer = append(fewer, p)
	}
	want := []string{
		"arrows: daemon/filter is no package: remove the row",
		"arrows: simulate may import daemon/filter, and does not: remove the entry",
		"confined: cmd/sesame may import os/exec, and does not: remove the entry",
		"confined: daemon/effect may import os/exec, and does not: remove the entry",
		"confined: daemon/effect/listing may import os/exec, and does not: remove the entry",
		"confined: daemon/livetest may import os/exec, and does not: remove the entry",
		"confined: pcaps may import os/exec, and does not: remove the entry",
		"pure: daemon/filter is no package: remove it",
		"unreachable: nobody reaches os/exec: remove the row for daemon/engine",
	}
	if diff := cmp.Diff(want, unused(fewer)); diff != "" {
		t.Errorf("unused rows (-want +got):\n%s", diff)
	}
}

func kept(paths []string, keep func(string) bool) (rest []string) {
	for _, path := range paths {
		if keep(path) {
			rest = append(rest, path)
		}
	}
	return rest
}

// unused returns one sentence for each row or entry of the tables that no package uses, sorted.
func unused(packages []listed) (found []string) {
	report := func(format string, arguments ...any) { found = append(found, fmt.Sprintf(format, arguments...)) }
	imports, reached := map[string][]string{}, map[string]bool{}
	for _, p := range packages {
		imports[ours(p.ImportPath)] = p.Imports
		for _, dep := range p.Deps {
			reached[ours(dep)] = true
		}
	}
	uses := func(name, path string) bool {
		return slices.ContainsFunc(imports[name], func(imported string) bool { return within(ours(imported), path) })
	}
	for name, allowed := range arrows {
		if _, exists := imports[name]; !exists {
			report("arrows: %s is no package: remove the row", name)
			continue
		}
		for _, to := range allowed {
			if to != anything[0] && !slices.Contains(imports[name], "sesame/"+to) {
				report("arrows: %s may import %s, and does not: remove the entry", name, to)
			}
		}
	}
	for _, c := range confined {
		for _, name := range c.allowed {
			if !uses(name, c.foreign) {
				report("confined: %s may import %s, and does not: remove the entry", name, c.foreign)
			}
		}
	}
	for _, u := range unreachable {
		if _, exists := imports[u.from]; !exists {
			report("unreachable: %s is no package: remove the row", u.from)
		} else if !reached[u.to] {
			report("unreachable: nobody reaches %s: remove the row for %s", u.to, u.from)
		}
	}
	for _, name := range pure.packages {
		if _, exists := imports[name]; !exists {
			report("pure: %s is no package: remove it", name)
		}
	}
	slices.Sort(found)
	return found
}

// breaches returns one sentence for each wall that a package breaks.
func breaches(packages []listed) (found []string) {
	report := func(format string, arguments ...any) { found = append(found, fmt.Sprintf(format, arguments...)) }
	for _, p := range packages {
		name := ours(p.ImportPath)
		allowed, placed := arrows[name]
		if !placed {
			report("%s has no place: add it to arrows, with what it may import", name)
		}
		for _, imported := range p.Imports {
			if to := ours(imported); to != imported && placed && !slices.Equal(allowed, anything) && !slices.Contains(allowed, to) {
				report("%s imports %s: imports run one way, and %s is left of it", name, to, name[strings.LastIndex(name, "/")+1:])
			}
			for _, c := range confined {
				if within(imported, c.foreign) && !slices.Contains(c.allowed, name) {
					report("%s imports %s: %s", name, imported, c.reason)
				}
			}
			if slices.Contains(pure.packages, name) && slices.Contains(pure.forbidden, imported) {
				report("%s imports %s: what decides does no I/O, writes no log and reads no randomness", name, imported)
			}
		}
		for _, dep := range p.Deps {
			if d := (listed{ImportPath: dep}); ours(dep) != dep && d.support() && !p.support() {
				report("%s reaches %s: only tests may import a package whose name ends in test", name, ours(dep))
			}
		}
		for _, u := range unreachable {
			if name == u.from && slices.ContainsFunc(p.Deps, func(dep string) bool { return ours(dep) == u.to }) {
				report("%s reaches %s: %s", name, u.to, u.reason)
			}
		}
	}
	return found
}

// ours returns the path below our module. It returns a foreign path unchanged.
func ours(path string) string { return strings.TrimPrefix(path, "sesame/") }

// within reports whether path is parent or below it.
func within(path, parent string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }

func list(t *testing.T) (packages []listed) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "sesame/...")
	cmd.Env = append(cmd.Environ(), "GOOS=linux") // the daemon and most of its rows are for Linux
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("listing our packages: %v", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("listing our packages: %v", err)
		}
		packages = append(packages, p)
	}
}
