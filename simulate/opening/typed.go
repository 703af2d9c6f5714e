package opening

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/spelling"
	"sesame/scripting/condition"
	"sesame/simulate"
	"sesame/simulate/craft"
)

// This file reads knocks that a person types:
//
//	203.0.113.9 tcp/7421 200ms udp/9133 tcp/2904
//	203.0.113.9 ssh 5m ssh
//	203.0.113.9 tcp/7421 flags=fin,psh udp/62201 payload="SESA\x00" to=198.51.100.1
//
// The first word is the source. The others are packets, doors, whose knocks are sent, and the time
// that passes behind them. flags, payload and to are of the packet before them.

// Pause is the time behind a packet where nothing else is said.
const Pause = 100 * time.Millisecond

// MaxPackets bounds the packets of one capture of typed knocks.
const MaxPackets = 100_000

// lastYear is the last year in which a packet can be: files and the engine count nanoseconds in 64
// bits.
const lastYear = 2250

// A Line is what one source sends. It has at least one Part.
type Line struct {
	Text   string // as it was typed
	Source netip.Addr
	Parts  []Part
}

// A Part is one packet, or the knocks of a door.
type Part struct {
	Door  string // "": Knock
	Knock craft.Knock
	Dest  netip.Addr    // invalid: the host, or the target of the door
	Pause time.Duration // behind it; [Pause] where nothing else is said
}

// ParseLine reads what a person typed. The error tells what was expected.
func ParseLine(text string) (Line, error) {
	words, err := splitWords(text)
	if err != nil {
		return Line{}, err
	}
	if len(words) == 0 {
		return Line{}, errors.New(`it is empty: expected a source and its knocks, such as "203.0.113.9 tcp/7421 200ms udp/9133"`)
	}
	source, err := netip.ParseAddr(words[0])
	if err != nil || source.Zone() != "" {
		return Line{}, fmt.Errorf(`%q is not an address: expected the source first, such as "203.0.113.9 tcp/7421"`, words[0])
	}
	line := Line{Text: text, Source: source.Unmap()}
	if !packet.Foreign(line.Source) {
		return Line{}, fmt.Errorf("%s cannot knock: no packet from outside has this source", line.Source)
	}
	for i, word := range words[1:] {
		if err := line.add(word, isDuration(words[i])); err != nil {
			return Line{}, err
		}
	}
	if len(line.Parts) == 0 {
		return Line{}, fmt.Errorf(`%s sends nothing: expected ports or a door behind it, such as "%[1]s tcp/7421 udp/9133" or "%[1]s ssh"`, line.Source)
	}
	return line, nil
}

// add adds a word. Paused means that the word before it was a time.
func (l *Line) add(word string, paused bool) error {
	key, value, hasKey := strings.Cut(word, "=")
	switch {
	case hasKey && (key == "flags" || key == "payload" || key == "to"):
		if len(l.Parts) == 0 || paused {
			return fmt.Errorf("%s stands behind no packet: expected it behind a port, such as tcp/7421 %[1]s=%s", key, value)
		}
		return l.Parts[len(l.Parts)-1].set(key, value)
	case hasKey:
		return fmt.Errorf("unknown key %q%s", key, spelling.DidYouMean(key, []string{"flags", "payload", "to"}))
	case isDuration(word):
		return l.pause(word, paused)
	case isNumber(word):
		return fmt.Errorf("%s may be a port or a time: write tcp/%[1]s or udp/%[1]s, or %[1]sms", word)
	case strings.HasPrefix(word, "tcp/") || strings.HasPrefix(word, "udp/"):
		port, err := packet.ParsePort(word)
		if err != nil {
			return err
		}
		part := Part{Knock: craft.Knock{Port: port}, Pause: Pause}
		if port.Proto == packet.TCP {
			part.Knock.Flags = packet.SYN
		}
		l.Parts = append(l.Parts, part)
	default:
		l.Parts = append(l.Parts, Part{Door: word, Pause: Pause})
	}
	return nil
}

func isNumber(word string) bool {
	_, err := strconv.Atoi(word)
	return err == nil
}

// isDuration reports whether a word has the form of a time, such as 200ms. A number has no unit.
func isDuration(word string) bool {
	return word != "" && word[0] >= '0' && word[0] <= '9' && !isNumber(word) && strings.Trim(word, "0123456789.nuµmshd") == ""
}

// pause reads the time behind a part.
func (l *Line) pause(word string, paused bool) error {
	pause, err := time.Duration(0), error(nil)
	if word != "0s" {
		pause, err = condition.ParseDuration(word)
	}
	switch {
	case err != nil:
		return err
	case len(l.Parts) == 0:
		return fmt.Errorf("the time %s stands before the first packet: expected it behind one", word)
	case paused:
		return fmt.Errorf("the time %s stands behind another one: write their sum", word)
	}
	l.Parts[len(l.Parts)-1].Pause = pause
	return nil
}

