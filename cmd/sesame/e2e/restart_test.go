//go:build linux

package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/livetest"
)

// TestRealAttemptsSurviveARestart stops the daemon in the middle of sequences. The next one goes on
// with them, and its recording replays to what it did. A crash loses them, and a file that was used
// once is gone.
func TestRealAttemptsSurviveARestart(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": strings.Replace(longDoor, `"10s"`, `"10m"`, 1)})
	w.start()
	first, second, third := livetest.Source4(1), livetest.Source4(2), livetest.Source4(3)
	w.send(first, sshKnocks[0])
	w.send(second, sshKnocks[:2]...)
	w.eventually("both attempts are there", func() bool { return w.status().Live.Attempts == 2 })
	if status := w.stop(); status != 0 {
		t.Fatalf("exit status %d", status)
	}
	info, err := os.Stat(w.path("state/attempts"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file of attempts: %v, %v", info, err)
	}

	w.start()
	if n := w.status().Live.Attempts; n != 2 {
		t.Errorf("%d attempts after the start, want 2", n)
	}
	w.send(first, sshKnocks[1:]...)
	w.send(second, sshKnocks[2])
	w.eventually("both are in", func() bool { return len(w.grants()) == 2 })
	if _, err := os.Stat(w.path("state/attempts")); !os.IsNotExist(err) {
		t.Errorf("the file of attempts is still there: %v", err)
	}
	transcript, recording := w.recorded()
	replayed := w.answerOffline("simulate", "--format", "jsonl", recording)
	if diff := cmp.Diff(strings.Split(transcript, "\n"), strings.Split(withoutSummary(replayed), "\n")); diff != "" {
		t.Errorf("the transcript, and a replay of the recording (-live +replayed):\n%s", diff)
	}

	w.send(third, sshKnocks[:2]...)
	w.eventually("the third attempt is there", func() bool { return w.status().Live.Attempts == 1 })
	w.kill()
	w.start()
	w.nothingOpens(third, sshKnocks[2])
}
