package lint

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"

	"sesame/daemon/packet"
)

// ReadMachine reads a machine from its /proc. Files that do not exist are left
// out: a machine may lack IPv6, and other systems than Linux have none of them.
// What could be read is returned beside the error.
func ReadMachine(proc fs.FS) (*Machine, error) {
	m := &Machine{}
	var wrong []error
	read := func(path string, take func(text string) error) {
		text, err := fs.ReadFile(proc, path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return
		case err == nil:
			err = take(string(text))
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("reading /proc/%s: %w", path, err))
		}
	}
	for _, name := range []string{"tcp", "tcp6", "udp", "udp6"} {
		protocol := packet.TCP
		if strings.HasPrefix(name, "udp") {
			protocol = packet.UDP
		}
		read("net/"+name, func(text string) error {
			sockets, err := parseSockets(text, protocol, binary.NativeEndian)
			m.Sockets = append(m.Sockets, sockets...)
			return err
		})
	}
	read("sys/net/ipv4/ip_local_port_range", func(text string) (err error) {
		m.Ephemeral, err = parseRange(text)
		return err
	})
	read("sys/net/ipv4/ip_local_reserved_ports", func(text string) (err error) {
		m.Reserved, err = parseReserved(text)
		return err
	})
	read("sys/net/ipv4/tcp_syncookies", func(text string) (err error) {
		if m.SYNCookies, err = strconv.Atoi(strings.TrimSpace(text)); err != nil {
			return fmt.Errorf("%q: expected a number", text)
		}
		return nil
	})
	read("net/if_inet6", func(text string) (err error) {
		m.IPv6, err = parseAddresses6(text)
		return err
	})
	return m, errors.Join(wrong...)
}

// parseAddresses6 reports whether /proc/net/if_inet6 lists a global address. A line has the
// address, the index, the prefix length, the scope and the flags in hexadecimal, and the name; a
// scope of 00 is global (IPV6_ADDR_SCOPE_MASK in net/ipv6.h).
func parseAddresses6(text string) (global bool, err error) {
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case len(fields) < 6:
			return global, fmt.Errorf("line %d: %d fields, expected 6", i+1, len(fields))
		case fields[3] == "00":
			global = true
		}
	}
	return global, nil
}

// The states of sockets that receive packets from others, as /proc/net writes
// them: TCP_LISTEN, and for UDP TCP_CLOSE, which means not connected.
var waits = map[packet.Proto]string{packet.TCP: "0A", packet.UDP: "07"}

// parseSockets reads the sockets that receive packets from others from
// /proc/net/tcp or a file of the same format. The byte order is that of the
// machine.
func parseSockets(text string, protocol packet.Proto, order binary.ByteOrder) ([]Socket, error) {
	var sockets []Socket
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		fields := strings.Fields(line)
		switch {
		case i == 0 || len(fields) == 0: // the heading
			continue
		case len(fields) < 4:
			return nil, fmt.Errorf("line %d: %d fields, expected 4 or more", i+1, len(fields))
		case fields[3] != waits[protocol]:
			continue
		}
		address, number, err := parseAddress(fields[1], order)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
		sockets = append(sockets, Socket{Port: packet.Port{Proto: protocol, Number: number}, Address: address})
	}
	return sockets, nil
}

// parseAddress reads "0100007F:0035". The address is written in words of 32
// bits, each as a number in the byte order of the machine. The port is a plain
// number.
func parseAddress(text string, order binary.ByteOrder) (netip.Addr, uint16, error) {
	words, port, _ := strings.Cut(text, ":")
	number, wrong := strconv.ParseUint(port, 16, 16)
	data, err := hex.DecodeString(words)
	if wrong != nil || err != nil || len(data) != 4 && len(data) != 16 {
		return netip.Addr{}, 0, fmt.Errorf("%q: expected an address and a port in hexadecimal", text)
	}
	for word := range len(data) / 4 {
		at := data[4*word:]
		order.PutUint32(at, binary.BigEndian.Uint32(at))
	}
	address, _ := netip.AddrFromSlice(data)
	return address.Unmap(), uint16(number), nil
}

// parseRange reads "32768 60999".
func parseRange(text string) (Ports, error) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return Ports{}, fmt.Errorf("%q: expected two ports", text)
	}
	return parsePorts(fields[0], fields[1])
}

// parseReserved reads "8080,9148,30000-30100".
func parseReserved(text string) ([]Ports, error) {
	var all []Ports
	for field := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		if field == "" {
			continue
		}
		first, last, isRange := strings.Cut(field, "-")
		if !isRange {
			last = first
		}
		ports, err := parsePorts(first, last)
		if err != nil {
			return nil, err
		}
		all = append(all, ports)
	}
	return all, nil
}

func parsePorts(first, last string) (Ports, error) {
	low, err := strconv.ParseUint(first, 10, 16)
	if err != nil {
		return Ports{}, fmt.Errorf("%q: expected a port", first)
	}
	high, err := strconv.ParseUint(last, 10, 16)
	if err != nil {
		return Ports{}, fmt.Errorf("%q: expected a port", last)
	}
	return Ports{First: uint16(low), Last: uint16(high)}, nil
}
