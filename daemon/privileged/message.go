//go:build linux

package privileged

import (
	"crypto/sha256"
	"fmt"
	"math"
	"net/netip"
)

// ProtocolVersion is the version of the protocol between a daemon and its helper. The two sides are
// mostly one program. They are not while one of them was upgraded and the other was not restarted.
const ProtocolVersion = 1

// Bounds of what a message holds, in bytes or entries.
const (
	maxMessage = 64 << 10
	maxName    = 1024 // of a door or a placeholder
	maxAddress = 64   // of a network as text
	maxValue   = 256  // of a placeholder
	maxValues  = 64   // placeholders of a command
	maxPath    = 4096
	maxLine    = 4095 // of a file of one-time sequences, see [effect.CommentOut]
	maxText    = 8 << 10
	maxOutput  = 16 << 10 // of what a command wrote, made printable
	maxClaims  = 1024     // in one message
)

// A hash identifies a declared command, or an undo: see [commandHash] and [undoHash].
type hash [sha256.Size]byte

// A kind says what a message is.
type kind uint8

const (
	// Of the daemon. The first message is hello.
	kindHello   kind = iota + 1 // version
	kindRead                    // id: read the set; the answer is a set
	kindRun                     // id, hash, door, source, grant, values: run a declared command
	kindUndo                    // id, hash: run an undo that is owed
	kindComment                 // id, file, line: comment out a one-time sequence
	kindCancel                  // id: kill what runs for the request with this id
	kindClaim                   // hashes: of undos that the daemon knows of
	kindSettle                  // run the owed undos that were not claimed

	// Of the helper.
	kindWelcome // version
	kindSet     // id, hash, text: why its commands cannot run; with the descriptor of an archive
	kindDone    // id, outcome, status, text, output, lost
	kindChanged // the set may have changed

	kindApplied // of the daemon; hash: of the set that it runs now
	kindOpen    // of the daemon; id, file: open a file below the directory of the scripts
	kindFile    // of the helper; id; with the descriptor of the file, for reading
	kindFailed  // of the helper; door, line, text: an undo that nobody asked for did not run, and why
	kindReadAt  // of the daemon; id, file: read the set there; the answer is a set
	kindTried   // of the daemon; hash: of the set that it runs, and that may go again
)

// An outcome is how a request ended.
type outcome uint8

const (
	outcomeDone    outcome = iota
	outcomeFailed          // the command ran, and exited with status
	outcomeHung            // it was killed after its time limit
	outcomeStopped         // it was killed since the daemon or the helper stops
	outcomeRefused         // nothing was done
	outcomeNotOwed         // the undo is not owed, and was not of late
	outcomeMissing         // there is no such file
)

// A message is one packet of the protocol. Its kind says which fields it has.
type message struct {
	kind         kind
	version      uint64
	id           uint64 // of a request and of its answer, above zero
	hash         hash
	door         string
	source       netip.Prefix
	grant        uint64
	values       map[string]string
	file, line   string
	hashes       []hash
	outcome      outcome
	status       int64 // as of [engine.CommandError]
	text, output string
	lost         uint64
}

// code writes or reads a message.
func (m *message) code(c *codec) {
	number := uint64(m.kind)
	c.number(&number, uint64(kindTried))
	m.kind = kind(number)
	switch m.kind {
	case kindHello, kindWelcome:
		c.number(&m.version, math.MaxUint16)
	case kindSettle, kindChanged:
	case kindRead, kindCancel, kindFile:
		m.codeID(c)
	case kindRun:
		m.codeID(c)
		c.hash(&m.hash)
		c.text(&m.door, maxName)
		c.prefix(&m.source)
		c.number(&m.grant, math.MaxUint64)
		values(c, &m.values, maxValues, maxName, func(v *string) { c.text(v, maxValue) })
	case kindUndo:
		m.codeID(c)
		c.hash(&m.hash)
	case kindComment:
		m.codeID(c)
		c.text(&m.file, maxPath)
		c.text(&m.line, maxLine)
	case kindOpen, kindReadAt:
		m.codeID(c)
		c.text(&m.file, maxPath)
	case kindClaim:
		m.codeHashes(c)
	case kindApplied, kindTried:
		c.hash(&m.hash)
	case kindFailed:
		c.text(&m.door, maxName)
		c.text(&m.line, maxLine)
		c.text(&m.text, maxText)
	case kindSet:
		m.codeID(c)
		c.hash(&m.hash)
		c.text(&m.text, maxText)
	case kindDone:
		m.codeDone(c)
	default:
		c.fail(fmt.Errorf("the kind %d: expected 1 to %d", m.kind, kindTried))
	}
}

func (m *message) codeID(c *codec) {
	if c.number(&m.id, math.MaxUint64); c.err == nil && m.id == 0 {
		c.fail(fmt.Errorf("the id 0: ids begin at 1"))
	}
}

func (m *message) codeHashes(c *codec) {
	n := len(m.hashes)
	c.length(&n, maxClaims)
	if c.reading {
		m.hashes = make([]hash, n)
	}
	for i := range m.hashes {
		c.hash(&m.hashes[i])
	}
}

// codeDone codes an answer. A status below zero means that the command did not exit by itself, so
// the message has one more than the status, and zero for all below.
func (m *message) codeDone(c *codec) {
	m.codeID(c)
	number, status := uint64(m.outcome), uint64(max(0, m.status+1))
	c.number(&number, uint64(outcomeMissing))
	c.number(&status, math.MaxUint8+1)
	m.outcome, m.status = outcome(number), int64(status)-1
	c.text(&m.text, maxText)
	c.text(&m.output, maxOutput)
	c.number(&m.lost, math.MaxInt64)
}

func (m *message) encode() ([]byte, error) {
	c := codec{}
	m.code(&c)
	if c.err == nil && len(c.b) > maxMessage {
		c.fail(fmt.Errorf("%d bytes: at most %d", len(c.b), maxMessage))
	}
	if err := c.end(); err != nil {
		return nil, fmt.Errorf("writing a message: %w", err)
	}
	return c.b, nil
}

func decodeMessage(b []byte) (m message, err error) {
	c := codec{reading: true, b: b}
	m.code(&c)
	if err := c.end(); err != nil {
		return message{}, fmt.Errorf("reading a message: %w", err)
	}
	return m, nil
}

// commandHash identifies a declared command by its arguments and those of its undo, as the script
// wrote them. So it means the same in each set that declares the command.
func commandHash(argv, undo []string) hash { return hashOf("command", argv, undo) }

// undoHash identifies an undo by its arguments, as they are run.
func undoHash(argv []string) hash { return hashOf("undo", argv, nil) }

func hashOf(what string, lists ...[]string) (h hash) {
	c := codec{}
	c.text(&what, maxName)
	for _, list := range lists {
		c.texts(&list, math.MaxInt32, math.MaxInt32)
	}
	return sha256.Sum256(c.b)
}
