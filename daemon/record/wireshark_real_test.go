package record

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// These tests give recordings to the programs of Wireshark, and read what they made of them.

// A bench is a directory with captures, and the programs.
type bench struct {
	t     *testing.T
	dir   string
	state *engine.State
}

func newBench(t *testing.T) *bench {
	for _, name := range []string{"tshark", "editcap", "mergecap", "capinfos"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: .ci/install installs it", name)
		}
	}
	return &bench{t, t.TempDir(), anEngine().State()}
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) write(name string, file []byte) { check(b.t, os.WriteFile(b.path(name), file, 0o600)) }

// run runs a program in the directory, and returns what it prints.
func (b *bench) run(command string) string {
	b.t.Helper()
	words := strings.Fields(command)
	program := exec.CommandContext(b.t.Context(), words[0], words[1:]...)
	program.Dir = b.dir
	var stderr bytes.Buffer
	program.Stderr = &stderr
	out, err := program.Output()
	if err != nil {
		b.t.Fatalf("%s: %v\n%s", command, err, &stderr)
	}
	return string(out)
}

// told returns what an exact replay gets from a file: a word for each item. The error is what ends
// it, empty for a good end.
func (b *bench) told(name string) (words []string, foreign int, end string) {
	b.t.Helper()
	file, err := os.ReadFile(b.path(name))
	check(b.t, err)
	items, err := all(b.t, file)
	if err != nil {
		end = err.Error()
		_, isCut := errors.AsType[*CutError](err)
		if !isCut {
			b.t.Errorf("%s: %v", name, err)
		}
	}
	for _, item := range items {
		words = append(words, word(item))
	}
	if r, err := open(file); err == nil {
		for err == nil {
			_, err = r.NextExact()
		}
		foreign = r.Foreign()
	}
	return words, foreign, end
}

func word(item Item) string {
	switch {
	case item.Snapshot != nil:
		return "snapshot"
	case item.Frame != nil:
		f := item.Frame
		return fmt.Sprintf("packet %d %v if=%d link=%x at %d: %x", f.ID, f.Reception, f.Interface, f.LinkDigest, f.Time().UnixNano(), f.Data)
	}
	text, err := item.Input.payload()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("input %d: %.60s", item.Input.Kind, text)
}

// recorded returns a recorder with 20 packets of two interfaces, with inputs between them and
// behind the last one, and with a list of this length among the scripts. The packets of its second
// segment are 13 to 20.
func (b *bench) recorded(lines int) *Recorder {
	r := NewRecorder(16 << 20)
	list := Scripts{Files: []wire.File{{Path: "a.lua", Source: []byte("return")}, {Path: "/etc/list", Source: bytes.Repeat([]byte("10.0.0.0/8\n"), lines)}}}
	r.Begin(start, b.state, list)
	for i := 1; i <= 20; i++ {
		at := start.Add(time.Duration(i) * time.Second)
		if i == 13 {
			r.Begin(at, b.state, list)
		}
		b.packet(r, i)
		r.Input(Input{Kind: InputResult, Time: at, ID: uint64(i)})
		if i%3 == 0 {
			r.Input(Input{Kind: InputTick, Time: at.Add(time.Millisecond)})
		}
	}
	return r
}

func (b *bench) packet(r *Recorder, i int) {
	p := packet.Packet{Time: start.Add(time.Duration(i) * time.Second), Number: i, Interface: uint32(2 + i%2), LinkDigest: uint64(i) << 40, Vouched: i%2 == 0}
	r.Packet(&p, frame, len(frame)+i)
}

func (b *bench) save(name string, r *Recorder) {
	recording := r.Recording()
	recording.Interfaces = map[uint32]string{2: "eth0", 3: "wlan0"}
	b.write(name, saved(b.t, recording))
}

// other writes a capture of other packets, one before all of the recording and some among them.
func (b *bench) other(name string) {
	list := samples(5)
	for i := range list {
		list[i].Time = start.Add(time.Duration(i*4)*time.Second - time.Minute*time.Duration(1-min(i, 1))).Truncate(time.Microsecond)
	}
	b.write(name, pcap(b.t, list))
}

