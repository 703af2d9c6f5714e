package record

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

var ssh = packet.Port{Proto: packet.TCP, Number: 22}

// frame is an IPv4 packet of 60 bytes: a SYN to port 22.
var frame = append([]byte{
	0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 203, 0, 113, 9, 192, 0, 2, 1,
	0x9c, 0x40, 0, 22, 0, 0, 0, 7, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0}, make([]byte, 20)...)

// inputs are one of each kind that the first version of the format had.
func inputs() []Input {
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	grant := engine.Grant{ID: 7, Door: "a", By: netip.MustParseAddr("203.0.113.9"), Source: netip.MustParsePrefix("203.0.113.0/24"),
		Argv: []string{"/bin/\xff"}, Undo: []string{}, Timeout: time.Second, TTL: time.Minute, End: at(90)}
	command := engine.Grant{ID: 8, Door: "b", By: netip.MustParseAddr("2001:db8::1"), Source: netip.MustParsePrefix("2001:db8::1/128"),
		Argv: []string{"/bin/mount", "<&>\n"}, Undo: []string{"/bin/umount", "\xfe"}, Timeout: 5 * time.Second, AnyStatus: true, TTL: time.Hour, End: at(3600)}
	access := engine.Grant{ID: 9, Source: netip.MustParsePrefix("2001:db8::/64"), Port: packet.Port{Proto: packet.UDP, Number: 51820},
		TTL: time.Minute, End: at(60), Observed: true}
	put := engine.Put{PerSource: true, Key: "\x00\xfe", Value: 0.1, Until: at(50)}
	return []Input{
		{Kind: InputTick, Time: at(1)},
		{Kind: InputSet, Time: at(2), Scripts: Scripts{Files: []wire.File{{Path: "a.lua", Source: []byte("-- \xff")}, {Path: "lib/b.lua", Source: []byte{}}, {Path: "/etc/b", Source: []byte("b")}}, Single: "a.lua", Base: "/srv/\xff", Values: map[string]string{"x": "1"}}},
		{Kind: InputResult, Time: at(3), ID: 1 << 60},
		{Kind: InputResult, Time: at(3), ID: 2, Error: "exit status 1"},
		{Kind: InputResult, Time: at(3), ID: 3, Error: "exit status 1", Ran: true, Status: 1},
		{Kind: InputResult, Time: at(3), ID: 4, Ran: true, Status: -1},
		{Kind: InputGrant, Time: at(4), Source: netip.MustParsePrefix("2001:db8::/32"), Port: wire.Port(ssh), TTL: time.Minute},
		{Kind: InputRevoke, Time: at(5), Source: netip.MustParsePrefix("203.0.113.9/32")},
		{Kind: InputRestore, Time: at(6), Records: []engine.Record{
			{Grant: &engine.Grant{ID: 9}, Ended: true},
			{Grant: &grant}, {Grant: &grant, Ended: true}, {Grant: &command}, {Grant: &access},
			{Store: &put, Script: "a.lua", Source: grant.By},
			{Store: &engine.Put{Key: "true", Value: true, Until: at(50)}, Script: "a.lua"},
			{Store: &engine.Put{Key: "false", Value: false, Until: at(50)}, Script: "a.lua"},
			{Store: &engine.Put{Key: "+", Value: math.Inf(1), Until: at(50)}, Script: "a.lua"},
			{Store: &engine.Put{Key: "-", Value: math.Inf(-1), Until: at(50)}, Script: "a.lua"},
			{Store: &engine.Put{Key: "text", Value: "n\xff\x00", Until: at(50)}, Script: "a.lua"},
			{Store: &engine.Put{Key: "empty", Value: "", Until: at(50)}, Script: "a.lua"},
			{Consumed: &engine.Consumed{File: "/etc/\xff", Line: "7000,\xfe"}}, {Consumed: &engine.Consumed{}, Ended: true},
		}},
		{Kind: InputLocal, Time: at(7), Local: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}},
		{Kind: InputLocal, Time: at(8), Local: []netip.Prefix{}},
		{Kind: InputLocal, Time: at(9)},
		{Kind: InputStep, Time: at(10), Offset: -time.Hour},
		{Kind: InputShutdown, Time: at(11)},
	}
}

