package main

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/spec"
	"sesame/simulate/attack"
	"sesame/simulate/craft"
)

// attackFlags are the flags of sesame attack.
type attackFlags struct {
	repeated repeatedFlags
	doors    []string

	orders    []string
	protocols []string
	ports     string
	flagNames string
	times     int
	rateText  string
	from, to  string

	maxOpens     int
	countReplays bool
	write        newFile
	format       string

	flags        packet.Flags
	rate         attack.Rate
	low, high    uint16 // of ports, unless these are "worst"
	source, dest netip.Addr
}

const (
	worst     = "worst" // of --ports
	noOrder   = "none"  // of --order
	bothNames = "both"  // of --protocol
)

func (f *attackFlags) add(c *cobra.Command) {
	f.repeated.add(c)
	flags := c.Flags()
	flags.StringSliceVar(&f.orders, "order", []string{"up", "down", "random"}, `orders of scans: "up", "down", "random"; "none" for no scans`)
	completeFlag(c, "order", "up", "down", "random", noOrder)
	flags.StringSliceVar(&f.protocols, "protocol", nil, `what scans send: "tcp", "udp", "both" (default: both, and each by which alone a door can be opened)`)
	completeFlag(c, "protocol", "tcp", "udp", bothNames)
	flags.StringVar(&f.ports, "ports", "1-65535", `ports of scans; "worst" for the smallest range with all knocks of a door, for each door`)
	completeFlag(c, "ports", "1-65535", "1-1024", worst)
	flags.StringVar(&f.flagNames, "flags", "syn", "TCP flags of scans")
	completeFlag(c, "flags", "syn", "fin", "ack", "fin,psh,urg")
	flags.IntVar(&f.times, "times", 0, "sweeps of a scan, one after the other (default: once, and as often as the longest sequence has knocks)")
	flags.StringVar(&f.rateText, "rate", "100000/s", "packets of scans in a time")
	flags.StringVar(&f.from, "from", "", "address of the attacker (default: one of which nothing is known)")
	flags.StringVar(&f.to, "to", "", "address that is scanned (default: an address of the host)")
	flags.StringSliceVar(&f.doors, "door", nil, "only these doors (default: all)")
	flags.IntVar(&f.maxOpens, "max-opens", 0, "how many unwanted openings are accepted")
	flags.BoolVar(&f.countReplays, "count-replays", false, "openings by the same knock once more are unwanted, too")
	flags.StringVar(&f.write.name, "write", "", "write the first scan that opened a door to this capture file")
	flags.BoolVar(&f.write.force, "force", false, "replace the file of --write if it exists")
	flags.StringVar(&f.format, "format", "text", `"text" for people, "json" for programs`)
	completeFlag(c, "format", "text", "json")
}

// check reads the flags.
func (f *attackFlags) check(c *cobra.Command, captures []string) (err error) {
	if err := oneOf(c, "format", f.format, "text", "json"); err != nil {
		return err
	}
	for _, order := range f.orders {
		if err := oneOf(c, "order", order, "up", "down", "random", noOrder); err != nil {
			return err
		}
	}
	for _, protocol := range f.protocols {
		if err := oneOf(c, "protocol", protocol, "tcp", "udp", bothNames); err != nil {
			return err
		}
	}
	if err := f.checkInput(c, captures); err != nil {
		return err
	}
	if f.flags, err = packet.ParseFlags(f.flagNames); err != nil {
		return &usageError{c, "--flags: " + err.Error()}
	}
	if f.rate, err = parseRate(f.rateText); err != nil {
		return &usageError{c, "--rate: " + err.Error()}
	}
	if f.low, f.high, err = parsePorts(f.ports); err != nil {
		return &usageError{c, "--ports: " + err.Error()}
	}
	if err := f.checkSize(c); err != nil {
		return err
	}
	if err := f.checkAddresses(c); err != nil {
		return err
	}
	if err := f.repeated.check(c); err != nil {
		return err
	}
	return f.checkWrite()
}

// checkInput checks what is attacked with.
func (f *attackFlags) checkInput(c *cobra.Command, captures []string) error {
	none := slices.Contains(f.orders, noOrder)
	knocks := len(captures) > 0 || len(f.repeated.typed.texts) > 0
	switch {
	case len(captures) > 0 && len(f.repeated.typed.texts) > 0:
		return f.repeated.typed.checkInput(c, captures)
	case none && len(f.orders) > 1:
		return &usageError{c, "--order none leaves out all scans: leave out the others, or none"}
	case none && !knocks:
		return &usageError{c, "--order none leaves out the scans, and there is no capture: name one, or leave out --order"}
	case f.write.force && f.write.name == "":
		return &usageError{c, "--force replaces the file of --write: name one"}
	case f.countReplays && !knocks:
		return &usageError{c, "--count-replays is about the knocks of a capture: name one, or say who knocks with --knock"}
	}
	return nil
}

const (
	maxTimes = 1000 // of --times
	// longestScan is how long a scan may last: the engine counts nanoseconds in 64 bits.
	longestScan = 100 * 366 * 24 * time.Hour
)

