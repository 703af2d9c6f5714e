package record

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

var someTimeouts = []engine.Timeout{
	{Run: 0, Fault: engine.Fault{Script: "a.lua", Line: 7, Detail: "it was \xff stopped", Timeout: true}},
	{Run: 9, Fault: engine.Fault{Script: "lib/b.lua", Detail: "again", Timeout: true}},
}

// Timeouts stand before their input, and nothing stands there when the clock ended nothing.
func TestTimeoutsStandBeforeTheirInput(t *testing.T) {
	r := NewRecorder(0)
	r.Begin(start, anEngine().State(), Scripts{})
	r.Timeouts(start, nil)
	r.Packet(&packet.Packet{Time: start, Number: 1}, frame, len(frame))
	r.Timeouts(start, someTimeouts)
	r.Packet(&packet.Packet{Time: start, Number: 2}, frame, len(frame))
	items, err := all(t, saved(t, r.Recording()))
	check(t, err)
	if len(items) != 4 || items[1].Frame == nil || items[2].Input == nil || items[3].Frame == nil {
		t.Fatalf("%d items: %+v", len(items), items)
	}
	if in := items[2].Input; in.Kind != InputTimeouts || !in.Time.Equal(start) {
		t.Errorf("%+v", in)
	}
	if diff := cmp.Diff(someTimeouts, items[2].Input.Timeouts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHostileTimeouts(t *testing.T) {
	for _, tt := range []struct{ name, timeouts, want string }{
		{"no list", `7`, "reading its JSON"},
		{"a run before the first", `[{"run":-1,"script":"a","detail":"x"}]`, "not in the order"},
		{"a run twice", `[{"run":1,"script":"a","detail":"x"},{"run":1,"script":"a","detail":"x"}]`, "not in the order"},
		{"a line below zero", `[{"run":1,"script":"a","line":-1,"detail":"x"}]`, "not in the order"},
		{"too many", "[" + strings.Repeat(`{"run":1},`, maxTimeouts) + `{"run":1}]`, "65537 timeouts: expected at most 65536"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := readInput(InputTimeouts, []byte(`{"Time":1,"Timeouts":`+tt.timeouts+`}`))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if in, err := readInput(InputTimeouts, []byte(`{"Time":1}`)); err != nil || len(in.Timeouts) != 0 {
		t.Error(in, err)
	}
}
