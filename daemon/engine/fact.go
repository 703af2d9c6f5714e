package engine

import "net/netip"

// A Question asks for a fact: something that neither the packets nor the script set contain. Two
// questions that are equal have the same answer during one input.
type Question struct {
	Kind    FactKind
	Address netip.Addr // of FactCountry and FactASN; never IPv4 mapped to IPv6
	Name    string     // of FactHost
}

// A FactKind is what a question asks for.
type FactKind uint8

const (
	FactCountry FactKind = iota + 1 // the country of an address
	FactASN                         // the autonomous system that announces an address
	FactHost                        // the addresses of a name
)

// An Answer is a fact, or why it is not known. Only the fields of the question's kind are set.
type Answer struct {
	Known     bool
	Country   string // two letters of ISO 3166-1, or XK
	ASN       uint32
	ASName    string
	Addresses []netip.Addr // nobody changes them
	// From names what answered, for people: "GeoLite2-Country, 2026-11-20". It is empty when
	// nothing could be asked.
	From string
	// Why is set when the answer is not known: a clause such as "it has no IPv6 addresses".
	Why string
}

// Facts answer questions. An engine calls Answer from the goroutine that gives it inputs, while
// it handles one. Answer must return at once: it looks something up in memory.
//
// Answers are inputs of the engine: the same inputs and the same answers give the same events.
// So whoever records inputs records what [Engine.Asked] returns, and a replay answers with that.
type Facts interface {
	Answer(Question) Answer
}

// Asked is a question with the answer that it got.
type Asked struct {
	Question Question
	Answer   Answer
}

// questions are those of one input. It answers a repeated question as it did the first time.
type questions struct {
	facts  Facts // nil: nothing is known
	asked  []Asked
	number map[Question]int // positions in asked
}

// Answer implements [Facts] for conditions and functions.
func (s *questions) Answer(q Question) Answer {
	q.Address = q.Address.Unmap()
	if i, known := s.number[q]; known {
		return s.asked[i].Answer
	}
	var a Answer
	if s.facts != nil {
		a = s.facts.Answer(q)
	}
	if s.number == nil {
		s.number = make(map[Question]int)
	}
	s.number[q] = len(s.asked)
	s.asked = append(s.asked, Asked{q, a})
	return a
}

// forget is called when an input begins.
func (s *questions) forget() {
	if len(s.asked) > maxEvents {
		s.asked, s.number = nil, nil // gives the memory back
	}
	s.asked = s.asked[:0]
	clear(s.number)
}

// SetFacts sets what answers questions from the next input on; nil: nothing is known.
func (e *Engine) SetFacts(f Facts) { e.questions.facts = f }

// Asked returns what was asked during the last input, and the answers, in order and each question
// once. The slice belongs to the engine and is valid until the next input.
func (e *Engine) Asked() []Asked { return e.questions.asked }