func (f *attackFlags) checkSize(c *cobra.Command) error {
	given := c.Flags().Changed
	switch {
	case given("times") && (f.times < 1 || f.times > maxTimes):
		return &usageError{c, fmt.Sprintf("--times %d: expected 1 to %d", f.times, maxTimes)}
	case f.maxOpens < 0:
		return &usageError{c, fmt.Sprintf("--max-opens %d: expected 0 or more", f.maxOpens)}
	}
	packets := float64(max(f.times, 32)) * 2 * 65535 // a sequence has at most 32 knocks
	if packets/float64(f.rate.Count)*f.rate.Per.Seconds() > longestScan.Seconds() {
		return &usageError{c, fmt.Sprintf("--rate %s: a scan would last longer than 100 years", f.rateText)}
	}
	return nil
}

// checkAddresses reads --from and --to.
func (f *attackFlags) checkAddresses(c *cobra.Command) (err error) {
	for _, one := range []struct {
		flag, text string
		to         *netip.Addr
	}{{"from", f.from, &f.source}, {"to", f.to, &f.dest}} {
		if !c.Flags().Changed(one.flag) {
			continue
		}
		if *one.to, err = netip.ParseAddr(one.text); err != nil || one.to.Zone() != "" {
			return &usageError{c, fmt.Sprintf("--%s %q: expected an address such as 198.51.100.7 or 2001:db8::7", one.flag, one.text)}
		}
		*one.to = one.to.Unmap()
	}
	switch {
	case f.source.IsValid() && !packet.Foreign(f.source):
		return &usageError{c, fmt.Sprintf("--from %s: no packet from outside has this source", f.source)}
	case f.source.IsValid() && f.dest.IsValid() && f.source.Is4() != f.dest.Is4():
		return &usageError{c, "--from and --to: expected two addresses of IPv4, or two of IPv6"}
	}
	return nil
}

// parseRate reads "13000/s", "13000", which is the same, or "6/m".
func parseRate(text string) (attack.Rate, error) {
	count, per, found := strings.Cut(text, "/")
	n, err := strconv.ParseUint(count, 10, 31)
	d := time.Second
	if found && err == nil {
		if per != "" && (per[0] < '0' || per[0] > '9') {
			per = "1" + per
		}
		d, err = scripting.ParseDuration(per)
	}
	if err != nil || n < 1 {
		return attack.Rate{}, fmt.Errorf(`%q: expected packets in a time, such as "13000/s" or "6/m"`, text)
	}
	return attack.Rate{Count: int(n), Per: d}, nil
}

// parsePorts reads "1-1024" or "22". Of "worst" it returns all ports.
func parsePorts(text string) (low, high uint16, err error) {
	if text == worst {
		return 1, math.MaxUint16, nil
	}
	first, last, found := strings.Cut(text, "-")
	if !found {
		last = first
	}
	a, errA := strconv.ParseUint(first, 10, 16)
	b, errB := strconv.ParseUint(last, 10, 16)
	if errA != nil || errB != nil || a < 1 || b < a {
		return 0, 0, fmt.Errorf(`%q: expected a range of ports from 1 to 65535, such as "1-1024", or "worst"`, text)
	}
	return uint16(a), uint16(b), nil
}

// checkDoors returns an error for a door that the scripts do not have.
func (f *attackFlags) checkDoors(c *cobra.Command, set *scripting.Set) error {
	one := choiceFlags{doors: f.doors}
	if c.Flags().Changed("door") && len(f.doors) == 0 {
		return &usageError{c, "--door is empty: name one, or leave it out for all"}
	}
	return one.checkDoors(c, set)
}

// wants reports whether a door is attacked.
func (f *attackFlags) wants(door string) bool {
	return len(f.doors) == 0 || slices.Contains(f.doors, door)
}

// target returns what is attacked, without a script set.
func (f *attackFlags) target(facts engine.Facts, local []netip.Prefix) attack.Target {
	t := attack.Target{Facts: facts, Local: local, Begin: cmp.Or(f.repeated.typed.begin, spec.Begin), Source: f.source, Dest: f.dest}
	for _, one := range local {
		if a := one.Addr(); !t.Dest.IsValid() && (!t.Source.IsValid() || a.Is4() == t.Source.Is4()) && a != t.Source {
			t.Dest = a
		}
	}
	if !t.Dest.IsValid() {
		t.Dest = craft.Host4
		if t.Source.IsValid() {
			t.Dest = craft.HostFor(t.Source)
		}
	}
	if !t.Source.IsValid() {
		t.Source = attack.StrangerFor(t.Dest)
	}
	return t
}

// checkDest refuses a destination whose packets no door counts: that nothing opens there proves
// nothing.
func (f *attackFlags) checkDest(c *cobra.Command, t *attack.Target) error {
	counts := func(p netip.Prefix) bool { return p.Contains(t.Dest) }
	aims := func(d *engine.Door) bool { return d.Target == t.Dest }
	switch {
	case t.Local == nil || slices.ContainsFunc(t.Local, counts) || slices.ContainsFunc(t.Set.Doors, aims):
		return nil
	case f.dest.IsValid():
		return &usageError{c, fmt.Sprintf("--to %s is none of the addresses of the host (--local, or local in the configuration), so no packet to it is a knock", t.Dest)}
	}
	return &usageError{c, fmt.Sprintf("--from %s cannot send to any address of the host (--local, or local in the configuration): name one of its family with --local", t.Source)}
}
