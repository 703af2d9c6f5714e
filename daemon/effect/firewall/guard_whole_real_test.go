package firewall

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sesame/daemon/effect"
	"sesame/daemon/packet"
)

// The table says whether a daemon installed its grants into it. A ruleset that was saved and is
// loaded again has the mark of another table, and the elements of another time.
func TestRealWholeIsOfOneTable(t *testing.T) {
	w, daemon := newGuard(t, GuardConfig{Daemon: true})
	boot := NewGuard(GuardConfig{})
	defer boot.Close()
	whole := func(when string, want bool) {
		t.Helper()
		got, err := daemon.Whole()
		must(t, err)
		if got != want {
			t.Errorf("%s: whole %v, want %v", when, got, want)
		}
	}
	guards, elements := effect.Guards{Drop: []packet.Port{tcp22}}, []effect.Element{element(client6Address, tcp22, time.Minute)}
	w.run("", "nft", "flush ruleset")
	whole("without a table", false)
	must(t, boot.Install(guards, nil))
	whole("loaded at boot", false)
	must(t, daemon.Install(guards, elements))
	whole("installed by a daemon", true)
	must(t, boot.Install(guards, elements))
	whole("installed again by a person", true)
	saved := filepath.Join(t.TempDir(), "ruleset")
	must(t, os.WriteFile(saved, []byte(w.run("", "nft", "list ruleset")), 0o600))
	w.run("", "nft", "flush ruleset")
	whole("flushed", false)
	w.run("", "nft", "-f", saved)
	whole("saved and loaded", false)
	must(t, daemon.Install(guards, elements))
	whole("installed over it", true)
	repairs := daemon.Repairs()
	must(t, daemon.Install(guards, elements))
	if n := daemon.Repairs(); n != repairs {
		t.Errorf("%d repairs of what is right", n-repairs)
	}
	if n := strings.Count(w.run("", "nft", "list counters"), restoredMark); n != 1 {
		t.Errorf("%d marks, want 1", n)
	}
}
