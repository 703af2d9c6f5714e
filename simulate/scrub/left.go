package scrub

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"sesame/daemon/packet"
	"sesame/daemon/record"
)

// left looks through what was written for what was to be replaced: addresses and texts of options.
// It reads the texts in another way than they were replaced, so that an error there is noticed.
// What a script says of its own accord is not looked at for texts of options.
func (s *scrubber) left(scrubbed []byte) error {
	items, err := read(scrubbed)
	if err != nil {
		return fmt.Errorf("reading what was scrubbed: %w", err)
	}
	images := map[netip.Addr]bool{}
	for _, to := range s.addresses {
		images[to] = true
	}
	for i, item := range items {
		if item.Frame != nil {
			if err := s.leftInFrame(item.Frame, images); err != nil {
				return err
			}
			continue
		}
		scripts := scriptsOf(items[i : i+1])
		for _, one := range scripts {
			for _, f := range one.Files {
				if a, is := s.leftAddress(string(f.Source), images); is {
					return leftError(a.String(), string(f.Path))
				}
			}
		}
		text, err := json.Marshal(withoutScripts(item))
		if err != nil {
			return err
		}
		if a, is := s.leftAddress(string(text), images); is {
			return leftError(a.String(), "what the daemon had stored")
		}
		for from, to := range s.values {
			if len(from) >= shortText && from != to && !strings.Contains(to, from) && strings.Contains(string(text), from) {
				return leftError(fmt.Sprintf("the option %q", from), "what the daemon had stored")
			}
		}
	}
	return nil
}

func leftError(what, where string) error {
	return fmt.Errorf("%s would be left in %s: nothing was written", what, where)
}

// withoutScripts returns an item of which only what the daemon had is left.
func withoutScripts(item record.Item) any {
	if item.Snapshot != nil {
		return item.Snapshot.State
	}
	in := *item.Input
	in.Scripts.Files = nil
	return in
}

// leftInFrame fails when an address of a packet was to be replaced.
func (s *scrubber) leftInFrame(f *record.Frame, images map[netip.Addr]bool) error {
	var p packet.Packet
	packet.NewDecoder().DecodeReceived(f.Link, f.Data, f.Wire, f.Reception|packet.Judged, &p)
	for _, a := range []netip.Addr{p.Source, p.Dest} {
		if s.isLeft(a, images) {
			return leftError(a.String(), fmt.Sprintf("packet %d", f.ID))
		}
	}
	return nil
}

// isLeft reports whether an address was to be replaced. An address that took the place of another
// one may be there.
func (s *scrubber) isLeft(a netip.Addr, images map[netip.Addr]bool) bool {
	to, known := s.addresses[a]
	return known && to != a && !images[a]
}

// leftAddress returns an address in a text that was to be replaced.
func (s *scrubber) leftAddress(text string, images map[netip.Addr]bool) (a netip.Addr, is bool) {
	const ofAddress = "0123456789abcdefABCDEF:."
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return !strings.ContainsRune(ofAddress, r) }) {
		word = strings.Trim(word, ".")
		alone, _, _ := strings.Cut(strings.TrimLeft(word, ofAddress[10:]), ":") // before a port, behind letters
		for _, form := range []string{word, strings.Trim(word, ":"), alone} {
			if a, err := netip.ParseAddr(form); err == nil && s.isLeft(a.Unmap(), images) {
				return a, true
			}
		}
	}
	return a, false
}
