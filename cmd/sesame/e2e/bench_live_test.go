//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/livetest"
)

// BenchmarkLive measures the program as it is run, and Debian's knockd beside it,
// each in a network of its own and one after another. It takes minutes, so it
// runs only when it is called by name; each measurement is made once,
// whatever -benchtime says:
//
//	make bench-live
func BenchmarkLive(b *testing.B) {
	if name := flag.Lookup("test.bench"); name == nil || !strings.Contains(name.Value.String(), "Live") {
		b.Skip("takes minutes: make bench-live")
	}
	if os.Geteuid() != 0 {
		b.Skip("needs root, to make network namespaces")
	}
	program := buildProgram(b)
	for _, m := range []struct {
		name    string
		measure func(*liveBench)
	}{
		{"idle/sesame", func(l *liveBench) { measureIdle(l, l.startSesame(l.TempDir(), threeKnocks)) }},
		{"idle/knockd", func(l *liveBench) { measureIdle(l, l.startKnockd(threeKnocks)) }},
		{"open/sesame-disk", func(l *liveBench) { measureOpening(l, l.startSesame(l.disk(), threeKnocks)) }},
		{"open/sesame-tmpfs", func(l *liveBench) { measureOpening(l, l.startSesame(l.tmpfs(), threeKnocks)) }},
		{"open/knockd", func(l *liveBench) { measureOpening(l, l.startKnockd(threeKnocks)) }},
		{"sources/sesame", func(l *liveBench) { measureSources(l, l.startSesame(l.TempDir(), threeKnocks)) }},
		{"sources/knockd", func(l *liveBench) { measureSources(l, l.startKnockd(threeKnocks)) }},
		{"doors/sesame", func(l *liveBench) { measureDoors(l, l.startSesame(l.TempDir(), manyDoors(400)...)) }},
		{"doors/knockd", func(l *liveBench) { measureDoors(l, l.startKnockd(manyDoors(400)...)) }},
		{"flood/sesame", func(l *liveBench) {
			s := l.startSesame(l.TempDir(), fourKnocks)
			measureFlood(l, s, 3, s.firstKnock())
		}},
		{"flood/sesame-tripwires", func(l *liveBench) {
			s := l.startSesame(l.TempDir(), fourKnocks)
			measureFlood(l, s, 3, s.tripwires())
		}},
		{"flood/knockd", func(l *liveBench) {
			s := l.startKnockd(fourKnocks)
			measureFlood(l, s, 1, s.firstKnock())
		}},
		{"start/sesame", measureStarts},
		{"watch/sesame", measureWatch},
		{"reload/sesame", measureReloadsAlone},
		{"reloads/sesame", measureReloads},
		{"mixed/sesame", measureMixed},
	} {
		b.Run(m.name, func(b *testing.B) {
			l := newLiveBench(b, program)
			load := l.load()
			m.measure(l)
			b.ReportMetric(load, "load")
			b.ReportMetric(0, "ns/op") // says nothing
		})
	}
}

// benchProgram is a variable of the environment with the path of the program to measure, such as
// one of an earlier version.
const benchProgram = "SESAME_BENCH_PROGRAM"

// buildProgram builds the program as make does, and returns its path.
func buildProgram(b *testing.B) string {
	b.Helper()
	if program := os.Getenv(benchProgram); program != "" {
		return program
	}
	b.Setenv("CGO_ENABLED", "0")
	dir := b.TempDir()
	if err := build(dir, "-trimpath", "-ldflags", "-s -w"); err != nil {
		b.Fatal(err)
	}
	return filepath.Join(dir, "sesame")
}

// load returns how many tasks want a processor, as an average over a minute: on a
// machine that does something else too, figures are worse.
func (l *liveBench) load() float64 {
	l.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		l.Fatal(err)
	}
	load, err := strconv.ParseFloat(strings.Fields(string(text))[0], 64)
	if err != nil {
		l.Fatal(err)
	}
	return load
}

// A liveDoor is one that sesame and knockd can have.
type liveDoor struct {
	name   string
	knocks []string // TCP
	guards string
	within time.Duration
	ttl    time.Duration
}

var (
	threeKnocks = liveDoor{"ssh", []string{"tcp/7000", "tcp/8000", "tcp/9000"}, "tcp/22", time.Minute, 10 * time.Minute}
	fourKnocks  = liveDoor{"ssh", []string{"tcp/7000", "tcp/8000", "tcp/9000", "tcp/7500"}, "tcp/22", 10 * time.Second, 10 * time.Minute}
)

// manyDoors returns doors of three knocks each, no two of which are the same nor
// neighbours. The last of them is asked to open.
func manyDoors(count int) []liveDoor {
	doors := make([]liveDoor, count)
	for i := range doors {
		var knocks []string
		for n := range 3 {
			knocks = append(knocks, fmt.Sprintf("tcp/%d", 10000+(i*3+n)*37))
		}
		doors[i] = liveDoor{fmt.Sprintf("door%d", i), knocks, "tcp/22", time.Minute, 10 * time.Minute}
	}
	return doors
}

// A liveBench is a network for one measurement.
type liveBench struct {
	*testing.B
	net     *livetest.Network
	program string // the path of sesame
}

// newLiveBench returns a network with a server behind the port that doors guard.
// Knocks are dropped when they were received, as on a machine behind a firewall, so
// that nobody pays for answering them.
func newLiveBench(b *testing.B, program string) *liveBench {
	b.Helper()
	l := &liveBench{b, livetest.New(b), program}
	l.net.Server.Echo(ssh4)
	l.net.Server.Exec("nft", `add table inet quiet
		add chain inet quiet input { type filter hook input priority 10; }
		add rule inet quiet input tcp dport != 22 drop`)
	return l
}

// disk returns a directory on a disk, and logs what file system it has: how long a sync takes is
// a matter of both.
func (l *liveBench) disk() string {
	l.Helper()
	dir := l.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		l.Fatal(err)
	}
	names := map[int64]string{unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs"}
	name, known := names[int64(fs.Type)]
	if !known {
		l.Skipf("%s is on a file system of the type %#x: set TMPDIR to a directory on a disk", dir, fs.Type)
	}
	l.Logf("the state is on %s", name)
	return dir
}

// tmpfs returns a directory in memory.
func (l *liveBench) tmpfs() string {
	l.Helper()
	const memory = "/dev/shm"
	var fs unix.Statfs_t
	if err := unix.Statfs(memory, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		l.Skipf("no tmpfs at %s", memory)
	}
	dir, err := os.MkdirTemp(memory, "sesame")
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// within waits for a condition, and reports whether it came.
func within(limit time.Duration, condition func() bool) bool {
	for end := time.Now().Add(limit); !condition(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
