package daemon

import (
	"os"
	"strings"
	"testing"

	"sesame/daemon/control"
	"sesame/scripting/condition"
)

func TestRealReloadOfAList(t *testing.T) {
	const script = `local friends = sesame.networks { file = "OUT/friends" }
sesame.door "a" { sequence = { 1, 2 }, guards = 22, when = friends }`
	w := newReloading(t, script, map[string]string{"friends": "# friends\n203.0.113.0/28\n"})
	list := w.out + "/friends"
	w.wantOutcome(w.hint(), control.Unchanged, 1)
	w.knock(1, 2)
	w.wantOpened("a")

	t.Log("# half of it is there: the old one stays")
	writeFile(t, list, "")
	w.wantOutcome(w.hint(), control.Rejected, 1, "OUT/friends:1: the file is empty, as if it were half-written", "a.lua:1:42: file: OUT/friends cannot be used: see its line 1")
	writeFile(t, list, "# friends\n198.51.100.0/2")
	w.wantOutcome(w.hint(), control.Rejected, 1, `OUT/friends:2: "198.51.100.0/2" has bits set beyond its length`)
	w.wantOutcome(w.hint(), control.Unchanged, 1)
	w.knock(1, 2)
	w.wantOpened("a")

	t.Log("# all of it is there")
	writeFile(t, list, "# friends\n198.51.100.0/24\n")
	w.wantOutcome(w.hint(), control.Applied, 2)
	w.knock(1, 2)
	w.wantOpened()

	t.Log("# it is a directory, or leads to itself, or is too long")
	for want, make := range map[string]func() error{
		"it is a directory":                 func() error { return os.Mkdir(list, 0o700) },
		"too many levels of symbolic links": func() error { return os.Symlink("friends", list) },
		"it is longer than 64 MiB":          func() error { return os.WriteFile(list, []byte(strings.Repeat("# a comment\n", 6<<20)), 0o600) },
		"no such file or directory":         func() error { return nil },
	} {
		must(t, os.Remove(list))
		must(t, make())
		w.wantOutcome(w.hint(), control.Rejected, 2, "a.lua:1:42: file: reading OUT/friends: "+want)
		must(t, os.RemoveAll(list))
		writeFile(t, list, "")
	}

	t.Log("# another file changed: the list is not read into memory once more")
	writeFile(t, list, "# friends\n203.0.113.9\n")
	w.wantOutcome(w.hint(), control.Applied, 3)
	source := func() *byte { return &w.l.set.Files[1].Source[0] }
	before := source()
	w.script(script + "\n-- changed")
	w.wantOutcome(w.hint(), control.Applied, 4)
	if source() != before {
		t.Error("two sets with the same list have a text each")
	}
	if lists := condition.ListsOf(w.l.set.Engine.Doors[0].When[0]); len(lists) != 1 || lists[0].Networks != 1 {
		t.Errorf("the lists are %v", lists)
	}
	w.knock(1, 2)
	w.wantOpened("a")
}
