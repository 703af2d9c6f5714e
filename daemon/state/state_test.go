package state

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

var monday = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// sameRecords compares records by what they mean.
var sameRecords = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.EquateNaNs(),
}

func open(t testing.TB, dir string) *Dir {
	t.Helper()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func recovered(t testing.TB, d *Dir, now time.Time) Recovered {
	t.Helper()
	got, err := d.Recover(now)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// reopen ends a daemon's life without a word, and begins another in the same
// directory.
func reopen(t testing.TB, d *Dir, now time.Time) (*Dir, Recovered) {
	t.Helper()
	d.Close()
	next := open(t, d.path)
	return next, recovered(t, next, now)
}

func appendAll(t testing.TB, d *Dir, offset time.Duration, records ...engine.Record) {
	t.Helper()
	if err := d.Append(records, offset); err != nil {
		t.Fatal(err)
	}
}

func grant(id uint64, end time.Time) engine.Record {
	source := netip.MustParseAddr("203.0.113.9")
	return engine.Record{Grant: &engine.Grant{
		ID: id, Door: "ssh", By: source, Source: netip.PrefixFrom(source, 32), Port: packet.Port{Proto: packet.TCP, Number: 22},
		TTL: 30 * time.Second, End: end,
	}}
}

func ended(id uint64) engine.Record {
	return engine.Record{Grant: &engine.Grant{ID: id}, Ended: true}
}

func value(key string, v any, until time.Time) engine.Record {
	return engine.Record{Script: "spa.lua", Store: &engine.Put{Key: key, Value: v, Until: until}}
}

func TestWhatIsKept(t *testing.T) {
	d := open(t, filepath.Join(t.TempDir(), "a", "state"))
	if got := recovered(t, d, monday); len(got.Records) != 0 || len(got.Warnings) != 0 {
		t.Fatalf("a new directory says %v", got)
	}
	mount := engine.Record{Grant: &engine.Grant{
		ID: 4, By: netip.MustParseAddr("2001:db8::1"), Source: netip.MustParsePrefix("2001:db8::/64"), Argv: []string{"/bin/mount", "\xff<&>\n"},
		Undo: []string{}, Timeout: time.Second, TTL: time.Hour, End: monday.Add(time.Hour),
	}}
	over := grant(3, monday.Add(-time.Hour))
	source := engine.Record{Script: "spa.lua", Source: netip.MustParseAddr("203.0.113.9"), Store: &engine.Put{Key: "a", PerSource: true, Value: "\x00\xff"}}
	appendAll(t, d, 0, grant(1, monday), grant(2, monday.Add(time.Minute)), over)
	appendAll(t, d, 0, ended(1), mount, value("b", 1.0, time.Time{}), value("c", true, time.Time{}), grant(9, monday), ended(9))
	appendAll(t, d, 0, value("b", math.Inf(-1), monday.Add(time.Minute)), value("c", nil, time.Time{}), source, grant(2, monday.Add(time.Second)),
		value("late", "x", monday.Add(time.Second)))

	want := []engine.Record{ended(9), grant(2, monday.Add(time.Second)), over, mount, value("b", math.Inf(-1), monday.Add(time.Minute)), source}
	for range 3 {
		var got Recovered
		d, got = reopen(t, d, monday.Add(time.Second))
		if diff := cmp.Diff(want, got.Records, sameRecords); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		if len(got.Warnings) != 0 {
			t.Errorf("warnings: %v", got.Warnings)
		}
	}
}

func TestEveryRecordComesBackAsItWas(t *testing.T) {
	texts := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	lists := rapid.OneOf(rapid.Just[[]string](nil), rapid.SliceOf(texts))
	commands := rapid.OneOf(rapid.Just[[]string](nil), rapid.SliceOfN(texts, 1, 5))
	addresses := rapid.Custom(func(t *rapid.T) netip.Addr {
		b := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address")
		switch rapid.IntRange(0, 2).Draw(t, "family") {
		case 0:
			return netip.Addr{}
		case 1:
			return netip.AddrFrom4([4]byte(b))
		}
		return netip.AddrFrom16([16]byte(b))
	})
	times := rapid.Map(rapid.Int64(), wire.Time)
	records := rapid.Custom(func(t *rapid.T) engine.Record {
		if rapid.IntRange(0, 4).Draw(t, "used") == 0 {
			return engine.Record{Consumed: &engine.Consumed{File: texts.Draw(t, "file"), Line: texts.Draw(t, "line")}}
		}
		if rapid.Bool().Draw(t, "grant") {
			g := &engine.Grant{
				ID: rapid.Uint64Range(1, math.MaxInt64).Draw(t, "id"), Door: texts.Draw(t, "door"), By: addresses.Draw(t, "by"), Argv: commands.Draw(t, "argv"),
				Undo: lists.Draw(t, "undo"), Timeout: time.Duration(rapid.Int64().Draw(t, "timeout")), End: times.Draw(t, "end"),
				AnyStatus: rapid.Bool().Draw(t, "any status"),
			}
			valid := func(a netip.Addr) bool { return a.IsValid() || g.Argv != nil }
			if a := addresses.Filter(valid).Draw(t, "source"); a.IsValid() {
				g.Source = netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).Masked()
			}
			if n := rapid.Uint16().Draw(t, "port"); n != 0 {
				g.Port = packet.Port{Proto: rapid.SampledFrom([]packet.Proto{packet.TCP, packet.UDP}).Draw(t, "proto"), Number: n}
			}
			return engine.Record{Grant: g}
		}
		r := engine.Record{Script: texts.Draw(t, "script"), Source: addresses.Draw(t, "source"), Store: &engine.Put{Key: texts.Draw(t, "key")}}
		r.Store.PerSource = r.Source.IsValid()
		r.Store.Value = rapid.OneOf(rapid.Map(texts, toAny[string]), rapid.Map(rapid.Bool(), toAny[bool]), rapid.Map(rapid.Float64(), toAny[float64]),
			rapid.SampledFrom([]any{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)})).Draw(t, "value")
		if rapid.Bool().Draw(t, "expires") {
			r.Store.Until = times.Filter(func(t time.Time) bool { return t.After(monday) && t.Before(wire.Time(wire.Forever)) }).Draw(t, "until")
		}
		return r
	})
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		want := records.Draw(t, "record")
		w, err := encode(want, 0)
		if err != nil {
			t.Fatal(err)
		}
		line, err := appendLine(nil, w)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, journalName), line, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		got, err := d.Recover(monday)
		if err != nil || len(got.Warnings) != 0 {
			t.Fatal(err, got.Warnings)
		}
		if want.Grant != nil {
			got.Records = got.Records[1:]
		}
		if diff := cmp.Diff([]engine.Record{want}, got.Records, sameRecords); diff != "" {
			t.Fatalf("record (-want +got):\n%s", diff)
		}
		if want.Store != nil {
			if f, ok := want.Store.Value.(float64); ok && math.Signbit(f) != math.Signbit(got.Records[0].Store.Value.(float64)) {
				t.Fatalf("%v became %v", f, got.Records[0].Store.Value)
			}
		}
	})
}

