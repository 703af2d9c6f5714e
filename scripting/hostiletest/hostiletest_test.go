package hostiletest

import "testing"

// Each name says which script is meant, and all ports may be in one set.
func TestScriptsAreTold(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range All() {
		if seen[s.Name] || s.Name == "" || s.Knock != "" && seen[s.Knock] || len(s.Text) > 1<<20 {
			t.Errorf("%q at %q, of %d bytes", s.Name, s.Knock, len(s.Text))
		}
		seen[s.Name], seen[s.Knock] = true, true
	}
	if len(All()) < 60 {
		t.Errorf("%d scripts", len(All()))
	}
}
