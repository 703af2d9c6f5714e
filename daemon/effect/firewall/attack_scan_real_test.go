package firewall

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

// scans are kinds of scans that nmap has. Those of odd flags have no names.
var (
	scans    = []string{"-sS", "-sT", "-sA", "-sF", "-sN", "-sX", "-sM", "-sU", "--scanflags URG"}
	oddScans = []string{
		"-sW", "--scanflags PSH", "--scanflags SYNURG", "--scanflags FINURG", "--scanflags SYNFIN", "--scanflags ECECWR", "--scanflags SYNECECWR",
		"--scanflags SYNPSH", "--scanflags URGPSHFIN", "-sF --scanflags URG", "-sF --scanflags PSH", "-sA --scanflags ACKURG",
	}
)

type nmapRun struct {
	Hosts []struct {
		Ports []struct {
			Protocol string `xml:"protocol,attr"`
			Number   uint16 `xml:"portid,attr"`
			State    struct {
				State  string `xml:"state,attr"`
				Reason string `xml:"reason,attr"`
				TTL    string `xml:"reason_ttl,attr"`
			} `xml:"state"`
		} `xml:"ports>port"`
		// Many ports in one state are not listed one by one.
		Others []struct {
			State   string `xml:"state,attr"`
			Reasons []struct {
				Reason string `xml:"reason,attr"`
				Ports  string `xml:"ports,attr"` // "1001-1009,1011"
			} `xml:"extrareasons"`
		} `xml:"ports>extraports"`
	} `xml:"host"`
}

// nmap runs scans of ports of the server, all at once, since most of their time they wait. It
// returns what each says of each port. For a later try it waits longer for answers.
func (a *attack) nmap(try int, target string, scans []string, ports ...uint16) map[string]map[uint16]string {
	a.t.Helper()
	a.needs("nmap")
	runs := make([]*exec.Cmd, len(scans))
	outputs := make([]bytes.Buffer, len(scans))
	a.atClient(func() {
		for i, scan := range scans {
			argv := strings.Fields("-n -Pn -r --reason -oX - --disable-arp-ping " + scan)
			// Without a least time nmap waits 100 ms when earlier answers came at once.
			wait := fmt.Sprint(100<<min(2*try, 6), "ms")
			argv = append(argv, "--max-retries", fmt.Sprint(1+try), "--min-rtt-timeout", wait, "--initial-rtt-timeout", wait, "--max-rtt-timeout", fmt.Sprint(200<<min(2*try, 6), "ms"))
			if strings.Contains(target, ":") {
				argv = append(argv, "-6")
			}
			argv = append(argv, "-p", strings.Trim(strings.ReplaceAll(fmt.Sprint(ports), " ", ","), "[]"), target)
			runs[i] = exec.Command("nmap", argv...)
			runs[i].Stdout = &outputs[i]
			must(a.t, runs[i].Start())
		}
	})
	said := map[string]map[uint16]string{}
	for i, scan := range scans {
		must(a.t, runs[i].Wait())
		said[scan] = states(a.t, outputs[i].Bytes())
		a.tries += len(ports)
		if len(said[scan]) != len(ports) {
			a.t.Fatalf("%v: says something of %d ports\n%s", runs[i], len(said[scan]), outputs[i].Bytes())
		}
	}
	return said
}

// states reads nmap's output, and returns what it says of each port.
func states(t testing.TB, output []byte) map[uint16]string {
	t.Helper()
	var run nmapRun
	must(t, xml.Unmarshal(output, &run))
	said := map[uint16]string{}
	for _, host := range run.Hosts {
		for _, port := range host.Ports {
			said[port.Number] = fmt.Sprintf("%s, %s, TTL %s", port.State.State, port.State.Reason, port.State.TTL)
		}
		for _, others := range host.Others {
			for _, reason := range others.Reasons {
				for span := range strings.SplitSeq(reason.Ports, ",") {
					var first, last uint16
					if n, _ := fmt.Sscanf(span, "%d-%d", &first, &last); n < 2 {
						last = first
					}
					for port := first; port <= last; port++ {
						said[port] = others.State + ", " + reason.Reason
					}
				}
			}
		}
	}
	return said
}

