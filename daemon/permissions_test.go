package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sesame/scripting"
	"sesame/scripting/source"
)

// TestWhatOthersCanChange has scripts that only root and who runs this can change,
// and opens one file after another to others.
func TestWhatOthersCanChange(t *testing.T) {
	dir, out := filepath.Join(t.TempDir(), "scripts"), t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "lib"), 0o755), os.Chmod(out, 0o755))
	writeFile(t, dir+"/a.lua", `local m = require "m" sesame.knockd "`+out+`/knockd.conf"`)
	writeFile(t, dir+"/lib/m.lua", "return 1")
	writeFile(t, dir+"/a_test.lua", `sesame.test "a" { { wait = "1s" } }`)
	writeFile(t, out+"/real.conf", "[a]\none_time_sequences = "+out+"/once\n")
	writeFile(t, out+"/once", "1,2\n")
	must(t, os.Symlink(out+"/real.conf", out+"/knockd.conf"))
	files, err := source.Read(dir)
	must(t, err)
	set, err := scripting.Load(files, scripting.Options{})
	must(t, err)
	defer set.Close()
	if got := WritableByOthers(set, dir); got != "" {
		t.Fatalf("at the startup: %s", got)
	}
	for _, path := range []string{dir, dir + "/a.lua", dir + "/a_test.lua", dir + "/lib", dir + "/lib/m.lua", out, out + "/real.conf", out + "/once"} {
		info, err := os.Stat(path)
		must(t, err)
		must(t, os.Chmod(path, info.Mode().Perm()|0o002))
		if got := WritableByOthers(set, dir); !strings.HasPrefix(got, path+" (owner ") || strings.Contains(got, ", /") {
			t.Errorf("%s can be written by all: %q", path, got)
		}
		must(t, os.Chmod(path, info.Mode().Perm()))
	}

	t.Log("# one script, with its own tests alone")
	writeFile(t, dir+"/b_test.lua", "")
	must(t, os.Chmod(dir+"/b_test.lua", 0o666), os.Chmod(dir+"/a_test.lua", 0o666))
	if got := WritableByOthers(set, dir+"/a.lua"); got != dir+"/a_test.lua (owner 0, mode 0666)" && os.Geteuid() == 0 {
		t.Errorf("of a.lua: %q", got)
	}
	must(t, os.Remove(dir+"/b_test.lua"), os.Chmod(dir+"/a_test.lua", 0o644))

	t.Log("# where nobody can exchange the files of others")
	must(t, os.Chmod(out, 0o777|os.ModeSticky))
	if got := WritableByOthers(set, dir); got != "" {
		t.Errorf("a sticky directory: %s", got)
	}
	must(t, os.Chmod(out, 0o755))

	if os.Geteuid() != 0 {
		return
	}
	t.Log("# somebody else's, and a group's")
	must(t, os.Chown(out+"/once", 65534, 0))
	if got, want := WritableByOthers(set, dir), out+"/once (owner 65534, mode 0600)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	must(t, os.Chown(out+"/once", 0, 65534), os.Chmod(out+"/once", 0o664))
	if got, want := WritableByOthers(set, dir), out+"/once (owner 0, mode 0664)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	must(t, os.Chown(out+"/once", 0, 0))
	if got := WritableByOthers(set, dir); got != "" {
		t.Errorf("the group of root: %s", got)
	}

	t.Log("# one script alone")
	must(t, os.Chmod(dir+"/a.lua", 0o666))
	if got := WritableByOthers(set, dir+"/a.lua"); !strings.HasPrefix(got, dir+"/a.lua (") {
		t.Errorf("got %q", got)
	}
}
