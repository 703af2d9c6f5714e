package effect

import "time"

// An alarm goes off once, some time after it was set.
type alarm struct{ timer *time.Timer }

// newAlarm returns an alarm that is not set. Who makes one stops it.
func newAlarm() alarm {
	a := alarm{time.NewTimer(time.Hour)}
	a.stop()
	return a
}

// set lets the alarm go off after d, and no more when it was to go off before.
func (a alarm) set(d time.Duration) { a.timer.Reset(d) }

func (a alarm) stop() { a.timer.Stop() }

// C receives once the alarm goes off.
func (a alarm) C() <-chan time.Time { return a.timer.C }
