package daemon

import (
	"sync"

	"sesame/daemon/control"
)

// A trouble is something that goes wrong for a while, outside the loop, and that a person must
// know: it is in the status until it is over. The log gets one line when it begins.
type trouble int

const (
	setNotSaved       trouble = iota // the set that runs is not saved for the next start
	syncNotSaved                     // the next start does not know that the clock was synchronised once
	privilegesKept                   // privileges could not be dropped at the start
	sequencesUnread                  // files of one-time sequences could not be read at the start
	firewallUnwatched                // events about changes of the firewall are not read
	firewallUnseen                   // the chains of other programs cannot be looked at
	unmeasured                       // what becomes of granted packets is not measured
	rulesUnread                      // the text of rules of other programs cannot be read
	namesUnread                      // the files about names cannot be read
	socketGone                       // the control socket was deleted and cannot be made again
	serviceManager                   // the service manager cannot be notified
	noDescriptors                    // the process has no file descriptor left
	metricsUnserved                  // the port for metrics cannot be opened
	lookSlow                         // what the status looks at outside the daemon does not answer
	troubleKinds
)

// troubles holds which troubles there are. Its methods may be called from any goroutine, and wait
// for nothing. The zero value has none.
type troubles struct {
	mu    sync.Mutex
	texts [troubleKinds]string // errors; empty: it is well
}

// set notes the result of something that may fail: nil ends the trouble. It reports whether the
// trouble began with this call.
func (t *troubles) set(which trouble, err error) (began bool) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	began = t.texts[which] == "" && text != ""
	t.texts[which] = text
	return began
}

// text returns the error of a trouble; empty: there is none.
func (t *troubles) text(which trouble) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.texts[which]
}

// tell puts the troubles into a status.
func (t *troubles) tell(s *control.Status) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.State.SetNotSaved, s.State.SyncNotSaved, s.State.PrivilegesKept = t.texts[setNotSaved], t.texts[syncNotSaved], t.texts[privilegesKept]
	s.Scripts.SequencesUnread = t.texts[sequencesUnread]
	s.Firewall.Unwatched, s.Firewall.Unseen = t.texts[firewallUnwatched], t.texts[firewallUnseen]
	s.Firewall.Unmeasured = t.texts[unmeasured]
	s.Firewall.RulesUnread = t.texts[rulesUnread]
	s.NamesUnread = t.texts[namesUnread]
	s.MetricsUnserved = t.texts[metricsUnserved]
	s.SocketGone, s.ServiceManager, s.NoDescriptors, s.LookSlow = t.texts[socketGone], t.texts[serviceManager], t.texts[noDescriptors], t.texts[lookSlow]
}
