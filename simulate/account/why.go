package account

import "sesame/daemon/engine"

// Why says why an attempt ended, in the words of the accounts, such as "tcp/2904 came 341ms too
// late (packet 13, step_timeout 3s)". Ended is the judgment that ended it. Late is that of the
// awaited knock, which came after time had ended the attempt; nil: it has not come.
func Why(ended, late *engine.Judgment) string {
	m := &miss{
		door: ended.Door, stage: ended.Before, reason: ended.Reason, awaited: ended.Awaited,
		at: positionOf(ended), came: ended.Came, flags: ended.Flags,
	}
	if m.reason == engine.StepTimeout || m.reason == engine.TotalTimeout {
		m.at, m.came = position{}, ended.Came
	}
	if late != nil {
		m.late, m.at, m.came, m.flags = late.Late, positionOf(late), late.Came, late.Flags
	}
	return m.why()
}
