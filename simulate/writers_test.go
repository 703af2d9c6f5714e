package simulate_test

import (
	"errors"
	"fmt"
	"testing"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
	"sesame/simulate"
)

// A noting writer notes its calls, and fails with an error of its own.
type noting struct {
	calls *[]string
	err   error
}

func (n noting) note(text string) error {
	*n.calls = append(*n.calls, text)
	return n.err
}

func (n noting) Begin(doors, captures []string)     { _ = n.note(fmt.Sprint("begin ", doors, captures)) }
func (n noting) Events(events []engine.Event)       { _ = n.note(fmt.Sprint("events ", len(events))) }
func (n noting) Flush() error                       { return n.note("flush") }
func (n noting) Summary(s transcript.Summary) error { return n.note(fmt.Sprint("summary ", s.Packets)) }

func TestWriters(t *testing.T) {
	var calls []string
	first, second := errors.New("first"), errors.New("second")
	all := simulate.Writers{noting{&calls, first}, noting{&calls, second}}
	all.Begin([]string{"ssh"}, []string{"a"})
	all.Events(make([]engine.Event, 3))
	for _, err := range []error{all.Flush(), all.Summary(transcript.Summary{Packets: 7})} {
		if !errors.Is(err, first) || !errors.Is(err, second) {
			t.Errorf("the error is %v: expected both", err)
		}
	}
	if got := fmt.Sprint(calls); got != "[begin [ssh] [a] begin [ssh] [a] events 3 events 3 flush flush summary 7 summary 7]" {
		t.Errorf("calls: %s", got)
	}
}
