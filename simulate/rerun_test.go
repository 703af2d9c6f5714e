package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/transcript"
	"sesame/daemon/wire"
	"sesame/scripting"
	"sesame/scripting/zone"
	"sesame/simulate/pcaptest"
)

// A flight plays the loop of the daemon: it gives an engine inputs of all kinds, records them, and
// writes the decisions.
type flight struct {
	t        testing.TB
	random   *rand.Rand
	engine   *engine.Engine
	set      *scripting.Set
	files    record.Scripts
	recorder *record.Recorder
	decoder  *packet.Decoder
	packet   packet.Packet
	seed     uint64
	now      time.Time
	world    world
	ended    int                     // functions that the clock ended
	asked    map[engine.FactKind]int // how often facts were recorded
	sent     int
	awaited  []uint64
	text     bytes.Buffer
	writer   *transcript.JSON
	begun    []int // how long the transcript was when each segment began
}

func takeOff(t testing.TB, seed uint64, bound int) *flight {
	f := &flight{t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 3)), now: noon, recorder: record.NewRecorder(bound), decoder: packet.NewDecoder()}
	f.writer = transcript.NewJSON(&f.text)
	f.engine = engine.New(engine.Config{Attempts: 40, Grants: 30, Seed: seed}, noon)
	f.asked = map[engine.FactKind]int{}
	f.engine.SetFacts(&f.world)
	f.take(f.engine.Local(f.now, []netip.Prefix{netip.PrefixFrom(pcaptest.Here4, 32), netip.PrefixFrom(pcaptest.Here6, 128)}))
	f.files = f.scripts()
	f.set = f.load(f.files)
	f.take(f.engine.Swap(f.now, f.set.Engine))
	f.segment()
	return f
}

// A world answers what scripts ask. Its answers change from one input to the next: databases are
// replaced, and names get other addresses.
type world struct{ version int }

func (w *world) Answer(q engine.Question) engine.Answer {
	h := fnv.New64a()
	fmt.Fprint(h, w.version, q)
	n := h.Sum64()
	from := fmt.Sprintf("version %d\xff", w.version)
	switch {
	case n%5 == 0:
		return engine.Answer{From: from, Why: "nobody knows"}
	case n%7 == 0:
		return engine.Answer{}
	case q.Kind == engine.FactCountry:
		return engine.Answer{Known: true, Country: []string{"ES", "PT", "FR"}[n%3], From: from}
	case q.Kind == engine.FactASN:
		return engine.Answer{Known: true, ASN: uint32(n%3) + 1, ASName: "<one>", From: from}
	}
	return engine.Answer{Known: true, Addresses: []netip.Addr{netip.AddrFrom4([4]byte{203, 0, 113, byte(n % 5)})}, From: from}
}

// segment begins a segment of the recording.
func (f *flight) segment() {
	must(f.t, f.writer.Flush())
	f.recorder.Begin(f.now, f.engine.State(), f.files)
	f.begun = append(f.begun, f.text.Len())
}

