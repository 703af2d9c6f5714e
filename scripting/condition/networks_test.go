package condition

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// linesOf returns the errors of a file as "3: message".
func linesOf(err error) (lines []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			lines = append(lines, linesOf(one)...)
		}
	} else if e, ok := err.(*FileError); ok {
		lines = append(lines, fmt.Sprintf("%d: %s", e.Line, e.Message))
	} else if err != nil {
		lines = append(lines, "no FileError: "+err.Error())
	}
	return lines
}

// content returns the networks of a list in their order in the table.
func content(l any) (networks []string) {
	for prefix := range l.(*networkList).AllSorted() {
		networks = append(networks, prefix.String())
	}
	return networks
}

func TestListsOfNetworks(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"one of each", "192.0.2.1\n198.51.100.0/24\n203.0.113.64-203.0.113.95\n2001:db8::/32\n2001:db8::7\n",
			[]string{"192.0.2.1/32", "198.51.100.0/24", "203.0.113.64/27", "2001:db8::/32", "2001:db8::7/128"}},
		{"comments", "# a\n; b\n\n  192.0.2.1 # c\n198.51.100.0/24 ; SBL1\n\t203.0.113.0/24\t;d;e#f\n", []string{"192.0.2.1/32", "198.51.100.0/24", "203.0.113.0/24"}},
		{"no line end", "192.0.2.1", []string{"192.0.2.1/32"}},
		{"carriage returns", "192.0.2.1\r\n\r\n192.0.2.3 ; x\r\n", []string{"192.0.2.1/32", "192.0.2.3/32"}},
		{"a byte order mark", "\ufeff192.0.2.1\n", []string{"192.0.2.1/32"}},
		{"a range of several networks", "192.0.2.1-192.0.2.4", []string{"192.0.2.1/32", "192.0.2.2/31", "192.0.2.4/32"}},
		{"a range with spaces", "192.0.2.8 - 192.0.2.9", []string{"192.0.2.8/31"}},
		{"a range of IPv6", "2001:db8::2-2001:db8::3", []string{"2001:db8::2/127"}},
		{"a range of everything", "0.0.0.0-255.255.255.255\n::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", []string{"0.0.0.0/0", "::/0"}},
		{"twice, and within another", "192.0.2.0/24\n192.0.2.1\n192.0.2.0/24\n", []string{"192.0.2.0/24", "192.0.2.1/32"}},
		{"IPv4 written as IPv6", "::ffff:192.0.2.1\n::ffff:192.0.2.8-::ffff:192.0.2.9", []string{"192.0.2.1/32", "192.0.2.8/31"}},
		{"a comment alone is a list of nobody", "# nobody\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := readNetworks("/etc/lists/a", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, content(l)); diff != "" {
				t.Errorf("networks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWrongListsOfNetworks(t *testing.T) {
	const expected = "expected an address, a network such as 203.0.113.0/24, or a range such as 203.0.113.5-203.0.113.9"
	const empty = "1: the file is empty, as if it were half-written: write # and a comment when it shall hold for nobody"
	var many strings.Builder
	for i := range maxNetworks + 1 {
		fmt.Fprintf(&many, "%s\n", netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{empty}},
		{"blank", " \n\r\n\t", []string{empty}},
		{"a name", "192.0.2.1\n\nexample.net\n", []string{`3: "example.net" is no entry: ` + expected}},
		{"two in a line", "192.0.2.1 192.0.2.2", []string{`1: "192.0.2.1 192.0.2.2" is no entry: ` + expected}},
		{"a cut network", "10.64.0.0/1", []string{`1: "10.64.0.0/1" has bits set beyond its length: write "0.0.0.0/1" for the network, or "10.64.0.0" for the address`}},
		{"a zone", "fe80::1%eth0\nfe80::1%eth0-fe80::2", []string{`1: "fe80::1%eth0" is no entry: ` + expected, `2: "fe80::1%eth0-fe80::2" is no entry: ` + expected}},
		{"a network of IPv4 as IPv6", "::ffff:10.0.0.0/104", []string{`1: "::ffff:10.0.0.0/104" is an IPv4 network written as IPv6: write it as IPv4`}},
		{"ranges", "192.0.2.2-192.0.2.1\n192.0.2.1-2001:db8::1\n192.0.2.1-\n192.0.2.1-192.0.2.2-192.0.2.3", []string{
			`1: "192.0.2.2-192.0.2.1" is no range: expected two addresses of one IP version, the lower first`,
			`2: "192.0.2.1-2001:db8::1" is no range: expected two addresses of one IP version, the lower first`,
			`3: "192.0.2.1-" is no entry: ` + expected, `4: "192.0.2.1-192.0.2.2-192.0.2.3" is no entry: ` + expected}},
		{"bytes", "\x1f\x8b\x00\xff", []string{`1: "\x1f\x8b\x00\xff" is no entry: ` + expected}},
		{"a long line", strings.Repeat("1", 1<<20), []string{`1: "` + strings.Repeat("1", 100) + `"... is no entry: ` + expected}},
		{"too many", many.String(), []string{"1000001: expected at most 1000000 networks in a list: put the rest in another"}},
		{"too many by ranges", strings.Repeat("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe\n", 4000), []string{"3938: expected at most 1000000 networks in a list: put the rest in another"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readNetworks("/etc/lists/a", []byte(tt.text))
			if diff := cmp.Diff(tt.want, linesOf(err)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := readNetworks("a", bytes.Repeat([]byte("<p>\n"), 1000)); len(linesOf(err)) != maxWrong {
		t.Errorf("%d lines of a web page are reported, want %d", len(linesOf(err)), maxWrong)
	}
}

// TestRealLists reads files in the forms of FireHOL, of Spamhaus and of the Tor project.
func TestRealLists(t *testing.T) {
	for name, want := range map[string]int{"firehol.netset": 6, "drop.txt": 4, "tor-exits.txt": 5} {
		text, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		l, err := readNetworks("testdata/"+name, text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if n := l.(*networkList).Size(); n != want {
			t.Errorf("%s: %d networks, want %d", name, n, want)
		}
	}
}

// buildNetworks makes the condition of networks.
func buildNetworks(t testing.TB, inline []string, texts ...string) engine.Condition {
	t.Helper()
	v := Values{Named: map[string]any{}}
	for _, text := range inline {
		prefix, err := packet.ParseNetwork(text)
		if err != nil {
			t.Fatal(err)
		}
		v.List = append(v.List, prefix)
	}
	var read []any
	for i, text := range texts {
		l, err := readNetworks(fmt.Sprintf("/etc/lists/%c.txt", 'a'+i), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, l)
	}
	v.Named["file"] = read
	c, err := Networks().Build("office", v)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestWhichNetworkHasTheSource(t *testing.T) {
	c := buildNetworks(t, []string{"203.0.113.0/24", "2001:db8::/32"}, "203.0.113.8/29\n0.0.0.0/0\n", "203.0.113.9\n2001:db8::/33\n")
	for source, want := range map[string]string{
		"203.0.113.1":   "office: 203.0.113.1 is in 203.0.113.0/24",
		"203.0.113.8":   "office: 203.0.113.8 is in 203.0.113.8/29 (a.txt)",
		"203.0.113.9":   "office: 203.0.113.9 is in 203.0.113.9/32 (b.txt)",
		"198.51.100.1":  "office: 198.51.100.1 is in 0.0.0.0/0 (a.txt)",
		"2001:db8::1":   "office: 2001:db8::1 is in 2001:db8::/33 (b.txt)",
		"2001:db8:f::1": "office: 2001:db8:f::1 is in 2001:db8::/33 (b.txt)",
		"2001:db9::1":   "",
	} {
		v, err := c.Check(&engine.Call{Source: netip.MustParseAddr(source)})
		if err != nil {
			t.Fatal(err)
		}
		if want == "" {
			if v.Outcome != engine.No || v.Detail != "office: 203.0.113.0/24, 2001:db8::/32, a.txt (2 networks), b.txt (2 networks)" {
				t.Errorf("%s: %+v", source, v)
			}
			continue
		}
		if v.Outcome != engine.Yes || v.Detail != want || len(v.Fields) != 1 || !strings.Contains(want, v.Fields[0].Value) {
			t.Errorf("%s: %+v, want %q", source, v, want)
		}
	}
	if _, err := Networks().Build("office", Values{}); err == nil {
		t.Error("a condition of no networks")
	}
}

// TestListsAgainstAModel compares a list with a slice of its prefixes that is searched one by one.
func TestListsAgainstAModel(t *testing.T) {
	address := rapid.Custom(func(t *rapid.T) netip.Addr {
		if rapid.Bool().Draw(t, "IPv6") {
			return netip.AddrFrom16([16]byte{0x20, 1, 15: rapid.ByteMax(15).Draw(t, "byte")})
		}
		return netip.AddrFrom4([4]byte{10, 0, rapid.ByteMax(1).Draw(t, "byte"), rapid.ByteMax(15).Draw(t, "byte")})
	})
	rapid.Check(t, func(t *rapid.T) {
		type span struct{ first, last netip.Addr }
		var model []span
		var text strings.Builder
		for range rapid.IntRange(1, 12).Draw(t, "lines") {
			a, b := address.Draw(t, "a"), address.Draw(t, "b")
			switch rapid.IntRange(0, 2).Draw(t, "form") {
			case 0:
				model = append(model, span{a, a})
				fmt.Fprintln(&text, a)
			case 1:
				p := netip.PrefixFrom(a, rapid.IntRange(1, a.BitLen()).Draw(t, "bits")).Masked()
				last := p.Addr().AsSlice()
				for i := p.Bits(); i < a.BitLen(); i++ {
					last[i/8] |= 0x80 >> (i % 8)
				}
				end, _ := netip.AddrFromSlice(last)
				model = append(model, span{p.Addr(), end})
				fmt.Fprintln(&text, p)
			case 2:
				if a.BitLen() == b.BitLen() {
					if b.Less(a) {
						a, b = b, a
					}
					model = append(model, span{a, b})
					fmt.Fprintf(&text, "%s-%s\n", a, b)
				}
			}
		}
		text.WriteString("# end")
		l, err := readNetworks("a", []byte(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		source := address.Draw(t, "source")
		want := false
		for _, s := range model {
			want = want || source.BitLen() == s.first.BitLen() && source.Compare(s.first) >= 0 && source.Compare(s.last) <= 0
		}
		network := l.(*networkList).find(source)
		if network.IsValid() != want || want && !network.Contains(source) {
			t.Fatalf("%s is in %v, want %t, of\n%s", source, network, want, text.String())
		}
	})
}

// FuzzNetworks reads any text. Each error has a line of it, and what a list has is what its lines
// have when they are read alone.
func FuzzNetworks(f *testing.F) {
	for _, text := range []string{"", "# a\n192.0.2.1\n", "192.0.2.0/24 ; x\r\n2001:db8::1-2001:db8::9", "\ufeff::ffff:1.2.3.4\n1.2.3.4-1.2.3.3\n10.0.0.0/1", "a\n\xff\x00b"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := readNetworks("a", text)
		lines := bytes.Count(text, []byte("\n")) + 1
		for _, line := range linesOf(err) {
			var number int
			if _, scanned := fmt.Sscanf(line, "%d: ", &number); scanned != nil || number < 1 || number > lines {
				t.Fatalf("an error at %q of %d lines", line, lines)
			}
		}
		if err != nil {
			return
		}
		sum := map[string]bool{}
		for line := range bytes.Lines(bytes.TrimPrefix(text, []byte("\ufeff"))) {
			one, err := readNetworks("a", slices.Concat(line, []byte("\n#")))
			if err != nil {
				t.Fatalf("%q alone: %v", line, err)
			}
			for _, network := range content(one) {
				sum[network] = true
			}
		}
		if all := content(l); len(all) != len(sum) {
			t.Fatalf("%d networks, and %d when each line is read alone", len(all), len(sum))
		}
	})
}
