package state

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"sesame/daemon/packet"
)

// The files that begin with a commit were written by the daemon of it, on a machine where somebody
// had opened two doors. They are read as they were meant.
func TestStateOfEarlierCommits(t *testing.T) {
	for _, commit := range []string{"358bfd1", "ab65adf"} {
		t.Run(commit, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range []string{journalName, setName} {
				content, err := os.ReadFile(filepath.Join("testdata", commit+"."+name))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d := open(t, dir)
			saved, ok, err := d.LastGood()
			if !ok || err != nil || saved.Newer != "" || len(saved.Files) != 2 || len(saved.Guards) != 1 || saved.Guards[0] != (packet.Port{Proto: packet.TCP, Number: 22}) {
				t.Errorf("the set: %+v, %v, %v", saved, ok, err)
			}
			got := recovered(t, d, saved.At.Add(time.Minute))
			if len(got.Warnings) > 0 || got.Torn != nil || len(got.Newer.Texts("")) > 0 || len(got.Records) != 4 {
				t.Fatalf("recovered %+v", got)
			}
			port, command, value := got.Records[1].Grant, got.Records[2].Grant, got.Records[3].Store
			if port.Door != "ssh" || command.Door != "touch" || len(command.Undo) != 3 || value.Value != "x" || !port.End.After(saved.At.Add(time.Minute)) {
				t.Errorf("records %+v, %+v, %+v", port, command, value)
			}
			appendAll(t, d, 0)
			if _, again := reopen(t, d, saved.At.Add(time.Minute)); len(again.Records) != 4 {
				t.Errorf("after a rewrite: %+v", again)
			}
		})
	}
}
