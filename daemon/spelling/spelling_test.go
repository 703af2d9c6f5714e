package spelling

import "testing"

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
		"":           "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
