package daemon

import (
	"os"
	"slices"
	"testing"

	"sesame/daemon/control"
)

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
