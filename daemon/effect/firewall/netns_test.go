package firewall

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// Cabled are two network namespaces that nobody else sees, joined by a cable:
// a server, in which the test runs, and a client.
type cabled struct {
	t              testing.TB
	server, client netns.NsHandle
}

const (
	serverAddress  = "198.51.100.1"
	clientAddress  = "198.51.100.2"
	server6Address = "2001:db8::1"
	client6Address = "2001:db8::2"
)

// newCabled makes them. The test's thread stays in it, and ends with the test.
func newCabled(t testing.TB) *cabled {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: a network namespace of its own")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	w := &cabled{t: t}
	w.leavesMachineAlone()
	w.client, w.server = namespace(t), namespace(t)
	must(t, netlink.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: "cable"}, PeerName: "cable", PeerNamespace: netlink.NsFd(w.client),
	}))
	w.address(serverAddress+"/24", server6Address+"/64")
	w.atClient(func() { w.address(clientAddress+"/24", client6Address+"/64") })
	w.connected("cable")
	w.atClient(func() { w.connected("cable") })
	return w
}

// leavesMachineAlone fails a test that makes our table where the test was
// started: a socket that opens on another thread would do that.
func (w *cabled) leavesMachineAlone() {
	machine, err := netns.Get()
	must(w.t, err)
	present := func() bool {
		s := &socket{}
		defer s.close()
		exists, _, err := s.tableState(guardTable)
		must(w.t, err)
		return exists
	}
	before := present()
	w.t.Cleanup(func() {
		must(w.t, netns.Set(machine))
		if present() != before {
			w.t.Error("the test made or removed the table of the machine itself")
		}
		_ = machine.Close()
	})
}

// connected waits until a link carries packets: before that they are lost.
func (w *cabled) connected(name string) {
	w.t.Helper()
	eventually(w.t, name+" is connected", func() bool {
		link, err := netlink.LinkByName(name)
		must(w.t, err)
		return link.Attrs().OperState == netlink.OperUp
	})
}

// namespace makes a network namespace, and enters it.
func namespace(t testing.TB) netns.NsHandle {
	t.Helper()
	ns, err := netns.New()
	if errors.Is(err, os.ErrPermission) {
		t.Skip("needs CAP_SYS_ADMIN: a network namespace is refused")
	}
	must(t, err)
	t.Cleanup(func() { _ = ns.Close() })
	lo, err := netlink.LinkByName("lo")
	must(t, err)
	must(t, netlink.LinkSetUp(lo))
	return ns
}

// address gives the cable addresses, and connects it.
func (w *cabled) address(addresses ...string) {
	w.t.Helper()
	cable, err := netlink.LinkByName("cable")
	must(w.t, err)
	for _, a := range addresses {
		w.addTo(cable, a)
	}
	must(w.t, netlink.LinkSetUp(cable))
}

func (w *cabled) addTo(link netlink.Link, address string) {
	w.t.Helper()
	a, err := netlink.ParseAddr(address)
	must(w.t, err)
	a.Flags = 0x02 // IFA_F_NODAD: an IPv6 address can be used at once
	if a.IP.To4() != nil {
		a.Flags = 0
	}
	must(w.t, netlink.AddrAdd(link, a))
}

// atClient runs f in the client's namespace.
func (w *cabled) atClient(f func()) {
	w.t.Helper()
	must(w.t, netns.Set(w.client))
	defer func() { must(w.t, netns.Set(w.server)) }()
	f()
}

// beside runs f in a goroutine of its own in the server's namespace, and waits
// for it at the end of the test.
func (w *cabled) beside(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := netns.Set(w.server); err != nil {
			w.t.Error(err)
			return
		}
		f()
	}()
	w.t.Cleanup(func() { <-done })
}

// listen accepts and greets at a TCP address of the server.
func (w *cabled) listen(address string) {
	w.t.Helper()
	l, err := net.Listen("tcp", address)
	must(w.t, err)
	w.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				b := make([]byte, 64)
				for {
					n, err := conn.Read(b)
					if err != nil {
						return
					}
					if _, err := conn.Write(b[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
}

const (
	// patience is how long a client waits for an answer that must not come.
	patience = 150 * time.Millisecond
	// generous is how long it waits for one that must come, also on a busy machine.
	generous = 30 * time.Second
)

// reaches reports whether the client can connect where it should; from is its
// address, or "".
func (w *cabled) reaches(from, to string) bool { return w.dial(from, to, generous) }

// slips reports whether the client gets past what should stop it.
func (w *cabled) slips(from, to string) bool { return w.dial(from, to, patience) }

func (w *cabled) dial(from, to string, timeout time.Duration) (ok bool) {
	w.t.Helper()
	dialer := net.Dialer{Timeout: timeout}
	if from != "" {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))
	}
	w.atClient(func() {
		conn, err := dialer.Dial("tcp", to)
		if ok = err == nil; ok {
			_ = conn.Close()
		}
	})
	return ok
}

// needs skips the test where one of these programs is missing.
func (w *cabled) needs(programs ...string) {
	w.t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			w.t.Skipf("needs %s", program)
		}
	}
}

// run runs a command in the server's namespace, and returns what it prints.
func (w *cabled) run(stdin string, argv ...string) string {
	w.t.Helper()
	w.needs(argv[0])
	c := exec.Command(argv[0], argv[1:]...)
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// eventually waits until something holds; what never does ends the test run.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	t.Logf("# waiting until %s", what)
	for !holds() {
		runtime.Gosched()
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
