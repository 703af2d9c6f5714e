//go:build linux

package privileged

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/wire"
)

func journalOf(lines ...string) []byte {
	var content []byte
	for _, text := range lines {
		content = fmt.Appendf(content, "%s %s\n", checksum([]byte(text)), text)
	}
	return content
}

// What a newer version noted is told and stays for it, and nothing of it runs.
func TestLinesOfANewerVersion(t *testing.T) {
	const (
		future  = `{"owed":{"id":7,"argv":["/sbin/ip","route","del"],"door":"vpn","timeout":"30s"}}`
		another = `{"quota":{"id":7}}`
		known   = `{"owed":{"id":3,"argv":["/u","3"],"timeout":1000000000}}`
	)
	for _, tt := range []struct {
		name  string
		lines []string
		owed  []string
		told  []string
		stay  []string
		next  uint64
	}{
		{"another form", []string{future, known}, []string{"/u 3"}, []string{"/sbin/ip route del"}, []string{future}, 8},
		{"which ran", []string{future, known, `{"done":7}`}, []string{"/u 3"}, nil, nil, 4},
		{"which this version noted again", []string{future, strings.Replace(known, `"id":3`, `"id":7`, 1)}, []string{"/u 3"}, nil, nil, 8},
		{"another kind", []string{another, known}, []string{"/u 3"}, nil, []string{another}, 4},
		{"an unknown member", []string{strings.Replace(known, `"id"`, `"weight":{},"id"`, 1)}, []string{"/u 3"}, nil, nil, 4},
		{"kept by an older version, and known here", []string{`{"newer":{"since":5,"line":` + known + `}}`}, []string{"/u 3"}, nil, nil, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "helper")
			must(t, os.Mkdir(dir, 0o700))
			path := filepath.Join(dir, journalName)
			must(t, os.WriteFile(path, journalOf(tt.lines...), 0o600))
			for range 3 {
				j := opened(t, dir)
				var told []string
				for _, n := range j.newerUndos() {
					told = append(told, strings.Join(n.argv, " "))
				}
				if diff := cmp.Diff(tt.owed, j.list()) + cmp.Diff(tt.told, told); diff != "" {
					t.Errorf("owed, and told (-want +got):\n%s", diff)
				}
				content, err := os.ReadFile(path)
				must(t, err, j.close())
				for _, want := range tt.stay {
					if !bytes.Contains(content, []byte(want)) {
						t.Errorf("%s is gone:\n%s", want, content)
					}
				}
				if len(tt.stay) == 0 && bytes.Contains(content, []byte("newer")) {
					t.Errorf("something stays:\n%s", content)
				}
			}
			j := opened(t, dir)
			o := undoOf("/u", "x")
			if must(t, j.owe(o)); o.ID != tt.next {
				t.Errorf("the next undo is %d, want %d", o.ID, tt.next)
			}
			must(t, j.close())
		})
	}
}

// A line goes after its time, and is told once more then. A clock that was not set when the line
// was read first makes it no older.
func TestLinesOfANewerVersionGoInTime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "helper")
	must(t, os.Mkdir(dir, 0o700))
	for _, tt := range []struct {
		since time.Time
		want  int
	}{
		{now().Add(time.Hour), 1}, {now().Add(time.Hour - wire.NewerLasts), 1}, {now().Add(-time.Hour - wire.NewerLasts), 0}, {time.Unix(86400, 0), 1},
	} {
		text := fmt.Sprintf(`{"newer":{"since":%d,"line":{"owed":{"argv":["/u"]}}}}`, tt.since.UnixNano())
		must(t, os.WriteFile(filepath.Join(dir, journalName), journalOf(text), 0o600))
		for start, want := range []int{1, tt.want, tt.want} {
			j := opened(t, dir)
			if len(j.newerUndos()) != want {
				t.Errorf("since %v, start %d: %d undos are told, want %d", tt.since, start, len(j.newerUndos()), want)
			}
			must(t, j.close())
		}
	}
}

// Lines that are kept are no reason to write the whole file each time.
func TestKeptLinesCountForTheSize(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "helper")
	must(t, os.Mkdir(dir, 0o700))
	text := `{"quota":"` + strings.Repeat("x", minRewrite) + `"}`
	must(t, os.WriteFile(filepath.Join(dir, journalName), journalOf(text), 0o600))
	j := opened(t, dir)
	store := j.store
	j.store = func(text []byte, whole bool) error {
		if whole {
			t.Error("the whole file is written")
		}
		return store(text, whole)
	}
	must(t, j.owe(undoOf("/u", "x")), j.close())
}

func TestWhatIsNoLineOfANewerVersion(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "helper")
	must(t, os.Mkdir(dir, 0o700))
	for _, text := range []string{
		`5`, `{}`, `null`, `{"done":"7"}`, `{"done":0}`, `{"newer":{}}`, `{"newer":5}`, `{"newer":{"since":1}}`, `{"newer":{"since":0,"line":{"a":1}}}`,
		`{"newer":{"since":1,"line":{"newer":{"since":1,"line":{"a":1}}}}}`,
	} {
		must(t, os.WriteFile(filepath.Join(dir, journalName), journalOf(text), 0o600))
		j, damaged, err := openJournal(dir)
		must(t, err)
		if damaged != 1 || len(j.newer) != 0 {
			t.Errorf("%s: %d lines are damaged, %d stay", text, damaged, len(j.newer))
		}
		must(t, j.close())
	}
}

// Each daemon that settles its undos is told those that nobody runs.
func TestADaemonIsToldTheUndosOfANewerVersion(t *testing.T) {
	w := newWorld(t)
	must(t, os.MkdirAll(w.helper, 0o700))
	must(t, os.WriteFile(filepath.Join(w.helper, journalName), journalOf(`{"owed":{"id":7,"argv":["`+w.program+`","unban"],"door":"vpn","timeout":"30s"}}`), 0o600))
	h := w.host()
	for range 2 {
		c := h.connect()
		must(t, c.Settle(nil))
		got := <-c.Failed()
		if got.Door != "vpn" || got.Command != w.program+" unban" || !strings.HasPrefix(got.Reason, "a newer version of Sesame noted it") {
			t.Errorf("told %+v", got)
		}
		c.close()
	}
	w.wantLog()
}
