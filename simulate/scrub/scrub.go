// Package scrub turns a recording of a daemon into one that can be given away: with other
// addresses, ports, payloads and option values, and with the same verdicts.
//
// Nothing is promised of the verdicts beforehand. The result is replayed, and refused unless each
// decision is the same. What else a script says, such as the names of doors and comments, stays.
package scrub

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/wire"
	"sesame/simulate"
)

// A Part is what can be replaced.
type Part string

// The parts.
const (
	Addresses Part = "addresses"
	Ports     Part = "ports" // of knocks, one-time sequences too
	Payloads  Part = "payloads"
	Options   Part = "options" // texts that were given for options of scripts
)

// Parts are all parts, in the order of the documentation.
var Parts = []Part{Addresses, Ports, Payloads, Options}

// maxAddresses bounds the addresses that are remembered. Others are computed again.
const maxAddresses = 1 << 20

// A scrubber replaces everything by one key, so that what was equal stays equal.
type scrubber struct {
	keep      map[Part]bool
	key       [32]byte
	secret    [2]uint64
	addresses map[netip.Addr]netip.Addr
	ports     permutation
	types     map[string]string // of options
	values    map[string]string // what takes the place of texts that were given for them
	oneTime   map[string]bool   // the files of one-time sequences
	used      []packet.Port     // in those files
	// everywhere means that each number in a script that is that of a knock counts as one.
	everywhere bool
}

// A Result is a scrubbed recording.
type Result struct {
	File      []byte
	Decisions int // that were compared
	Packets   int
}

// Scrub returns the recording with all parts replaced that are not kept. The key is random, and
// forgotten. It fails when the recording cannot be replayed exactly, and with a [*DifferentError]
// when the result would give other verdicts.
func Scrub(recording []byte, keep map[Part]bool) (*Result, error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // it never fails
	return scrub(recording, keep, key)
}

func scrub(recording []byte, keep map[Part]bool, key [32]byte) (*Result, error) {
	items, err := read(recording)
	if err != nil {
		return nil, err
	}
	s := &scrubber{keep: keep, key: key, addresses: map[netip.Addr]netip.Addr{}, ports: permutation{}, types: map[string]string{}, values: map[string]string{}, oneTime: map[string]bool{}}
	numbers := s.random("secret")
	s.secret = [2]uint64{numbers.Uint64(), numbers.Uint64()}
	if err := s.prepare(items); err != nil {
		return nil, err
	}
	scrubbed, err := s.write(items, len(recording))
	if err != nil {
		return nil, err
	}
	if err := s.left(scrubbed); err != nil {
		return nil, err
	}
	result := &Result{File: scrubbed}
	for _, item := range items {
		if item.Frame != nil {
			result.Packets++
		}
	}
	result.Decisions, err = s.compare(recording, scrubbed)
	return result, err
}

// read returns the items of a recording. Frames are copied.
func read(recording []byte) (items []record.Item, err error) {
	reader, err := record.NewReader(bytes.NewReader(recording), int64(len(recording)), "the recording")
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	if !reader.Recording() {
		return nil, errors.New("the file is no recording of the daemon, or was merged with another capture: only a whole recording can be replayed with its own scripts, and compared")
	}
	revealer := simulate.NewRevealer()
	for {
		item, err := reader.NextExact()
		if err == io.EOF {
			return items, nil
		}
		if cut, is := errors.AsType[*record.CutError](err); is {
			what, _, _ := strings.Cut(cut.Text, ";")
			return nil, fmt.Errorf("only a whole recording can be scrubbed: %s", what)
		}
		if err != nil {
			return nil, err
		}
		if item.Frame != nil {
			f := *item.Frame
			f.Data = bytes.Clone(f.Data)
			item.Frame = &f
		}
		revealer.Reveal(item)
		if len(revealer.Missing) > 0 {
			return nil, fmt.Errorf("it leaves out the one-time sequences of %s, and this machine has no such file as it was: only one that sesame record --with-secrets wrote can be scrubbed elsewhere; their ports are replaced", revealer.Missing[0])
		}
		items = append(items, item)
	}
}

