package engine

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sesame/daemon/packet"
	"sesame/daemon/wire"
)

// resumed returns an engine that continues where e is, with its state carried as
// JSON. Nothing of e may change by that.
func (c *chaos) resumed(e *Engine) *Engine {
	c.t.Helper()
	carried, err := json.Marshal(e.State())
	if err != nil {
		c.t.Fatalf("writing the state: %v", err)
	}
	var s State
	if err := json.Unmarshal(carried, &s); err != nil {
		c.t.Fatalf("reading the state: %v", err)
	}
	other, err := Resume(e.cfg, &s, c.engineSet())
	if err != nil {
		c.t.Fatalf("resuming: %v", err)
	}
	return other
}

// Two engines of which one was resumed say the same of whatever follows.
func TestAResumedEngineGoesOnAlike(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64().Draw(r, "seed")
		before := rapid.IntRange(0, 300).Draw(r, "inputs before")
		c := newChaos(t, seed)
		c.copies = true
		for range before {
			c.input()
		}
		c.twin = c.resumed(c.e)
		for range 200 {
			c.input()
			if c.r.IntN(50) == 0 {
				c.twin = c.resumed(c.twin)
			}
			if t.Failed() {
				r.Fatalf("after %d and the inputs %v", before, c.past[before:])
			}
		}
		for next, ok := c.e.Next(); ok; next, ok = c.e.Next() {
			c.do(func(e *Engine) []Event { return e.Tick(next) })
		}
		if c.e.Counts() != c.twin.Counts() || c.e.attempts.used != c.twin.attempts.used {
			r.Fatalf("%+v\n%+v", c.e.Counts(), c.twin.Counts())
		}
	})
}

// What is remembered of packets, and what is evicted, is the same too, at the
// size of a flood.
func TestAResumedEngineWithstandsAFloodAlike(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	d := classic(t)
	d.StepTimeout = 2 * time.Second
	set := &Set{Doors: []*Door{d}}
	e := New(Config{Attempts: 5000}, monday)
	e.Swap(monday, set)
	twin := e
	p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
	for i := range 120_000 {
		if i == 40_000 || i == 80_000 {
			var err error
			if twin, err = Resume(Config{}, twin.State(), set); err != nil {
				t.Fatal(err)
			}
		}
		spoofed(&p, random.IntN(20_000), 1<<24, d.Sequence[random.IntN(3)].Port)
		p.Sequence = uint32(random.IntN(4))
		want := whole(e.Packet(&p)...)
		if twin != e {
			if got := whole(twin.Packet(&p)...); got != want {
				t.Fatalf("packet %d: got %s\nwant %s", i, got, want)
			}
		}
	}
	if e.Counts() != twin.Counts() || e.Counts().Dropped[packet.Retransmit] < 1000 || e.Counts().Misses < 1000 {
		t.Errorf("%+v\n%+v", e.Counts(), twin.Counts())
	}
}

// aState returns one in which there is something of all kinds.
func aState(t *testing.T) (*chaos, *State) {
	for seed := uint64(1); ; seed++ {
		c := newChaos(t, seed)
		for range 250 {
			c.input()
			if c.e.delayed == 0 || c.e.grants.count() < 2 || len(c.e.store.values) == 0 || len(c.e.completions) == 0 {
				continue // a State costs more than all inputs together
			}
			s := c.e.State()
			if len(s.FirstStage) > 2*firstStageSize && len(s.Runs) > 1 && len(s.Live) > 1 && len(s.Delays) > 0 && len(s.Batches) > 1 && len(s.Values) > 0 && len(s.Limits) > 1 && s.Limits[0].Source.IsValid() && len(s.Steps) > 0 && len(s.Groups) > 1 && len(s.Completions) > 0 {
				return c, s
			}
		}
	}
}

// packedSegment returns an entry of the memory of segments.
func packedSegment(hash uint64, at int64) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, hash), uint64(at))
}

