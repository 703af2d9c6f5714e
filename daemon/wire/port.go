package wire

import (
	"encoding/json"
	"fmt"
	"strings"

	"sesame/daemon/packet"
)

// A Port is a port of TCP or UDP, written "tcp/22". The zero Port is none.
type Port packet.Port

// exists reports whether p is none or a port that a packet can be sent to.
func (p Port) exists() bool {
	return p == Port{} || (p.Proto == packet.TCP || p.Proto == packet.UDP) && p.Number != 0
}

// MarshalJSON writes "tcp/22", and the empty string for none. Any other protocol is an error.
func (p Port) MarshalJSON() ([]byte, error) {
	switch {
	case p == Port{}:
		return []byte(`""`), nil
	case !p.exists():
		return nil, fmt.Errorf("port %d/%d does not exist", p.Proto, p.Number)
	}
	return []byte(`"` + packet.Port(p).String() + `"`), nil
}

// UnmarshalJSON reads what MarshalJSON writes, and {"Proto":1,"Number":22} as version 1 of
// recordings had it.
func (p *Port) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		if err := json.Unmarshal(b, (*packet.Port)(p)); err != nil {
			return err
		}
		if !p.exists() {
			return fmt.Errorf("port %d/%d does not exist", p.Proto, p.Number)
		}
		return nil
	}
	text, quoted := strings.CutPrefix(string(b), `"`)
	text, ended := strings.CutSuffix(text, `"`)
	switch {
	case text == "" || text == "null" && !quoted:
		*p = Port{}
		return nil
	case !quoted || !ended:
		return fmt.Errorf("port %.20s: expected a string", b)
	}
	port, err := packet.ParsePort(text)
	*p = Port(port)
	return err
}