// scripts writes a script set. No two sets are equal.
func (f *flight) scripts() record.Scripts {
	r := f.random
	text := fmt.Sprintf(`
local common = require "common"
local mount = sesame.command { "/bin/mount", "{source}", undo = { "/bin/umount", "{source}" }, timeout = "5s", required = %t }
local audit = sesame.command { "/bin/audit\255", "{door}", timeout = "5s", required = %t }
local ttl = sesame.option "ttl" { type = "duration", default = "20s" }
sesame.door "plain" { sequence = { 1, 2, 3 }, within = "%ds", guards = { "tcp/22", %q }, ttl = ttl, on_wrong = "ignore" }
local iberia = sesame.country { "ES", "PT" }
local isp = sesame.asn { 1, 2 }
sesame.door "facts" { sequence = { 1, 2 }, when = sesame.any { iberia, isp }, guards = "tcp/27", ttl = "4s",
  on_open = function(attempt) attempt:allow() attempt:after("3s", "later", attempt.country or "?") end,
  on_close = function(grant) grant:log("from", grant.country, grant.asn, grant.asn_name) end,
}
sesame.door "strict" { sequence = { 2, "udp/1", 1 }, step_timeout = "3s", strict = true, except = %q, tripwires = %d, guards = "tcp/80", when = { common.hours }, ends_with = common.hours, ttl = "30m" }
sesame.door "busy" {
  sequence = { %d, "udp/2" }, ports = { "tcp/443" }, limit = "%d/m per source",
  when = function(attempt)
    if (attempt.store:get("asked") or 0) %% 5 == 4 then return false, "every fifth: " .. math.random(1000) end
    return true
  end,
  on_open = function(attempt)
    attempt.store:incr("asked", 1, "1m")
    attempt:exec(mount, { ttl = "15s" })
    attempt:allow { port = "tcp/443", ttl = "25s", prefix4 = %d, prefix6 = 64 }
    attempt:exec(audit)
    attempt:after("%ds", "later", math.random())
    attempt:close "plain"
    attempt:log("at", attempt.time, attempt:date("Europe/Madrid").hour, "\255")
  end,
  on_close = function(grant) grant:log("over", grant.id, grant.reason) end,
  on_stage = function(attempt) if attempt.stage == 2 then attempt:log("stage") end end,
  on_miss = function(attempt) attempt:log("missed", attempt.reason) end,
}
sesame.listen "beacon" { on = "udp/9", guards = "tcp/8006", ttl = "10s", on_knock = function(knock)
  if #knock.payload > 3 then error("too long") end
  if sesame.store:once(knock.payload, "40s") then knock:allow() else knock:log("again") end
end }
sesame.handler("later", function(timer)
  timer:log("later", timer.value, math.random(9), timer.door, timer.country)
  timer.store:set("last", timer.value, "30s")
  if math.random() < 0.3 then timer:after("2s", "later", "again\255") end
end)
`, r.IntN(2) == 0, r.IntN(2) == 0, 2+r.IntN(6), f.wire(), f.wire(), 20*r.IntN(3), 1+r.IntN(3), 2+r.IntN(4), []int{0, 24, 25}[r.IntN(3)], 1+r.IntN(20))
	text = strings.ReplaceAll(text, "prefix4 = 0, ", "")
	if r.IntN(3) == 0 { // many doors: see engine.Set.Tripwires
		text += `
for i = 1, 4 do sesame.door("many" .. i) { sequence = { 1, "udp/" .. i % 2 + 1, 3 }, guards = "tcp/28", ttl = "2s" } end`
	}
	if r.IntN(3) == 0 {
		text += `
sesame.door "more" { sequence = { "tcp/3", "tcp/1" }, guards = "tcp/25" }`
	}
	if r.IntN(2) == 0 {
		text += `
sesame.knockd "../knockd.conf"
sesame.door "once" { sequence = { 2, 3 }, one_time_sequences = "/var/lib/once", guards = "tcp/26", ttl = "3s" }`
	}
	first := 1 + r.IntN(3)
	if f.seed%2 == 0 {
		first = 1 // one content in all sets, as when nothing was used: see TestAWithheldFlight
	}
	files := record.Scripts{Values: map[string]string{"ttl": fmt.Sprint(5+r.IntN(30), "s")}, Base: "/srv/scripts", Files: []wire.File{
		{Path: "lib/common.lua", Source: []byte(`return { hours = sesame.window { from = "08:00", to = "20:00", tz = "Europe/Madrid", except = { "03-04" } } }`)},
		{Path: "main.lua", Source: []byte(text)},
		{Path: "/srv/knockd.conf", Source: fmt.Appendf(nil, `[gate]
sequence = 1,%d:udp
seq_timeout = %d
command = echo {%%IP%%}
stop_command = echo over
cmd_timeout = %d
[used]
one_time_sequences = /var/lib/once
target = %s`, 1+r.IntN(2), 1+r.IntN(9), r.IntN(9), pcaptest.Here4)},
		{Path: "/var/lib/once", Source: fmt.Appendf(nil, "#,1\n1,2\n2,1:udp\n%d,2:udp\n3,1,2\n1,2\n#\xff\n", first), OneTime: true},
	}}
	if r.IntN(2) == 0 {
		files.Single = "main.lua"
	}
	if r.IntN(2) == 0 { // the zone files of the machine had other rules
		tokyo, err := zone.BuiltIn("Asia/Tokyo")
		must(f.t, err)
		files.Files = append(files.Files, wire.File{Path: wire.Text(zone.Path("Europe/Madrid")), Source: tokyo})
	}
	return files
}

