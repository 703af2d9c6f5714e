package engine

// A TestKind is what a [Test] asks.
type TestKind uint8

// The tests, in the order in which a packet meets them. Those without a door are the same for all.
const (
	TestHost        TestKind = iota + 1 // is it to this host, or to the target of a door
	TestPort                            // does a door watch its port, or a tripwire end an attempt
	TestSource                          // can it come from outside
	TestNew                             // is it no copy and no retransmit
	TestDestination                     // does the door listen at its destination
	TestKnock                           // are its port and flags those of a knock of the door
	TestPayload                         // does its payload pass the test of the door
	TestSteps                           // may the functions of the door run
	TestLimit                           // does the limit of the door admit it
	TestCondition                       // does a condition hold
	TestFunction                        // does the function of the door agree
)

var testNames = [...]string{"none", "host", "port", "source", "new", "destination", "knock", "payload", "steps", "limit", "condition", "function"}

// String returns the name of the test, as traces have it.
func (k TestKind) String() string { return testNames[k] }

// A Test is one question that the engine asked about a packet, and its answer.
type Test struct {
	Kind    TestKind
	Door    *Door // nil: the answer is the same for all doors
	Outcome Outcome
	// Condition is the one that was checked, and Detail why it did not hold. Members of another
	// condition come before it.
	Condition Condition
	Detail    string
}

// Trace makes the engine report the tests of each packet from now on; nil ends that. The Test is
// valid only during the call. It changes no decision. [Engine.Explain] reports what came of them:
// the judgment of a door comes behind its tests.
func (e *Engine) Trace(report func(*Test)) { e.traced = report }

// test reports a test, and returns whether it was passed.
func (e *Engine) test(kind TestKind, d *Door, passed bool) bool {
	if e.traced != nil {
		outcome := No
		if passed {
			outcome = Yes
		}
		e.traced(&Test{Kind: kind, Door: d, Outcome: outcome})
	}
	return passed
}

// testCondition reports a condition that was checked.
func (c *Call) testCondition(one Condition, v *Verdict) {
	c.engine.traced(&Test{Kind: TestCondition, Door: c.Door, Outcome: v.Outcome, Condition: one, Detail: v.Detail})
}
