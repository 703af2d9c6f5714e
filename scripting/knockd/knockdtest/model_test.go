package knockdtest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"sesame/scripting/knockd"
)

func parse(t testing.TB, s Scenario) *knockd.File {
	t.Helper()
	file, err := knockd.Parse("knockd.conf", []byte(s.Conf))
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Conf)
	}
	return file
}

// TestScenarios compares the model with the results of the scenarios, which were written
// down from reading the source of knockd.
func TestScenarios(t *testing.T) {
	all := Scenarios()
	if len(all) < 40 {
		t.Fatalf("%d scenarios: expected 40 at least", len(all))
	}
	names := map[string]bool{}
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			if names[s.Name] {
				t.Error("the name is another's too")
			}
			names[s.Name] = true
			file := parse(t, s)
			if s.Sesame == "" {
				s.Sesame = s.Knockd
			}
			for i := range s.Packets[1:] {
				if !s.Packets[i].Time.Before(s.Packets[i+1].Time) {
					t.Fatalf("packet %d is not later than the one before", i+2)
				}
			}
			if margin := Margin(s.Packets); margin < 40*time.Millisecond {
				t.Errorf("within %v of a whole second", margin)
			}
			if diff := cmp.Diff(s.Knockd, Summary(Run(file, Local(), Knockd(), s.Packets))); diff != "" {
				t.Errorf("the model of knockd (-written down +model):\n%s", diff)
			}
			if diff := cmp.Diff(s.Sesame, Summary(Run(file, Local(), Bugs{}, s.Packets))); diff != "" {
				t.Errorf("the model without bugs (-written down +model):\n%s", diff)
			}
		})
	}
}