func anEngine() *engine.Engine {
	e := engine.New(engine.Config{Seed: 1<<64 - 1}, start)
	e.Swap(start, &engine.Set{})
	e.Grant(start, netip.MustParsePrefix("203.0.113.9/32"), ssh, time.Hour)
	return e
}

func aRecorder(t testing.TB) *Recorder {
	r := NewRecorder(0)
	r.Begin(start, anEngine().State(), Scripts{Files: []wire.File{{Path: "a.lua", Source: []byte("return")}}, Values: map[string]string{}})
	for i, in := range inputs() {
		r.Packet(&packet.Packet{Time: start.Add(time.Duration(i) * time.Nanosecond), Number: 100 + i}, frame, 1500+i)
		r.Input(in)
	}
	return r
}

// saved returns the file of a recording.
func saved(t testing.TB, r *Recording) []byte {
	t.Helper()
	var b bytes.Buffer
	n, err := r.WriteTo(&b)
	check(t, err)
	if n != int64(b.Len()) {
		t.Errorf("%d bytes told, %d written", n, b.Len())
	}
	return b.Bytes()
}

// all reads a file with all its inputs, in one line each but for the scripts'.
func all(t testing.TB, file []byte) (list []Item, err error) {
	r, err := open(file)
	if err != nil {
		return nil, err
	}
	for {
		item, err := r.NextExact()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		if item.Frame != nil {
			f := *item.Frame
			f.Data = bytes.Clone(f.Data)
			item.Frame = &f
		}
		list = append(list, item)
	}
}

var comparing = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	// The end of a grant that only names an id is the zero time, which a file cannot hold.
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) || a.Year() < 1970 && b.Year() < 1970 }),
}

func TestARecordingTellsAllThatWasGiven(t *testing.T) {
	tellsAll(t, saved(t, aRecorder(t).Recording()), anEngine().State())
}

