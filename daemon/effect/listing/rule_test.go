//go:build linux

package listing

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzListing: no listing makes the search for a rule fail.
func FuzzListing(f *testing.F) {
	f.Add("table ip filter { # handle 1\n\tchain INPUT { # handle 1\n\t\ttcp dport 22 drop # handle 4\n\t}\n}\n", 1, uint64(4))
	f.Add("-P INPUT DROP\n-A INPUT -i lo -j ACCEPT\n", 1, uint64(1))
	f.Fuzz(func(t *testing.T, listing string, number int, handle uint64) {
		appended(listing, number)
		withHandle(listing, handle)
	})
}

// TestRulesInListings finds a rule in what nft and iptables print.
func TestRulesInListings(t *testing.T) {
	const nft = "table ip filter { # handle 12\n\tchain INPUT { # handle 1\n\t\ttype filter hook input priority 0; policy accept;\n\t\ttcp dport 22 drop # handle 14\n\t\ttcp dport 23 drop # handle 4\n\t}\n}\n"
	const iptables = "-P INPUT DROP\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp -j DROP\n"
	for _, tt := range []struct{ got, want string }{
		{withHandle(nft, 14), "tcp dport 22 drop"},
		{withHandle(nft, 4), "tcp dport 23 drop"},
		{withHandle(nft, 5), ""},
		{appended(iptables, 1), "-A INPUT -i lo -j ACCEPT"},
		{appended(iptables, 2), "-A INPUT -p tcp -j DROP"},
		{appended(iptables, 3), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

// TestArguments: nothing but plain names becomes an argument. nft reads its arguments as commands.
func TestArguments(t *testing.T) {
	for _, tt := range []struct {
		rule Rule
		want string // "": refused
	}{
		{Rule{Program: "nft", Family: "inet", Table: "filter", Chain: "in"}, "nft -a list chain inet filter in"},
		{Rule{Program: "nft", Family: "ip", Table: "a.b/c", Chain: "_d-e"}, "nft -a list chain ip a.b/c _d-e"},
		{Rule{Program: "ip6tables", Table: "nat", Chain: "KUBE-SVC"}, "ip6tables -t nat -S KUBE-SVC"},
		{Rule{Program: "nft", Family: "ip", Table: "a", Chain: strings.Repeat("b", 255)}, "nft -a list chain ip a " + strings.Repeat("b", 255)},
		{Rule{Program: "nft", Family: "", Table: "a", Chain: "b"}, ""},
		{Rule{Program: "sh", Family: "ip", Table: "a", Chain: "b"}, ""},
		{Rule{Program: "/tmp/nft", Family: "ip", Table: "a", Chain: "b"}, ""},
		{Rule{Program: "nft", Family: "ip", Table: "a", Chain: ""}, ""},
		{Rule{Program: "nft", Family: "ip", Table: "", Chain: "b"}, ""},
		{Rule{Program: "nft", Family: "ip", Table: "a", Chain: "b;flush"}, ""},
		{Rule{Program: "nft", Family: "ip", Table: "a", Chain: "b flush"}, ""},
		{Rule{Program: "nft", Family: "ip", Table: "a", Chain: "b\nflush"}, ""},
		{Rule{Program: "nft", Family: "ip", Table: "a", Chain: "b\n"}, ""},
		{Rule{Program: "nft", Family: "ip", Table: "a\n", Chain: "b"}, ""},
		{Rule{Program: "nft", Family: "ip", Table: "-f", Chain: "b"}, ""},
		{Rule{Program: "iptables", Table: "nat", Chain: "-F"}, ""},
		{Rule{Program: "nft", Family: "ip", Table: "a", Chain: strings.Repeat("b", 256)}, ""},
		{Rule{Program: "nft", Family: "ip", Table: "a", Chain: `"b"`}, ""},
		{Rule{Program: "nft", Family: "ip", Table: "a", Chain: "{b}"}, ""},
	} {
		argv, err := tt.rule.argv()
		if got := strings.Join(argv, " "); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: %q, %v; want %q", tt.rule, got, err, tt.want)
		}
	}
}

// TestLongRules: a rule of more than 64 KiB has no text, and a listing has at most 1 MiB.
func TestLongRules(t *testing.T) {
	for n, want := range map[int]bool{maxText: true, maxText + 1: false} {
		rule := strings.Repeat("x", n)
		if got := (Rule{Program: "nft", Handle: 1}).in(rule + " # handle 1\n"); (got == rule) != want || !want && got != "" {
			t.Errorf("%d bytes: %d bytes of text", n, len(got))
		}
	}
	var out bounded
	if n, err := out.Write(make([]byte, maxListing)); n != maxListing || err != nil {
		t.Error(n, err)
	}
	if n, err := out.Write([]byte("x")); n != 0 || err == nil {
		t.Error(n, err)
	}
}

// TestPossible: rules are listed where one of the programs is.
func TestPossible(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if Possible() {
		t.Error("without a program")
	}
	if err := os.WriteFile(filepath.Join(dir, "ip6tables-nft"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if !Possible() {
		t.Error("with a program")
	}
}
