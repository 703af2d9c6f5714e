package daemon

import (
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/logtest"
)

// stateOf writes a file of a state directory, each line with its checksum.
func stateOf(t *testing.T, path string, lines ...string) {
	t.Helper()
	var content []byte
	for _, text := range lines {
		content = fmt.Appendf(content, "%08x %s\n", crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli)), text)
	}
	must(t, os.WriteFile(path, content, 0o600))
}

// A start goes on with what a newer version wrote, and says what it does not read: once in the log,
// and in the status.
func TestAStartWithTheStateOfANewerVersion(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	stateOf(t, filepath.Join(dir, "journal"), `{"header":{"what":"sesame journal","version":3}}`,
		`{"grant":{"id":7,"door":"vpn","source":"203.0.113.9/32","port":"sctp/22","end":5,"undo":["/sbin/ip","route","del"]}}`)
	stateOf(t, filepath.Join(dir, "set"), `{"what":"sesame script set","version":2}`, `{"files":{},"guards":["tcp/22"]}`)
	log := &logtest.Buffer{}
	d := &daemon{since: newClock().now(), config: Config{Log: hclog.New(&hclog.LoggerOptions{Output: log})}}
	d.config.State = dir
	found, err := d.openState()
	must(t, err, found.err, found.savedErr)
	for range 2 {
		if set, _, _ := d.lastGood(t.Context(), found); set != nil {
			t.Error("a set without files was loaded")
		}
	}
	d.noteDamage(found.recovered)
	want := []string{
		"set is of a newer version, and this sesame does not read all of it: files",
		"journal has version 3, and this sesame writes version 2",
		"journal has records of a newer version that are not read, 1 in all",
		"this one does not: /sbin/ip route del",
	}
	if len(d.newer) != len(want) || len(d.damaged) != 0 {
		t.Fatalf("told %q, damaged %q", d.newer, d.damaged)
	}
	for i, text := range want {
		if !strings.Contains(d.newer[i], text) || strings.Count(log.String(), text) != 1 {
			t.Errorf("told %q, want %q once in the log:\n%s", d.newer[i], text, log)
		}
	}
	if id := found.recovered.Records[0].Grant.ID; id != 7 {
		t.Errorf("ids begin above %d, want 7", id)
	}
	must(t, d.state.close())
}