func TestLaterKindsOfInputsAreRecorded(t *testing.T) {
	r := aRecorder(t)
	want := []Input{
		{Kind: InputClock, Time: start.Add(time.Hour), Doubt: true}, {Kind: InputClock, Time: start.Add(2 * time.Hour)},
		Forget(engine.Selection{Script: "a.lua"}),
		Forget(engine.Selection{Script: "a\xff.lua", Key: "\x00\xfe", Shared: true}),
		Forget(engine.Selection{Script: "a.lua", Source: netip.MustParseAddr("2001:db8::1")}),
	}
	for i := range want {
		want[i].Time = start.Add(time.Duration(i+1) * time.Hour)
	}
	for _, in := range want {
		r.Input(in)
	}
	got, err := all(t, saved(t, r.Recording()))
	check(t, err)
	for i, in := range want {
		if diff := cmp.Diff(&in, got[len(got)-len(want)+i].Input, comparing); diff != "" {
			t.Errorf("input %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestAChoiceOfValuesIsRecordedWhole(t *testing.T) {
	for _, chosen := range []engine.Selection{
		{}, {Script: "a\xff.lua", Key: "\x00\xfe", Shared: true}, {Script: "a.lua", Source: netip.MustParseAddr("203.0.113.9")}, {Source: netip.MustParseAddr("2001:db8::1")},
	} {
		in := Forget(chosen)
		if got := in.Chosen(); got != chosen {
			t.Errorf("%+v came back as %+v", chosen, got)
		}
	}
}

func TestInputsThatNoDaemonWrites(t *testing.T) {
	for _, test := range []struct {
		kind    Kind
		payload string
		want    string
	}{
		{InputContinue + 1, `{"Time":1}`, "its kind is 16, which this version does not know"},
		{InputContinue, `{"Time":1}`, "it carries nothing"},
		{InputContinue, `{"Time":1,"Carried":{"Rules":[]}}`, "it carries nothing"},
		{InputForget, `{"Time":1,"Script":"a.lua","Source":"203.0.113.0/24"}`, "it forgets the values of a network: expected an address"},
		{InputForget, `{"Time":-1,"Script":"a.lua"}`, "it has a time that does not exist"},
		{InputForget, `{"Time":1,"Script":7}`, "reading its JSON"},
	} {
		if _, err := readInput(test.kind, []byte(test.payload)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.payload, err, test.want)
		}
	}
}

// older returns a state as versions wrote it that knew no copies of packets, and in which an allow
// and a command had no price. A replay of such a recording knows none.
func older(s *engine.State) *engine.State {
	s.Priced = false
	s.Copies, s.Resends, s.Segments = nil, nil, engine.RecentState{Young: []byte{}, Older: []byte{}}
	return s
}

// The file was written by the first version of the format, as it was released. It must be
// read for ever.
func TestARecordingOfVersion1TellsAllThatWasGiven(t *testing.T) {
	file, err := os.ReadFile("testdata/version1.pcapng")
	check(t, err)
	state := older(anEngine().State())
	state.Tripwires = false // that version had none, so a replay has none
	state.Required = false  // each command was required
	tellsAll(t, file, state)
}

// Neither was this one changed since it was written: its inputs are in custom blocks.
func TestARecordingOfVersion2TellsAllThatWasGiven(t *testing.T) {
	file, err := os.ReadFile("testdata/version2.pcapng")
	check(t, err)
	tellsAll(t, file, older(anEngine().State()))
}

// tellsAll reads a file that aRecorder gave, with the state of its engine.
func tellsAll(t *testing.T, file []byte, state *engine.State) {
	r, err := open(file)
	check(t, err)
	if !r.Recording() {
		t.Error("it is not known as a recording")
	}
	got, err := all(t, file)
	check(t, err)
	want := inputs()
	if len(got) != 1+2*len(want) || got[0].Snapshot == nil {
		t.Fatalf("%d items: %+v", len(got), got)
	}
	if diff := cmp.Diff(anEngineState(t, got[0].Snapshot.State), anEngineState(t, state), comparing); diff != "" {
		t.Errorf("state (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(Scripts{Files: []wire.File{{Path: "a.lua", Source: []byte("return")}}}, got[0].Snapshot.Scripts, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("scripts (-want +got):\n%s", diff)
	}
	for i := range want {
		f := got[1+2*i].Frame
		if f == nil || f.ID != uint64(100+i) || f.Number != i+1 || f.Wire != 1500+i || f.Link != packet.Raw ||
			!f.Time().Equal(start.Add(time.Duration(i))) || !bytes.Equal(f.Data, frame) {
			t.Errorf("packet %d: %+v", i, f)
		}
		if diff := cmp.Diff(&want[i], got[2+2*i].Input, comparing); diff != "" {
			t.Errorf("input %d (-want +got):\n%s", i, diff)
		}
	}
	t.Log("# who asks for frames alone gets them")
	frames, err := readAll(file)
	check(t, err)
	if len(frames) != len(want) {
		t.Errorf("%d frames", len(frames))
	}
}

// anEngineState is a state without the key that no two engines share.
func anEngineState(t *testing.T, s *engine.State) engine.State {
	e, err := engine.Resume(engine.Config{}, s, &engine.Set{})
	check(t, err)
	again := *e.State()
	again.Secret = [2]uint64{}
	return again
}

func TestTheOlderSegmentIsForgotten(t *testing.T) {
	r := NewRecorder(1 << 16)
	now, number, begun := start, 0, 0
	if r.Recording() != nil {
		t.Error("something was recorded before it began")
	}
	for range 5000 {
		if now = now.Add(time.Second); r.Due(now) {
			begun++
			r.Begin(now, anEngine().State(), Scripts{})
		}
		number++
		r.Packet(&packet.Packet{Time: now, Number: number}, frame, len(frame))
		r.Input(Input{Kind: InputResult, Time: now, ID: uint64(number)})
	}
	file := saved(t, r.Recording())
	items, err := all(t, file)
	check(t, err)
	if begun < 10 || len(file) > 1<<16+1<<13 || len(file) < 1<<15 {
		t.Errorf("began %d times, and is of %d bytes", begun, len(file))
	}
	snapshots, last := 0, uint64(0)
	for _, item := range items {
		switch {
		case item.Snapshot != nil:
			snapshots++
		case item.Frame != nil && last != 0 && item.Frame.ID != last+1:
			t.Fatalf("packet %d follows packet %d", item.Frame.ID, last)
		case item.Frame != nil:
			last = item.Frame.ID
		case item.Input.ID != last:
			t.Fatalf("result %d follows packet %d", item.Input.ID, last)
		}
	}
	if snapshots != 2 || items[0].Snapshot == nil || last != uint64(number) {
		t.Errorf("%d snapshots, up to packet %d", snapshots, last)
	}
}

// In a flood the recorder keeps its beginning, and looks again after 30 seconds.
func TestAFloodBlindsTheRecorder(t *testing.T) {
	r := NewRecorder(1 << 16)
	r.Begin(start, anEngine().State(), Scripts{})
	now, number := start, 0
	flood := func(d time.Duration) (due int) {
		for until := now.Add(d); now.Before(until); now = now.Add(time.Millisecond) {
			number++
			r.Packet(&packet.Packet{Time: now, Number: number}, frame, len(frame))
			r.Input(Input{Kind: InputTick, Time: now})
			if r.Due(now) {
				due++
			}
		}
		return due
	}
	if flood(29*time.Second) > 0 {
		t.Error("a flood paces snapshots")
	}
	before := saved(t, r.Recording())
	items, err := all(t, before)
	check(t, err)
	if n := len(items); n < 100 || n > 1000 {
		t.Errorf("%d items", n)
	}
	if flood(2*time.Second) == 0 {
		t.Error("it stays blind")
	}
	if !bytes.Equal(before, saved(t, r.Recording())) {
		t.Error("something came behind a gap")
	}
	r.Begin(now, anEngine().State(), Scripts{})
	number = 9999
	flood(10 * time.Millisecond)
	items, err = all(t, saved(t, r.Recording()))
	check(t, err)
	if items[0].Snapshot == nil || items[1].Frame.ID != 10000 {
		t.Errorf("it does not begin anew: %+v", items[1])
	}
}

// Nothing that is larger than the bound is kept, nor anything behind it.
func TestWhatDoesNotFitEndsTheRecording(t *testing.T) {
	r := NewRecorder(1 << 12)
	r.Begin(start, anEngine().State(), Scripts{})
	r.Input(Input{Kind: InputTick, Time: start})
	r.Input(Input{Kind: InputSet, Time: start, Scripts: Scripts{Files: []wire.File{{Path: "a.lua", Source: make([]byte, 1<<12)}}}})
	r.Input(Input{Kind: InputTick, Time: start})
	items, err := all(t, saved(t, r.Recording()))
	check(t, err)
	if len(items) != 2 {
		t.Errorf("%d items: want the snapshot and a tick", len(items))
	}
}

// What a stop left may be more than a segment holds. Then the next segment begins at once, also in
// the flood that made it so much.
func TestWhatAStopLeftDoesNotFit(t *testing.T) {
	r := NewRecorder(1 << 12)
	r.Begin(start, anEngine().State(), Scripts{})
	r.Input(Input{Kind: InputContinue, Time: start, Carried: &engine.Carried{State: anEngine().State(), Rules: make([]engine.Rules, 1<<12)}})
	if !r.Blind() || !r.Due(start) {
		t.Error("it must begin a new segment at once")
	}
	r.Begin(start, anEngine().State(), Scripts{})
	r.Input(Input{Kind: InputTimeouts, Time: start, Timeouts: make([]engine.Timeout, 1<<12)})
	if !r.Blind() || r.Due(start) {
		t.Error("timeouts are not rare, and begin none")
	}
}

// A long list is a part of the script set. It must neither end the recording for long, nor count
// again for each set that shares its text.
func TestAScriptSetWithALongList(t *testing.T) {
	list := wire.File{Path: "/etc/list", Source: make([]byte, 3000)}
	with := func(files ...wire.File) Input {
		return Input{Kind: InputSet, Time: start, Scripts: Scripts{Files: files}}
	}
	r := NewRecorder(1 << 13)
	r.Begin(start, anEngine().State(), Scripts{})
	for range 3 {
		r.Input(with(list))
	}
	if r.Blind() || r.Due(start) {
		t.Fatalf("it is blind, with %d bytes", r.Size())
	}
	long := wire.File{Path: "/etc/long", Source: make([]byte, 1<<13)}
	r.Input(with(long))
	if !r.Blind() || !r.Due(start) {
		t.Fatal("a set that does not fit must begin a new segment at once")
	}
	r.Begin(start, anEngine().State(), Scripts{Files: []wire.File{long}})
	r.Input(with(long, list))
	if r.Blind() || r.Due(start) {
		t.Errorf("it is blind again, with %d bytes", r.Size())
	}

	t.Log("# a set during a flood decides nothing")
	r = NewRecorder(1 << 12)
	r.Begin(start, anEngine().State(), Scripts{})
	for !r.Blind() {
		r.Packet(&packet.Packet{Time: start}, frame, len(frame))
	}
	r.Input(with(long))
	if r.Due(start) {
		t.Error("a snapshot during a flood")
	}
}

// A recording that was taken does not change while the recorder continues.
func TestARecordingIsACopy(t *testing.T) {
	r := aRecorder(t)
	kept := r.Recording()
	before := saved(t, kept)
	done := make(chan []byte)
	go func() {
		var b bytes.Buffer
		_, _ = kept.WriteTo(&b)
		done <- b.Bytes()
	}()
	for i := range 1000 {
		r.Packet(&packet.Packet{Time: start, Number: i}, frame, len(frame))
		r.Input(Input{Kind: InputSet, Time: start})
	}
	if !bytes.Equal(before, <-done) {
		t.Error("it changed")
	}
}

func TestALargeInputTakesSeveralBlocks(t *testing.T) {
	for _, n := range []int{partSize - 100, partSize, partSize + 1, 3*partSize + 5} {
		r := NewRecorder(0)
		r.Begin(start, anEngine().State(), Scripts{})
		text := bytes.Repeat([]byte("-"), n)
		r.Input(Input{Kind: InputSet, Time: start, Scripts: Scripts{Files: []wire.File{{Path: "a.lua", Source: text}}}})
		file := saved(t, r.Recording())
		items, err := all(t, file)
		check(t, err)
		if len(items) != 2 || !bytes.Equal(items[1].Input.Scripts.Files[0].Source, text) {
			t.Errorf("%d bytes: %d items", n, len(items))
		}
		t.Log("# cut between two blocks")
		last := bytes.LastIndex(file, []byte(magic)) - 16
		items, err = all(t, file[:last])
		if _, isCut := errors.AsType[*CutError](err); !isCut || len(items) > 1 {
			t.Errorf("%d bytes, cut: %d items, error %v", n, len(items), err)
		}
	}
}

func TestHostileBlocks(t *testing.T) {
	beginning := func() []byte { return ofVersion2(t) }
	ours := func(kind Kind, payload string) []byte { return appendCustom(beginning(), kind, []byte(payload)) }
	whole := func(kind Kind, payload string) []byte { return appendCustom(nil, kind, []byte(payload)) }
	part := func(kind Kind, payload string) []byte {
		b := whole(kind, payload)
		b[22] = 1
		return append(beginning(), b...)
	}
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"another version", bytes.Replace(ours(InputTick, "{}"), []byte(magicSesame+"\x02"), []byte("SESAME\x00\x07\x02"), 1), "version 7, expected at most 2"},
		{"no JSON", ours(InputTick, "what"), "input 2: reading its JSON"},
		{"no kind", ours(77, "{}"), "kind is 77"},
		{"a time before all", ours(InputTick, `{"Time":-1}`), "does not exist"},
		{"an unknown protocol", ours(InputGrant, `{"Time":1,"Port":{"Proto":9,"Number":1}}`), "does not exist"},
		{"a set without scripts", ours(InputSet, `{"Time":1}`), "no scripts"},
		{"a value that is none", ours(InputRestore, `{"Time":1,"Records":[{"Value":{"Value":"?"}}]}`), "restores the value"},
		{"a grant that wraps", ours(InputRestore, `{"Time":1,"Records":[{"Grant":{"ID":18446744073709551615}}]}`), "cannot be"},
		{"a snapshot of nothing", ours(snapshot, `{}`), "no state"},
		{"a million objects", ours(InputRestore, `{"Records":[`+strings.Repeat("{},", 1<<21)+`{}]}`), "more than an engine"},
		{"an input within another", append(part(InputTick, "{"), whole(InputLocal, "}")...), "begins within another"},
		{"a length that lies", bytes.Replace(ours(InputTick, "{}"), []byte{2, 0, 0, 0, '{'}, []byte{99, 0, 0, 0, '{'}, 1), "room for 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			items, err := all(t, tt.file)
			damaged, is := errors.AsType[*DamagedError](err)
			if !is || !strings.Contains(damaged.Error(), tt.want) {
				t.Errorf("error %v: want one with %q", err, tt.want)
			}
			if len(items) != 1 {
				t.Errorf("%d items before it: want the snapshot", len(items))
			}
		})
	}
	t.Run("others' blocks", func(t *testing.T) {
		file := append(beginning(), little().block(blockCustom, func(b *writer) { b.u32(32473).text("SESAME is not all") }).
			block(blockCustom, func(b *writer) { b.u32(1).text(magicSesame) }).block(blockCustom, func(b *writer) {}).b...)
		items, err := all(t, file)
		if err != nil || len(items) != 1 {
			t.Errorf("%d items, error %v", len(items), err)
		}
	})
}

