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

// arrows says which of our packages each of our packages may import. Decisions
// stand on the left, what acts on the world on the right, and imports run one
// way between them. A new package adds its line here, and says in its review why
// it needs what it needs.
var arrows = map[string][]string{
	"daemon/packet":               {},
	"daemon/credential":           {},
	"daemon/engine":               {"daemon/packet"},
	"daemon/filter":               {"daemon/packet"},
	"daemon/capture":              {"daemon/packet", "daemon/filter"},
	"daemon/effect":               {"daemon/packet", "daemon/engine"},
	"daemon/effect/firewall":      {"daemon/packet", "daemon/effect"},
	"daemon/transcript":           {"daemon/packet", "daemon/engine"},
	"daemon/record":               {"daemon/packet", "daemon/engine"},
	"daemon/state":                {"daemon/packet", "daemon/engine"},
	"daemon/control":              {"daemon/packet", "daemon/engine", "daemon/transcript"},
	"daemon/config":               {"daemon/packet", "daemon/spelling"},
	"daemon/spelling":             {},
	"daemon/systemd":              {},
	"scripting/sandbox":           {},
	"scripting/knockd":            {"daemon/packet", "daemon/engine", "daemon/spelling"},
	"scripting/knockd/knockdtest": {"daemon/packet", "scripting/knockd"},
	"scripting":                   {"daemon/packet", "daemon/engine", "daemon/spelling", "scripting/sandbox", "scripting/knockd"},
	"simulate": {"daemon/packet", "daemon/engine", "daemon/filter", "daemon/record", "daemon/transcript",
		"scripting"},
	"scripting/lint":    {"daemon/packet", "daemon/engine", "scripting", "scripting/knockd"},
	"simulate/pcaptest": {"daemon/packet"},
	"simulate/opening":  {"daemon/packet", "daemon/engine"},
	"daemon/livetest":   {},
	"daemon":            anything,
	"cmd/sesame":        anything,
	"cmd/sesame/e2e":    {}, // tests only
	"cmd/knock":         {"cmd/knock/client", "daemon/credential"},
	"cmd/knock/client":  {"daemon/credential"},
	"pcaps":             {},
}

var anything = []string{"*"}

// unreachable says what a package must not import even through others.
var unreachable = []struct {
	from, to, reason string
}{
	{"simulate", "daemon/capture", offline},
	{"simulate", "daemon/effect", offline},
	{"simulate", "daemon/effect/firewall", offline},
	{"simulate", "daemon/state", offline},
	{"cmd/knock", "scripting", "the client is small, and builds where the daemon does not"},
	{"daemon/engine", "os/exec", "the engine decides, and somebody else acts"},
}

const offline = "that a simulation cannot touch the machine is a property of the import graph"

// confined says which of our packages may import a package that is not ours, or
// one below it.
var confined = []struct {
	foreign string
	allowed []string
	reason  string
}{
	{"github.com/yuin/gopher-lua", []string{"scripting", "scripting/sandbox"},
		"one place contains what scripts can do"},
	{"github.com/google/gopacket", []string{"daemon/packet"},
		"the rest of the program must not depend on how packets are decoded"},
	{"github.com/fsnotify/fsnotify", []string{"daemon"}, "watching files is one trigger of a reload, and the daemon's"},
	{"github.com/google/nftables", []string{"daemon/effect/firewall"}, "one place changes the firewall"},
	{"github.com/vishvananda/netlink", []string{"daemon/capture", "daemon/livetest"}, "one place listens to the machine's links and addresses"},
	{"os/exec", []string{"daemon/effect", "daemon/livetest", "pcaps"}, "one place runs commands"},
	{"unsafe", []string{"daemon/capture"}, "only a ring that the kernel writes to needs it"},
}

// pure says what the packages that decide must not import: they read no clock,
// do no I/O and write no log, so that the same inputs give the same events.
var pure = struct {
	packages, forbidden []string
}{
	[]string{"daemon/packet", "daemon/engine", "daemon/filter"},
	[]string{"github.com/hashicorp/go-hclog", "log", "log/slog", "os", "net", "net/http", "syscall", "math/rand", "crypto/rand"},
}

// A listed package is what the go command says of it, test files left out.
type listed struct {
	ImportPath string
	Imports    []string // written in its files
	Deps       []string // all that it reaches
}

func TestWalls(t *testing.T) {
	packages := list(t)
	if len(packages) < 3 {
		t.Fatalf("the go command lists %d packages: expected the whole module", len(packages))
	}
	for _, breach := range breaches(packages) {
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
		{"a command run by a script", listed{"sesame/scripting", []string{"os/exec"}, nil},
			[]string{"scripting imports os/exec: one place runs commands"}},
		{"an engine that logs", listed{"sesame/daemon/engine", []string{"github.com/hashicorp/go-hclog"}, nil},
			[]string{"daemon/engine imports github.com/hashicorp/go-hclog: what decides does no I/O, writes no log and reads no randomness"}},
		{"a daemon may all", listed{"sesame/cmd/sesame", []string{"sesame/daemon/effect", "sesame/simulate"}, nil}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, breaches([]listed{tt.in})); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
		})
	}
}

// breaches returns one sentence for each wall that a package breaks.
func breaches(packages []listed) (found []string) {
	say := func(format string, arguments ...any) { found = append(found, fmt.Sprintf(format, arguments...)) }
	for _, p := range packages {
		name := ours(p.ImportPath)
		allowed, placed := arrows[name]
		if !placed {
			say("%s has no place: add it to arrows, with what it may import", name)
		}
		for _, imported := range p.Imports {
			if to := ours(imported); to != imported && placed && !slices.Equal(allowed, anything) && !slices.Contains(allowed, to) {
				say("%s imports %s: imports run one way, and %s is left of it", name, to, name[strings.LastIndex(name, "/")+1:])
			}
			for _, c := range confined {
				if within(imported, c.foreign) && !slices.Contains(c.allowed, name) {
					say("%s imports %s: %s", name, imported, c.reason)
				}
			}
			if slices.Contains(pure.packages, name) && slices.Contains(pure.forbidden, imported) {
				say("%s imports %s: what decides does no I/O, writes no log and reads no randomness", name, imported)
			}
		}
		for _, u := range unreachable {
			if name == u.from && slices.ContainsFunc(p.Deps, func(dep string) bool { return ours(dep) == u.to }) {
				say("%s reaches %s: %s", name, u.to, u.reason)
			}
		}
	}
	return found
}

// ours returns the path below our module, and any other path as it is.
func ours(path string) string { return strings.TrimPrefix(path, "sesame/") }

// within reports whether path is the package or below it.
func within(path, parent string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }

func list(t *testing.T) (packages []listed) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,Deps", "sesame/...")
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