func TestAHostileStateGivesAnError(t *testing.T) {
	c, honest := aState(t)
	if _, err := Resume(c.e.cfg, honest, c.engineSet()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		harm func(*State)
		want string
	}{
		{"bounds beyond ours", func(s *State) { s.Attempts = 1 << 40 }, "expected at most"},
		{"no bounds", func(s *State) { s.Grants = 0 }, "expected at most"},
		{"a time before all", func(s *State) { s.Now = -1 }, "no engine has"},
		{"numbers that wrap", func(s *State) { s.LastGrant = 1 << 63 }, "no engine has"},
		{"a door that is not there", func(s *State) { s.Doors[0].Name = "nowhere" }, "no door \"nowhere\""},
		{"a door without a number", func(s *State) { s.Doors[0].ID = 0 }, "cannot be"},
		{"two doors of one number", func(s *State) { s.Doors[1].ID = s.Doors[0].ID }, "cannot be"},
		{"a door too many", func(s *State) { s.Doors = s.Doors[1:] }, "was not there"},
		{"a group that is not there", func(s *State) { s.Groups[0].Name = "nowhere" }, "no group of doors \"nowhere\""},
		{"a group without a number", func(s *State) { s.Groups[0].ID = 0 }, "cannot be"},
		{"a group with a number that was not given", func(s *State) { s.Groups[0].ID = s.LastDoor + 1 }, "cannot be"},
		{"two groups of one number", func(s *State) { s.Groups[1].ID = s.Groups[0].ID }, "cannot be"},
		{"a group with the number of a door", func(s *State) { s.Groups[0].ID = s.Doors[0].ID }, "cannot be"},
		{"a group too many", func(s *State) { s.Groups = s.Groups[1:] }, "was not there"},
		{"a group twice, and another not", func(s *State) { s.Groups[0].Name = s.Groups[1].Name }, "was not there"},
		{"a limit of a source twice", func(s *State) { s.Limits = append(s.Limits, s.Limits[0]) }, "twice"},
		{"limits of more sources than may be", func(s *State) {
			for i := range s.Grants {
				limit := s.Limits[0]
				limit.Source = netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})
				s.Limits = append(s.Limits, limit)
			}
		}, "limits of more than 40"},
		{"steps of a door that is not there", func(s *State) { s.Steps[0].Door = "nowhere" }, "no door \"nowhere\""},
		{"a completion of no door", func(s *State) { s.Completions[0].Door = "nowhere" }, "cannot be"},
		{"a completion by nobody", func(s *State) { s.Completions[0].Source = netip.Addr{} }, "cannot be"},
		{"a completion that is to come", func(s *State) { s.Completions[0].At = s.Now + 1 }, "cannot be"},
		{"two completions of a door", func(s *State) { s.Completions = append(s.Completions, s.Completions[0]) }, "cannot be"},
		{"half an attempt", func(s *State) { s.FirstStage = s.FirstStage[1:] }, "multiple of 39"},
		{"attempts in a circle", func(s *State) { copy(s.FirstStage[firstStageSize-4:], []byte{1, 0, 0, 0}); s.Oldest = 1 }, ""},
		{"attempts that are left out", func(s *State) { s.Oldest = 0 }, "no order of age"},
		{"attempts behind the end", func(s *State) { s.Oldest = 1 << 40 }, "no order of age"},
		{"an attempt in no door", func(s *State) { copy(s.FirstStage[(s.Oldest-1)*firstStageSize+16:], []byte{0, 0, 0, 0}) }, "cannot be"},
		{"a run without knocks", func(s *State) { s.Runs[0].Hits = nil }, "does not have"},
		{"a run of other knocks", func(s *State) { s.Runs[0].Hits[0].Port.Number++ }, "does not have"},
		{"a run of nobody", func(s *State) { s.Runs[0].Source = netip.Addr{} }, "cannot be"},
		{"a run twice", func(s *State) { s.Runs = append(s.Runs, s.Runs[0]) }, "cannot be"},
		{"a timer of the future", func(s *State) { s.Runs[0].Number = 1 << 60 }, "timer"},
		{"a grant twice", func(s *State) { s.Live = append(s.Live, s.Live[0]) }, "twice"},
		{"a grant for nobody", func(s *State) { s.Live[0].Source, s.Live[0].Argv = netip.Prefix{}, nil }, "expected a source"},
		{"a grant of an unknown protocol", func(s *State) { s.Live[0].Port.Proto = 200 }, "expected a source"},
		{"a grant that was not given yet", func(s *State) { s.Live[0].ID = s.LastGrant + 1 }, "so far"},
		{"a delay with a strange value", func(s *State) { s.Delays[0].Value = "?" }, "no value"},
		{"a value that is none", func(s *State) { s.Values[0].Value = "" }, "there is none"},
		{"an effect twice", func(s *State) { s.Batches = append(s.Batches, s.Batches[0]) }, "awaited"},
		{"an effect of no kind", func(s *State) { s.Batches[0].Effects[0].Effect = 99 }, "no kind"},
		{"an undo of nothing", func(s *State) {
			s.Batches[0].Effects[0] = wire.Effect{ID: 1, Effect: uint8(EffectUndo), Awaited: true}
		}, "not there"},
		{"half a hash", func(s *State) { s.Resends.Newer = make([]byte, 7) }, "16 bytes"},
		{"half a packet", func(s *State) { s.Copies.Newer = make([]byte, entrySize) }, "28 bytes"},
		{"a segment of the future", func(s *State) { s.Resends.Older = packedSegment(1, s.Now+1) }, "cannot be"},
		{"a segment of long ago", func(s *State) { s.Resends.Older = packedSegment(1, s.Now-int64(resendSpan)) }, "cannot be"},
		{"no hash", func(s *State) { s.Resends.Older = packedSegment(2, s.Now) }, "cannot be"},
		{"a memory of the future", func(s *State) { s.Resends.Began = s.Now + 1 }, "future"},
		{"half a hash of an older version", func(s *State) { s.Resends, s.Segments.Young = nil, make([]byte, 7) }, "8 bytes"},
		{"too many hashes", func(s *State) { s.Flows.Older = make([]byte, 8*maxFlows) }, "at most"},
		{"a hash twice", func(s *State) {
			s.Resends.Older = append(packedSegment(1, s.Now), packedSegment(1, s.Now)...)
		}, "twice"},
		{"a hash of an older version twice", func(s *State) { s.Copies, s.Segments.Older = nil, make([]byte, 16) }, "twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var s State
			carried, _ := json.Marshal(honest)
			if err := json.Unmarshal(carried, &s); err != nil {
				t.Fatal(err)
			}
			tt.harm(&s)
			if _, err := Resume(c.e.cfg, &s, c.engineSet()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v: want one with %q", err, tt.want)
			}
		})
	}
}

