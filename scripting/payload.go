package scripting

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/daemon/engine"
)

const (
	maxDatagram  = 65507 // bytes that a UDP datagram can carry over IPv4
	maxPositions = 16    // entries of bytes
	maxBytes     = 256   // bytes of one entry, and of prefix
)

// A payloadDraft is the payload test of a door while its options are read.
type payloadDraft struct {
	first  value // of the options that were given; its lua is nil when none was
	length bool
	test   engine.PayloadTest
	bytes  []payloadBytes
}

// payloadBytes are bytes of the test, with their place for messages.
type payloadBytes struct {
	engine.PayloadBytes
	from value
}

// payloadOptions are the options of a listener, and of a door with one knock.
func payloadOptions() []option[draft] {
	const whose = " For a listener, or a door with one knock."
	return []option[draft]{
		{Option{"length", `a number of bytes, or a range such as "20-64"`, "", "How long the payload of a packet must be. A packet that fails this test is no knock: it uses up no limit, and no function sees it." + whose},
			func(v value, d *draft) { d.payload.readLength(v) }},
		{Option{"prefix", "a string of up to 256 bytes", "", "What the payload of a packet must begin with. It is tested like length." + whose},
			func(v value, d *draft) { d.payload.readPrefix(v) }},
		{Option{"bytes", "a table of positions and strings", "", "What the payload of a packet must have at some positions, counted from 1 as in payload:sub: `{ [5] = \"v1\", [20] = \"\\n\" }`. It is tested like length." + whose},
			func(v value, d *draft) { d.payload.readBytes(v) }},
	}
}

// given notes that an option was given.
func (p *payloadDraft) given(v value) {
	if p.first.lua == nil {
		p.first = v
	}
}

// readLength reads 20, or "20-64".
func (p *payloadDraft) readLength(v value) {
	p.given(v)
	p.length = true
	if text, ok := v.lua.(lua.LString); ok {
		low, high, ranged := strings.Cut(string(text), "-")
		from, err1 := strconv.ParseUint(low, 10, 16)
		to, err2 := strconv.ParseUint(high, 10, 16)
		if !ranged || err1 != nil || err2 != nil || from > to || to > maxDatagram {
			v.fail(`%q is no length: expected a number of bytes such as 20, or a range such as "20-64"; a packet has at most %d`, string(text), maxDatagram)
			return
		}
		p.test.Min, p.test.Max = int(from), int(to)
		return
	}
	if v.lua.Type() != lua.LTNumber {
		v.expected(`a number of bytes, or a range such as "20-64"`)
		return
	}
	n, _ := v.integer(0, maxDatagram)
	p.test.Min, p.test.Max = n, n
}

func (p *payloadDraft) readPrefix(v value) {
	p.given(v)
	if text, ok := v.text(); ok {
		p.addBytes(v, 1, text)
	}
}

// readBytes reads { [5] = "v1", [20] = "\n" }.
func (p *payloadDraft) readBytes(v value) {
	p.given(v)
	table, ok := as[*lua.LTable](v, `a table of positions and strings, such as { [5] = "v1" }`)
	if !ok {
		return
	}
	count := 0
	for key, element := range v.entries(table) {
		at, isNumber := key.(lua.LNumber)
		text, isText := element.(lua.LString)
		switch count++; {
		case !isNumber || at < 1 || at > maxDatagram || float64(at) != math.Trunc(float64(at)):
			v.fail(`the position %s: expected a whole number from 1 to %d, as in { [5] = "v1" }`, keyText(key), maxDatagram)
		case !isText:
			v.fail("position %s: expected a string, got %s", keyText(key), describe(element))
		default:
			p.addBytes(v, int(at), string(text))
		}
	}
	if count < 1 || count > maxPositions {
		v.fail("expected 1 to %d positions, got %d", maxPositions, count)
	}
}

// addBytes adds bytes at a position, which is counted from 1.
func (p *payloadDraft) addBytes(v value, at int, text string) {
	switch {
	case text == "":
		v.fail("expected a string of 1 to %d bytes, got an empty one", maxBytes)
		return
	case len(text) > maxBytes:
		v.fail("expected a string of 1 to %d bytes, got %d", maxBytes, len(text))
		return
	}
	p.bytes = append(p.bytes, payloadBytes{engine.PayloadBytes{At: at - 1, Text: text}, v})
}

// readPayload gives the door its payload test, after all other options were read.
func (d *draft) readPayload() {
	p := &d.payload
	switch knocks := len(d.door.Sequence); {
	case p.first.lua == nil:
		return
	case d.knockd() && !d.door.Listen:
		p.first.fail(decidedByKnockd, "and it looks at no payload")
		return
	case !d.door.Listen && d.oneTime.lua != nil:
		p.first.fail("a door with one_time_sequences tests no payload: leave it out")
		return
	case !d.door.Listen && knocks > 1:
		p.first.fail("this door has %d knocks: length, prefix and bytes are for a listener, or a door with one knock: leave it out, or look at attempt.payload in on_stage", knocks)
		return
	}
	if !p.length {
		p.test.Max = engine.AnyLength
	}
	if p.agree() {
		d.door.Payload = &p.test
	}
}

// agree takes over the bytes, and reports whether some payload can pass.
func (p *payloadDraft) agree() bool {
	known := map[int]byte{}
	for _, r := range p.bytes {
		if end := r.At + len(r.Text); end > p.test.Max {
			r.from.fail("no packet can pass: it needs a payload of %d bytes, and length is %s", end, p.test.LengthText())
			return false
		}
		for i := range len(r.Text) {
			at := r.At + i
			if was, there := known[at]; there && was != r.Text[i] {
				r.from.fail("no packet can pass: byte %d would have to be %s and %s", at+1, quoted(was), quoted(r.Text[i]))
				return false
			}
			known[at] = r.Text[i]
		}
		p.test.Bytes = append(p.test.Bytes, r.PayloadBytes)
	}
	return true
}

func quoted(b byte) string { return fmt.Sprintf("%+q", string([]byte{b})) }