// TestRealScansTellNothing scans a guarded port with a service, a guarded one without, and a closed
// one. nmap must say the same of all three.
func TestRealScansTellNothing(t *testing.T) {
	for _, host := range hosts {
		t.Run(host.name, func(t *testing.T) {
			a := newAttack(t)
			if host.rules != "" {
				a.run(host.rules, "nft", "-f", "-")
			}
			a.listen(":22")
			udp22 := packet.Port{Proto: packet.UDP, Number: 22}
			udp := a.serve(udp22)
			a.guarded(GuardConfig{}, tcp22, tcp23, udp22, udp23)
			for _, target := range []string{serverAddress, server6Address} {
				some := scans
				if host.rules == "" && target == serverAddress {
					some = slices.Concat(scans, oddScans)
				}
				for scan, said := range a.nmap(0, target, some, 22, 23, 81) {
					// On a busy machine an answer may be too late for nmap. A difference that
					// tells something is there each time, also with 6 s for an answer.
					for try := 1; try <= 5 && (said[22] != said[81] || said[23] != said[81]); try++ {
						said = a.nmap(try, target, []string{scan}, 22, 23, 81)[scan]
					}
					if said[22] != said[81] || said[23] != said[81] {
						t.Errorf("nmap %s %s: of a guarded port with a service %q, without %q, of a closed one %q", scan, target, said[22], said[23], said[81])
					}
				}
			}
			if n := udp.received(); n > 0 {
				t.Errorf("a guarded service received %d datagrams", n)
			}
		})
	}
}

// TestRealScansFindGrants is the counterpart: nmap does see what is open.
func TestRealScansFindGrants(t *testing.T) {
	a := newAttack(t)
	a.listen(":22")
	a.listen(":80")
	g := a.guarded(GuardConfig{}, tcp22)
	apply(t, g, element(clientAddress, tcp22, generous*10), element(client6Address, tcp22, generous*10))
	for _, target := range []string{serverAddress, server6Address} {
		said := a.nmap(2, target, []string{"-sS"}, 22, 80, 81)["-sS"]
		var open []uint16
		for port, state := range said {
			if strings.HasPrefix(state, "open,") {
				open = append(open, port)
			}
		}
		slices.Sort(open)
		if diff := cmp.Diff([]uint16{22, 80}, open); diff != "" {
			t.Errorf("%s: open ports (-want +got):\n%s", target, diff)
		}
	}
}

// TestRealAllPortsLookAlike scans many ports, of which every tenth is guarded: by state and reason
// the guarded ones are not to be found.
func TestRealAllPortsLookAlike(t *testing.T) {
	a := newAttack(t)
	a.listen(":1010")
	var guards []packet.Port
	var ports []uint16
	for port := uint16(1000); port < 1100; port++ {
		ports = append(ports, port)
		if port%10 == 0 {
			guards = append(guards, packet.Port{Proto: packet.TCP, Number: port}, packet.Port{Proto: packet.UDP, Number: port})
		}
	}
	a.guarded(GuardConfig{}, guards...)
	for _, target := range []string{serverAddress, server6Address} {
		for scan, said := range a.nmap(0, target, []string{"-sS", "-sF", "-sA", "-sU"}, ports...) {
			for try := 1; try <= 5 && len(kinds(said)) > 1; try++ {
				said = a.nmap(try, target, []string{scan}, ports...)[scan]
			}
			if len(kinds(said)) > 1 {
				t.Errorf("nmap %s %s: ports differ: %v", scan, target, kinds(said))
			}
		}
	}
}

func kinds(said map[uint16]string) []string {
	return slices.Compact(slices.Sorted(maps.Values(said)))
}