// write returns the recording that is made of the scrubbed items.
func (s *scrubber) write(items []record.Item, size int) ([]byte, error) {
	r := record.NewRecorder(8*size + 1<<20)
	decoder := packet.NewDecoder()
	for i, item := range items {
		switch {
		case item.Snapshot != nil:
			state, err := s.state(item.Snapshot.State)
			if err != nil {
				return nil, fmt.Errorf("snapshot: %w", err)
			}
			if i == 0 || r.Recording() != nil {
				r.Begin(wire.Time(state.Now), state, s.scripts(item.Snapshot.Scripts))
			}
		case item.Input != nil:
			in, err := s.input(*item.Input)
			if err != nil {
				return nil, fmt.Errorf("input %d: %w", i, err)
			}
			r.Input(in)
		default:
			if err := s.packet(r, decoder, item.Frame); err != nil {
				return nil, err
			}
		}
	}
	var b bytes.Buffer
	_, err := r.Recording().WriteTo(&b)
	return b.Bytes(), err
}

// packet records a packet with its parts replaced.
func (s *scrubber) packet(r *record.Recorder, decoder *packet.Decoder, f *record.Frame) error {
	var p packet.Packet
	if drop := decoder.DecodeReceived(f.Link, f.Data, f.Wire, f.Reception|packet.Judged, &p); drop != packet.NotDropped {
		return fmt.Errorf("packet %d is %v, which no engine was given", f.ID, drop)
	}
	layout := decoder.Layout()
	data := s.frame(f.Data, &p, layout)
	p.Time, p.Number, p.Interface = f.Time(), int(f.ID), f.Interface
	if p.LinkDigest = f.LinkDigest; p.LinkDigest != 0 {
		p.LinkDigest = s.random(fmt.Sprintf("link %x", f.LinkDigest)).Uint64() | 1
	}
	r.Packet(&p, data, layout.Length)
	return nil
}

// state replaces what the state of an engine names. The hashes of earlier packets are left out:
// they are of other packets now, and a guess at the packets could be tested with them. So a replay
// that begins here, since the beginning was cut away, knows no retransmit of a packet before.
func (s *scrubber) state(state *engine.State) (*engine.State, error) {
	first := state.MapFirstStage(func(a netip.Addr) netip.Addr { return s.address(a) })
	rest, again := *state, &engine.State{}
	rest.Segments, rest.Flows, rest.FirstStage = engine.RecentState{}, engine.RecentState{}, nil
	rest.Copies, rest.Resends = emptied(state.Copies), emptied(state.Resends)
	if err := s.remake(&rest, again); err != nil {
		return nil, err
	}
	again.FirstStage, again.Secret = first, s.secret
	return again, nil
}

// emptied returns a memory without its entries; nil, as an older version had it, stays.
func emptied(m *engine.MemoryState) *engine.MemoryState {
	if m == nil {
		return nil
	}
	return &engine.MemoryState{Began: m.Began, Last: m.Last, OlderLast: m.OlderLast, Lost: m.Lost}
}

// input replaces what an input names.
func (s *scrubber) input(in record.Input) (record.Input, error) {
	again := record.Input{}
	carried := in.Carried
	in.Carried = nil
	if err := s.remake(in, &again); err != nil {
		return again, err
	}
	if carried != nil {
		state, err := s.state(carried.State)
		if err != nil {
			return again, err
		}
		again.Carried = &engine.Carried{State: state, Rules: carried.Rules}
	}
	again.Kind, again.Time, again.Scripts = in.Kind, in.Time, s.scripts(in.Scripts)
	again.Port = wire.Port(s.port(packet.Port(in.Port)))
	if utf8.ValidString(string(in.Key)) { // as the key of a stored value is
		again.Key = wire.Text(s.storedText(string(in.Key)))
	}
	for _, one := range in.Records {
		w, err := one.Wire()
		if err != nil {
			return again, err
		}
		var to wire.Record
		if err := s.remake(w, &to); err != nil {
			return again, err
		}
		r, err := engine.RecordFrom(&to)
		if err != nil {
			return again, err
		}
		again.Records = append(again.Records, r)
	}
	if err := s.remake(in.Timeouts, &again.Timeouts); err != nil {
		return again, err
	}
	for _, asked := range in.Asked {
		asked.Question.Address = s.address(asked.Question.Address)
		asked.Answer.Addresses = slices.Clone(asked.Answer.Addresses)
		for i := range asked.Answer.Addresses {
			asked.Answer.Addresses[i] = s.address(asked.Answer.Addresses[i])
		}
		again.Asked = append(again.Asked, asked)
	}
	return again, nil
}

// remake fills to with the JSON of from, after the texts in it were replaced.
func (s *scrubber) remake(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return err
	}
	if text, err = json.Marshal(s.tree(tree)); err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}
