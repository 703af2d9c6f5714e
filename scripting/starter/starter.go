// Package starter turns randomness into the files that somebody begins with: a first door with
// ports of its own, its tests, a capture that opens it, and settings for editors.
package starter

import (
	"crypto/rand"
	_ "embed" // for the texts
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"text/template"

	"sesame/daemon/packet"
	"sesame/scripting"
	"sesame/scripting/lint"
	"sesame/scripting/source"
	"sesame/simulate/opening"
)

// A File is a file to be written.
type File struct {
	Path string // below the directory of the scripts, with slashes
	Text []byte
	What string // what it is, in a few words
	// Anew means that the file is made by the program alone, so a newer program may write it again.
	Anew bool
}

// Templates of the first door and of its tests.
var (
	//go:embed door.lua.tmpl
	doorText string
	//go:embed door_test.lua.tmpl
	testText string
)

const (
	knocks = 4 // enough that "sesame check" finds nothing
	// Ports below the first are often in use by services. Those beyond the last are what machines
	// take for their own connections (net.ipv4.ip_local_port_range).
	firstPort, lastPort = 1024, 32767
	// draws bounds how often ports are drawn. Draws with a finding of "sesame check", such as ports
	// side by side, are rare.
	draws = 1000
)

// A door is what the templates are filled with.
type door struct {
	Guards   packet.Port
	Sequence []packet.Port
	Source   string // of the capture
}

// Door returns the files of a first door, named ssh, to a port that it guards. The knocks are drawn
// from random; nil: from [crypto/rand.Reader]. They are the secret of the door.
func Door(guards packet.Port, random io.Reader) ([]File, error) {
	if random == nil {
		random = rand.Reader
	}
	for range draws {
		d := &door{Guards: guards}
		if err := d.draw(random); err != nil {
			return nil, fmt.Errorf("drawing ports: %w", err)
		}
		files, err := d.files()
		if err != nil || files != nil {
			return files, err
		}
	}
	return nil, fmt.Errorf("no ports for a first door were found in %d draws: try again", draws)
}

// draw draws the ports of the sequence. No two of them are the same.
func (d *door) draw(random io.Reader) error {
	for len(d.Sequence) < knocks {
		var drawn [3]byte
		if _, err := io.ReadFull(random, drawn[:]); err != nil {
			return err
		}
		port := packet.Port{Proto: packet.TCP, Number: binary.BigEndian.Uint16(drawn[:2])}
		if drawn[2]%2 == 1 {
			port.Proto = packet.UDP
		}
		if port.Number < firstPort || port.Number > lastPort || port == d.Guards || d.has(port.Number) {
			continue
		}
		d.Sequence = append(d.Sequence, port)
	}
	return nil
}

func (d *door) has(number uint16) bool {
	for _, p := range d.Sequence {
		if p.Number == number {
			return true
		}
	}
	return false
}

// files returns the files of the door; nil when there is a finding about its ports.
func (d *door) files() ([]File, error) {
	text, err := d.fill(doorText)
	if err != nil {
		return nil, err
	}
	set, err := scripting.Load(source.Of(".", "", []source.File{{Path: "ssh.lua", Source: text}}), scripting.Options{})
	if err != nil {
		return nil, fmt.Errorf("loading the first door: %w", err)
	}
	defer set.Close()
	if len(lint.Check(set)) > 0 {
		return nil, nil
	}
	capture, visits, err := opening.Capture(set.Engine.Doors)
	if err != nil {
		return nil, fmt.Errorf("making the test capture: %w", err)
	}
	d.Source = visits[0].Source.String()
	test, err := d.fill(testText)
	if err != nil {
		return nil, err
	}
	return []File{
		{Path: "ssh.lua", Text: text, What: "a door, with ports that were drawn for you"},
		{Path: "ssh_test.lua", Text: test, What: "its tests"},
		{Path: "captures/ssh-opens.pcap", Text: capture, What: "packets that open it, for a test"},
	}, nil
}

// fill fills a template.
func (d *door) fill(text string) ([]byte, error) {
	t, err := template.New("").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("reading a template: %w", err)
	}
	var b strings.Builder
	if err := t.Execute(&b, d); err != nil {
		return nil, fmt.Errorf("filling a template: %w", err)
	}
	return []byte(b.String()), nil
}

// Quoted returns the sequence as a script has it.
func (d *door) Quoted() string {
	texts := make([]string, len(d.Sequence))
	for i, p := range d.Sequence {
		texts[i] = `"` + p.String() + `"`
	}
	return strings.Join(texts, ", ")
}

// Then returns the flag with which "knock" tells whether the port opened. It can do so for TCP
// alone.
func (d *door) Then() string {
	if d.Guards.Proto != packet.TCP {
		return ""
	}
	return "--then " + d.Guards.String() + " "
}

// Client returns the ports as "knock" takes them.
func (d *door) Client() string {
	return strings.ReplaceAll(strings.ReplaceAll(d.Quoted(), `"`, ""), ",", "")
}
