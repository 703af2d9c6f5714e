//go:build linux

package privileged

import "time"

func now() time.Time { return time.Now() }

func after(d time.Duration) <-chan time.Time { return time.After(d) }