func TestOtherCapturesAreNoRecordings(t *testing.T) {
	for name, file := range map[string][]byte{
		"pcap": pcap(t, samples(3)), "pcapng": pcapng(t, samples(3)), "empty": little().section().b,
		"cut": saved(t, aRecorder(t).Recording())[:70],
	} {
		r, err := open(file)
		check(t, err)
		if r.Recording() {
			t.Errorf("%s: it is taken for a recording", name)
		}
		for i := 1; err == nil; i++ {
			var item Item
			if item, err = r.NextItem(); err == nil && item.Frame.Number != i {
				t.Errorf("%s: %+v", name, item)
			}
		}
	}
}

// Other programs see the packets.
func TestRealTcpdumpReadsARecording(t *testing.T) {
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("tcpdump is not installed")
	}
	r := aRecorder(t)
	r.Begin(start.Add(time.Hour), anEngine().State(), Scripts{})
	r.Packet(&packet.Packet{Time: start.Add(time.Hour), Number: 500}, frame, len(frame))
	path := filepath.Join(t.TempDir(), "r.pcapng")
	check(t, os.WriteFile(path, saved(t, r.Recording()), 0o600))
	out, err := exec.CommandContext(t.Context(), tcpdump, "--nano", "-tt", "-nr", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "203.0.113.9.40000 > 192.0.2.1.22: Flags [S]"); n != len(inputs())+1 {
		t.Errorf("%d packets of %d:\n%s", n, len(inputs())+1, out)
	}
	if want := fmt.Sprintf("%d.%09d", start.Unix(), start.Nanosecond()+1); !strings.Contains(string(out), want) {
		t.Errorf("no stamp %s in\n%s", want, out)
	}
}

