package source_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"sesame/scripting/source"
)

// allocated returns how many bytes of memory do asks for.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestLongFilesAreNotReadForNothing counts bytes: two lists of the greatest length would fill the
// memory of a daemon.
func TestLongFilesAreNotReadForNothing(t *testing.T) {
	const size = 16 << 20
	d := newDisk(t)
	list := d.out + "/list"
	d.write(list, strings.Repeat("#", size-1)+"\n")
	d.write(d.dir+"/a.lua", fmt.Sprintf("sesame.door \"a\" { sequence = { 1, 2 }, when = sesame.none { sesame.networks { file = %q } } }", list))
	running := d.load(d.read())
	var files *source.Files
	if n := allocated(func() { files = d.read(list) }); n > size+1<<20 {
		t.Errorf("%d bytes for a file of %d", n, size)
	}
	again := func() {
		var err error
		if files, err = source.ReadAgain(d.dir, running, list); err != nil {
			t.Fatal(err)
		}
	}
	if n := allocated(again); n > 1<<20 || files.Compare(running) != source.Same || files.Sum != running.Sum {
		t.Errorf("%d bytes for a file that is there already", n)
	}
	sum := func() {
		if got, err := source.Sum(d.dir, list); err != nil || got != running.Sum {
			t.Errorf("the sum is %x, want %x: %v", got, running.Sum, err)
		}
	}
	if n := allocated(sum); n > 1<<20 {
		t.Errorf("%d bytes for a hash", n)
	}

	t.Log("# a file that changed, or is gone, is another")
	for _, do := range []func() error{
		func() error { return os.WriteFile(list, bytes.Repeat([]byte("\n"), 5), 0o600) },
		func() error { return os.Remove(list) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		again()
		got, err := source.Sum(d.dir, list)
		if files.Compare(running) != source.Changed || err != nil || got != files.Sum {
			t.Errorf("%x and %x, %v", got, files.Sum, err)
		}
	}
	t.Log("# what was forgotten can be compared")
	if running.Forget(); d.read(list).Compare(running) != source.Changed || d.read(list).Compare(files) != source.Same {
		t.Error("it is another")
	}
}
