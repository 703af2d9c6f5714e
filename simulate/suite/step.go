package suite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/transcript"
	"sesame/scripting/spec"
	"sesame/simulate/craft"
	"sesame/simulate/opening"
)

func keysOf[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// one runs the step at hand, and compares what came with what it expects.
func (t *running) one(ctx context.Context) error {
	if err := t.bringAbout(ctx); err != nil {
		return err
	}
	t.compare(t.step)
	return t.stopped()
}

// bringAbout runs the step at hand, and notes what comes.
func (t *running) bringAbout(ctx context.Context) error {
	s := t.step
	t.came, t.bytes, t.more, t.golden, t.listed = nil, 0, 0, nil, nil
	t.sentBefore, t.atDoors = t.sent, 0
	t.facts.unsaid = nil
	clear(t.ran)
	t.session.Mark()
	if err := t.reach(); err != nil {
		return err
	}
	t.facts.state(s.Facts)
	if err := t.act(ctx); err != nil {
		return err
	}
	if err := t.session.Until(t.session.Now().Add(s.Wait)); err != nil {
		return err
	}
	if t.more > 0 {
		return fmt.Errorf("the step brings about more than %s events, or %d MiB of texts: make it smaller", transcript.Number(maxCame), maxCameBytes>>20)
	}
	return nil
}

// reach lets time pass until the step begins.
func (t *running) reach() error {
	s, now := t.step, t.session.Now()
	switch {
	case s.At.IsZero():
		return nil
	case s.At.Before(now):
		return fmt.Errorf("at = %q is before the end of the step before it, %s: a test does not go back, split the test",
			s.At.Format(time.RFC3339Nano), now.In(s.At.Location()).Format(time.RFC3339Nano))
	}
	return t.session.Until(s.At)
}

func (t *running) act(ctx context.Context) error {
	switch s := t.step; s.Action {
	case spec.Knock, spec.Scan:
		before := t.happened()
		if err := t.sendAll(); err != nil {
			return err
		}
		if t.happened() == before || t.step.MinKnocks > 1 {
			t.proveSomething()
		}
	case spec.Replay:
		return t.replay(ctx)
	case spec.NoAction:
	}
	return nil
}

func (t *running) sendAll() error {
	if t.step.Action == spec.Scan {
		return t.scan()
	}
	return t.knock()
}

// happened counts what came of the step so far.
func (t *running) happened() int { return len(t.came) + t.more }

// proveSomething fails a step of which nothing came and that went to no door: whatever the scripts
// say, it could not fail. Ports that were written down become such a step when a door gets others.
// A test that asks for more knocks than one means it in any case: a door that lost a knock opens to
// the knocks that it had before.
func (t *running) proveSomething() {
	s := t.step
	if t.atDoors >= s.MinKnocks {
		return
	}
	was, why := "were", `a step that knocks at no door proves nothing: write knock = "NAME" or ports that doors have now, or min_knocks = 0`
	if t.atDoors == 1 {
		was = "was"
	}
	if t.atDoors > 0 {
		why = "a door has lost a knock, or has other ports: correct the door, or the ports and min_knocks here"
	}
	t.fail(Failure{Place: s.Place, Message: fmt.Sprintf("%d of %s %s to a port of a door, expected %s", t.atDoors, transcript.Count(t.sent-t.sentBefore, "packet"), was, number(s.MinKnocks)),
		Explanation: []string{why}})
}

// source returns who knocks or scans.
func (t *running) source() netip.Addr {
	switch {
	case t.step.From.IsValid():
		return t.step.From
	case t.test.From.IsValid():
		return t.test.From
	}
	return spec.Knocker
}

// host returns where packets of a source go.
func (t *running) host(source netip.Addr) (netip.Addr, error) {
	for _, address := range t.test.Host {
		if address.Is4() == source.Is4() {
			return address, nil
		}
	}
	if t.test.Host != nil {
		return netip.Addr{}, fmt.Errorf("the host has no address that %s can send to: add one of its family to host", source)
	}
	if host := craft.HostFor(source); host != source {
		return host, nil
	}
	return craft.HostFor(source).Next(), nil
}

// knock sends the knocks of a door, or the packets that the step lists.
func (t *running) knock() error {
	s, source := t.step, t.source()
	host, err := t.host(source)
	if err != nil {
		return err
	}
	if s.Door == "" {
		for i := range s.Knocks {
			p := &s.Knocks[i]
			k := craft.Knock{Port: p.Port, Payload: p.Payload}
			if k.Flags, err = flagsOf(p); err != nil {
				return err
			}
			if err := t.send(source, host, k, cmp.Or(p.Delay, s.Delay, spec.Delay)); err != nil {
				return err
			}
		}
		return nil
	}
	door := t.door(s.Door)
	if door == nil {
		return errors.New("knock: " + t.noDoor(s.Door))
	}
	if door.Target.IsValid() {
		host = door.Target
	}
	knocks, err := opening.Knocks(door)
	if err != nil {
		return fmt.Errorf("knock = %q: %w", s.Door, err)
	}
	if s.Order == spec.Down {
		slices.Reverse(knocks)
	}
	for _, k := range knocks {
		if err := t.send(source, host, k, cmp.Or(s.Delay, spec.Delay)); err != nil {
			return err
		}
	}
	return nil
}

// flagsOf returns the TCP flags of a packet.
func flagsOf(p *spec.Packet) (packet.Flags, error) {
	switch {
	case p.Port.Proto != packet.TCP:
		return 0, nil
	case p.Flags == "":
		return packet.SYN, nil
	}
	flags, err := packet.ParseFlags(p.Flags)
	if err != nil {
		return 0, fmt.Errorf("%v: flags: %w", p.Place, err)
	}
	return flags, nil
}

// send sends a packet, not before the delay of the one before is over.
func (t *running) send(source, dest netip.Addr, k craft.Knock, delay time.Duration) error {
	at := t.session.Now()
	if t.next.After(at) {
		at = t.next
	}
	// A capture may be of a [craft.Sender] too. None of its packets must look like one of these.
	p := t.sender.Packet(source, dest, k)
	p.SourcePort, p.Sequence = p.SourcePort-20_000, ^p.Sequence
	frame, err := p.Frame(packet.Raw)
	if err != nil {
		return err
	}
	t.sent++
	if t.watched[k.Port] {
		t.atDoors++
	}
	t.result.Packets++
	t.next = at.Add(delay)
	return t.session.Frame(at, t.sent, packet.Raw, frame)
}

// scan sends a packet to each port of the ranges.
func (t *running) scan() error {
	s, source := t.step, t.source()
	host, err := t.host(source)
	if err != nil {
		return err
	}
	ports := 0
	for _, r := range s.Ports {
		ports += int(r.Last-r.First) + 1
	}
	if times := max(s.Times, 1); ports > maxPackets/times {
		return fmt.Errorf("scan: it sends more than %s packets: make it smaller", transcript.Number(maxPackets))
	}
	for round := range max(s.Times, 1) {
		for port := range t.inOrder(ports, round) {
			k := craft.Knock{Port: port}
			if port.Proto == packet.TCP {
				k.Flags = packet.SYN
			}
			if err := t.send(source, host, k, cmp.Or(s.Delay, spec.Delay)); err != nil {
				return err
			}
		}
	}
	return nil
}

// inOrder yields the ports of a scan. A random order is the same each time that the test runs,
// wherever it stands in its file, and another one each time that the step scans.
func (t *running) inOrder(count, round int) iter.Seq[packet.Port] {
	s := t.step
	all := make([]packet.Port, 0, count)
	for _, r := range s.Ports {
		for number := int(r.First); number <= int(r.Last); number++ {
			all = append(all, packet.Port{Proto: r.Proto, Number: uint16(number)})
		}
	}
	if s.Order == spec.Random {
		t.random(round).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	if s.Order == spec.Down {
		slices.Reverse(all)
	}
	return slices.Values(all)
}

// random returns what shuffles in a round of the step at hand. It depends on the name of the test
// and the number of the step alone.
func (t *running) random(round int) *rand.Rand {
	name := fnv.New64a()
	name.Write([]byte(t.test.Name))
	return rand.New(rand.NewPCG(name.Sum64(), uint64(t.index)<<32|uint64(round)))
}

// replay replays a capture, and compares its transcript.
func (t *running) replay(ctx context.Context) error {
	s := t.step
	if s.Golden != "" {
		t.golden = newGolden(nil)
	}
	at := t.session.Now()
	if t.next.After(at) {
		at = t.next
	}
	err := t.session.Replay(ctx, t.path(s.Capture), at)
	if t.stopped() != nil {
		return t.stopped()
	}
	if err != nil {
		return err
	}
	t.next = t.session.Now()
	sum := t.session.Summary()
	t.result.Packets += sum.Packets
	if sum.Knocks < s.MinKnocks {
		f := Failure{Place: s.Place, Message: fmt.Sprintf("%s: %s, expected %s", s.Capture, knocks(sum), number(s.MinKnocks))}
		if f.Explanation = t.explanation("", netip.Prefix{}); sum.Knocks == 0 {
			f.Explanation = append(f.Explanation, "it is no capture of knocks at these doors: record it anew, or remove the step, or write min_knocks = 0")
		}
		t.fail(f)
	}
	if t.golden != nil {
		return t.compareGolden(sum)
	}
	return nil
}

func number(n int) string { return "at least " + transcript.Number(n) + " (min_knocks)" }

// knocks says how many packets of a capture were knocks.
func knocks(sum transcript.Summary) string {
	if sum.Knocks == 1 {
		return fmt.Sprintf("1 of %s was a knock", transcript.Count(sum.Packets, "packet"))
	}
	return fmt.Sprintf("%s of %s were knocks", transcript.Number(sum.Knocks), transcript.Count(sum.Packets, "packet"))
}
