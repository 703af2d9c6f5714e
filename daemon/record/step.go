package record

import "time"

// ClockStep is how far before its predecessors a frame may be stamped. Cards with several queues,
// and captures of several interfaces, put packets out of order by milliseconds. What is more than
// ClockStep is a step of the clock.
const ClockStep = time.Second

// A stamp is the time stamp of a frame. The zero stamp is before all others.
type stamp struct {
	ticks uint64
	clock clock
}

// follow makes s the stamp next, unless next is a little earlier. Back is how much earlier it is
// when the clock was set back; then s is next all the same.
func (s *stamp) follow(next stamp) (back time.Duration) {
	if s.clock == next.clock && next.ticks >= s.ticks {
		s.ticks = next.ticks
		return 0
	}
	back = s.time().Sub(next.time())
	switch {
	case back > ClockStep:
	case back > 0:
		return 0
	default:
		back = 0
	}
	*s = next
	return back
}

// stampFrame gives a frame without a time stamp that of the one before it. Programs write zero for
// no stamp. Where each stamp is zero, nothing changes.
func (r *Reader) stampFrame() {
	if f := &r.frame; f.ticks == 0 && r.latest.ticks > 0 && f.Time().UnixNano() == 0 {
		f.ticks, f.clock = r.latest.ticks, r.latest.clock
		r.unstamped++
	}
}

// near reports whether follow would take ticks of the same clock without a step.
func (s *stamp) near(ticks uint64) bool {
	return ticks >= s.ticks || ticks > 0 && s.ticks-ticks <= s.clock.rate*uint64(ClockStep/time.Second)
}

func (s *stamp) time() time.Time { return s.clock.time(s.ticks) }

// Latest returns the latest time of the frames since the last step of the clock. It is the first
// second of 1970 before the first frame.
func (r *Reader) Latest() time.Time { return r.latest.time() }

// Unstamped returns how many of the frames so far had no time stamp. Such a frame has the time of
// the one before it. A file in which each stamp is zero has none.
func (r *Reader) Unstamped() int {
	if r.latest.time().UnixNano() == 0 {
		return r.frame.Number
	}
	return r.unstamped
}

// Frames returns how many frames have been read.
func (r *Reader) Frames() int { return r.frame.Number }