// wire returns a tripwire of the set that runs, often one of a few. No two sets have the same ones.
func (f *flight) wire() string {
	if f.set == nil {
		return "tcp/7777"
	}
	all := f.set.Engine.Tripwires()
	if f.random.IntN(2) == 0 {
		all = all[:min(4, len(all))]
	}
	return all[f.random.IntN(len(all))].Port.String()
}

func (f *flight) load(files record.Scripts) *scripting.Set {
	f.t.Helper()
	options := scripting.Options{}
	if f.seed%4 == 3 {
		options.Backstop, options.Ran = time.Microsecond, f.linger
	}
	set, err := loadWith(files, options)
	must(f.t, err)
	return set
}

// linger makes some functions take a millisecond, so that the clock ends them.
func (f *flight) linger(string, int) {
	if f.random.IntN(200) == 0 {
		<-time.After(time.Millisecond)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// take writes events and remembers which effects await a result.
func (f *flight) take(events []engine.Event) {
	f.writer.Events(events)
	for _, e := range events {
		if e.ID != 0 {
			f.awaited = append(f.awaited, e.ID)
		}
	}
}

// input gives the engine an input that is no packet.
func (f *flight) input(in record.Input, give func(now time.Time) []engine.Event) {
	in.Time = f.now
	events := give(f.now)
	f.facts()
	f.recorder.Input(in)
	f.take(events)
}

// facts records the answers of the last input, and changes the world.
func (f *flight) facts() {
	for _, one := range f.engine.Asked() {
		f.asked[one.Question.Kind]++
	}
	f.recorder.Facts(f.now, f.engine.Asked())
	f.recorder.Timeouts(f.now, f.engine.Timeouts())
	f.ended += len(f.engine.Timeouts())
	if f.random.IntN(9) == 0 {
		f.world.version++
	}
}

// knock sends a packet.
func (f *flight) knock() {
	r := f.random
	f.sent++
	source := fmt.Sprintf("203.0.113.%d", r.IntN(5))
	if r.IntN(4) == 0 {
		source = fmt.Sprintf("2001:db8::%x", 0x100+r.IntN(3))
	}
	port := []string{"tcp/1", "tcp/2", "tcp/3", "udp/1", "udp/2", "udp/9"}[r.IntN(6)]
	if r.IntN(6) == 0 {
		port = f.wire()
	}
	line := fmt.Sprintf("0s %s %s sport=%d seq=%d data=%d", source, port, 20000+r.IntN(3), f.sent-r.IntN(2), r.IntN(1500))
	switch n := r.IntN(20); {
	case n == 0 && !strings.Contains(source, ":"):
		line += " to=192.0.2.77"
	case n == 1:
		line += " fin"
	case n == 2:
		line = "0s 192.0.2.1 udp/1 to=203.0.113.1"
	}
	frame := framed(f.t, line)
	if drop := f.decoder.Decode(packet.Raw, frame, len(frame), &f.packet); drop != packet.NotDropped {
		f.t.Fatalf("%s: %v", line, drop)
	}
	f.packet.Time, f.packet.Number = f.now, f.sent
	events := f.engine.Packet(&f.packet)
	f.facts()
	f.recorder.Packet(&f.packet, frame, len(frame))
	f.take(events)
}

// framed returns the IP packet of a line: what follows the headers of the file,
// the record and the frame.
func framed(t testing.TB, line string) []byte {
	file, err := pcaptest.Capture(line)
	must(t, err)
	return file[24+16+14:]
}

// step gives the engine a random input.
func (f *flight) step() {
	r, e := f.random, f.engine
	if r.IntN(2) == 0 {
		f.now = f.now.Add(time.Duration(r.Int64N(int64(2 * time.Second))))
	}
	if next, some := e.Next(); some && !next.After(f.now) && r.IntN(2) == 0 {
		f.input(record.Input{Kind: record.InputTick}, e.Tick)
	}
	if f.recorder.Due(f.now) {
		f.segment()
	}
	source := netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(r.IntN(5))}), 24+8*r.IntN(2)).Masked()
	port := packet.Port{Proto: packet.TCP, Number: []uint16{22, 443}[r.IntN(2)]}
	switch n := r.IntN(100); {
	case n < 70:
		f.knock()
	case n < 90 && len(f.awaited) > 0:
		id, in, err := f.awaited[0], record.Input{Kind: record.InputResult}, error(nil)
		f.awaited = f.awaited[1:]
		if in.ID = id; r.IntN(4) == 0 {
			err = errors.New("exit status 1: \xff")
			in.Error = wire.Text(err.Error())
		}
		f.input(in, func(now time.Time) []engine.Event { return e.Result(now, id, err) })
	case n == 90:
		f.files = f.scripts()
		next := f.load(f.files)
		f.input(record.Input{Kind: record.InputSet, Scripts: f.files}, func(now time.Time) []engine.Event { return e.Swap(now, next.Engine) })
		f.set.Close()
		f.set = next
	case n == 91:
		f.input(record.Input{Kind: record.InputGrant, Source: source, Port: wire.Port(port), TTL: time.Minute},
			func(now time.Time) []engine.Event { return e.Grant(now, source, port, time.Minute) })
	case n == 92:
		f.input(record.Input{Kind: record.InputRevoke, Source: source, Port: wire.Port(port), Cut: true},
			func(now time.Time) []engine.Event { return e.Revoke(now, source, port, true) })
	case n == 93:
		g := engine.Grant{ID: 1000 + uint64(f.sent), Door: "busy", By: source.Addr(), Source: source, Port: port, TTL: time.Minute, End: f.now.Add(time.Duration(r.IntN(40)-10) * time.Second)}
		records := []engine.Record{{Grant: &g}, {Script: "main.lua", Source: source.Addr(), Store: &engine.Put{PerSource: true, Key: "asked", Value: 3.0}}}
		f.input(record.Input{Kind: record.InputRestore, Records: records}, func(now time.Time) []engine.Event { return e.Restore(now, records) })
	case n == 94:
		local := []netip.Prefix{netip.PrefixFrom(pcaptest.Here4, 32), netip.PrefixFrom(pcaptest.Here6, 128-r.IntN(2)*128)}
		f.input(record.Input{Kind: record.InputLocal, Local: local}, func(now time.Time) []engine.Event { return e.Local(now, local) })
	case n == 95:
		offset := time.Duration(r.IntN(48)) * time.Hour
		f.input(record.Input{Kind: record.InputStep, Offset: offset}, func(now time.Time) []engine.Event { return e.Step(now, offset) })
	case n == 97:
		doubt := r.IntN(3) == 0
		f.input(record.Input{Kind: record.InputClock, Doubt: doubt}, func(now time.Time) []engine.Event { return e.Clock(now, doubt) })
	case n == 98:
		chosen := engine.Selection{Script: "main.lua", Source: source.Addr()}
		f.input(record.Forget(chosen), func(now time.Time) []engine.Event { return e.Forget(now, chosen) })
	case n == 96 && r.IntN(5) == 0:
		f.input(record.Input{Kind: record.InputShutdown}, e.Shutdown)
	}
}

