package simulate

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/geo/country"
	"sesame/daemon/packet"
	"sesame/daemon/spelling"
	"sesame/scripting/condition"
)

// Given are facts that a person states in place of a database: of an address, of all addresses of
// a network, or of the name of a host. What was not stated is asked of Next. The zero Given states
// nothing.
type Given struct {
	Next engine.Facts // nil: nothing else is known

	networks []statement // of addresses, the longest network first
	hosts    map[string]stated
}

// A statement is what a person said of a network.
type statement struct {
	network netip.Prefix
	facts   map[engine.FactKind]stated
}

// stated is one fact, and how it was written, for people.
type stated struct {
	answer engine.Answer
	text   string
}

// The keys of a fact.
const (
	keyCountry   = "country"
	keyASN       = "asn"
	keyASName    = "asn_name"
	keyAddresses = "addresses"
	notKnown     = "unknown" // the value of a fact that no database has
)

// Add adds what a text states, such as
//
//	203.0.113.9 country=ES asn=3352 asn_name="TELEFONICA DE ESPANA"
//	2001:db8::/32 country=unknown
//	home.example.net addresses=203.0.113.9,2001:db8::1
//
// The longest network that states a fact decides. To state the same twice is an error.
func (g *Given) Add(text string) error {
	words, err := splitWords(text)
	if err != nil {
		return err
	}
	if len(words) < 2 {
		return errors.New(`expected an address, a network or the name of a host, and what is known of it, such as "203.0.113.9 country=ES asn=3352"`)
	}
	subject, pairs := words[0], words[1:]
	if network, err := packet.ParseNetwork(subject); err == nil {
		return g.addNetwork(network, pairs)
	} else if strings.ContainsAny(subject, ":/") || isNumber(subject[strings.LastIndexByte(subject, '.')+1:]) {
		return err // no name of a host ends in a number
	}
	return g.addHost(subject, pairs)
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// addNetwork adds the facts of a network.
func (g *Given) addNetwork(network netip.Prefix, pairs []string) error {
	facts := map[engine.FactKind]stated{}
	seen := map[string]string{}
	for _, pair := range pairs {
		key, value, err := cutPair(pair, seen, keyCountry, keyASN, keyASName)
		if err != nil {
			return err
		}
		seen[key] = value
	}
	if value, given := seen[keyCountry]; given {
		answer, err := parseCountry(value)
		if err != nil {
			return err
		}
		facts[engine.FactCountry] = stated{answer, network.String()}
	}
	name, named := seen[keyASName]
	value, given := seen[keyASN]
	if named && !given {
		return fmt.Errorf("%s needs %s beside it, such as asn=3352", keyASName, keyASN)
	}
	if given {
		answer, err := parseASN(value, name)
		if err != nil {
			return err
		}
		facts[engine.FactASN] = stated{answer, network.String()}
	}
	return g.insert(statement{network, facts})
}

// insert adds a statement at its place, and keeps the longest networks first.
func (g *Given) insert(s statement) error {
	for _, other := range g.networks {
		for kind := range s.facts {
			if _, twice := other.facts[kind]; twice && other.network == s.network {
				return fmt.Errorf("%v has this fact already", s.network)
			}
		}
	}
	at, _ := slices.BinarySearchFunc(g.networks, s, func(a, b statement) int { return b.network.Bits() - a.network.Bits() })
	g.networks = slices.Insert(g.networks, at, s)
	return nil
}

// addHost adds the addresses of a name.
func (g *Given) addHost(name string, pairs []string) error {
	seen := map[string]string{}
	_, value, err := cutPair(pairs[0], seen, keyAddresses)
	switch {
	case err != nil:
		return fmt.Errorf("%w; %q is taken for the name of a host", err, name)
	case len(pairs) > 1:
		return fmt.Errorf("%q: expected nothing after the addresses of a host", pairs[1])
	}
	if name, err = condition.ParseHost(name); err != nil {
		return err
	}
	answer := engine.Answer{Known: value != notKnown}
	for text := range strings.SplitSeq(value, ",") {
		address, err := netip.ParseAddr(text)
		switch {
		case !answer.Known:
		case err != nil || address.Zone() != "":
			return fmt.Errorf("%s: %q is not an address: expected a list such as 203.0.113.9,2001:db8::1", keyAddresses, text)
		default:
			answer.Addresses = append(answer.Addresses, address.Unmap())
		}
	}
	if _, twice := g.hosts[name]; twice {
		return fmt.Errorf("%s has this fact already", name)
	}
	if g.hosts == nil {
		g.hosts = map[string]stated{}
	}
	g.hosts[name] = stated{answer, name}
	return nil
}

// cutPair reads KEY=VALUE, whose key is one of those and new.
func cutPair(pair string, seen map[string]string, keys ...string) (key, value string, err error) {
	key, value, found := strings.Cut(pair, "=")
	_, twice := seen[key]
	switch {
	case !found:
		return "", "", fmt.Errorf("%q: expected KEY=VALUE, such as %s", pair, strings.Join(examples(keys), " or "))
	case !slices.Contains(keys, key):
		return "", "", fmt.Errorf("unknown key %q%s", key, spelling.DidYouMean(key, keys))
	case twice:
		return "", "", fmt.Errorf("%s is given twice", key)
	case value == "":
		return "", "", fmt.Errorf("%s is empty: expected %s", key, strings.Join(examples([]string{key}), ""))
	}
	return key, value, nil
}

// examples returns a pair for each key.
func examples(keys []string) []string {
	values := map[string]string{keyCountry: "ES", keyASN: "3352", keyASName: `"TELEFONICA DE ESPANA"`, keyAddresses: "203.0.113.9,2001:db8::1"}
	pairs := make([]string, len(keys))
	for i, key := range keys {
		pairs[i] = key + "=" + values[key]
	}
	return pairs
}

// parseCountry reads the code of a country.
func parseCountry(value string) (engine.Answer, error) {
	if value == notKnown {
		return engine.Answer{}, nil
	}
	code, err := country.Parse(value)
	if err != nil {
		return engine.Answer{}, fmt.Errorf("%s: %w; or write unknown", keyCountry, err)
	}
	return engine.Answer{Known: true, Country: code}, nil
}

// parseASN reads the number of an autonomous system.
func parseASN(value, name string) (engine.Answer, error) {
	if value == notKnown {
		return engine.Answer{}, nil
	}
	number, err := country.ParseASN(value)
	if err != nil {
		return engine.Answer{}, fmt.Errorf("%s: %w; or write unknown", keyASN, err)
	}
	return engine.Answer{Known: true, ASN: number, ASName: name}, nil
}

// splitWords splits a text at its spaces. Spaces between double quotes are kept, and the quotes
// left out.
func splitWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quoted := false, false
	for _, r := range text {
		switch {
		case r == '"':
			quoted, inWord = !quoted, true
		case !quoted && (r == ' ' || r == '\t'):
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		case r < ' ' || r == 0x7f:
			return nil, errors.New("it has a control character in it")
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quoted {
		return nil, errors.New("a quote is not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// Answer implements [engine.Facts].
func (g *Given) Answer(q engine.Question) engine.Answer {
	if s, said := g.stated(q); said {
		a := s.answer
		if a.From = "--fact " + s.text; !a.Known {
			a.Why = "it says that this is unknown"
		}
		return a
	}
	if g.Next == nil {
		return engine.Answer{}
	}
	return g.Next.Answer(q)
}

// stated returns what was stated about a question: by the longest network that says it.
func (g *Given) stated(q engine.Question) (stated, bool) {
	if q.Kind == engine.FactHost {
		s, said := g.hosts[strings.ToLower(strings.TrimSuffix(q.Name, "."))]
		return s, said
	}
	for _, one := range g.networks {
		if s, said := one.facts[q.Kind]; said && one.network.Contains(q.Address) {
			return s, true
		}
	}
	return stated{}, false
}

// UnknownHosts returns the stated names of hosts that are none of those that scripts ask for, in
// order.
func (g *Given) UnknownHosts(asked []condition.Host) []string {
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(g.hosts)) {
		if !slices.ContainsFunc(asked, func(h condition.Host) bool { return h.Name == name }) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// Empty reports whether nothing was stated.
func (g *Given) Empty() bool { return len(g.networks) == 0 && len(g.hosts) == 0 }
