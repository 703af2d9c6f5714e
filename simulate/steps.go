package simulate

import (
	"fmt"
	"math"
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

// follow takes over a step before a frame of the only capture. The error means that the capture
// ends before the frame, since engine time does.
func (s *steps) follow(c *capture, f *record.Frame) error {
	if f.Back > math.MaxInt64-c.shift || !f.Time().Before(endOfTime) || !f.Time().Add(c.shift+f.Back).Add(c.moved).Before(endOfTime) {
		return fmt.Errorf("%s: packet %d: with its stamp, and with the steps of the clock before it, it would come after the year 2261, which Sesame cannot reckon with. It and what follows was not read", c.name, f.Number)
	}
	if f.Back == 0 {
		return nil
	}
	c.shift += f.Back
	if len(s.told) == mostSteps {
		s.more++
		return nil
	}
	s.told = append(s.told, ClockStep{Capture: c.name, Packet: f.Number, By: f.Back})
	return nil
}

// endOfTime is after all engine times. Unix nanoseconds of 64 bits end a few months later.
var endOfTime = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)

// placed returns an error for a frame of one among several captures that has no place among the
// packets of the others: after a step of the clock it is not known how the clocks compare. Nor is
// it known which stamps are wrong, those before the step or those after it.
func placed(c *capture, f *record.Frame) error {
	switch {
	case f.Back > 0:
		return fmt.Errorf("%s: packet %d is stamped %s before an earlier one, so its place among the packets of the other captures is not known. It and what follows was not read: sort the capture with reordercap, or replay it alone",
			c.name, f.Number, transcript.Duration(f.Back.Truncate(time.Millisecond)))
	case !f.Time().Before(endOfTime) || !f.Time().Add(c.moved).Before(endOfTime):
		return fmt.Errorf("%s: packet %d is stamped after the year 2261, which Sesame cannot reckon with. It and what follows was not read", c.name, f.Number)
	}
	return nil
}
