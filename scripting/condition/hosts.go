package condition

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"sesame/daemon/engine"
)

// The bounds of the names of hosts.
const (
	maxHosts   = 100 // of one condition: a knock asks for the addresses of each
	leastEvery = 10 * time.Second
)

// A Host is a name whose addresses a condition asks for. Whoever runs it has
// them asked for in the background, see daemon/resolve.
type Host struct {
	Name  string        // in lower case
	Every time.Duration // from one question to the next
	Keep  time.Duration // how long an answer counts while questions fail
}

// HostsOf returns the names whose addresses a condition asks for, without those
// of conditions that it is made of.
func HostsOf(c engine.Condition) []Host {
	if h, ok := c.(*hosts); ok {
		return h.hosts
	}
	return nil
}

// Hosts is the kind of condition that holds for sources that are a host of some
// name now.
func Hosts() Kind {
	const interval = `a duration such as "5m"`
	return Kind{
		Name: "hosts", Type: "{ name, ..., options }",
		Doc:     "Makes a condition that holds for the addresses that names of hosts have now.",
		Example: `local home = sesame.hosts { "home.example.net", prefix6 = 64 }`,
		Options: []Option{
			{Name: "every", Type: "a duration", Default: `"5m"`, Expected: interval, Parse: parser(parseEvery),
				Doc: "How often the names are asked for, 10s at least."},
			{Name: "keep", Type: "a duration", Default: `"24h"`, Expected: interval, Parse: parser(ParseDuration),
				Doc: "How long an answer counts while questions fail."},
			{Name: "prefix4", Type: "a number from 16 to 32", Default: "32", Numbers: true, Expected: "a number such as 32", Parse: parsePrefix(16, 32),
				Doc: "How many bits of an IPv4 address the source must share."},
			{Name: "prefix6", Type: "a number from 32 to 128", Default: "128", Numbers: true, Expected: "a number such as 64", Parse: parsePrefix(32, 128),
				Doc: "The same for IPv6. The devices of a network have different addresses, often with the first 64 bits in common."},
		},
		Item:  &Option{Type: "the name of a host", Expected: `the name of a host such as "home.example.net"`, Parse: parser(ParseHost)},
		Build: buildHosts,
	}
}

func buildHosts(name string, v Values) (engine.Condition, error) {
	names, err := distinct[string](v, `one name, such as "home.example.net"`)
	every, keep := named(v, "every", 5*time.Minute), named(v, "keep", 24*time.Hour)
	switch {
	case err != nil:
		return nil, err
	case len(names) > maxHosts:
		return nil, fmt.Errorf("expected at most %d names, got %d", maxHosts, len(names))
	case keep < every:
		return nil, errors.New("keep is shorter than every: the addresses would be forgotten before they are asked for again")
	}
	h := &hosts{name: name, prefix4: named(v, "prefix4", 32), prefix6: named(v, "prefix6", 128)}
	for _, one := range names {
		h.hosts = append(h.hosts, Host{one, every, keep})
	}
	return h, nil
}

type hosts struct {
	name             string
	hosts            []Host
	prefix4, prefix6 int
}

// Check implements [engine.Condition]. When the addresses of a name are not all
// known, those that are known count.
func (h *hosts) Check(c *engine.Call) (engine.Verdict, error) {
	v := engine.Verdict{Condition: h.name}
	var networks []hostNetwork
	for _, host := range h.hosts {
		a := c.Ask(engine.Question{Kind: engine.FactHost, Name: host.Name})
		for _, address := range a.Addresses {
			network := h.network(address)
			if network.Contains(c.Source) {
				return engine.Verdict{
					Outcome: engine.Yes, Condition: h.name, Detail: fmt.Sprintf("%s: %s is %s", h.name, c.Source, host.Name),
					Fields: []engine.Field{{Key: engine.FieldNetwork, Value: network.String()}},
				}, nil
			}
			networks = append(networks, hostNetwork(network))
		}
		if !a.Known && v.Outcome == engine.No {
			v.Outcome = engine.Unknown
			v.Detail = fmt.Sprintf("%s; the addresses of %s are not known: %s", h, host.Name, whyUnknown(host.Name, a))
		}
	}
	if v.Outcome == engine.No {
		v.Detail = fmt.Sprintf("%s; %s is none of the addresses %s", h, c.Source, some(networks))
	}
	return v, nil
}

// network returns what a source must be in to count as an address.
func (h *hosts) network(a netip.Addr) netip.Prefix {
	a = a.Unmap()
	bits := h.prefix4
	if a.Is6() {
		bits = h.prefix6
	}
	return netip.PrefixFrom(a.WithZone(""), bits).Masked()
}

// whyUnknown returns why the addresses of a name are not known, as a clause.
func whyUnknown(name string, a engine.Answer) string {
	switch {
	case a.Why != "" && a.From != "":
		return a.Why + " (" + a.From + ")"
	case a.Why != "" || a.From != "":
		return a.Why + a.From
	}
	return fmt.Sprintf(`nobody asked; --fact "%s addresses=ADDRESS" states them`, name)
}

// A hostNetwork is shown as an address when it has no other.
type hostNetwork netip.Prefix

// String returns "198.51.100.7" or "2001:db8:7::/64".
func (n hostNetwork) String() string {
	network := netip.Prefix(n)
	if network.IsSingleIP() {
		return network.Addr().String()
	}
	return network.String()
}

// Name implements [engine.Condition].
func (h *hosts) Name() string { return h.name }

// String returns "home: home.example.net".
func (h *hosts) String() string {
	names := make([]string, len(h.hosts))
	for i, host := range h.hosts {
		names[i] = host.Name
	}
	return h.name + ": " + some(names)
}

// hostName is a name of two labels at least: RFC 1123, section 2.1, and the
// underscore, which is not rare.
var hostName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
})

// ParseHost reads the name of a host and returns it in lower case, without a dot
// at its end. It must be written in full, since no search domain is appended to it.
func ParseHost(s string) (string, error) {
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	if _, err := netip.ParseAddr(name); err == nil {
		return "", fmt.Errorf("%q is an address: write sesame.networks { %q }", s, s)
	}
	if len(name) > 253 || !hostName().MatchString(name) {
		return "", fmt.Errorf(`%q is not the name of a host in full: expected one such as "home.example.net"`, s)
	}
	return name, nil
}

func parseEvery(s string) (time.Duration, error) {
	every, err := ParseDuration(s)
	if err == nil && every < leastEvery {
		err = fmt.Errorf("%q is too often: expected %v at least", s, leastEvery)
	}
	return every, err
}

// parsePrefix reads how many bits of an address count.
func parsePrefix(least, most int) func(string) (any, error) {
	return func(s string) (any, error) {
		bits, err := strconv.Atoi(s)
		if err != nil || bits < least || bits > most {
			return nil, fmt.Errorf("%s is not a number from %d to %d", s, least, most)
		}
		return bits, nil
	}
}
