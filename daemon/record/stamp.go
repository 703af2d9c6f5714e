package record

import (
	"math/bits"
	"time"
)

// A clock says what the stamps of a file mean: so many ticks a second, since an
// offset in seconds from the start of 1970.
type clock struct {
	rate   uint64
	offset int64
}

// lastSecond is in April 2262: the last that engine time, an int64 of nanoseconds,
// can hold.
const lastSecond = 9_223_372_035

// time never fails: a stamp that makes no sense becomes the nearest that does.
func (c clock) time(ticks uint64) time.Time {
	if c.rate == 0 {
		return time.Unix(0, 0).UTC()
	}
	high, low := bits.Mul64(ticks%c.rate, 1e9)
	nanoseconds, _ := bits.Div64(high, low, c.rate)
	seconds := int64(min(ticks/c.rate, lastSecond)) + min(max(c.offset, -lastSecond), lastSecond)
	return time.Unix(min(max(seconds, 0), lastSecond), int64(nanoseconds)).UTC()
}
