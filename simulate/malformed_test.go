package simulate

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/transcript"
	"sesame/daemon/wire"
	"sesame/simulate/pcaptest"
)

// A single address of --local is this host's own, and a network is not.
func TestOwnAddressesOfAReplay(t *testing.T) {
	capture := write(t, "0s 192.0.2.1 tcp/7000\n1s 192.0.2.1 tcp/8000")
	for local, want := range map[string]int{"192.0.2.1/32": 2, "192.0.2.0/24": 0, "": 0} {
		var given []netip.Prefix
		if local != "" {
			given = []netip.Prefix{netip.MustParsePrefix(local)}
		}
		report, _ := run(t, Config{Captures: []string{capture}, Set: set(door("d", 7000, 8000)), Local: given, Account: true})
		if report.Dropped[packet.Malformed] != want || report.Knocks != 2-want {
			t.Errorf("--local %q: %+v", local, report.Summary)
		}
	}
}

// recordedOwn returns a recording in which the host knocks at itself. What the engine of the daemon
// knew of its addresses, and how the packet was received, is as given.
func recordedOwn(t *testing.T, own []netip.Prefix, loopback bool, spoil func(frame []byte)) []byte {
	t.Helper()
	files := record.Scripts{Values: map[string]string{}, Files: []wire.File{{Path: "d.lua", Source: []byte(`sesame.door "d" { sequence = { 7000, 8000 }, guards = "tcp/22", ttl = "5s" }`)}}}
	loadedSet, err := load(files, false, false)
	must(t, err)
	defer loadedSet.Close()
	e, r := engine.New(engine.Config{}, noon), record.NewRecorder(0)
	e.Own(own)
	e.Local(noon, []netip.Prefix{netip.PrefixFrom(pcaptest.Here4, 32)})
	e.Swap(noon, loadedSet.Engine)
	r.Begin(noon, e.State(), files)
	for i, line := range []string{"0s 192.0.2.1 tcp/7000", "0s 192.0.2.1 tcp/8000"} {
		frame := framed(t, line)
		spoil(frame)
		r.Packet(&packet.Packet{Time: noon.Add(time.Duration(i) * time.Second), Number: i + 1, Loopback: loopback}, frame, len(frame))
	}
	var file bytes.Buffer
	_, err = r.Recording().WriteTo(&file)
	must(t, err)
	return file.Bytes()
}

// A recording replays as it was: a packet that a daemon kept is judged by what that daemon knew.
// So it is for recordings of versions that had no rule for such packets.
func TestRecordingsAreNotJudgedAgain(t *testing.T) {
	here := []netip.Prefix{netip.PrefixFrom(pcaptest.Here4, 32)}
	for _, tt := range []struct {
		name     string
		own      []netip.Prefix
		loopback bool
		spoil    func([]byte)
		knocks   int
	}{
		{"from itself", here, true, func([]byte) {}, 2},
		{"from outside", here, false, func([]byte) {}, 0},
		{"in an older recording", nil, false, func([]byte) {}, 2},
		{"with a checksum that nobody would keep now", nil, false, func(frame []byte) { frame[37] ^= 9 }, 2},
		{"with a TTL of 0", nil, false, func(frame []byte) { frame[8] = 0 }, 2},
	} {
		var out bytes.Buffer
		report, err := Run(t.Context(), Config{Recording: bytes.NewReader(recordedOwn(t, tt.own, tt.loopback, tt.spoil)), Writer: transcript.NewJSON(&out)})
		must(t, err)
		if len(report.Incomplete) > 0 || !report.Exact || report.Knocks != tt.knocks || report.Dropped[packet.Malformed] != 2-tt.knocks {
			t.Errorf("%s: %+v, %v", tt.name, report.Summary, report.Incomplete)
		}
	}
}

// Other scripts see the packets of a recording as this version judges them.
func TestOtherScriptsJudgeARecording(t *testing.T) {
	here := []netip.Prefix{netip.PrefixFrom(pcaptest.Here4, 32)}
	for _, tt := range []struct {
		own    []netip.Prefix
		loop   bool
		spoil  func([]byte)
		knocks int
	}{
		{here, true, func([]byte) {}, 2}, {here, false, func([]byte) {}, 0}, {nil, false, func(frame []byte) { frame[37] ^= 9 }, 0},
	} {
		report, _ := run(t, Config{Recording: bytes.NewReader(recordedOwn(t, tt.own, tt.loop, tt.spoil)), Set: set(door("other", 7000, 8000))})
		if report.Knocks != tt.knocks || report.Dropped[packet.Malformed] != 2-tt.knocks {
			t.Errorf("%v, loopback %v: %+v", tt.own, tt.loop, report.Summary)
		}
	}
}
