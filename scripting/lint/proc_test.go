package lint

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

// What Linux writes on a machine that stores the low byte first.
const (
	tcpText = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     
   0: 00000000:01BB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 637 1 000000005cc96171 100 0 0 10 0                       
   1: 0100007F:0277 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 638 1 000000005cc96172 100 0 0 10 0                       
   2: 016433C6:0016 097100CB:D431 01 00000000:00000000 02:000A8D4F 00000000     0        0 639 2 000000005cc96173 20 4 29 10 -1                      
`
	tcp6Text = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 700 1 0000000000000000 100 0 0 10 0
   1: B80D01200000000000000000F1C00000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 701 1 0000000000000000 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 702 1 0000000000000000 100 0 0 10 0
`
	udpText = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            
  302: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 20000 2 0000000000000000 0         
  303: 00000000:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 20001 2 0000000000000000 0         
  304: 016433C6:D903 097100CB:0035 01 00000000:00000000 00:00000000 00000000     0        0 20002 2 0000000000000000 0         
`
)

func TestParseSockets(t *testing.T) {
	for _, test := range []struct {
		name, text string
		protocol   packet.Proto
		want       []string
	}{
		{"tcp", tcpText, packet.TCP, []string{"tcp/443 at 0.0.0.0", "tcp/631 at 127.0.0.1"}},
		{"tcp6", tcp6Text, packet.TCP, []string{"tcp/22 at ::", "tcp/8080 at 2001:db8::c0f1", "tcp/8081 at 127.0.0.1"}},
		{"udp", udpText, packet.UDP, []string{"udp/53 at 127.0.0.53", "udp/514 at 0.0.0.0"}},
		{"the heading alone", strings.SplitAfter(udpText, "\n")[0], packet.UDP, nil},
		{"nothing", "", packet.UDP, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			sockets, err := parseSockets(test.text, test.protocol, binary.LittleEndian)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range sockets {
				got = append(got, s.Port.String()+" at "+s.Address.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("sockets (-want +got):\n%s", diff)
			}
		})
	}
}

// On a machine that stores the high byte first, the same address looks different.
func TestParseSocketsInTheOtherOrder(t *testing.T) {
	sockets, err := parseSockets("heading\n0: 7F000001:0277 00000000:0000 0A\n", packet.TCP, binary.BigEndian)
	if err != nil || len(sockets) != 1 || sockets[0].Address != netip.MustParseAddr("127.0.0.1") || sockets[0].Port.Number != 631 {
		t.Errorf("got %+v, %v, want tcp/631 at 127.0.0.1", sockets, err)
	}
}

func TestParseSocketsRefuses(t *testing.T) {
	for line, want := range map[string]string{
		"0: 0100007F:0277":                           "line 2: 2 fields, expected 4 or more",
		"0: 0100007F 00000000:0000 0A":               `line 2: "0100007F": expected an address and a port in hexadecimal`,
		"0: 0100007F:10000 00000000:0000 0A":         `line 2: "0100007F:10000": expected an address and a port in hexadecimal`,
		"0: 0100007:0016 00000000:0000 0A":           `line 2: "0100007:0016": expected an address and a port in hexadecimal`,
		"0: 0100007F0100007F:0016 00000000:0000 0A":  `line 2: "0100007F0100007F:0016": expected an address and a port in hexadecimal`,
		"0: 127.0.0.1:0016 00000000:0000 0A 0000000": `line 2: "127.0.0.1:0016": expected an address and a port in hexadecimal`,
	} {
		if _, err := parseSockets("heading\n"+line, packet.TCP, binary.LittleEndian); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
}

func TestReadMachine(t *testing.T) {
	files := func(texts map[string]string) fstest.MapFS {
		proc := fstest.MapFS{}
		for path, text := range texts {
			proc[path] = &fstest.MapFile{Data: []byte(text)}
		}
		return proc
	}
	for _, test := range []struct {
		name  string
		proc  fstest.MapFS
		want  Machine
		error string
	}{
		{"no Linux", fstest.MapFS{}, Machine{}, ""},
		{"ranges", files(map[string]string{
			"sys/net/ipv4/ip_local_port_range":     "32768\t60999\n",
			"sys/net/ipv4/ip_local_reserved_ports": "8080,9148,30000-30100\n",
		}), Machine{Ephemeral: Ports{First: 32768, Last: 60999}, Reserved: []Ports{{First: 8080, Last: 8080}, {First: 9148, Last: 9148}, {First: 30000, Last: 30100}}}, ""},
		{"SYN cookies", files(map[string]string{"sys/net/ipv4/tcp_syncookies": "2\n"}), Machine{SYNCookies: 2}, ""},
		{"nothing is reserved", files(map[string]string{"sys/net/ipv4/ip_local_reserved_ports": "\n"}), Machine{}, ""},
		{"no IPv6, and UDP", files(map[string]string{"net/udp": "heading\n0: 00000000:0202 00000000:0000 07\n"}),
			Machine{Sockets: []Socket{{Port: packet.Port{Proto: packet.UDP, Number: 514}, Address: netip.IPv4Unspecified()}}}, ""},
		{"what cannot be understood is told, and the rest read", files(map[string]string{
			"net/tcp":                              "heading\n0: what\n",
			"net/udp6":                             "heading\n0: 00000000000000000000000000000000:0202 0:0 07\n",
			"sys/net/ipv4/ip_local_port_range":     "32768",
			"sys/net/ipv4/ip_local_reserved_ports": "1-x",
			"sys/net/ipv4/tcp_syncookies":          "two",
		}), Machine{Sockets: []Socket{{Port: packet.Port{Proto: packet.UDP, Number: 514}, Address: netip.IPv6Unspecified()}}},
			`reading /proc/net/tcp: line 2: 2 fields, expected 4 or more
reading /proc/sys/net/ipv4/ip_local_port_range: "32768": expected two ports
reading /proc/sys/net/ipv4/ip_local_reserved_ports: "x": expected a port
reading /proc/sys/net/ipv4/tcp_syncookies: "two": expected a number`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ReadMachine(test.proc)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(test.error, text); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(&test.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("machine (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever stands in /proc, reading it ends, and what was read is legal.
func FuzzProc(f *testing.F) {
	f.Add(tcpText)
	f.Add(tcp6Text)
	f.Add(udpText)
	f.Add("32768\t60999\n")
	f.Add("8080,9148,30000-30100\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, protocol := range []packet.Proto{packet.TCP, packet.UDP} {
			sockets, err := parseSockets(text, protocol, binary.LittleEndian)
			if err != nil && sockets != nil {
				t.Errorf("%v, and yet %+v", err, sockets)
			}
			for _, s := range sockets {
				if s.Port.Proto != protocol || !s.Address.IsValid() || s.Address.Is4In6() {
					t.Errorf("socket %+v", s)
				}
			}
		}
		_, _ = parseRange(text)
		_, _ = parseReserved(text)
	})
}
