package simulate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/simulate/account"
)

// repairs returns the packets as they should have been: those that were nearly a knock made one,
// and one that is missing added.
func (r *rehearsal) repairs() []change {
	packets := slices.Clone(r.packets)
	var done []repair
	for _, clue := range r.clues {
		if clue.Cause == "" || clue.Knock >= len(r.door.Sequence) {
			continue
		}
		at := slices.IndexFunc(packets, func(p keptPacket) bool { return p.Number == clue.Packet && p.Capture == clue.Capture })
		if at < 0 {
			return nil // it was not kept
		}
		done = append(done, r.correct(packets, at, clue))
	}
	added := r.add(&packets)
	moved := slices.ContainsFunc(done, func(d repair) bool { return d.how == movedBefore })
	if len(done) == 0 && added == "" || moved && added != "" {
		return nil // of a packet that is moved and one beside it, the text would be ambiguous
	}
	return []change{{text: describe(done, added), packets: packets}}
}

// movedBefore is how a packet was repaired that came after the next one.
const movedBefore = "before the knock that follows it"

// A repair is what was done to one packet.
type repair struct {
	subject string // the knock that it is now
	how     string // as in "with syn,!ack"
	packet  string // its number
}

// correct makes the packet at a place the knock that it was meant as.
func (r *rehearsal) correct(packets []keptPacket, at int, clue account.Clue) repair {
	p, knock := &packets[at], r.door.Sequence[clue.Knock]
	done := repair{subject: knock.Port.String(), packet: fmt.Sprint(p.Number)}
	if p.Capture > 0 {
		done.packet = packetName(p.Number, p.Capture)
	}
	switch clue.Cause {
	case account.OtherFlags:
		done.how = "with " + account.Wanted(knock.Flags)
	case account.OtherProtocol, account.OtherPort:
		done.how = "in place of " + p.Port.String()
	case account.OtherDestination:
		p.Dest = r.destination(p)
		done.how = "to " + p.Dest.String()
	case account.Fragment:
		done.how = "in one piece"
	case account.Truncated:
		done.how = "recorded whole"
	case account.Malformed:
		done.how = "well-formed"
	case account.Reordered:
		// The knock that overtook it comes just behind it now.
		moved := *p
		next := slices.IndexFunc(packets, func(q keptPacket) bool {
			return q.Port == r.door.Sequence[clue.Knock+1].Port && !q.Time.After(p.Time) && p.Time.Sub(q.Time) <= time.Second
		})
		if next >= 0 && next < at {
			moved.Time = packets[next].Time
			copy(packets[next+1:at+1], packets[next:at])
			packets[next] = moved
		}
		done.how = movedBefore
		return done
	case account.Missing, account.GaveNothing: // no packet to correct
	}
	p.Port, p.drop = knock.Port, packet.NotDropped
	switch known := p.Flags != 0 && (clue.Cause == account.Fragment || clue.Cause == account.Truncated); {
	case knock.Port.Proto != packet.TCP:
		p.Flags = 0
	case !known:
		p.Flags = flagsFor(knock.Flags)
	}
	return done
}

// destination returns an address where a packet counts.
func (r *rehearsal) destination(p *keptPacket) (dest netip.Addr) {
	if r.door.Target.IsValid() {
		return r.door.Target
	}
	for _, l := range r.local {
		if l.Addr().Is4() == p.Dest.Is4() {
			return l.Addr()
		}
	}
	return p.Dest
}

// flagsFor returns the flags of a packet that passes a test: SYN alone when the test allows it.
func flagsFor(test engine.FlagTest) packet.Flags {
	if test.Set == 0 && test.Clear&packet.SYN == 0 {
		return packet.SYN
	}
	return test.Set
}

// add inserts the only knock that is missing, beside the one that follows it, or behind the last.
// It returns where, or "" when none is missing, or several are.
func (r *rehearsal) add(packets *[]keptPacket) string {
	missing := -1
	for i := range r.door.Sequence {
		if slices.ContainsFunc(r.clues, func(c account.Clue) bool { return c.Knock == i }) {
			continue
		}
		if missing >= 0 {
			return ""
		}
		missing = i
	}
	if missing < 0 || len(r.clues) == 0 {
		return ""
	}
	beside := len(r.clues) - 1
	where := "after"
	if next := slices.IndexFunc(r.clues, func(c account.Clue) bool { return c.Knock > missing }); next >= 0 {
		beside, where = next, "before"
	}
	clue := r.clues[beside]
	at := slices.IndexFunc(*packets, func(p keptPacket) bool { return p.Number == clue.Packet && p.Capture == clue.Capture })
	if at < 0 {
		return ""
	}
	one := (*packets)[at]
	knock := r.door.Sequence[missing]
	one.Port, one.drop, one.Flags = knock.Port, packet.NotDropped, 0
	one.Number, one.Digest, one.ID, one.Payload = 0, ^one.Digest, one.ID+1, nil
	if knock.Port.Proto == packet.TCP {
		one.Flags, one.Sequence = flagsFor(knock.Flags), ^one.Sequence
	}
	if where == "after" {
		at++
	}
	*packets = slices.Insert(*packets, at, one)
	return knock.Port.String() + " " + where + " " + packetName(clue.Packet, clue.Capture)
}

// describe returns the text of repairs, those that are alike together, as in "tcp/7421, tcp/2904
// with syn,!ack (packets 1, 3)".
func describe(done []repair, added string) string {
	var texts []string
	for i, d := range done {
		if slices.ContainsFunc(done[:i], func(o repair) bool { return o.how == d.how }) {
			continue
		}
		var subjects, numbers []string
		for _, o := range done[i:] {
			if o.how == d.how {
				subjects, numbers = append(subjects, o.subject), append(numbers, o.packet)
			}
		}
		noun := "packet "
		if strings.HasPrefix(numbers[0], "packet") {
			noun = ""
		} else if len(numbers) > 1 {
			noun = "packets "
		}
		names := strings.Join(numbers, ", ")
		if last := len(numbers) - 1; noun == "packets " {
			names = strings.Join(numbers[:last], ", ") + " and " + numbers[last]
		}
		texts = append(texts, strings.Join(subjects, ", ")+" "+d.how+" ("+noun+names+")")
	}
	if added != "" {
		texts = append(texts, added)
	}
	return strings.Join(texts, "; ")
}

// packetName names a packet, and its capture if there are several.
func packetName(number, capture int) string {
	if capture == 0 {
		return fmt.Sprintf("packet %d", number)
	}
	return fmt.Sprintf("packet %d of capture %d", number, capture)
}
