package simulate

import (
	"fmt"
	"time"

	"sesame/daemon/record"
	"sesame/daemon/transcript"
)

// A ClockStep is a place in a capture where the recording clock was set back. How much time passed
// there is not known. So engine time goes on from the packet before it, as it does in the daemon,
// and only the time of day follows the stamps.
type ClockStep struct {
	Capture string // its name
	Packet  int    // its number in the capture: the first one after the step
	By      time.Duration
}

// String tells the step to a person.
func (s ClockStep) String() string {
	return fmt.Sprintf("%s: packet %d is stamped %s before an earlier one: the clock was set back. How long it was until then is not known, and counts as nothing. If the packets are only out of order, reordercap sorts them",
		s.Capture, s.Packet, transcript.Duration(s.By.Truncate(time.Millisecond)))
}

// mostSteps is how many steps are told one by one: who wrote the capture decides how many it has.
const mostSteps = 5

// steps are the steps of the recording clocks so far.
type steps struct {
	told []ClockStep // the first of them
	more int         // the others
}

// follow takes over a step before a frame of a capture.
func (s *steps) follow(c *capture, f *record.Frame) {
	if f.Back == 0 {
		return
	}
	c.shift += f.Back
	if len(s.told) == mostSteps {
		s.more++
		return
	}
	s.told = append(s.told, ClockStep{Capture: c.name, Packet: f.Number, By: f.Back})
}
