package firewall

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sesame/daemon/effect"
)

// TestRealSetFull fills a set of the user. The grant that finds no room says so, with the line that
// makes room; those before it stand.
func TestRealSetFull(t *testing.T) {
	for _, tt := range []struct{ name, type4, rules, room string }{
		{"source, port", "type ipv4_addr . inet_service; flags timeout; size 1;", "ip saddr . tcp dport @doors4 accept;",
			"nft add set inet mine doors4 '{ type ipv4_addr . inet_service; flags timeout; size 1024; }'"},
		{"source, protocol, port, networks", "type ipv4_addr . inet_proto . inet_service; flags interval,timeout; size 1;", byFull,
			"nft add set inet mine doors4 '{ type ipv4_addr . inet_proto . inet_service; flags interval,timeout; size 1024; }'"},
		{"source, with a time of the user", "type ipv4_addr; flags timeout; timeout 1h; size 1;", "ip saddr @doors4 accept;",
			"nft add set inet mine doors4 '{ type ipv4_addr; flags timeout; timeout 3600s; size 1024; }'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, s := newSets(t, tt.type4, full6, tt.rules)
			first, second := element("192.0.2.7", tcp22, time.Minute), element(clientAddress, tcp22, time.Minute)
			apply(t, s, first)
			errs := s.Apply([]effect.Element{first, second, element("192.0.2.8", tcp22, time.Minute)})
			if len(errs) != 3 || errs[0] != nil {
				t.Fatalf("the element that is there: %v", errs)
			}
			want := "set doors4 of table inet mine is full (1 element, size 1): raise its size in the file that makes it, and now with: " + tt.room
			for _, err := range errs[1:] {
				if !errors.Is(err, effect.ErrSetFull) || err.Error() != want {
					t.Errorf("got  %v\nwant %s", err, want)
				}
			}
			if w.slips("", server4) {
				t.Error("a source without room has access")
			}
			if full := s.Full(); len(full) != 1 || full[0].Error() != want {
				t.Errorf("full are %v", full)
			}
			w.run("", "sh", "-c", tt.room)
			if full := s.Full(); len(full) != 0 {
				t.Errorf("there is room, and full are %v", full)
			}
			apply(t, s, second)
			if !w.reaches("", server4) {
				t.Error("the line does not make room")
			}
			definition := w.run("", "nft", "list", "set", "inet", "mine", "doors4")
			if strings.Contains(tt.type4, "timeout 1h") != strings.Contains(definition, "\t\ttimeout 1h") {
				t.Errorf("the line changed the set in more than its size:\n%s", definition)
			}
		})
	}
}

// TestCutsAreFull holds that a full set of our own is one as well.
func TestCutsAreFull(t *testing.T) {
	err := cutError(fmt.Errorf("cutting: %w", refusals{{1, "element of set cut4", unix.ENFILE}}))
	if !errors.Is(err, effect.ErrSetFull) || strings.Contains(err.Error(), "open files") {
		t.Errorf("got %v", err)
	}
}

// TestNoDescriptors tells a machine without descriptors from a full set: the kernel has one number
// for both.
func TestNoDescriptors(t *testing.T) {
	for err, want := range map[syscall.Errno]bool{unix.ENFILE: true, unix.ENOSPC: true, unix.EMFILE: false, unix.ENOMEM: false, unix.EEXIST: false} {
		if got := isFull(refusals{{0, "element of set k", err}}); got != want {
			t.Errorf("%v: full is %v, want %v", err, got, want)
		}
	}
	if isFull(nil) || theirOwn(nil) {
		t.Error("no refusal is a full set")
	}
	var limit unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	t.Cleanup(func() { must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)) })
	must(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}))
	s := &socket{}
	errs := s.apply([]effect.Element{element(clientAddress, tcp22, time.Minute)}, guardEdit)
	if len(errs) != 1 || !errors.Is(errs[0], unix.EMFILE) || errors.Is(errs[0], effect.ErrSetFull) {
		t.Errorf("without descriptors: %v", errs)
	}
}

// TestNoPortZero holds that an error names the port that was asked for, also when the keys of the
// set have none.
func TestNoPortZero(t *testing.T) {
	c := changer{socket: &socket{}}
	refused := refusals{{0, "element of set k", unix.EINVAL}}
	at, err := placeOf(element(clientAddress, tcp22, time.Minute))
	must(t, err)
	at.port.Number, at.port.Proto = 0, 0
	for asked, want := range map[bool]string{true: clientAddress + " to tcp/22: element of set k: invalid argument", false: clientAddress + ": element of set k: invalid argument"} {
		e := edit{place: at}
		if asked {
			e.asked = tcp22
		}
		if got := c.explain(e, refused).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
