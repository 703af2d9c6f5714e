package simulate

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/source/sourcetest"
)

// tested returns a door with one knock, whose payload must be SESAME.
func tested(name string, port uint16) *engine.Door {
	d := door(name, port)
	d.Payload = &engine.PayloadTest{Min: 6, Max: 6, Bytes: []engine.PayloadBytes{{Text: "SESAME"}}}
	return d
}

// say sends a SYN with a payload.
func (s *story) say(ms int, source string, port uint16, payload string) {
	s.payload = payload
	s.knock(ms, source, port)
	s.payload = ""
}

func TestAccountOfPayloads(t *testing.T) {
	s := tell(t, tested("bell", 7000), tested("gong", 7001))
	s.say(0, tom, 7000, "SESAM")
	s.say(10, tom, 7000, "SESAMI")
	s.say(20, eve, 7000, "GET / HTTP/1.1")
	s.say(30, tom, 7000, "SESAME")
	s.ends(`
203.0.113.9      bell  opened (packet 4): tcp/22 for 30s
203.0.113.9      bell  no knock 2 times, last (packet 2) because of the payload: it begins with "SESAMI", expected "SESAME"
198.51.100.7     bell  no knock (packet 3) because of the payload: length 14, expected 6
`)
}

// A knock with another payload came.
func TestAKnockWithAnotherPayloadIsNotDenied(t *testing.T) {
	d := tested("bell", 7000)
	d.Sequence = append(d.Sequence, door("", 7001).Sequence...)
	s := tell(t, d)
	s.say(0, tom, 7000, "SESAME")
	s.say(10, tom, 7001, "SESAMI")
	s.ends(`
203.0.113.9      bell  no knock (packet 2) because of the payload: it begins with "SESAMI", expected "SESAME"
203.0.113.9      bell  stopped at 1 of 2: tcp/7001 did not come as a knock before the capture ended; one came (packet 2)
`)
}

// beacon loads scripts/beacon.lua with tokens of its own, one for each honest client.
func beacon(t *testing.T, tokens []string) *scripting.Set {
	t.Helper()
	text, err := os.ReadFile("../scripts/beacon.lua")
	if err != nil {
		t.Fatal(err)
	}
	list := "local tokens = {\n"
	for _, token := range tokens {
		list += fmt.Sprintf("  [%q] = true,\n", token)
	}
	script := strings.Replace(string(text), "local tokens = {\n", list, 1)
	set, err := scripting.Load(sourcetest.Files(map[string]string{"beacon.lua": script}), scripting.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Close)
	return set
}

// A listener is not shut by junk: 5,000 datagrams a second from random sources, and each honest one
// in between opens. That also holds when the junk passes the tests of length and prefix, so that a
// function sees each of it.
func TestJunkDoesNotShutABeacon(t *testing.T) {
	const seconds, rate, honest = 60, 5000, 20
	junk := map[string]func(r *rand.Rand, b []byte) []byte{
		"of any length": func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b))] },
		"of the right length and prefix": func(r *rand.Rand, b []byte) []byte {
			copy(b, "SESA")
			return b[:20]
		},
	}
	for name, fill := range junk {
		t.Run(name, func(t *testing.T) {
			var tokens []string
			for i := range honest {
				tokens = append(tokens, fmt.Sprintf("honest-token-%03d", i))
			}
			r := rand.New(rand.NewPCG(1, 9))
			e := engine.New(engine.Config{}, noon)
			e.Swap(noon, beacon(t, tokens).Engine)
			p := packet.Packet{Dest: netip.MustParseAddr("192.0.2.1"), Port: packet.Port{Proto: packet.UDP, Number: 62201}}
			send := func(i int, source netip.Addr, payload []byte) (opened bool) {
				p.Time, p.Number = noon.Add(time.Duration(i)*time.Second/rate), p.Number+1
				p.Source, p.SourcePort, p.Payload = source, uint16(r.Uint32()), payload
				for _, event := range e.Packet(&p) {
					opened = opened || event.Kind == engine.EventOpen
				}
				return opened
			}
			opened := 0
			var payload [64]byte
			for i := range seconds * rate {
				for at := 0; at < len(payload); at += 8 {
					binary.LittleEndian.PutUint64(payload[at:], r.Uint64())
				}
				var source [4]byte
				binary.BigEndian.PutUint32(source[:], r.Uint32())
				send(i, netip.AddrFrom4(source), fill(r, payload[:]))
				if every := seconds * rate / honest; i%every == every-1 {
					if send(i, netip.MustParseAddr(tom), []byte("SESA"+tokens[i/every])) {
						opened++
					}
				}
			}
			if opened != honest || e.Counts().Refusals != 0 {
				t.Errorf("%d of %d opened, counts %+v", opened, honest, e.Counts())
			}
		})
	}
}