func TestRealWiresharkSeesPacketsAlone(t *testing.T) {
	b := newBench(t)
	b.save("r.pcapng", b.recorded(300_000))
	if n := strings.Count(b.run("tshark -r r.pcapng"), "203.0.113.9"); n != 20 {
		t.Errorf("%d packets", n)
	}
	got := b.run("tshark -r r.pcapng -T fields -e frame.number -e frame.interface_name -e frame.packet_id -e ip.src -e tcp.dstport -c 2")
	if want := "1\twlan0\t1\t203.0.113.9\t22\n2\teth0\t2\t203.0.113.9\t22\n"; got != want {
		t.Errorf("tshark: %q, want %q", got, want)
	}
	infos := b.run("capinfos -M r.pcapng")
	for _, want := range []string{"Number of packets:   20", "Name = eth0", "Name = wlan0", "Time precision = nanoseconds", "Strict time order:   True"} {
		if !strings.Contains(infos, want) {
			t.Errorf("capinfos does not say %q:\n%s", want, infos)
		}
	}
}

// What editcap, mergecap and tshark write is replayed as the recording is, when no packet of it is
// missing.
func TestRealWiresharkKeepsRecordingsWhole(t *testing.T) {
	b := newBench(t)
	r := b.recorded(1000)
	b.save("r.pcapng", r)
	b.other("other.pcap")
	want, _, end := b.told("r.pcapng")
	if end != "" || len(want) != 2+20+20+6 {
		t.Fatalf("%d items, %s", len(want), end)
	}
	for _, tt := range []struct {
		name, command string
		foreign       int
	}{
		{"copied", "editcap r.pcapng out", 0},
		{"copied twice", "editcap r.pcapng a && editcap a out", 0},
		{"comments of others", "editcap -a 3:hello r.pcapng out", 0},
		{"merged with an earlier capture", "mergecap -w out other.pcap r.pcapng", 5},
		{"merged with a later capture", "editcap -t 3600 other.pcap late.pcap && mergecap -w out late.pcap r.pcapng", 5},
		{"appended to a capture", "mergecap -a -w out other.pcap r.pcapng", 5},
		{"merged with itself", "mergecap -w out r.pcapng r.pcapng", 0},
		{"merged, and cut out again", "mergecap -w a other.pcap r.pcapng && tshark -r a -Y tcp.dstport==22 -w out", 0},
		{"saved after all was read", "tshark -2 -r r.pcapng -Y ip -w out", 0},
		{"interfaces merged into one", "mergecap -I all -w out r.pcapng other.pcap", 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &bench{t, b.dir, b.state}
			for command := range strings.SplitSeq(tt.command, " && ") {
				b.run(command)
			}
			got, foreign, end := b.told("out")
			if !slices.Equal(want, got) || end != "" {
				t.Errorf("%d items, %s: want %d\n%s", len(got), end, len(want), strings.Join(got, "\n"))
			}
			if foreign != tt.foreign {
				t.Errorf("%d packets of others, want %d", foreign, tt.foreign)
			}
			reader, err := Open(b.path("out"))
			check(t, err)
			defer reader.Close()
			if !reader.Recording() {
				t.Error("it is not known as a recording")
			}
		})
	}
}

