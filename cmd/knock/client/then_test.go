package client

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestTries follows ports through their tries: how long each may take, and when the last one is.
func TestTries(t *testing.T) {
	for _, tt := range []struct {
		name  string
		found []state // by each try; the last one again and again
		want  string
	}{
		{"open at once", []state{open}, "200"},
		{"no answer", []state{silent}, "200 400 800 1600 2000"},
		{"refused", []state{refused}, "200 200 200 200 200 200"},
		{"rejected by a firewall", []state{rejected}, "200 200 200 200 200 200"},
		{"not reached", []state{unreachable}, "200 200 200 200 200 200"},
		{"refused, then open", []state{refused, refused, open}, "200 200 200"},
		{"no answer, then refused", []state{silent, silent, refused}, "200 400 800 200 200 200 200 200"},
		{"refused, then no answer", []state{refused, silent}, "200 200 400 800 1600 2000"},
		{"refused and no answer by turns", []state{refused, silent, refused, silent, refused, silent, refused, silent, refused, silent, refused},
			"200 200 400 200 400 200 400 200 400 200 400"},
	} {
		var limits []string
		tries := newTries()
		for i, again := 0, true; again; i++ {
			if i == 100 {
				t.Fatalf("%s: no end", tt.name)
			}
			limits = append(limits, fmt.Sprint(tries.limit.Milliseconds()))
			again = tries.next(tt.found[min(i, len(tt.found)-1)])
		}
		if got := strings.Join(limits, " "); got != tt.want {
			t.Errorf("%s: tries of %s ms: expected %s", tt.name, got, tt.want)
		}
	}
}

func TestStateOf(t *testing.T) {
	wrapped := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
	}
	for _, tt := range []struct {
		err  error
		want state
	}{
		{nil, open},
		{wrapped(syscall.ECONNREFUSED), refused},
		{wrapped(syscall.EHOSTUNREACH), unreachable},
		{wrapped(syscall.ENETUNREACH), unreachable},
		{wrapped(syscall.EMFILE), silent},
		{&net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}, silent},
	} {
		if got := stateOf(tt.err); got != tt.want {
			t.Errorf("%v: state %d: expected %d", tt.err, got, tt.want)
		}
	}
}

// TestSettle holds, in virtual time, that a run ends 50 ms after its last knock at the earliest,
// so that a program that connects afterwards finds the door open.
func TestSettle(t *testing.T) {
	_, port := datagrams(t)
	knock, err := ParseKnock("udp/" + port)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := run{to: netip.MustParseAddr("127.0.0.1")}
		r.knock(t.Context(), &options{knocks: []Knock{knock}}, &printer{w: os.Stdout})
		if took := time.Since(start); r.err != nil || took != settle {
			t.Errorf("the run took %v, error %v: expected %v", took, r.err, settle)
		}
	})
}
