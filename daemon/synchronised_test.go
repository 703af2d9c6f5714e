package daemon

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestWhenTheClockIsInDoubt(t *testing.T) {
	for _, tt := range []struct {
		policy string
		once   bool
		read   string // one letter a look: y synchronised, n not, e error
		want   string // y: in doubt
		stored int
	}{
		{"auto", false, "nnn", "nnn", 0}, // nothing ever synchronised this clock
		{"auto", false, "nynny", "nnyyn", 1},
		{"auto", true, "nny", "yyn", 0}, // after a start without a network
		{"auto", true, "enen", "nyny", 0},
		{"auto", false, "eey", "nnn", 1},
		{"refuse", false, "nyn", "yny", 1},
		{"refuse", false, "en", "ny", 0},
		{"ignore", true, "nyn", "nnn", 0},
	} {
		stored, looks := 0, tt.read
		j := &clockJudge{
			policy: tt.policy, once: tt.once, log: hclog.NewNullLogger(), remember: func() { stored++ },
			read: func() (bool, error) {
				look := looks[0]
				if looks = looks[1:]; look == 'e' {
					return false, errors.New("operation not permitted")
				}
				return look == 'y', nil
			},
		}
		got := ""
		for range len(tt.read) {
			got += map[bool]string{true: "y", false: "n"}[j.doubt()]
		}
		if got != tt.want || stored != tt.stored {
			t.Errorf("%s: in doubt %s, stored %d times; want %s and %d", fmt.Sprint(tt.policy, tt.once, " ", tt.read), got, stored, tt.want, tt.stored)
		}
	}
}

// The kernel of this machine tells, or gives an error; whether the clock is right does not matter.
func TestTheKernelTellsWhetherTheClockIsSynchronised(t *testing.T) {
	is, err := synchronised()
	t.Log("synchronised:", is, err)
	if again, _ := synchronised(); err != nil && again {
		t.Error("an error, and yet synchronised")
	}
}