// A recording that was cut is replayed as far as it can be.
func TestRealWiresharkCutsRecordings(t *testing.T) {
	b := newBench(t)
	b.save("r.pcapng", b.recorded(1000))
	want, _, _ := b.told("r.pcapng")
	first, second := slices.Index(want, "snapshot"), slices.Index(want[1:], "snapshot")+1
	for _, tt := range []struct {
		name, command string
		want          []string
		end           string
	}{
		{"the end", "editcap -r r.pcapng out 1-5", want[first:12], "it was cut behind packet 5, and replayed up to there"},
		{"the beginning", "editcap -r r.pcapng out 5-20", want[second:], ""},
		{"both", "editcap -r r.pcapng out 5-8", want[:1], "no packet is left that follows a snapshot"},
		{"both, behind the last snapshot", "editcap -r r.pcapng out 15-16", nil, "its first packets were cut away"},
		{"the middle", "editcap r.pcapng out 5-8", want[first:10], "packets were cut away behind packet 4, up to packet 8"},
		{"by time", "editcap -A 2026-05-04T03:02:14Z r.pcapng out", want[second:], ""},
		{"bytes", "editcap -s 50 r.pcapng out", want[:1], "packet 1 was changed since it was recorded"},
		{"times", "editcap -t 0.5 r.pcapng out", want[:1], "packet 1 was changed since it was recorded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := &bench{t, b.dir, b.state}
			b.run(tt.command)
			got, _, end := b.told("out")
			if !slices.Equal(tt.want, got) {
				t.Errorf("%d items, want %d\n%s", len(got), len(tt.want), strings.Join(got, "\n"))
			}
			if !strings.Contains(end, tt.end) || (end == "") != (tt.end == "") {
				t.Errorf("it ends: %q, want %q", end, tt.end)
			}
		})
	}
}

// Two recordings of one daemon go on as one. That of another daemon is left out.
func TestRealMergecapJoinsRecordings(t *testing.T) {
	b := newBench(t)
	r := b.recorded(1000)
	b.save("early.pcapng", r)
	r.Begin(start.Add(time.Minute), b.state, Scripts{}) // forgets packets 1 to 12
	for i := 61; i < 65; i++ {
		b.packet(r, i)
		r.Input(Input{Kind: InputTick, Time: start.Add(time.Duration(i) * time.Second)})
	}
	b.save("late.pcapng", r)
	b.run("mergecap -w joined early.pcapng late.pcapng")
	got, foreign, end := b.told("joined")
	if n := len(got); end != "" || foreign != 0 || n < 2+20+4 || !strings.HasPrefix(got[n-2], "packet 64 ") {
		t.Errorf("%d items, %d of others, %s:\n%s", len(got), foreign, end, strings.Join(got, "\n"))
	}
	t.Log("# of another daemon")
	another := NewRecorder(0)
	another.Begin(start, anEngine().State(), Scripts{})
	b.packet(another, 70)
	another.Input(Input{Kind: InputTick, Time: start.Add(71 * time.Second)})
	b.save("another.pcapng", another)
	b.run("mergecap -w both early.pcapng another.pcapng")
	want, _, _ := b.told("early.pcapng")
	if got, foreign, end := b.told("both"); !slices.Equal(got, want) || foreign != 1 || end != "" {
		t.Errorf("%d items of %d, %d of others, %s", len(got), len(want), foreign, end)
	}
}

func TestRealEditcapStripsSecrets(t *testing.T) {
	b := newBench(t)
	b.save("r.pcapng", b.recorded(300_000))
	before, err := os.Stat(b.path("r.pcapng"))
	check(t, err)
	b.run("editcap --discard-all-secrets r.pcapng out")
	file, err := os.ReadFile(b.path("out"))
	check(t, err)
	if before.Size() < 3<<20 || len(file) > 10_000 || bytes.Contains(file, []byte("10.0.0.0")) || bytes.Contains(file, []byte(magic)) {
		t.Errorf("%d bytes of %d are left", len(file), before.Size())
	}
	reader, err := Open(b.path("out"))
	check(t, err)
	defer reader.Close()
	frames, err := read(reader)
	if err != nil || len(frames) != 20 || reader.Recording() {
		t.Errorf("%d packets, %v, a recording: %v", len(frames), err, reader.Recording())
	}
	t.Log("# nor does the old form hold them")
	b.run("editcap -F pcap r.pcapng out.pcap")
	if frames, err = readAll(func() []byte { file, err := os.ReadFile(b.path("out.pcap")); check(t, err); return file }()); err != nil || len(frames) != 20 {
		t.Errorf("%d packets, %v", len(frames), err)
	}
}
