package firewall

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"sesame/daemon/packet"
)

// odd are names that a shell takes for more than one word, a program for an option, or a terminal
// for more than text.
var odd = []string{"x;touch$IFS/tmp/z", "`id`", "'", "$(id)", "a b", "x\nid", "x\x1b[2J", "-rf", "../../etc", "a/../b", "", "ü", "a|b"}

// TestLinesHoldNoOddNames: people run the lines as root, and not only root may name a chain. A name
// that is no plain word is in none of them.
func TestLinesHoldNoOddNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.SampledFrom(odd), rapid.StringOf(rapid.SampledFrom([]rune("af2-;$`'\"\\ \n|&<>(){}*?!~#/\x1b")))).Draw(t, "name")
		if plain(name) {
			return
		}
		in := func(place string, names ...string) string {
			return strings.ReplaceAll(rapid.SampledFrom(names).Draw(t, place), "NAME", name)
		}
		b := blocked{
			mark: DefaultMark, source: netip.MustParseAddr("198.51.100.9"), ports: []packet.Port{tcp22},
			table: table{rapid.SampledFrom([]uint8{unix.NFPROTO_IPV4, unix.NFPROTO_IPV6, unix.NFPROTO_INET}).Draw(t, "family"), in("table", "NAME", "filter", "fw4", "firewalld", "f2b-NAME", "f2b-table")},
			base:  chainFound{chain: chain{name: in("base", "NAME", "INPUT", "input"), hook: unix.NF_INET_LOCAL_IN}},
			where: in("where", "NAME", "f2b-NAME", "INPUT"), path: []string{"INPUT", in("path", "filter_IN_NAME", "filter_IN_public")},
			rule: "ip saddr @addr-set-" + name + " drop",
		}
		for _, line := range b.lines() {
			if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				t.Fatalf("%+v: the line %q", b, line)
			}
			if foreign := strings.ReplaceAll(line, "'"+nftMark(DefaultMark)+"'", ""); !strings.HasPrefix(line, "#") && b.table.name != "fw4" && strings.ContainsAny(foreign, ";$`'\"\\|&<>(){}*?!~#") {
				t.Fatalf("%+v: the line %q", b, line)
			}
		}
	})
}

// TestOddNamesHaveAHint: who gets no line is told why.
func TestOddNamesHaveAHint(t *testing.T) {
	for _, b := range []blocked{
		{table: table{unix.NFPROTO_INET, "a b"}, base: chainFound{chain: chain{name: "input"}}},
		{table: table{unix.NFPROTO_INET, "filter"}, base: chainFound{chain: chain{name: "in put"}}},
		{table: table{unix.NFPROTO_INET, "firewalld"}, base: chainFound{chain: chain{name: "filter_INPUT", hook: unix.NF_INET_LOCAL_IN}}, path: []string{"filter_IN_a b"}},
	} {
		if lines := b.lines(); len(lines) != 1 || !strings.HasPrefix(lines[0], "# ") {
			t.Errorf("%+v: %q", b, lines)
		}
	}
}
