package record

import (
	"math/bits"
	"time"
)

// A clock converts the time stamps of a file.
type clock struct {
	rate   uint64 // ticks in a second
	offset int64  // of tick 0, in seconds since 1970
}

// lastSecond is in April 2262. It is the last second that engine time, an int64 of Unix
// nanoseconds, can hold.
const lastSecond = 9_223_372_035

// time returns the time of a stamp. A stamp out of range becomes the nearest time in range.
func (c clock) time(ticks uint64) time.Time {
	if c.rate == 0 {
		return time.Unix(0, 0).UTC()
	}
	high, low := bits.Mul64(ticks%c.rate, 1e9)
	nanoseconds, _ := bits.Div64(high, low, c.rate)
	seconds := int64(min(ticks/c.rate, lastSecond)) + min(max(c.offset, -lastSecond), lastSecond)
	return time.Unix(min(max(seconds, 0), lastSecond), int64(nanoseconds)).UTC()
}
