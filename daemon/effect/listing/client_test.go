//go:build linux

package listing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// running starts a process that lists, and takes its answers until the test ends. It returns what
// Run returned.
func running(t *testing.T, argv ...string) (*Client, func() error) {
	t.Helper()
	if len(argv) > 1 {
		path, err := exec.LookPath(argv[0])
		if err != nil {
			t.Skip(err)
		}
		argv[0] = path
	} else {
		argv = []string{"/proc/self/exe", argv[0]}
	}
	c, err := Start(argv)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(cancel)
	return c, func() error { cancel(); return <-done }
}

// emptyNetwork leaves the calling thread a network without any table, until the test ends.
func emptyNetwork(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a network namespace")
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine of the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
}

func command(t *testing.T, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
}

// TestRealClient asks for the text of rules that nft and iptables made. The process that lists them
// is not root, and can do no more than that.
func TestRealClient(t *testing.T) {
	emptyNetwork(t)
	command(t, "nft", "add table inet x; add chain inet x in { type filter hook input priority 0; }; add rule inet x in tcp dport 22 counter drop")
	command(t, "iptables-nft", "-A", "INPUT", "-p", "tcp", "--dport", "23", "-m", "comment", "--comment", "a b", "-j", "DROP")
	c, end := running(t, asLister)
	handle := uint64(2)
	for _, tt := range []struct {
		rule Rule
		want string
	}{
		{Rule{Program: "nft", Family: "inet", Table: "x", Chain: "in", Handle: handle}, "tcp dport 22 counter packets 0 bytes 0 drop"},
		{Rule{Program: "nft", Family: "inet", Table: "x", Chain: "in", Handle: 999}, ""},
		{Rule{Program: "iptables-nft", Table: "filter", Chain: "INPUT", Number: 1}, `-A INPUT -p tcp -m tcp --dport 23 -m comment --comment "a b" -j DROP`},
		{Rule{Program: "ip6tables-nft", Table: "filter", Chain: "INPUT", Number: 1}, ""},
	} {
		here, _ := Text(t.Context(), tt.rule)
		if got, err := c.Text(t.Context(), tt.rule); got != tt.want || err != nil || here != got {
			t.Errorf("%+v: %q, %v; want %q, here %q", tt.rule, got, err, tt.want, here)
		}
	}
	for _, r := range []Rule{
		{Program: "nft", Family: "inet", Table: "x", Chain: "missing"},
		{Program: "nft", Family: "inet", Table: "x", Chain: "in; flush ruleset"},
	} {
		if got, err := c.Text(t.Context(), r); got != "" || err == nil || errors.Is(err, ErrEnded) {
			t.Errorf("%+v: %q, %v", r, got, err)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Uid:\t65534\t65534\t65534\t65534", "Gid:\t65534\t65534\t65534\t65534", "Groups:\t \n", "NoNewPrivs:\t1\n",
		"CapPrm:\t0000000000001000", "CapEff:\t0000000000001000", "CapAmb:\t0000000000001000"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("it does not have %q:\n%s", want, status)
		}
	}
	if session, err := unix.Getsid(c.process.Pid); session != c.process.Pid || err != nil {
		t.Errorf("it is in session %d, %v", session, err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	for unix.Kill(c.process.Pid, 0) == nil { // one that looks for races takes a second to end
		runtime.Gosched()
	}
}

// TestRealClientOfABoundedRoot lists where root cannot become another user, as in a container.
func TestRealClientOfABoundedRoot(t *testing.T) {
	emptyNetwork(t)
	command(t, "nft", "add table ip x; add chain ip x in; add rule ip x in drop")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c, end := running(t, "setpriv", "--bounding-set=-all,+net_admin", program, asLister)
	if got, err := c.Text(t.Context(), Rule{Program: "nft", Family: "ip", Table: "x", Chain: "in", Handle: 2}); got != "drop" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestEndedProcess has processes that end, or do not answer as they should.
func TestEndedProcess(t *testing.T) {
	for _, as := range []string{asMute, asLiar} {
		c, end := running(t, as)
		<-c.ended
		if text, err := c.Text(t.Context(), Rule{Program: "nft", Family: "ip", Table: "a", Chain: "b"}); text != "" || !errors.Is(err, ErrEnded) {
			t.Errorf("%s: %q, %v", as, text, err)
		}
		if err := end(); !errors.Is(err, ErrEnded) {
			t.Errorf("%s: %v", as, err)
		}
	}
	if _, err := Start([]string{"/nonexistent"}); err == nil {
		t.Error("no program was started")
	}
}

// TestRealKilledProcess kills the process that lists.
func TestRealKilledProcess(t *testing.T) {
	emptyNetwork(t)
	c, end := running(t, asLister)
	if _, err := c.Text(t.Context(), Rule{Program: "nft", Family: "ip", Table: "a", Chain: "b"}); err == nil || errors.Is(err, ErrEnded) {
		t.Errorf("a chain that is not there: %v", err)
	}
	if err := c.process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-c.ended
	if err := end(); !errors.Is(err, ErrEnded) {
		t.Error(err)
	}
}

// TestRealCancelledQuestion: the answer that nobody waits for is not taken for that of the next
// question.
func TestRealCancelledQuestion(t *testing.T) {
	emptyNetwork(t)
	command(t, "nft", "add table ip x; add chain ip x in; add rule ip x in drop; add rule ip x in accept")
	c, end := running(t, asLister)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := Rule{Program: "nft", Family: "ip", Table: "x", Chain: "in", Handle: 2}
	for range 3 {
		if _, err := c.Text(ctx, r); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	r.Handle = 3
	if got, err := c.Text(t.Context(), r); got != "accept" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestRealAttempts lets a process that lists, and a program that it starts, try what they must not
// be able to do.
func TestRealAttempts(t *testing.T) {
	emptyNetwork(t)
	path := filepath.Join(t.TempDir(), "helper")
	for _, kind := range []string{"unix", "unixpacket"} {
		listener, err := net.Listen(kind, path+kind)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		if err := errors.Join(os.Chmod(path+kind, 0o777), os.Chmod(filepath.Dir(path), 0o777)); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "/proc/self/exe", asAttempt, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name := range attempts {
		if n := strings.Count(string(out), "refused: "+name+"\n"); n != 2 {
			t.Errorf("%s: refused %d times, want 2:\n%s", name, n, out)
		}
	}
}

// TestServeRefuses sends what is no question. Who asks may have been taken over.
func TestServeRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"":     `^ <nil>$`,
		"{}\n": `^\{"question":0,"error":"listing a chain: \\"\\" is no name that  reads"\}\n <nil>$`,
		"{\"program\":\"sh\",\"table\":\"a\",\"chain\":\"b\"}\n": `nothing lists family \\"\\" by \\"sh\\""\}\n <nil>$`,
		"nft\n":                   `^ reading a question for a rule: invalid`,
		"{}":                      `^ reading a question for a rule: EOF$`,
		strings.Repeat("x", 5000): `^ reading a question for a rule: bufio: buffer full$`,
	} {
		var out bytes.Buffer
		err := Serve(t.Context(), strings.NewReader(in), &out)
		if got := fmt.Sprintf("%s %v", out.String(), err); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%.20q: %q, want %q", in, got, want)
		}
	}
}
