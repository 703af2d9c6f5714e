package control

import (
	"fmt"
	"net/netip"
	"time"

	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

// A Source is an address or a network, written as in the transcript: an address has no prefix
// length, and the zero Source is empty.
type Source struct{ netip.Prefix }

func (s Source) String() string { return transcript.Source(s.Prefix) }

// MarshalText is String.
func (s Source) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is [ParseSource].
func (s *Source) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSource(string(text))
	return err
}

// A Port is written "tcp/22".
type Port struct{ packet.Port }

// MarshalText returns the empty text for the zero Port.
func (p Port) MarshalText() ([]byte, error) {
	if p.Port == (packet.Port{}) {
		return nil, nil
	}
	return []byte(p.String()), nil
}

// UnmarshalText is [packet.ParsePort].
func (p *Port) UnmarshalText(text []byte) (err error) {
	p.Port, err = packet.ParsePort(string(text))
	return err
}

// A Duration is written in the transcript's form: "1m30s", "2h".
type Duration time.Duration

func (d Duration) String() string { return transcript.Duration(time.Duration(d)) }

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what [time.ParseDuration] reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf(`%q is not a duration: expected a number with a unit, such as "8s", "1m30s" or "2h"`, text)
	}
	*d = Duration(parsed)
	return nil
}
