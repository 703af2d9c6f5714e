package daemon

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/logtest"
	"sesame/daemon/packet"
	"sesame/daemon/state"
	"sesame/daemon/wire"
)

// When neither the files nor the set that was applied last load, as after going back to an older
// version, the daemon starts all the same: the ports stay guarded, nobody can knock, and files that
// load are judged as after any other set.
func TestAStartWithoutScripts(t *testing.T) {
	const future = `sesame.portal "ssh" { guards = "tcp/22" }`
	ssh, dns := packet.Port{Proto: packet.TCP, Number: 22}, packet.Port{Proto: packet.UDP, Number: 53}
	saved := func(text string, guards ...packet.Port) stateFound {
		s := state.Saved{Guards: guards}
		if text != "" {
			s.Files = []wire.File{{Path: "a.lua", Source: []byte(text)}}
		}
		return stateFound{saved: s, hasSaved: true}
	}
	for _, tt := range []struct {
		name   string
		found  stateFound
		want   string // why it does not start; "": it does
		guards int
	}{
		{"both are of a newer version", saved(future, ssh, dns), "", 2},
		{"the saved one cannot be read at all", saved("", ssh), "", 1},
		{"nothing was guarded", saved(future), "portal", 0},
		{"nothing was saved", stateFound{}, "portal", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := &logtest.Buffer{}
			d := &daemon{since: newClock().now(), config: Config{Log: hclog.New(&hclog.LoggerOptions{Output: log})}}
			d.config.Scripts, d.config.State, d.config.Firewall.Mode = t.TempDir(), filepath.Join(t.TempDir(), "state"), "guard"
			writeFile(t, d.config.Scripts+"/a.lua", future)
			b, err := d.chooseScripts(t.Context(), tt.found)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("it starts: %v", err)
				}
				return
			}
			must(t, err)
			defer b.set.Close()
			if b.outcome.kind != control.Rejected || !strings.Contains(b.outcome.text, "a.lua:1") || d.unloaded == "" || !b.without {
				t.Errorf("the outcome is %+v, unloaded %q", b.outcome, d.unloaded)
			}
			if got := requiredGuards(b.set.Engine).Drop; len(got) != tt.guards || got[0] != ssh {
				t.Errorf("it guards %v", got)
			}
			for _, door := range b.set.Engine.Doors {
				if len(door.Sequence) > 0 || len(door.OneTime.Sequences) > 0 {
					t.Errorf("door %s can be knocked at: %v", door.Name, door.Sequence)
				}
			}
			e := engine.New(engine.Config{}, d.since)
			e.Swap(d.since, b.set.Engine)
			if n := strings.Count(log.String(), "nobody can knock, and the ports stay guarded"); n != 1 {
				t.Errorf("it is logged %d times:\n%s", n, log)
			}
			writeFile(t, d.config.Scripts+"/a.lua", `sesame.door "web" { sequence = { "tcp/7421", "udp/9133", "tcp/2904", "tcp/6117" }, guards = "tcp/443" }`)
			set, _, err := d.loadFirst(t.Context(), nil)
			must(t, err)
			defer set.Close()
			if held := heldPorts(b.set, set, nil); len(held) == 0 {
				t.Error("a set that leaves the ports without a guard is not held")
			}
		})
	}
}
