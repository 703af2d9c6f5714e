package firewall

import "time"

// deadline returns the time after which a socket gives up. The kernel's clock counts, and no
// decision depends on it.
func deadline(wait time.Duration) time.Time { return time.Now().Add(wait) }

// pause returns a channel that receives after a while.
func pause(d time.Duration) <-chan time.Time { return time.After(d) }
