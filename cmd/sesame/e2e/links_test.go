//go:build linux

package e2e

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sesame/daemon/livetest"
)

// ip gives the server's network a command of ip.
func (w *world) ip(line string) {
	w.Helper()
	w.net.Server.Exec(append([]string{"ip"}, strings.Fields(line)...)...)
}

// hears waits until the daemon captures on exactly these interfaces.
func (w *world) hears(names ...string) {
	w.Helper()
	w.eventually("it hears "+strings.Join(names, ", "), func() bool {
		heard := slices.Sorted(slices.Values(w.status().Capture.Interfaces))
		return slices.Equal(heard, names)
	})
}

// TestRealFlap takes the link away and brings it back, as cables and drivers do.
func TestRealFlap(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	w.hears("lo", "server0")
	for range 2 {
		w.ip("link set server0 down")
		w.hears("lo")
		w.ip("link set server0 up")
		w.hears("lo", "server0")
		w.ip("-6 addr replace " + w.net.Server.IPv6.String() + " dev server0 nodad") // which went with the link
		w.restoreRoutes()
		w.knockAt(server4, sshKnocks...)
		w.opens(ssh4)
		w.knockAt(server6, sshKnocks...)
		w.opens(ssh6)
		w.answer("revoke", "203.0.113.9")
		w.answer("revoke", "2001:db8:9::9")
		w.shuts(ssh4)
		w.shuts(ssh6)
	}
	w.nothingWrong()
}

// restoreRoutes brings back what goes with a link.
func (w *world) restoreRoutes() {
	w.Helper()
	w.ip("route replace default via 203.0.113.9 dev server0 onlink")
	w.ip("-6 route replace default via 2001:db8:9::9 dev server0 onlink")
}

// TestRealRecreated deletes the only interface and makes another of that name, as
// a tunnel is made anew. It has one address more.
func TestRealRecreated(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.flags = []string{"-i", "late0"}
	w.launch()
	w.logged("ready: ")
	w.logged("no interface is captured")
	if e := w.sesame("status", "--strict"); e.status != answerNo {
		t.Errorf("%+v", e)
	} else {
		contains(t, e.stdout, "wrong: interface late0 does not exist: knocks on it are not captured", "wrong: no interface is captured: nobody can knock")
	}
	w.knockAt(server4, sshKnocks...) // not there
	for i := range 2 {
		w.ip("link set server0 down")
		w.ip("link set server0 name late0")
		w.ip("link set late0 up")
		w.hears("late0")
		w.ip("route replace default via 203.0.113.9 dev late0 onlink")
		w.knockAt(server4, sshKnocks...)
		w.opens(ssh4)
		w.answer("revoke", "203.0.113.9")
		w.shuts(ssh4)
		if i == 0 {
			w.ip("link set late0 down")
			w.ip("link set late0 name server0")
			w.hears()
			w.ip("link set server0 up")
			w.ip("route replace default via 203.0.113.9 dev server0 onlink")
			w.knockAt(server4, sshKnocks...)
			w.shut(ssh4)
		}
	}
	w.nothingWrong()
}

// newLink lays a link like the one that the world began with.
func (w *world) newLink() {
	w.Helper()
	s, c := w.net.Server, w.net.Client
	// Who makes a link into another network names that by a process in it.
	sleep := exec.Command("sleep", "1000")
	c.Start(sleep)
	w.ip(fmt.Sprintf("link add server0 index 1001 type veth peer name client0 netns %d", sleep.Process.Pid))
	for _, h := range []*livetest.Host{s, c} {
		for _, line := range []string{
			"addr add " + h.IPv4.String() + " dev " + h.Interface, "addr add " + h.IPv6.String() + " nodad dev " + h.Interface, "link set " + h.Interface + " up",
		} {
			h.Exec(append([]string{"ip"}, strings.Fields(line)...)...)
		}
	}
	for h, other := range map[*livetest.Host]*livetest.Host{s: c, c: s} {
		h.Exec("ip", "route", "add", "default", "via", other.IPv4.Addr().String(), "dev", h.Interface, "onlink")
	}
}

// TestRealNewLink deletes the veth pair, and makes a new one.
func TestRealNewLink(t *testing.T) {
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	for range 2 {
		w.ip("link del server0")
		w.hears("lo")
		w.newLink()
		w.hears("lo", "server0")
		w.knockAt(server4, sshKnocks...)
		w.opens(ssh4)
		w.answer("revoke", "203.0.113.9")
		w.shuts(ssh4)
	}
	w.nothingWrong()
}

// TestRealAddresses knocks at addresses that come and go.
func TestRealAddresses(t *testing.T) {
	const later = "198.51.100.77"
	w := newWorld(t, map[string]string{"ssh.lua": longDoor})
	w.start()
	count := func() int { return w.status().Counts.Opens }
	for i := range 3 {
		w.ip("addr add " + later + "/24 dev server0")
		w.eventually("a knock there counts", func() bool {
			before := count()
			w.sendAt(later, livetest.Source4(i), sshKnocks...)
			return count() > before
		})
		w.ip("addr del " + later + "/24 dev server0")
		w.eventually("a knock there does not count", func() bool {
			before := w.status().Counts.Knocks
			w.sendAt(later, livetest.Source4(100+i), "tcp/7421")
			w.send(livetest.Source4(200+i), "tcp/7421") // which does
			w.eventually("the one that does is heard", func() bool { return w.status().Counts.Knocks > before })
			return w.status().Counts.Knocks == before+1
		})
	}
	w.ip("-6 addr add 2001:db8:1::77/64 dev server0 nodad")
	w.eventually("a knock at the new IPv6 address counts", func() bool {
		before := count()
		w.knockAt("2001:db8:1::77", sshKnocks...)
		return count() > before
	})
	w.nothingWrong()
}
