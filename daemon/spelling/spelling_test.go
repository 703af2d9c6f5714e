package spelling

import (
	"fmt"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"within", "when", "guards", "ports", "on_open", "on_close"}
	for name, want := range map[string]string{
		"withn":      "within",
		"wihtin":     "within",
		"WITHIN":     "within",
		"gaurds":     "guards",
		"port":       "ports",
		"on_opened":  "on_open",
		"completely": "",
		"onopen":     "on_open",
		"prots":      "ports",
		"portslist":  "ports",
		"win":        "",
		"with":       "within",
		"foo":        "",
		"x":          "",
		"":           "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}

// TestNearestOfTwo: of two names that are as close, it is the one that was listed first.
func TestNearestOfTwo(t *testing.T) {
	for _, known := range [][]string{{"port", "part"}, {"part", "port"}} {
		if got := Nearest("prt", known); got != known[0] {
			t.Errorf("of %q: got %q", known, got)
		}
	}
}

// TestDidYouMean: a short word is near to any other short word, and then a list of
// what there is says more. Of many names a list says nothing.
func TestDidYouMean(t *testing.T) {
	many := make([]string, few+1)
	for i := range many {
		many[i] = fmt.Sprintf("door-%d", i)
	}
	for _, tt := range []struct {
		name  string
		known []string
		want  string
	}{
		{"foo", []string{"source", "port", "door"}, ": expected one of source, port, door"},
		{"foo", []string{"fin", "syn", "rst"}, ": expected one of fin, syn, rst"},
		{"sny", []string{"fin", "syn", "rst"}, `: did you mean "syn"?`},
		{"prot", []string{"source", "port", "door"}, `: did you mean "port"?`},
		{"foo", nil, ""},
		{"foo", many, ""},
		{"dor-3", many, `: did you mean "door-3"?`},
	} {
		if got := DidYouMean(tt.name, tt.known); got != tt.want {
			t.Errorf("DidYouMean(%q, %q) = %q, want %q", tt.name, tt.known, got, tt.want)
		}
	}
}
