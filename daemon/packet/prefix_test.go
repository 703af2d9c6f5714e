package packet

import "testing"

func TestParseNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.0/24": "203.0.113.0/24", "203.0.113.9": "203.0.113.9/32", "2001:db8::/32": "2001:db8::/32",
		"2001:DB8::1": "2001:db8::1/128", "::ffff:192.0.2.1": "192.0.2.1/32", "0.0.0.0/0": "0.0.0.0/0",
	} {
		if got, err := ParseNetwork(text); err != nil || got.String() != want {
			t.Errorf("%q is %v, %v: want %s", text, got, err, want)
		}
	}
	const expected = ` is not a network: expected one such as "203.0.113.0/24", "2001:db8::/32" or an address`
	for text, want := range map[string]string{
		"": `""` + expected, "example.org": `"example.org"` + expected, "203.0.113.0/33": `"203.0.113.0/33"` + expected,
		"fe80::1%eth0":   `"fe80::1%eth0"` + expected,
		"203.0.113.9/24": `"203.0.113.9/24" has bits set beyond its length: write "203.0.113.0/24" for the network, or "203.0.113.9" for the address`,
		"2001:db8::1/32": `"2001:db8::1/32" has bits set beyond its length: write "2001:db8::/32" for the network, or "2001:db8::1" for the address`,

		"::ffff:192.0.2.0/120": `"::ffff:192.0.2.0/120" is an IPv4 network written as IPv6: write it as IPv4`,
	} {
		if got, err := ParseNetwork(text); err == nil || err.Error() != want {
			t.Errorf("%q is %v, %v: want %s", text, got, err, want)
		}
	}
}
