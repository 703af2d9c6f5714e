package main

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/scripting"
)

// framesRead bounds what is read of a capture for a person who waits: some 20 ms.
const framesRead = 20_000

// sourcesIn returns the sources at the beginning of a capture that sent more than answers, in their
// order; none when it is no capture.
func sourcesIn(path string) (names []string) {
	reader, err := record.OpenBy(record.Regular, path)
	if err != nil {
		return nil
	}
	defer reader.Close()
	decoder, p := packet.NewDecoder(), &packet.Packet{}
	seen := map[netip.Addr]bool{}
	for range framesRead {
		frame, err := reader.Next()
		if err != nil || len(names) == maxOffered {
			break
		}
		answer := func() bool { return p.Port.Proto == packet.TCP && p.Flags&(packet.ACK|packet.RST) != 0 }
		if decoder.DecodeReceived(frame.Link, frame.Data, frame.Wire, frame.Reception, p) == packet.NotDropped && !answer() && !seen[p.Source] {
			seen[p.Source] = true
			names = append(names, p.Source.String())
		}
	}
	return names
}

// completeChosen completes to the sources of the captures that the line names, and without any to
// those that the daemon knows.
func (p *program) completeChosen(c *cobra.Command, captures []string, begin string) ([]string, cobra.ShellCompDirective) {
	if len(captures) == 0 {
		return p.completeSources(c, nil, begin)
	}
	var names []string
	for _, path := range captures {
		names = append(names, sourcesIn(path)...)
	}
	return offered(names, begin), noFiles
}

// completeKnocks completes --knock: a source that the daemon knows, and behind it doors and
// protocols.
func (p *program) completeKnocks(c *cobra.Command, _ []string, begin string) ([]string, cobra.ShellCompDirective) {
	return inText(begin, func(before []string, word string) []string {
		if len(before) == 0 {
			sources, _ := p.completeSources(c, nil, word)
			return slices.DeleteFunc(sources, func(source string) bool { return strings.Contains(source, "/") })
		}
		doors, _ := p.completeDoors(c, nil, word)
		return append(doors, "tcp/", "udp/")
	})
}

// completeFacts completes --fact: a source as --source has it, or a host that scripts ask for, and
// behind it what can be known.
func (p *program) completeFacts(c *cobra.Command, captures []string, begin string) ([]string, cobra.ShellCompDirective) {
	return inText(begin, func(before []string, word string) []string {
		if len(before) == 0 {
			sources, _ := p.completeChosen(c, captures, word)
			return append(sources, p.hostsAsked(c)...)
		}
		keys := []string{"country=", "asn=", "asn_name="}
		if _, err := packet.ParseNetwork(before[0]); err != nil {
			keys = []string{"addresses="}
		}
		return slices.DeleteFunc(keys, func(key string) bool { // that was stated
			return slices.ContainsFunc(before, func(pair string) bool { return strings.HasPrefix(pair, key) })
		})
	})
}

// hostsAsked returns the names of the hosts whose addresses the scripts ask for.
func (p *program) hostsAsked(c *cobra.Command) (names []string) {
	p.loadedFor(c, func(set *scripting.Set) {
		for _, host := range set.Hosts {
			names = append(names, host.Name)
		}
	})
	return names
}

// inText completes the last word of a text of several words, which a person types between quotes.
// A name that has spaces itself would be taken apart, so it is left out.
func inText(begin string, complete func(before []string, word string) []string) ([]string, cobra.ShellCompDirective) {
	at := strings.LastIndex(begin, " ") + 1
	var all []string
	for _, name := range offered(complete(strings.Fields(begin[:at]), begin[at:]), begin[at:]) {
		if !strings.ContainsAny(name, ` "`) {
			all = append(all, begin[:at]+name)
		}
	}
	return all, noFiles | cobra.ShellCompDirectiveNoSpace
}
