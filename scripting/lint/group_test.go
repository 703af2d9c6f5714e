package lint

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// Doors of a knockd.conf are in one another's way, and in no one else's.
func TestFindingsInAGroup(t *testing.T) {
	other := grouped(t, "b", "2500 1 2 4", syn)
	other.Group = "/etc/knockd-other.conf"
	consumed := grouped(t, "a", "", syn)
	late := grouped(t, "a", "1000 2000 3000 4000", syn)
	late.Within = 0
	for _, test := range []struct {
		name  string
		doors []*engine.Door
		want  []string // door and id
	}{
		{"ascending", []*engine.Door{grouped(t, "a", "1000 2000 3000 4000", syn)}, []string{"a ascending"}},
		{"another door has a port between", []*engine.Door{grouped(t, "a", "1000 2000 3000 4000", syn), grouped(t, "b", "2500 1 2 4", syn)}, nil},
		{"a door of another group has it", []*engine.Door{grouped(t, "a", "1000 2000 3000 4000", syn), other}, []string{"a ascending"}},
		{"packets of the scan do not concern it", []*engine.Door{grouped(t, "a", "1000 2000 3000 4000", syn), grouped(t, "b", "2500 1 2 4", engine.FlagTest{Set: packet.SYN | packet.FIN})},
			[]string{"a ascending"}},
		{"up and down", []*engine.Door{grouped(t, "a", "7000 8000 9000 9500", syn), grouped(t, "b", "9500 9000 8000 7000", syn)}, []string{"a ascending", "b descending"}},
		{"up and down, and the ports of a third lie between", []*engine.Door{grouped(t, "a", "7000 8000 9000 9500", syn), grouped(t, "b", "9500 9000 8000 7000", syn), grouped(t, "c", "8100 7100 9100 7200", syn)}, nil},
		{"no second knock is in time", []*engine.Door{late}, nil},
		{"no packet has its flags", []*engine.Door{grouped(t, "a", "1000 2000 3000 4000", engine.FlagTest{Set: packet.SYN | packet.FIN})}, nil},
		{"a scan leaves out port 0", []*engine.Door{grouped(t, "a", "0 2000 3000 4000", syn)}, nil},
		{"two that begin alike", []*engine.Door{grouped(t, "a", "4 2 3 1", syn), grouped(t, "b", "4 2 3 1 5", syn)}, []string{"a prefix"}},
		{"twins", []*engine.Door{grouped(t, "a", "4 2 3 1", syn), grouped(t, "b", "4 2 3 1", syn)}, []string{"b prefix"}},
		{"in the middle of another, whose attempt is in its way", []*engine.Door{grouped(t, "a", "4 2 3 1", syn), grouped(t, "b", "9 4 2 3 1 8", syn)}, nil},
		{"they begin together, and go apart", []*engine.Door{grouped(t, "a", "4 2 3 1", syn), grouped(t, "b", "4 2 1 3", syn)}, nil},
		{"in one of another group", []*engine.Door{grouped(t, "a", "1 2 4 3", syn), func() *engine.Door {
			d := grouped(t, "b", "9 1 2 4 3 8", syn)
			d.Group = "elsewhere"
			return d
		}()}, []string{"a prefix"}},
		{"flags that are not its own leave it alone", []*engine.Door{grouped(t, "a", "4 2 3 1", engine.FlagTest{Set: packet.FIN}), grouped(t, "b", "4 2 3 1 5", engine.FlagTest{Clear: packet.FIN})}, nil},
		{"none is left", []*engine.Door{consumed, grouped(t, "b", "4 2 3 1", syn)}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, f := range Check(setOf(test.doors...)) {
				got = append(got, fmt.Sprintf("%s %s", f.Door, f.ID))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
