package daemon

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/control"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// The answer to a revoke has the grants that ended, whether their sessions did, and sessions
// without a grant.
func TestWhatARevokeEnded(t *testing.T) {
	source, port := netip.MustParsePrefix("203.0.113.9/32"), packet.Port{Proto: packet.TCP, Number: 22}
	before := []control.Grant{{ID: 1, Door: "a"}, {ID: 2, Door: "b"}, {ID: 3, Door: "c", Cut: true}}
	got := ended(before, []engine.Event{
		{Kind: engine.EventEffect, Effect: engine.EffectPersist, Grant: 2},
		{Kind: engine.EventClose, Grant: 1, Cut: true},
		{Kind: engine.EventClose, Grant: 3},
		{Kind: engine.EventClose, Grant: 4},
		{Kind: engine.EventEffect, Effect: engine.EffectCut, Source: source, Port: port, Cut: true},
	})
	want := []control.Grant{{ID: 1, Door: "a", Cut: true}, {ID: 3, Door: "c"},
		{Source: control.Source{Prefix: source}, Port: control.Port{Port: port}, Cut: true}}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSetModeCutsNothing(t *testing.T) {
	d := &daemon{}
	d.config.Firewall.Mode = "set"
	_, err := d.revoke(t.Context(), control.RevokeRequest{Cut: true})
	if _, refused := err.(control.Refusal); !refused || !strings.Contains(err.Error(), "set mode") {
		t.Errorf("error %v", err)
	}
}

// The marks in a file of one-time sequences are the daemon's own: until they are
// read, nothing is wrong.
func TestRealMarksAreNoDrift(t *testing.T) {
	w := newReloading(t, onceScript, map[string]string{"once": "1,2\n3,4\n"})
	d := &daemon{loop: w.l}
	d.config.Scripts = w.dir
	wantDrift := func(want bool) {
		t.Helper()
		if got, why := d.drift(t.Context()); got != want || why != "" {
			t.Errorf("drift %v (%s), want %v", got, why, want)
		}
	}
	wantDrift(false)
	w.knock(1, 2)
	w.marked("once", "#,2\n3,4\n", 2)
	wantDrift(false)
	writeFile(t, w.out+"/once", "#,2\n3,4\n5,6\n")
	wantDrift(true)
	writeFile(t, w.out+"/once", "1,2\n3,4\n")
	w.script(onceScript + "\n-- another")
	wantDrift(true)

	t.Log("# what cannot be read is said")
	w.script(onceScript)
	must(t, os.Remove(w.out+"/once"), os.Mkdir(w.out+"/once", 0o700))
	if drift, why := d.drift(t.Context()); !drift || why != "reading "+w.out+"/once: it is a directory" {
		t.Errorf("drift %v (%s)", drift, why)
	}
}

func TestRealUsedUpIsKnown(t *testing.T) {
	w := newReloading(t, onceScript, map[string]string{"once": "1,2\n3,4\n"})
	left := func() (doors []control.UsedUp) {
		w.l.do(t.Context(), func() { doors = usedUp(w.l.engine.Doors()) })
		return doors
	}
	w.knock(1, 2)
	if got := left(); got != nil {
		t.Errorf("with one sequence left: %v", got)
	}
	w.knock(3, 4)
	want := []control.UsedUp{{Door: "once", File: w.out + "/once"}}
	if got := left(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	w.marked("once", "#,2\n#,4\n", 4)
	w.hint()
	if got := left(); !slices.Equal(got, want) {
		t.Errorf("when the file was read again: got %v, want %v", got, want)
	}
}