func toAny[T any](v T) any { return v }

func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	d := open(t, t.TempDir())
	if err := d.Append(nil, 0); err == nil || !strings.Contains(err.Error(), "was not recovered") {
		t.Errorf("appending before Recover: %v", err)
	}
	recovered(t, d, monday)
	if _, err := d.Recover(monday); err == nil {
		t.Error("recovered twice")
	}
	icmp := grant(1, monday)
	icmp.Grant.Port = packet.Port{Proto: packet.ICMP, Number: 8}
	long := grant(1, monday)
	long.Grant.Door = strings.Repeat("\x00", maxLine/6)
	for _, r := range []engine.Record{{}, {Grant: &engine.Grant{}}, {Grant: grant(1, monday).Grant, Consumed: &engine.Consumed{}}, icmp, long, value("k", 1, time.Time{}), {Grant: &engine.Grant{ID: 1}, Store: &engine.Put{}}} {
		if err := d.Append([]engine.Record{grant(2, monday), r}, 0); err == nil {
			t.Errorf("%v was taken", r)
		}
	}
	if d, got := reopen(t, d, monday); len(got.Records) != 0 {
		t.Errorf("%s holds %v", d.path, got.Records)
	}
}

// A line may be used more than once, where it is there more than once.
func TestUsedSequencesAreKeptUntilTheyAreMarked(t *testing.T) {
	use := func(file, line string) engine.Record {
		return engine.Record{Consumed: &engine.Consumed{File: file, Line: line}}
	}
	marked := func(file, line string) engine.Record {
		r := use(file, line)
		r.Ended = true
		return r
	}
	d := open(t, t.TempDir())
	recovered(t, d, monday)
	appendAll(t, d, 0, use("/b", "1"), use("/a", "2"), use("/a", "1"), use("/a", "2"), use("/a", "2"), use("/c", "3"))
	appendAll(t, d, 0, marked("/a", "2"), marked("/c", "3"), marked("/c", "3"), marked("/d", "4"))
	want := []engine.Record{use("/a", "1"), use("/a", "2"), use("/a", "2"), use("/b", "1")}
	for range 2 {
		var got Recovered
		if d, got = reopen(t, d, monday); len(got.Warnings) != 0 {
			t.Errorf("warnings: %v", got.Warnings)
		}
		if diff := cmp.Diff(want, got.Records, sameRecords); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		t.Log("# also when it is written anew")
		d.journal.limit = 0
		appendAll(t, d, 0, value("k", true, time.Time{}), value("k", nil, time.Time{}))
	}
	appendAll(t, d, 0, marked("/a", "2"), marked("/a", "2"), marked("/a", "1"), marked("/b", "1"))
	if d, got := reopen(t, d, monday); len(got.Records) != 0 {
		t.Errorf("%s holds %v", d.path, got.Records)
	}
}