// set reads a key of a part.
func (p *Part) set(key, value string) (err error) {
	switch {
	case key == "to":
		address, err := netip.ParseAddr(value)
		if err != nil || address.Zone() != "" {
			return fmt.Errorf("to=%s: expected an address, such as to=198.51.100.1", value)
		}
		p.Dest = address.Unmap()
		return nil
	case key == "payload":
		if len(value) > craft.MaxPayload {
			return fmt.Errorf("the payload has %d bytes: expected at most %d", len(value), craft.MaxPayload)
		}
		p.Knock.Payload = []byte(value)
		return nil
	case p.Door != "":
		return fmt.Errorf("%s=%s stands behind the door %s, which decides that: write the ports of its knocks instead", key, value, p.Door)
	case p.Knock.Port.Proto != packet.TCP:
		return fmt.Errorf("%s has no TCP flags: leave flags=%s out", p.Knock.Port, value)
	}
	p.Knock.Flags, err = packet.ParseFlags(value)
	return err
}

// Type returns a capture of what the lines send, one after the other, from a time on, when the
// scripts of c get it. Local of c are the addresses of the host. The first of the family of a
// source gets its packets, and [craft.HostFor] when there is none. The error names the line, or is
// that of ctx.
func Type(ctx context.Context, lines []Line, c simulate.SessionConfig, begin time.Time) (*craft.File, error) {
	c.Begin, c.Events, c.Before = begin, func([]engine.Event) {}, func(_, _ int) error { return ctx.Err() }
	t := typist{config: c, file: craft.NewFile(packet.Raw), doors: byName(c.Set.Doors), at: begin}
	for _, line := range lines {
		for _, part := range line.Parts {
			if err := t.send(line.Source, part); err != nil {
				return nil, fmt.Errorf("%q: %w", line.Text, err)
			}
		}
	}
	return t.file, nil
}

func byName(doors []*engine.Door) map[string]*engine.Door {
	named := make(map[string]*engine.Door, len(doors))
	for _, d := range doors {
		named[d.Name] = d
	}
	return named
}

// A typist writes packets into a file.
type typist struct {
	config simulate.SessionConfig
	file   *craft.File
	sender craft.Sender
	doors  map[string]*engine.Door
	at     time.Time // of the next packet

	session *simulate.Session // that got the first packets of the file; nil: nobody needed it yet
	given   int               // how many it got
}

// door returns the door of a name as it is at the time of the next packet. Which one-time sequence
// it expects depends on all that was sent before.
func (t *typist) door(name string) (*engine.Door, error) {
	door, known := t.doors[name]
	switch {
	case !known && strings.ContainsAny(name, "/:,"):
		return nil, fmt.Errorf("%q is no port: expected one such as tcp/7421, and a space behind it", name)
	case !known:
		return nil, fmt.Errorf("%q is no port, no time, and no door of the scripts%s", name, spelling.DidYouMean(name, slices.Sorted(maps.Keys(t.doors))))
	case door.OneTime == nil:
		return door, nil
	case t.session == nil:
		t.session = simulate.NewSession(t.config)
	}
	for ; t.given < len(t.file.Frames); t.given++ {
		f := &t.file.Frames[t.given]
		if err := t.session.Frame(f.Time, t.given+1, t.file.Link, f.Data); err != nil {
			return nil, err
		}
	}
	if err := t.session.Until(t.at); err != nil {
		return nil, err
	}
	return byName(t.session.Doors())[name], nil
}

// send writes the packets of a part.
func (t *typist) send(source netip.Addr, part Part) error {
	knocks, gap, dest := []craft.Knock{part.Knock}, time.Duration(0), part.Dest
	if part.Door != "" {
		door, err := t.door(part.Door)
		if err != nil {
			return err
		}
		all, err := Knocks(door)
		if err != nil {
			return fmt.Errorf("%s cannot be opened: %w", part.Door, err)
		}
		if knocks = all; part.Knock.Payload != nil {
			knocks[len(knocks)-1].Payload = part.Knock.Payload
		}
		if gap = min(Pause, Gap(door)); !dest.IsValid() {
			dest = door.Target
		}
	}
	if !dest.IsValid() {
		dest = t.host(source)
	}
	if len(t.file.Frames)+len(knocks) > MaxPackets {
		return fmt.Errorf("there are more than %d packets: write a capture with another program", MaxPackets)
	}
	for i, k := range knocks {
		if err := t.file.Add(t.at, t.sender.Packet(source, dest, k)); err != nil {
			return err
		}
		if t.at = t.at.Add(gap); i == len(knocks)-1 {
			t.at = t.at.Add(part.Pause - gap)
		}
	}
	if t.at.Year() > lastYear {
		return fmt.Errorf("it would last until after the year %d: expected shorter times", lastYear)
	}
	return nil
}

// host returns the address of the host that gets the packets of a source.
func (t *typist) host(source netip.Addr) netip.Addr {
	for _, p := range t.config.Local {
		if a := p.Addr(); a.Is4() == source.Is4() && a != source {
			return a
		}
	}
	return craft.HostFor(source)
}
