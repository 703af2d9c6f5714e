package simulate

import (
	"strings"

	"sesame/daemon/engine"
	"sesame/daemon/transcript"
)

// recordedFacts answer the questions of an exact replay: each input has the answers that the daemon
// had for it, and no others.
type recordedFacts struct {
	answers map[engine.Question]engine.Answer // of the next input
	missing int                               // questions that the recording does not answer
}

// Answer implements [engine.Facts]. The engines of daemon and replay are the same, so they ask the
// same. A question without an answer means that another program wrote the file or that it is
// damaged. It is unknown, which opens nothing, and it is counted.
func (f *recordedFacts) Answer(q engine.Question) engine.Answer {
	a, recorded := f.answers[q]
	if !recorded {
		f.missing++
		return engine.Answer{From: "the recording", Why: "it does not have this answer"}
	}
	return a
}

// set sets the answers for the next input.
func (f *recordedFacts) set(asked []engine.Asked) {
	f.answers = make(map[engine.Question]engine.Answer, len(asked))
	for _, one := range asked {
		f.answers[one.Question] = one.Answer
	}
}

// maxRemembered bounds the recorded answers that a replay through other scripts remembers.
const maxRemembered = 1 << 16

// offlineFacts answer the questions of any other replay: as a person stated, as a database says, or
// else as the recording has it that is replayed through other scripts.
type offlineFacts struct {
	given    engine.Facts // nil: nothing was given
	recorded map[engine.Question]engine.Answer
	unasked  map[engine.FactKind]int // questions that nothing could be asked
	// note is called with each question that is asked for the first time, as noted has it; nil:
	// nobody wants to know.
	note  func(engine.Asked)
	noted map[engine.Question]bool
}

func newOfflineFacts(given engine.Facts) *offlineFacts {
	return &offlineFacts{given: given, recorded: map[engine.Question]engine.Answer{}, unasked: map[engine.FactKind]int{}}
}

// Answer implements [engine.Facts].
func (f *offlineFacts) Answer(q engine.Question) engine.Answer {
	a := f.answer(q)
	if f.note != nil && !f.noted[q] && len(f.noted) < maxRemembered {
		f.noted[q] = true
		f.note(engine.Asked{Question: q, Answer: a})
	}
	return a
}

func (f *offlineFacts) answer(q engine.Question) engine.Answer {
	var a engine.Answer
	if f.given != nil {
		a = f.given.Answer(q)
	}
	if a.Known || a.From != "" {
		return a
	}
	if recorded, some := f.recorded[q]; some {
		return recorded
	}
	f.unasked[q.Kind]++
	return a
}

// remember stores answers of a recording. The latest answer to a question is the one that counts.
func (f *offlineFacts) remember(asked []engine.Asked) {
	for _, one := range asked {
		if len(f.recorded) == maxRemembered {
			clear(f.recorded)
		}
		if one.Answer.From != "" {
			f.recorded[one.Question] = one.Answer
		}
	}
}

// factHints say for each kind of question how to give an answer.
var factHints = []struct {
	kind          engine.FactKind
	asked, remedy string
}{
	{engine.FactCountry, "the country of an address", `--geo FILE names a database, and --fact "ADDRESS country=ES" states one`},
	{engine.FactASN, "the autonomous system of an address", `--geo FILE names a database, and --fact "ADDRESS asn=3352" states one`},
	{engine.FactHost, "the addresses of a name", `--fact "NAME addresses=ADDRESS" states them`},
}

// hints returns a line for each kind of question that nothing could be asked.
func (f *offlineFacts) hints() string {
	var b strings.Builder
	for _, hint := range factHints {
		if n := f.unasked[hint.kind]; n > 0 {
			b.WriteString(hint.asked + " was needed " + countOf(n) + " and is not known: " + hint.remedy + "\n")
		}
	}
	return b.String()
}

func countOf(n int) string {
	if n == 1 {
		return "once"
	}
	return transcript.Count(n, "time")
}