// TestTimesMeanTheSame says when a grant and a value of a minute end, after a
// restart half a minute later.
func TestTimesMeanTheSame(t *testing.T) {
	half := 30 * time.Second
	for _, tt := range []struct {
		name    string
		before  time.Duration // offset when they were written
		after   time.Duration // offset at the end
		restart time.Time     // wall clock
		want    time.Duration // from then; negative: over
	}{
		{"a clock that runs well", 0, 0, monday.Add(half), half},
		{"one that was wrong at the start", time.Hour, time.Hour, monday.Add(time.Hour + half), half},
		{"one that was put right later", 0, 56 * 365 * 24 * time.Hour, monday.Add(56*365*24*time.Hour + half), half},
		{"one put back", 0, -time.Hour, monday.Add(-time.Hour + half), half},
		{"a drift that is not worth a line", 0, time.Millisecond, monday.Add(half), half},
		{"a start in 1970", 0, 0, time.Unix(12, 0), time.Minute},
		{"a start in the future", 0, 0, monday.Add(time.Hour), -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, t.TempDir())
			recovered(t, d, monday)
			d.journal.since = func() time.Duration { return 0 }
			end := monday.Add(time.Minute)
			g := grant(1, end)
			g.Grant.TTL = time.Minute
			appendAll(t, d, tt.before, g, value("k", "v", end))
			appendAll(t, d, tt.after)
			_, got := reopen(t, d, tt.restart)
			want := tt.restart.Add(tt.want)
			if tt.want < 0 {
				want = end
			}
			if end := got.Records[1].Grant.End; !end.Equal(want) {
				t.Errorf("the grant ends at %v, want %v", end, want)
			}
			switch {
			case tt.want < 0:
				if len(got.Records) != 2 {
					t.Errorf("the value is kept: %v", got.Records)
				}
			case !got.Records[2].Store.Until.Equal(want):
				t.Errorf("the value is kept until %v, want %v", got.Records[2].Store.Until, want)
			}
		})
	}
}

func TestExpiredValuesDoNotPileUp(t *testing.T) {
	d := open(t, t.TempDir())
	recovered(t, d, monday)
	passed := time.Duration(0)
	d.journal.since = func() time.Duration { return passed }
	largest := int64(0)
	for i := range 200 {
		passed = time.Duration(i) * time.Second
		var records []engine.Record
		for k := range 100 {
			records = append(records, value(fmt.Sprintf("nonce %d %d", i, k), true, monday.Add(passed+3*time.Second)))
		}
		appendAll(t, d, 0, records...)
		largest = max(largest, d.journal.good)
	}
	if largest > minCompact+100<<10 {
		t.Errorf("the journal grew to %d bytes, of 300 values that lived at once", largest)
	}
	if n := len(d.journal.live.values); n > 20_000 {
		t.Errorf("%d values are held", n)
	}
	if _, got := reopen(t, d, monday.Add(passed)); len(got.Records) != 300 {
		t.Errorf("%d values are kept, want 300", len(got.Records))
	}
}