// land returns the recording, and the transcript since it began.
func (f *flight) land() (recording []byte, lines string) {
	must(f.t, f.writer.Flush())
	var b bytes.Buffer
	_, err := f.recorder.Recording().WriteTo(&b)
	must(f.t, err)
	from := f.begun[max(0, len(f.begun)-2)]
	return b.Bytes(), `{"event":"begin","transcript":1}` + "\n" + f.text.String()[from:]
}

// again replays a recording, and returns the transcript without its last line.
func again(t *testing.T, c Config, recording []byte) (*Report, string) {
	t.Helper()
	// The local time of whoever replays it changes nothing.
	defer func(before *time.Location) { time.Local = before }(time.Local)
	time.Local = time.FixedZone("elsewhere", 5*60*60)
	c.Recording = bytes.NewReader(recording)
	return run(t, c)
}

// The transcript of a flight and that of its replay are equal.
func TestARecordingReplaysExactly(t *testing.T) {
	kinds, asked := map[string]int{}, map[engine.FactKind]int{}
	for seed := range uint64(flights(t)) {
		f := takeOff(t, seed, []int{1 << 20, 1 << 16}[seed%2])
		for range 100 + f.random.IntN(900) {
			f.step()
		}
		recording, want := f.land()
		report, got := again(t, Config{}, recording)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("flight %d (-lived +replayed):\n%s", seed, diff)
		}
		if !report.Exact || len(report.Incomplete) > 0 {
			t.Errorf("flight %d: %+v", seed, report)
		}
		count(kinds, got, len(f.begun))
		kinds["timeout"] += f.ended
		for kind, n := range f.asked {
			asked[kind] += n
		}
		f.set.Close()
	}
	if asked[engine.FactCountry] < 30 || asked[engine.FactASN] < 30 {
		t.Errorf("facts were asked for %v: the flights prove little", asked)
	}
	for _, kind := range []string{"stage", "open", "effect", "close", "miss", "refuse", "error", "failed", "segments", "tripwire", "timeout"} {
		if kinds[kind] < 30 {
			t.Errorf("only %d of %s: the flights prove little", kinds[kind], kind)
		}
	}
}

