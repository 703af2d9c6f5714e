package effect

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
)

// The grace begins when the daemon stops, not when the runner's turn comes: that is
// later by as long as the loop waited.
func TestOneGraceForTheWholeStop(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var text bytes.Buffer
		h := newHost(t, Config{Grace: 20 * time.Second, Commands: 1, Log: hclog.New(&hclog.LoggerOptions{Output: &text, Level: hclog.Info, DisableTime: true})})
		h.programs["/umount"] = program{takes: time.Hour}
		h.give(slices.Concat(umount(1, 1, "b", alice), umount(2, 2, "a", bob), decide(run(3, bob, "/notify"), run(4, bob, "/notify"))))
		later(5 * time.Second)
		h.r.Stop()
		synctest.Wait()
		want := "[INFO]  waiting for commands and undos: commands=4 doors=\"a, b\" at_most=20s\n"
		if diff := cmp.Diff(want, text.String()); diff != "" {
			t.Errorf("logged (-want +got):\n%s", diff)
		}
		text.Reset()
		later(18 * time.Second)
		h.r.Stop()
		later(time.Second)
		if text.Len() > 0 {
			t.Errorf("logged before the end: %s", &text)
		}
		if err := h.stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(h.began); took != 25*time.Second {
			t.Errorf("it ended %v after the beginning", took)
		}
		want = "[WARN]  commands are killed or not started; pending undos are left to the next start: commands=4 doors=\"a, b\"\n"
		if got := text.String(); len(got) < len(want) || got[:len(want)] != want {
			t.Errorf("logged %s", got)
		}

		t.Log("# where nothing runs, nothing is told of it")
		text.Reset()
		h = newHost(t, Config{Log: hclog.New(&hclog.LoggerOptions{Output: &text, Level: hclog.Info, DisableTime: true})})
		h.r.Stop()
		if err := h.stop(); err != nil || text.Len() > 0 {
			t.Errorf("%v, logged %s", err, &text)
		}
	})
}
