package simulate

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"sesame/daemon/damagetest"
	"sesame/daemon/transcript"
	"sesame/scripting"
	"sesame/scripting/source"
	"sesame/simulate/trace"
)

const (
	// mutantBytes bounds what one damaged file may make a simulation allocate, over all. What is
	// in use at one time is less.
	mutantBytes = 256 << 20
	// mutantPatience only keeps a test from hanging.
	mutantPatience = 5 * time.Minute
)

// A mutated is a good file, with what it is replayed through.
type mutated struct {
	name  string
	file  []byte
	set   *scripting.Set // nil: its own scripts
	plain []byte         // what a compressed file holds; nil: it is not compressed
}

// TestDamagedFilesStayWithinBounds damages the captures and recordings that we have, and replays
// each. None may end the program, hang, or make it allocate more than a bound. Which errors are
// reported is for the tests of the readers.
func TestDamagedFilesStayWithinBounds(t *testing.T) {
	files := append(shippedCaptures(t), recordings(t)...)
	dir := t.TempDir()
	whole, cut, failed, most := 0, 0, 0, uint64(0)
	for i := range damagetest.Share(t, 3_000) {
		one := files[i%len(files)]
		good := one.file
		if one.plain != nil && i/len(files)%4 > 0 {
			good = one.plain // the format within is more interesting than the check sum around it
		}
		file := damagetest.File(uint64(i), good)
		report, allocated, err := replayMutant(t, dir, one, file, one.set != nil && i%2 == 0)
		switch most = max(most, allocated); {
		case err != nil:
			failed++
		case len(report.Incomplete)+len(report.Unread) > 0:
			cut++
		default:
			whole++
		}
		if allocated > mutantBytes {
			t.Errorf("%s, seed %d: %d MiB were allocated", one.name, i, allocated>>20)
		}
		if t.Failed() {
			t.Fatalf("%s, seed %d: the file is %s", one.name, i, keepMutant(t, one.name, file))
		}
	}
	t.Logf("read to the end: %d, in part: %d, not at all: %d; at most %d MiB allocated", whole, cut, failed, most>>20)
	if whole == 0 || cut == 0 || failed == 0 {
		t.Error("the damage is always of one kind")
	}
}

// replayMutant replays a damaged file, and returns how many bytes that allocated.
func replayMutant(t *testing.T, dir string, one mutated, file []byte, traced bool) (report *Report, allocated uint64, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), mutantPatience)
	defer cancel()
	defer func() {
		if r := recover(); r != nil {
			t.Errorf("panic: %v\n%s", r, debug.Stack())
		}
	}()
	path := filepath.Join(dir, "mutant") // it is read again, for the account and the trace
	must(t, os.WriteFile(path, file, 0o600))
	c := Config{
		Captures: []string{path}, Account: true, Until: time.Hour, Writer: transcript.NewText(io.Discard, transcript.TextOptions{}),
		Load: func(c *Config) error { return fmt.Errorf("%s is no recording any more", one.name) },
	}
	if one.set != nil {
		c.Set = one.set.Engine
	}
	if traced {
		c.Sources, c.Trace = []netip.Prefix{netip.MustParsePrefix("203.0.113.9/32")}, func(*trace.Packet) {}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if report, err = Run(ctx, c); err == nil {
		err = report.WriteAccount(io.Discard)
	}
	runtime.ReadMemStats(&after)
	if ctx.Err() != nil {
		t.Errorf("it had not ended after %v", mutantPatience)
	}
	if err != nil && strings.TrimSpace(err.Error()) == "" {
		t.Error("an error without a word")
	}
	return report, after.TotalAlloc - before.TotalAlloc, err
}

// keepMutant writes a file at a place that outlives the test.
func keepMutant(t *testing.T, name string, file []byte) string {
	t.Helper()
	f, err := os.CreateTemp("", "mutant-*-"+name)
	must(t, err)
	defer f.Close()
	_, err = f.Write(file)
	must(t, err)
	return f.Name()
}

// shippedCaptures returns the captures of the repository, with the scripts of the same name.
func shippedCaptures(t *testing.T) (all []mutated) {
	t.Helper()
	paths, err := filepath.Glob("../pcaps/*.pcap*")
	must(t, err)
	sets := map[string]*scripting.Set{}
	scripts, err := filepath.Glob("../scripts/*.lua")
	must(t, err)
	for _, path := range append(scripts, "../scripts/knockd") {
		if strings.HasSuffix(path, "_test.lua") {
			continue
		}
		files, err := source.Read(path)
		must(t, err)
		set, err := scripting.Load(files, scripting.Options{})
		must(t, err)
		t.Cleanup(func() { set.Close() })
		sets[strings.TrimSuffix(filepath.Base(path), ".lua")] = set
	}
	for _, path := range paths {
		one := mutated{name: filepath.Base(path)}
		for name, set := range sets {
			if strings.HasPrefix(one.name, name+"-") {
				one.set = set
			}
		}
		if one.set == nil {
			t.Fatalf("no script has the name of %s", path)
		}
		all = append(all, one.read(t, path))
	}
	return all
}

// recordings returns recordings of each version, and one of today: each is replayed exactly, and
// as a capture.
func recordings(t *testing.T) (all []mutated) {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.pcapng.gz")
	must(t, err)
	for _, path := range paths {
		all = append(all, mutated{name: filepath.Base(path)}.read(t, path))
	}
	flight := takeOff(t, 5, 0)
	for range 300 {
		flight.step()
	}
	today, _ := flight.land()
	flight.set.Close()
	all = append(all, mutated{name: "today.pcapng", file: today})
	other := loaded(t, `sesame.door "other" { sequence = { 1, "udp/2" }, guards = 22, tripwires = 0 }`)
	t.Cleanup(func() { other.Close() })
	for _, one := range all {
		one.set = other
		all = append(all, one)
	}
	return all
}

// read reads a file, and what it holds when it is compressed.
func (m mutated) read(t *testing.T, path string) mutated {
	t.Helper()
	var err error
	m.file, err = os.ReadFile(path)
	must(t, err)
	switch filepath.Ext(path) {
	case ".gz":
		r, err := gzip.NewReader(bytes.NewReader(m.file))
		must(t, err)
		m.plain, err = io.ReadAll(r)
		must(t, err)
	case ".zst":
		r, err := zstd.NewReader(nil)
		must(t, err)
		defer r.Close()
		m.plain, err = r.DecodeAll(m.file, nil)
		must(t, err)
	}
	return m
}