// flights returns how many flights there are, unless the environment says otherwise.
func flights(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SESAME_FLIGHTS")
	if text == "" {
		return 60
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

func count(kinds map[string]int, lines string, segments int) {
	for line := range strings.Lines(lines) {
		_, rest, _ := strings.Cut(line, `"event":"`)
		kind, _, _ := strings.Cut(rest, `"`)
		kinds[kind]++
		if strings.Contains(line, `"reason":"tripwire"`) {
			kinds["tripwire"]++
		}
	}
	kinds["segments"] += segments
}

// A recorder that had to stop leaves a recording that ends there.
func TestARecordingThatEndsInAFlood(t *testing.T) {
	f := takeOff(t, 1, 1<<12)
	for range 2000 {
		f.step()
	}
	must(t, f.writer.Flush())
	var b bytes.Buffer
	_, err := f.recorder.Recording().WriteTo(&b)
	must(t, err)
	_, got := again(t, Config{}, b.Bytes())
	_, got, _ = strings.Cut(got, "\n")
	if got == "" || !strings.Contains(f.text.String(), got) {
		t.Errorf("the replay is no part of what was lived:\n%s", got)
	}
	f.set.Close()
}

// A file that is cut or damaged is replayed up to the damage, and the report names the damage.
func TestADamagedRecording(t *testing.T) {
	f := takeOff(t, 7, 0)
	for range 300 {
		f.step()
	}
	recording, want := f.land()
	f.set.Close()
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9))
		at := len(recording) - 1 - r.IntN(len(recording)*9/10)
		hurt := slices.Clone(recording)
		if seed%2 == 0 {
			hurt = hurt[:at]
		} else {
			hurt[at] ^= 1 << r.IntN(8)
		}
		var out bytes.Buffer
		report, err := Run(t.Context(), Config{Recording: bytes.NewReader(hurt), Writer: transcript.NewJSON(&out)})
		switch {
		case err != nil:
			if !strings.HasPrefix(err.Error(), "the recording: ") || out.Len() > 0 {
				t.Errorf("cut or hurt at %d: error %v, after %d bytes of transcript", at, err, out.Len())
			}
		case seed%2 == 0:
			lines := out.String()
			lines = lines[:strings.LastIndex(strings.TrimSuffix(lines, "\n"), "\n")+1]
			if !strings.HasPrefix(want, lines) {
				t.Errorf("cut at %d: another transcript", at)
			}
			if len(report.Incomplete) > 1 {
				t.Errorf("cut at %d: %v", at, report.Incomplete)
			}
		}
	}
}

