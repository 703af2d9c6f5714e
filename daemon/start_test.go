package daemon

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"sesame/daemon/effect"
	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/state"
)

// What stands in the kernel and in no record was given while there was no daemon;
// what a record says has ended does not come back.
func TestWhatIsAdopted(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	ssh := packet.Port{Proto: packet.TCP, Number: 22}
	from := func(last byte) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, last}), 32) }
	live := engine.Record{Grant: &engine.Grant{ID: 3, Door: "ssh", Source: from(3), Port: ssh, End: now.Add(time.Minute)}}
	over := engine.Record{Grant: &engine.Grant{ID: 4, Door: "ssh", Source: from(4), Port: ssh, End: now.Add(-time.Minute)}}
	highest := engine.Record{Grant: &engine.Grant{ID: 7}, Ended: true}
	standing := func(last byte, grant uint64, door string) effect.Element {
		return effect.Element{Source: from(last), Port: ssh, Remaining: time.Hour, Grant: grant, Door: door}
	}
	for name, tt := range map[string]struct {
		element       effect.Element
		warnings      []error
		adoptElements bool
	}{
		"a person's, from the time without a daemon": {standing(9, 0, ""), nil, true},
		"one that is in the journal":                 {standing(3, 3, "ssh"), nil, false},
		"one whose end was synced before it went":    {standing(5, 5, "ssh"), nil, false},
		"one that the journal lost":                  {standing(5, 5, "ssh"), []error{errors.New("damaged")}, true},
		"one of a later journal":                     {standing(8, 8, "ssh"), nil, true},
		"one without an end":                         {effect.Element{Source: from(9), Port: ssh}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			recovered := state.Recovered{Records: []engine.Record{highest, live, over}, Warnings: tt.warnings}
			got := adoptElements([]effect.Element{tt.element}, recovered, now)
			if (len(got) == 1) != tt.adoptElements {
				t.Fatalf("adoptElements %v, want %v", got, tt.adoptElements)
			}
			if tt.adoptElements && (got[0].Grant.ID <= 7 || !got[0].Grant.End.Equal(now.Add(time.Hour))) {
				t.Errorf("the grant is %+v: its id must be new, and its end stay", got[0].Grant)
			}
		})
	}
}