func TestACallIsOneWriteAndOneFlush(t *testing.T) {
	d := open(t, t.TempDir())
	recovered(t, d, monday)
	appendAll(t, d, 0)
	flushes, writes := 0, 0
	flush, write := d.disk.flush, d.disk.write
	d.disk.flush = func(f *os.File) error { flushes++; return flush(f) }
	d.disk.write = func(f *os.File, b []byte, at int64) error { writes++; return write(f, b, at) }
	records := make([]engine.Record, 1000)
	for i := range records {
		records[i] = value(fmt.Sprint(i), float64(i), time.Time{})
	}
	appendAll(t, d, 0, records...)
	if flushes != 1 || writes != 1 {
		t.Errorf("%d writes and %d flushes for one call", writes, flushes)
	}
}

func TestWhoseDirectory(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "lib", "sesame")
	d := open(t, dir)
	recovered(t, d, monday)
	appendAll(t, d, 0)
	if err := d.SaveSet(Saved{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"lib": 0o700, "lib/sesame": 0o700, "lib/sesame/journal": 0o600, "lib/sesame/set": 0o600, "lib/sesame/lock": 0o600} {
		if info, err := os.Stat(filepath.Join(parent, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", name, info.Mode(), err, want)
		}
	}
	refused := func(dir, why string) {
		t.Helper()
		_, err := Open(dir)
		if _, refused := errors.AsType[*Refusal](err); !refused || !strings.Contains(err.Error(), why) {
			t.Errorf("opened: %v, want a refusal: %s", err, why)
		}
	}
	refused(dir, fmt.Sprintf("another sesame, process %d uses it", os.Getpid()))
	d.Close()
	if err := d.Append([]engine.Record{ended(1)}, 0); err == nil {
		t.Error("appended to a closed directory")
	}
	open(t, dir).Close()

	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	refused(dir, "others can write to it (mode 0770)")
	file := filepath.Join(parent, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(file, "not a directory")
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, 12345, 0); err != nil {
			t.Fatal(err)
		}
		refused(dir, "belongs to user 12345")
		if _, err := OpenToRead(dir); err == nil || !strings.Contains(err.Error(), "others can write to it (mode 0770)") {
			t.Errorf("opened to read: %v", err)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		reading, err := OpenToRead(dir)
		if err != nil {
			t.Fatal(err)
		}
		if _, saved, err := reading.LastGood(); !saved || err != nil {
			t.Errorf("of another user: %v, %v", saved, err)
		}
		reading.Close()
	}
	if _, err := OpenToRead(filepath.Join(parent, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opened to read: %v", err)
	}
}

// TestWhatADeadDaemonLeft has a lock that is held for a moment more by a child of
// the daemon that died.
func TestWhatADeadDaemonLeft(t *testing.T) {
	const nobody = 1<<22 + 1 // no process has such a number
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Create(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := fmt.Fprintln(lock, nobody); err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("another sesame, process %d uses it", nobody)) {
		t.Errorf("opened while it was locked: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { lock.Close() })
	open(t, dir).Close()
}

// A grant that lasts longer without its window than with it ends at most that long after a start
// with a clock in the past. A script may remove the window, so this end counts too.
func TestTheEndWithoutAWindowMeansTheSame(t *testing.T) {
	for _, tt := range []struct {
		name     string
		restart  time.Time
		ttl      time.Duration
		end, got time.Duration // of the time without the window, from the restart
	}{
		{"a clock that runs well", monday.Add(30 * time.Second), time.Minute, time.Hour, time.Hour - 30*time.Second},
		{"a start in 1970", time.Unix(12, 0), time.Minute, time.Hour, time.Hour},
		{"a grant without a ttl, in 1970", time.Unix(12, 0), 0, time.Hour, monday.Add(time.Hour).Sub(time.Unix(12, 0))},
	} {
		d := open(t, t.TempDir())
		recovered(t, d, monday)
		g := grant(1, monday.Add(time.Minute))
		g.Grant.TTL, g.Grant.WindowEnd, g.Grant.TTLEnd = tt.ttl, monday.Add(time.Minute), monday.Add(tt.end)
		appendAll(t, d, 0, g)
		_, got := reopen(t, d, tt.restart)
		if end, want := got.Records[1].Grant.TTLEnd, tt.restart.Add(tt.got); !end.Equal(want) {
			t.Errorf("%s: without its window the grant ends at %v, want %v", tt.name, end, want)
		}
	}
}