func TestPacketsAreKeptWithoutAllocation(t *testing.T) {
	r := aRecorder(t)
	p := packet.Packet{Time: start, Number: 1}
	if n := testing.AllocsPerRun(1000, func() { r.Packet(&p, frame, len(frame)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecorderPacket(b *testing.B) {
	p := packet.Packet{Time: start, Number: 1}
	s := anEngine().State()
	r := NewRecorder(0)
	b.ReportAllocs()
	for b.Loop() {
		if r.young == nil || r.blind {
			b.StopTimer()
			r.blind = false
			if r.young == nil {
				r.Begin(start, s, Scripts{})
			}
			r.young.entries = r.young.entries[:0]
			b.StartTimer()
		}
		r.Packet(&p, frame, len(frame))
	}
}

// A recording stores what the kernel said of a checksum, and that a packet came over the loopback.
// Both take room, and are known as far as the segment is full.
func TestReceptionIsRecorded(t *testing.T) {
	r := NewRecorder(0)
	r.Begin(start, anEngine().State(), Scripts{})
	var want []packet.Reception
	for i := range 4 {
		p := packet.Packet{Time: start, Number: 1 + i, Vouched: i&1 != 0, Loopback: i&2 != 0}
		reception := packet.Reception(0)
		if p.Vouched {
			reception |= packet.Vouched
		}
		if p.Loopback {
			reception |= packet.Loopback
		}
		before := r.Size()
		r.Packet(&p, frame, len(frame))
		if bytes := r.Size() - before; bytes != packetSize(len(frame)) {
			t.Errorf("packet %d has %d bytes, and is said to have %d", i+1, bytes, packetSize(len(frame)))
		}
		want = append(want, reception)
	}
	own := []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.255/32")}
	r.Input(Input{Kind: InputLocal, Time: start, Local: own[:1], Own: own})
	items, err := all(t, saved(t, r.Recording()))
	check(t, err)
	if in := items[len(items)-1].Input; in == nil || cmp.Diff(own, in.Own, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })) != "" {
		t.Errorf("the addresses of the host: %+v", in)
	}
	var got []packet.Reception
	for _, item := range items[1 : len(items)-1] {
		got = append(got, item.Frame.Reception)
		if item.Frame.ID != uint64(len(got)) || !bytes.Equal(item.Frame.Data, frame) {
			t.Errorf("frame %d: %+v", len(got), item.Frame)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reception (-want +got):\n%s", diff)
	}
}

// Other programs may set either flag of a checksum, and others beside it.
func TestChecksumFlags(t *testing.T) {
	for flags, want := range map[uint32]packet.Reception{0: 0, 1: 0, 1 << 9: packet.Vouched, 1<<10 | 2: packet.Vouched, 1<<8 | 1<<11: 0} {
		data := []byte("1234")
		const length = uint32(blockFrame + packetHeader + 4 + 8 + 4)
		file := appendInterface(appendSection(nil), "any")
		for range 2 { // what one packet says is not said of the next
			file = appendWords(file, blockEnhanced, length, 0, 0, 0, 4, 4)
			file = appendWords(append(file, data...), optionFlags|4<<16, flags, optionEnd, length)
			flags = 0
		}
		r, err := open(file)
		check(t, err)
		for i := range 2 {
			f, err := r.Next()
			check(t, err)
			if f.Reception != want {
				t.Errorf("flags, frame %d: got %d, want %d", i+1, f.Reception, want)
			}
			want = 0
		}
	}
}

// TestSegmentsGrow: a recorder of which little is used reserves little. All copies together are
// shorter than twice what is recorded, and no segment reserves more than its half.
func TestSegmentsGrow(t *testing.T) {
	const bound = 3 << 20 // no half that doubling meets
	r := NewRecorder(bound)
	r.Begin(start, anEngine().State(), Scripts{})
	if room := cap(r.young.entries); room != 0 {
		t.Errorf("%d bytes are reserved before the first packet", room)
	}
	p := packet.Packet{Time: start, Number: 1}
	copied, before := 0, 0
	for r.Packet(&p, frame, len(frame)); !r.blind; r.Packet(&p, frame, len(frame)) {
		room, used := cap(r.young.entries), len(r.young.entries)
		if room != before {
			copied += min(before, used)
		}
		if before = room; room > bound/2 || room > max(leastRoom, 2*used) {
			t.Fatalf("%d bytes are reserved for %d", room, used)
		}
	}
	if copied >= 2*len(r.young.entries) {
		t.Errorf("%d bytes were copied for %d", copied, len(r.young.entries))
	}
}
