package effect

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"

	"sesame/daemon/logtest"
)

// The grace begins when the daemon stops, not when the runner's turn comes: that is
// later by as long as the loop waited.
func TestOneGraceForTheWholeStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var text logtest.Buffer
		h := newHost(t, Config{Grace: 20 * time.Second, Commands: 1, Log: hclog.New(&hclog.LoggerOptions{Output: &text, Level: hclog.Info, DisableTime: true})})
		h.programs["/umount"] = program{takes: time.Hour}
		h.give(slices.Concat(umount(1, 1, "b", alice), umount(2, 2, "a", bob), decide(run(3, bob, "/notify"), run(4, bob, "/notify"))))
		later(5 * time.Second)
		h.r.Stop()
		synctest.Wait()
		want := "[INFO]  waiting for commands and undos: commands=4 which=\"a: /notify (2), a: undo /umount (1), b: undo /umount (1)\" at_most=20s\n"
		if diff := cmp.Diff(want, text.String()); diff != "" {
			t.Errorf("logged (-want +got):\n%s", diff)
		}
		text.Reset()
		later(18 * time.Second)
		h.r.Stop()
		later(time.Second)
		if text.String() != "" {
			t.Errorf("logged before the end: %s", &text)
		}
		if err := h.stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(h.began); took != 25*time.Second {
			t.Errorf("it ended %v after the beginning", took)
		}
		want = "[WARN]  commands are killed or not started; pending undos are left to the next start: commands=4 which=\"a: /notify (2), a: undo /umount (1), b: undo /umount (1)\"\n"
		if got := text.String(); len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("logged %s", got)
		}

		t.Log("# where nothing runs, nothing is told of it")
		text.Reset()
		h = newHost(t, Config{Log: hclog.New(&hclog.LoggerOptions{Output: &text, Level: hclog.Info, DisableTime: true})})
		h.r.Stop()
		if err := h.stop(); err != nil || text.String() != "" {
			t.Errorf("%v, logged %s", err, &text)
		}
	})
}

// A hundred doors with commands that are left make one line of bounded length.
func TestWhatIsLeftIsListedWithABound(t *testing.T) {
	kinds := map[leftKind]int{}
	for i := range 100 {
		kinds[leftKind{fmt.Sprintf("door%02d", i), "/bin/x", i%2 == 0}] = 1 + i%50
	}
	want := "door49: /bin/x (50), door99: /bin/x (50), door48: undo /bin/x (49), door98: undo /bin/x (49), door47: /bin/x (48), door97: /bin/x (48), " +
		"door46: undo /bin/x (47), door96: undo /bin/x (47), door45: /bin/x (46), door95: /bin/x (46), and 90 more kinds"
	if got := listKinds(kinds); got != want {
		t.Errorf("got %s", got)
	}
}