// Whatever a number, a text or a list in a state is changed to, the engine that
// comes of it, if any, takes all inputs and keeps its bounds.
func TestAHarmedStateHarmsNobody(t *testing.T) {
	c, honest := aState(t)
	carried, err := json.Marshal(honest)
	if err != nil {
		t.Fatal(err)
	}
	resumed := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 8))
		var s State
		if err := json.Unmarshal(carried, &s); err != nil {
			t.Fatal(err)
		}
		for range 1 + r.IntN(3) {
			harm(r, reflect.ValueOf(&s).Elem())
		}
		e, err := Resume(c.e.cfg, &s, c.engineSet())
		if err != nil {
			continue
		}
		resumed++
		after := newChaos(t, seed)
		after.set, after.owner, after.e, after.now, after.blind = c.set, c.owner, e, e.Now(), true
		for id := range min(e.effects, 500) {
			after.awaited = append(after.awaited, id+1)
		}
		for range 100 {
			after.input()
		}
		if e.attempts.used > e.cfg.Attempts {
			t.Errorf("seed %d: %d attempts", seed, e.attempts.used)
		}
		after.resumed(e)
	}
	if resumed < 100 {
		t.Errorf("only %d states were resumed: the test proves little", resumed)
	}
}

// harm changes one thing somewhere in v.
func harm(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		if !v.Field(0).CanSet() { // an address
			v.SetZero()
			return
		}
		harm(r, v.Field(r.IntN(v.NumField())))
	case reflect.Pointer:
		if !v.IsNil() {
			harm(r, v.Elem())
		}
	case reflect.Array, reflect.Slice:
		switch n := v.Len(); {
		case n == 0:
		case v.Kind() == reflect.Slice && r.IntN(4) == 0:
			v.Set(reflect.AppendSlice(v.Slice(0, r.IntN(n+1)), v.Slice(r.IntN(n+1), n)))
		case v.Kind() == reflect.Slice && r.IntN(4) == 0:
			v.Set(reflect.Append(v, v.Index(r.IntN(n))))
		default:
			harm(r, v.Index(r.IntN(n)))
		}
	case reflect.String:
		v.SetString([]string{"", "n1", "s", "true", "door1", "s.lua", "later"}[r.IntN(7)])
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.Int, reflect.Int64:
		v.SetInt([]int64{0, 1, -1, math.MaxInt64, math.MinInt64, v.Int() + 1, r.Int64()}[r.IntN(7)])
	default:
		v.SetUint([]uint64{0, 1, math.MaxUint64, v.Uint() + 1, uint64(r.IntN(200)), r.Uint64()}[r.IntN(6)])
	}
}

// Whatever stands in a state, the engine that comes of it does not panic.
func FuzzResume(f *testing.F) {
	t := &testing.T{}
	c, honest := aState(t)
	carried, err := json.Marshal(honest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(carried, uint64(1))
	f.Fuzz(func(t *testing.T, carried []byte, seed uint64) {
		var s State
		if json.Unmarshal(carried, &s) != nil {
			return
		}
		e, err := Resume(Config{Attempts: 1000, Grants: 1000}, &s, c.engineSet())
		if err != nil {
			return
		}
		after := newChaos(t, seed)
		after.set, after.owner, after.e, after.now, after.blind = c.set, c.owner, e, e.Now(), true
		for i := range after.e.effects {
			if i < 1000 {
				after.awaited = append(after.awaited, i+1)
			}
		}
		for range 100 {
			after.input()
		}
	})
}

// BenchmarkState is a snapshot of a million first-stage attempts, of which each
// was the youngest at a moment that is no neighbour of its slot's.
func BenchmarkState(b *testing.B) {
	d := classic(b)
	d.Within = time.Hour
	e := New(Config{}, monday)
	e.Swap(monday, &Set{Doors: []*Door{d}})
	p := packet.Packet{Time: monday, Dest: netip.MustParseAddr("198.51.100.1"), Flags: packet.SYN}
	for i := range 1 << 20 {
		spoofed(&p, i, 1<<20, d.Sequence[0].Port)
		e.Packet(&p)
	}
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(1 << 20) {
		spoofed(&p, i, 1<<20, d.Sequence[0].Port)
		p.Sequence = uint32(i + 1<<20)
		e.Packet(&p)
	}
	b.ReportAllocs()
	for b.Loop() {
		e.State()
	}
}
