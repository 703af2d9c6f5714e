package daemon

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/engine"
	"sesame/daemon/logtest"
	"sesame/daemon/state"
	"sesame/scripting"
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

// A set without windows has nothing that refuses, so nobody is told.
func TestWhoIsToldOfADoubt(t *testing.T) {
	with, without := &scripting.Set{Windows: true}, &scripting.Set{}
	const warned, again = "so windows of time refuse", "windows of time hold again"
	synchronised, log := false, &logtest.Buffer{}
	j := &clockJudge{policy: "refuse", read: func() (bool, error) { return synchronised, nil }, remember: func() {}, log: hclog.NewNullLogger()}
	c := newClock()
	l := &loop{clock: c, engine: engine.New(engine.Config{}, c.now()), judge: j, log: hclog.New(&hclog.LoggerOptions{Output: log})}
	seen := 0
	for i, step := range []struct {
		set          *scripting.Set
		synchronised bool
		logged       string // "": nothing
		told         bool
	}{
		{without, false, "", false},
		{with, false, warned, true}, // after a reload
		{with, false, "", true},
		{without, false, "", false},
		{with, false, warned, true},
		{with, true, again, false},
		{with, true, "", false},
		{with, false, warned, true},
		{without, true, again, false},
		{without, false, "", false},
		{without, true, "", false},
	} {
		l.set, synchronised = step.set, step.synchronised
		l.checkClock()
		logged := log.String()[seen:]
		seen += len(logged)
		if (logged == "") != (step.logged == "") || !strings.Contains(logged, step.logged) || l.windowsRefuse != step.told {
			t.Errorf("step %d: logged %q, told %v; want %q, %v", i, logged, l.windowsRefuse, step.logged, step.told)
		}
		if l.clockDoubt == synchronised || l.engine.State().ClockDoubt == synchronised {
			t.Errorf("step %d: the engine does not know", i)
		}
	}
}

// What the loop has written without waiting is on the disk before the state is closed.
func TestTheStopWaitsForNotes(t *testing.T) {
	dir := t.TempDir()
	d := &daemon{config: Config{Log: hclog.NewNullLogger()}, notifier: newNotifier()}
	store, err := state.Open(dir)
	must(t, err)
	d.state = newStateDir("", store, nil)
	d.newClockJudge().remember()
	must(t, d.close())
	again, err := state.Open(dir)
	must(t, err)
	defer func() { must(t, again.Close()) }()
	if !again.ClockWasSynchronised() {
		t.Error("the next start does not know of the clock")
	}
}
