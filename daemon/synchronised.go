package daemon

import (
	"time"

	"github.com/hashicorp/go-hclog"

	"sesame/daemon/engine"
	"sesame/daemon/record"
)

// A clockJudge decides whether the wall clock is in doubt, so that windows of time are unknown:
// see the key clock.unsynchronised. Only the loop uses it, after the start.
type clockJudge struct {
	policy string // "auto", "refuse" or "ignore"
	// once means that the clock was synchronised at some time, in this run or in an earlier one.
	// Without it, auto trusts a clock that nothing synchronises: on such a machine it is all
	// that people have, and windows would never hold.
	once     bool
	read     func() (synchronised bool, err error)
	remember func() // stores once for later runs; it must not wait for the disk
	log      hclog.Logger

	unreadable bool // it was logged that the kernel does not tell
}

// doubt looks at the clock. A kernel that does not tell, as in some containers, gives no doubt.
func (j *clockJudge) doubt() bool {
	synchronised, err := j.read()
	switch {
	case err != nil && !j.unreadable:
		j.unreadable = true
		j.log.Info("the kernel does not tell whether the clock is synchronised, so the clock is trusted", "error", err)
		return false
	case err != nil:
		return false
	case synchronised && !j.once:
		j.once = true
		j.remember()
	}
	return !synchronised && (j.policy == "refuse" || j.policy == "auto" && j.once)
}

// checkClock gives the engine an input when the clock came into doubt, or is out of it. People are
// told while a script has a window: nothing else refuses then.
func (l *loop) checkClock() {
	if l.judge == nil {
		return
	}
	doubt := l.judge.doubt()
	switch refuses := doubt && l.set.Windows; {
	case refuses == l.windowsRefuse:
	case refuses:
		l.log.Warn("the clock is not synchronised, so windows of time refuse until it is", "remedy", "look at the NTP client: timedatectl, chronyc tracking")
		l.windowsRefuse = true
	default:
		if !doubt {
			l.log.Info("the clock is synchronised: windows of time hold again")
		}
		l.windowsRefuse = false
	}
	if doubt == l.clockDoubt {
		return
	}
	l.clockDoubt = doubt
	in := record.Input{Kind: record.InputClock, Doubt: doubt}
	l.inputAt(l.engine.Now(), in, func(now time.Time) []engine.Event { return l.engine.Clock(now, doubt) })
}

// newClockJudge returns the judge of the machine's clock.
func (d *daemon) newClockJudge() *clockJudge {
	return &clockJudge{
		policy: d.config.Clock.Unsynchronised, once: d.state.synchronised, read: synchronised, log: d.config.Log,
		remember: func() {
			d.notes.Go(func() { // the loop must not wait for the disk
				err := d.state.noteClockSynchronised()
				if d.troubles.set(syncNotSaved, err) {
					d.config.Log.Warn("the next start does not know that the clock was synchronised once", "error", err)
				}
			})
		},
	}
}
