package naive_test

import (
	"net/netip"
	"slices"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// This file decides what doors do with packets, as docs/scripts.md and docs/transcript.md word it,
// and with no thought for cost: it keeps all knocks of all sources for ever, and searches them each
// time.

const (
	ms     = int64(1_000_000)
	second = 1000 * ms

	copyTime   = 5 * ms
	resendTime = 70 * second
)

// A result is what must be the same.
type result struct {
	Opens    []opening
	Stages   []opening // from the second stage on, and the first ones too
	Knocks   int
	Refusals int
	Dropped  map[string]int
}

// An opening is a door that opened, or an attempt that reached a stage.
type opening struct {
	Packet, Capture int
	Door            string
	Source          netip.Addr
	Stage           int
}

// A matcher holds everything that came before.
type matcher struct {
	*scenario
	at, now  int64 // of the packet at hand, and of the doors
	sent     *sent // the packet at hand
	number   int
	capture  int
	segments []memory
	copies   []sent // originals, the latest last
	grants   []grant
	flows    []sent // UDP that this host sent
	states   []*state
	groups   map[string]*group
	result   result
}

// A memory is a TCP segment that came first at a time.
type memory struct {
	at           int64
	source, dest netip.Addr
	from, to     uint16
	sequence     uint32
}

type grant struct {
	source netip.Addr
	port   packet.Port
	until  int64
}

// A state is a door of the policy sesame, with what came to it.
type state struct {
	*engine.Door
	past   map[netip.Addr][]knock // of each source: what may be a run of knocks
	credit map[netip.Addr]*credit // of its limit
}

// A knock is a packet that counted at a door.
type knock struct {
	at int64
	sent
}

// A credit is what is left of a limit, in nanoseconds: an opening costs its share of the period.
type credit struct{ left, at int64 }

func newMatcher(s *scenario) *matcher {
	m := &matcher{scenario: s, now: s.packets[0].at, groups: map[string]*group{}}
	m.result.Dropped = map[string]int{}
	for _, d := range s.set.Doors {
		m.states = append(m.states, &state{Door: d, past: map[netip.Addr][]knock{}, credit: map[netip.Addr]*credit{}})
		if d.Policy == engine.PolicyKnockd && m.groups[d.Group] == nil {
			m.groups[d.Group] = &group{attempts: map[netip.Addr][]*attempt{}}
		}
	}
	return m
}

// take takes the next packet, at a time.
func (m *matcher) take(s *sent, at int64, number, capture int) {
	m.at, m.sent, m.number, m.capture = at, s, number, capture
	if drop := m.drop(); drop != "" {
		m.result.Dropped[drop]++
		return
	}
	counted, unfit := m.trip(), false
	acted := map[string]bool{}
	for _, d := range m.states {
		switch {
		case d.Policy != engine.PolicyKnockd:
			fits := true
			if d.wants(s) && m.accepts(d.Door) {
				fits = fitsPayload(d.Payload, s)
				unfit = unfit || !fits
			}
			counted = fits && m.offer(d) || counted
		case !acted[d.Group]:
			acted[d.Group] = true
			counted = m.offerGroup(d.Group) || counted
		}
	}
	switch {
	case counted:
		m.result.Knocks++
	case unfit:
		m.result.Dropped["other_payload"]++
	}
}

// accepts reports whether a door takes packets to the destination.
func (m *matcher) accepts(d *engine.Door) bool {
	if d.Target.IsValid() {
		return m.sent.dest == d.Target
	}
	return m.isLocal(m.sent.dest)
}

func (m *matcher) isLocal(a netip.Addr) bool {
	return m.local == nil || slices.ContainsFunc(m.local, func(p netip.Prefix) bool { return p.Contains(a) })
}

// port returns the port of a packet as doors have it.
func (s *sent) port() packet.Port {
	switch s.proto {
	case tcp:
		return packet.Port{Proto: packet.TCP, Number: s.to}
	case udp:
		return packet.Port{Proto: packet.UDP, Number: s.to}
	}
	return packet.Port{}
}

// nonsense reports whether a TCP packet both begins a connection and ends it.
func (s *sent) nonsense() bool { return s.proto == tcp && s.flags&syn != 0 && s.flags&(fin|rst) != 0 }

// is reports whether a packet is a knock. When it has flags that are nonsense, each of them must be
// asked for.
func (s *sent) is(k engine.Knock) bool {
	switch {
	case s.port() != k.Port || s.proto != tcp && s.proto != udp:
		return false
	case s.proto == udp:
		return true
	case s.nonsense() && (uint8(k.Flags.Set)&syn == 0 || s.flags&(fin|rst)&^uint8(k.Flags.Set) != 0):
		return false
	}
	return s.flags&uint8(k.Flags.Set) == uint8(k.Flags.Set) && s.flags&uint8(k.Flags.Clear) == 0
}

// wants reports whether a packet is a knock of the door, at whatever place of its sequence.
func (d *state) wants(s *sent) bool { return slices.ContainsFunc(d.Sequence, s.is) }

// fitsPayload reports whether a payload passes a test. A part that the capture lacks does not.
func fitsPayload(t *engine.PayloadTest, s *sent) bool {
	if t == nil {
		return true
	}
	have := s.payload[:len(s.payload)-s.missing()]
	if len(s.payload) < t.Min || len(s.payload) > t.Max || s.missing() > 0 && t.Max < engine.AnyLength {
		return false
	}
	if s.missing() > 0 && len(have)+1 < t.Min {
		return false
	}
	for _, b := range t.Bytes {
		if len(have) < b.At+len(b.Text) || have[b.At:b.At+len(b.Text)] != b.Text {
			return false
		}
	}
	return true
}

// offer gives a packet to a door, and reports whether it was a knock there, a right or a wrong one.
func (m *matcher) offer(d *state) bool {
	s, wanted := m.sent, d.wants(m.sent)
	if !m.accepts(d.Door) {
		return false
	}
	if wanted && (d.Listen || len(d.Sequence) == 1) {
		if !d.Listen {
			m.reach(d.Door, 1)
		}
		m.complete(d)
		return true
	}
	run := m.run(d)
	if !wanted && (!d.Strict || slices.Contains(d.Except, s.port()) || len(run) == 0 || !m.stray()) {
		return false
	}
	k := knock{m.now, *s}
	switch n := len(run); {
	case slices.ContainsFunc(run, k.again):
		return true
	case s.is(d.Sequence[n]) && n+1 == len(d.Sequence):
		d.past[s.source] = nil
		m.reach(d.Door, n+1)
		m.complete(d)
		return true
	case s.is(d.Sequence[n]):
	case n > 0 && d.Duplicates == engine.DuplicatesIgnored && s.is(d.Sequence[n-1]):
		if n > 1 {
			return true
		}
		d.past[s.source] = []knock{k}
		return true
	case n > 0 && d.OnWrong == engine.WrongIgnored:
		return true
	}
	d.past[s.source] = append(d.past[s.source], k)
	if now := len(m.run(d)); now > 0 {
		m.reach(d.Door, now)
	}
	return true
}

// run returns the longest run of the latest knocks of the source that is a beginning of the
// sequence and has time left.
func (m *matcher) run(d *state) []knock {
	past := d.past[m.sent.source]
	for n := min(len(past), len(d.Sequence)-1); n > 0; n-- {
		run := past[len(past)-n:]
		if m.inTime(d, run) && matches(d.Sequence, run) {
			return run
		}
	}
	return nil
}

func matches(sequence []engine.Knock, run []knock) bool {
	for i := range run {
		if !run[i].is(sequence[i]) {
			return false
		}
	}
	return true
}

func (m *matcher) inTime(d *state, run []knock) bool {
	if m.now-run[0].at >= int64(d.Within) {
		return false
	}
	if d.StepTimeout == 0 {
		return true
	}
	for i := range run {
		next := m.now
		if i+1 < len(run) {
			next = run[i+1].at
		}
		if next-run[i].at >= int64(d.StepTimeout) {
			return false
		}
	}
	return true
}

// again reports whether an earlier knock is the same TCP segment.
func (k knock) again(earlier knock) bool {
	return k.proto == tcp && earlier.proto == tcp && k.from == earlier.from && k.to == earlier.to &&
		k.sequence == earlier.sequence && k.dest == earlier.dest && k.at-earlier.at < resendTime
}

// trip ends the attempts that a packet to a tripwire ends, and reports whether there are any.
func (m *matcher) trip() bool {
	ended := m.tripped()
	for _, d := range ended {
		d.past[m.sent.source] = nil
	}
	return len(ended) > 0
}

// tripped returns the doors that have attempts of the source which the packet ends.
func (m *matcher) tripped() (doors []*state) {
	s := m.sent
	if !slices.ContainsFunc(m.wires, s.is) || m.guarded(s.port()) || !m.unasked() {
		return nil
	}
	for _, d := range m.states {
		if d.Tripwires > 0 && !d.Listen && d.Policy == engine.PolicySesame && len(d.Sequence) > 1 &&
			m.accepts(d.Door) && !slices.Contains(d.Except, s.port()) && len(m.run(d)) > 0 {
			doors = append(doors, d)
		}
	}
	return doors
}

// complete decides about a completed sequence, or a knock at a listener.
func (m *matcher) complete(d *state) {
	source := m.sent.source
	if !m.within(d, source) || len(d.When) > 0 && !admits(source) {
		m.result.Refusals++
		return
	}
	ports, handler := d.Guards, d.Handler
	if handler != nil {
		ports = handler.(allows).ports
	}
	for _, p := range ports {
		m.grants = append(m.grants, grant{source, p, m.now + int64(d.TTL)})
	}
	m.result.Opens = append(m.result.Opens, opening{m.number, m.capture, d.Name, source, 0})
}

// within takes an opening from the limit of a door, and reports whether there was one.
func (m *matcher) within(d *state, source netip.Addr) bool {
	if d.Limit == nil {
		return true
	}
	if !d.Limit.PerSource {
		source = netip.Addr{}
	}
	c := d.credit[source]
	if c == nil {
		c = &credit{left: int64(d.Limit.Per), at: m.now}
		d.credit[source] = c
	}
	c.left, c.at = min(int64(d.Limit.Per), c.left+m.now-c.at), m.now
	cost := int64(d.Limit.Per) / int64(d.Limit.Count)
	if c.left < cost {
		return false
	}
	c.left -= cost
	return true
}

func (m *matcher) reach(d *engine.Door, stage int) {
	m.result.Stages = append(m.result.Stages, opening{m.number, m.capture, d.Name, m.sent.source, stage})
}