func TestARecordingWithNamedScriptsIsACapture(t *testing.T) {
	f := takeOff(t, 1, 1<<20)
	g := &flight{t: t, random: f.random, recorder: f.recorder, decoder: f.decoder, engine: f.engine, set: f.set, writer: f.writer, now: noon}
	send := func(line string) {
		frame := framed(t, line)
		g.decoder.Decode(packet.Raw, frame, len(frame), &g.packet)
		g.sent++
		g.now = g.now.Add(time.Second)
		g.packet.Time, g.packet.Number = g.now, 100+g.sent
		g.recorder.Packet(&g.packet, frame, len(frame))
	}
	step := func(offset time.Duration) {
		g.recorder.Input(record.Input{Kind: record.InputStep, Time: g.now, Offset: offset})
	}
	step(10 * time.Hour) // to 22 o'clock
	send("0s 203.0.113.9 tcp/5 seq=1")
	g.recorder.Input(record.Input{Kind: record.InputGrant, Time: g.now, Source: netip.MustParsePrefix("203.0.113.9/32"), Port: wire.Port{Proto: packet.TCP, Number: 22}, TTL: time.Hour})
	step(0)
	send("0s 203.0.113.9 tcp/5 seq=2")
	send("0s 203.0.113.9 tcp/5 seq=3 to=192.0.2.9")
	g.recorder.Input(record.Input{Kind: record.InputLocal, Time: g.now, Local: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/32")}})
	send("0s 203.0.113.9 tcp/5 seq=4 to=192.0.2.9")
	var b bytes.Buffer
	_, err := g.recorder.Recording().WriteTo(&b)
	must(t, err)
	scripts := loaded(t, `sesame.door "day" { sequence = { 5 }, guards = "tcp/22", ttl = "5s", when = { sesame.window { from = "08:00", to = "20:00", tz = "UTC" } } }`)
	defer scripts.Close()
	report, got := again(t, Config{Set: scripts.Engine}, b.Bytes())
	_, got, _ = strings.Cut(got, "\n")
	want := `{"time":"2026-03-02T12:00:01Z","packet":1,"event":"stage","door":"day","source":"203.0.113.9","stage":1,"stages":1}
{"time":"2026-03-02T12:00:01Z","packet":1,"event":"refuse","door":"day","source":"203.0.113.9","reason":"when","detail":"window: mon-sun 08:00-20:00 UTC; it was Mon 22:00; holds again Tue 08:00","condition":"window","holds_again":"2026-03-03T08:00:00Z"}
{"time":"2026-03-02T12:00:02Z","packet":2,"event":"stage","door":"day","source":"203.0.113.9","stage":1,"stages":1}
{"time":"2026-03-02T12:00:02Z","packet":2,"event":"open","door":"day","source":"203.0.113.9"}
{"time":"2026-03-02T12:00:02Z","packet":2,"event":"effect","door":"day","source":"203.0.113.9","effect":"allow","grant":1,"port":"tcp/22","ttl":"5s"}
{"time":"2026-03-02T12:00:04Z","packet":4,"event":"stage","door":"day","source":"203.0.113.9","stage":1,"stages":1}
{"time":"2026-03-02T12:00:04Z","packet":4,"event":"open","door":"day","source":"203.0.113.9"}
{"time":"2026-03-02T12:00:04Z","packet":4,"event":"effect","door":"day","source":"203.0.113.9","effect":"allow","grant":1,"port":"tcp/22","ttl":"5s"}
{"time":"2026-03-02T12:00:09Z","event":"close","door":"day","source":"203.0.113.9","grant":1,"port":"tcp/22","reason":"expired"}
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
	if report.Exact || report.Dropped[packet.NotLocal] != 1 || report.Packets != 4 {
		t.Errorf("%+v", report)
	}
	t.Log("# other addresses may be given")
	report, _ = again(t, Config{Set: scripts.Engine, Local: []netip.Prefix{netip.MustParsePrefix("192.0.2.9/32")}}, b.Bytes())
	if report.Dropped[packet.NotLocal] != 2 {
		t.Errorf("%+v", report)
	}
}

func loaded(t *testing.T, text string) *scripting.Set {
	t.Helper()
	set, err := load(record.Scripts{Single: "a.lua", Files: []wire.File{{Path: "a.lua", Source: []byte(text)}}}, false, false)
	must(t, err)
	return set
}

func TestARecordingAmongOthersNeedsScripts(t *testing.T) {
	f := takeOff(t, 1, 1<<20)
	recording, _ := f.land()
	f.set.Close()
	path, other := writeBytes(t, recording), write(t, "0s 203.0.113.9 tcp/7000")
	var out bytes.Buffer
	loaded := 0
	c := Config{Captures: []string{path, other}, Writer: transcript.NewJSON(&out), Load: func(c *Config) error {
		loaded++
		c.Set = set(door("ssh", 7000, 8000))
		return nil
	}}
	if _, err := Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "replay it alone, or name scripts") {
		t.Errorf("error %v", err)
	}
	t.Log("# only other captures ask for scripts")
	c.Captures = []string{path}
	if report, err := Run(t.Context(), c); err != nil || !report.Exact || loaded != 0 {
		t.Errorf("%v, loaded %d times", err, loaded)
	}
	c.Captures = []string{other}
	if report, err := Run(t.Context(), c); err != nil || report.Exact || loaded != 1 || report.Knocks != 1 {
		t.Errorf("%v, loaded %d times", err, loaded)
	}
	c.Load = nil
	if _, err := Run(t.Context(), c); err == nil {
		t.Error("no error without scripts")
	}
}

// sources finds the sources that a line of the account names.
var sources = regexp.MustCompile(`203\.0\.113\.\d+(/\d+)?`)

// The output can be limited to one source, and to events from a time on. Which notes the account
// has depends on the flight: a line without an address is a note, and a knock of which another
// address sent a part names both.
func TestASelection(t *testing.T) {
	f := takeOff(t, 11, 0)
	for range 500 {
		f.step()
	}
	recording, _ := f.land()
	f.set.Close()
	_, everything := again(t, Config{}, recording)
	source, since := netip.MustParsePrefix("203.0.113.1/32"), noon.Add(100*time.Second)
	var want strings.Builder
	for line := range strings.Lines(everything) {
		at, _, _ := strings.Cut(strings.TrimPrefix(line, `{"time":"`), `"`)
		when, err := time.Parse(time.RFC3339Nano, at)
		if err == nil && !when.Before(since) && (strings.Contains(line, `"source":"203.0.113.1"`) || strings.Contains(line, `"source":"203.0.113.0/2`)) {
			want.WriteString(line)
		}
	}
	var text bytes.Buffer
	report, got := again(t, Config{Sources: []netip.Prefix{source}, Since: since, Account: true}, recording)
	if _, got, _ = strings.Cut(got, "\n"); want.Len() == 0 || got != want.String() {
		t.Errorf("transcript (-want +got):\n%s", cmp.Diff(want.String(), got))
	}
	must(t, report.WriteAccount(&text))
	for line := range strings.Lines(text.String()) {
		if of := sources.FindAllString(line, -1); len(of) > 0 && !slices.ContainsFunc(of, func(s string) bool { return s == "203.0.113.1" || strings.HasPrefix(s, "203.0.113.0/2") }) {
			t.Errorf("the account says %q, which is about others alone", line)
		}
	}
	if !strings.Contains(text.String(), "203.0.113.1 ") {
		t.Errorf("the account says nothing:\n%s", &text)
	}
}

// A snapshot that no daemon can have made is refused before anything is written.
func TestAHostileSnapshot(t *testing.T) {
	f := takeOff(t, 3, 0)
	for range 50 {
		f.step()
	}
	f.set.Close()
	for name, harm := range map[string]func(*engine.State, *record.Scripts){
		"a state of other scripts": func(_ *engine.State, s *record.Scripts) { *s = record.Scripts{} },
		"scripts that do not load": func(_ *engine.State, s *record.Scripts) { s.Files[1].Source = []byte("what") },
		"paths that leave":         func(_ *engine.State, s *record.Scripts) { s.Single, s.Files[1].Path = "../main.lua", "../main.lua" },
		"bounds of their own":      func(s *engine.State, _ *record.Scripts) { s.Attempts = 1 << 40 },
		"doors of their own":       func(s *engine.State, _ *record.Scripts) { s.Doors = nil },
	} {
		state, scripts := f.engine.State(), f.files
		scripts.Files = slices.Clone(scripts.Files)
		harm(state, &scripts)
		r := record.NewRecorder(0)
		r.Begin(f.now, state, scripts)
		var b, out bytes.Buffer
		_, err := r.Recording().WriteTo(&b)
		must(t, err)
		if _, err := Run(t.Context(), Config{Recording: &b, Writer: transcript.NewJSON(&out)}); err == nil || out.Len() > 0 {
			t.Errorf("%s: error %v, %d bytes written", name, err, out.Len())
		}
	}
}

// The number of restored records is bounded.
func TestARecordingRestoresSoMuch(t *testing.T) {
	f := takeOff(t, 3, 0)
	var lots []engine.Record
	for i := range 1 << 10 {
		lots = append(lots, engine.Record{Script: "main.lua", Store: &engine.Put{Key: fmt.Sprint(i), Value: true}})
	}
	f.set.Close()
	r := record.NewRecorder(1 << 28)
	r.Begin(f.now, f.engine.State(), f.files)
	for range mostGrants/len(lots) + 1 {
		r.Input(record.Input{Kind: record.InputRestore, Time: f.now, Records: lots})
	}
	var recording, out bytes.Buffer
	_, err := r.Recording().WriteTo(&recording)
	must(t, err)
	report, err := Run(t.Context(), Config{Recording: &recording, Writer: transcript.NewJSON(&out)})
	if err != nil || len(report.Incomplete) != 1 || !strings.Contains(report.Incomplete[0].Error(), "are restored") {
		t.Errorf("%v %+v", err, report)
	}
}

// FuzzRecording damages the JSON of a recording. The replay must end without a panic.
func FuzzRecording(f *testing.F) {
	one := takeOff(f, 5, 0)
	for range 300 {
		one.step()
	}
	recording, _ := one.land()
	one.set.Close()
	f.Add(recording, "", "", 0)
	f.Add(recording, `"Now":`, `"Now":-`, 0)
	f.Add(recording, `"Awaited":true`, `"Awaited":null`, 3)
	f.Fuzz(func(t *testing.T, file []byte, from, to string, at int) {
		if from != "" && len(from) == len(to) {
			for i, n := 0, 0; i < len(file); n++ {
				j := bytes.Index(file[i:], []byte(from))
				if j < 0 {
					break
				}
				if n == at {
					file = slices.Concat(file[:i+j], []byte(to), file[i+j+len(from):])
					break
				}
				i += j + 1
			}
		}
		report, err := Run(t.Context(), Config{Recording: bytes.NewReader(file), Writer: transcript.NewText(io.Discard, transcript.TextOptions{}), Account: true, Load: func(c *Config) error {
			c.Set = set(door("ssh", 7000, 8000, 9000))
			return nil
		}})
		if err == nil {
			must(t, report.WriteAccount(io.Discard))
		}
	})
}
