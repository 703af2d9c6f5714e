package engine

// A Condition is one thing that must hold for a door to open: a window of time, a list of
// networks, a script's function.
type Condition interface {
	// Check decides. An error refuses the knock, as that of a handler does.
	Check(*Call) (Verdict, error)
	// String returns the condition as "NAME: its text", for reasons and reports.
	String() string
	// Name returns the name alone.
	Name() string
}

// An Outcome is one of three: a condition holds, does not hold, or nobody knows.
type Outcome uint8

const (
	No Outcome = iota
	Yes
	// Unknown means that a fact is missing that would decide. It never opens a door.
	Unknown
)

// A Verdict is the answer of a condition, and why. The zero Verdict is no.
type Verdict struct {
	Outcome Outcome
	// Reason is that of the refusal which the verdict leads to. Empty: [When] for No, and
	// [NoData] for Unknown.
	Reason Reason
	// Condition is the name of the condition that decided.
	Condition string
	// Detail is the whole verdict for people, such as
	// "iberia: ES, PT; 203.0.113.9 is in FR (GeoLite2-Country, 2026-11-20)".
	Detail string
	// Fields are the same for programs. They are of a Yes too when a condition that asks for the
	// opposite needs them.
	Fields []Field
}

// A Field is one value of a verdict.
type Field struct {
	Key   FieldKey
	Value string
}

// A FieldKey names a value of a verdict in transcripts. docs/transcript.md has the list.
type FieldKey string

const (
	FieldCountry    FieldKey = "country"     // of the source
	FieldASN        FieldKey = "asn"         // of the source, such as "AS3352"
	FieldDatabase   FieldKey = "database"    // that was asked, or would have been
	FieldNetwork    FieldKey = "network"     // that has the source
	FieldHoldsAgain FieldKey = "holds_again" // when a window begins again, in RFC 3339
)

// ClockText is the detail of a verdict whose reason is [ClockDoubt].
const ClockText = "the clock of this machine is not synchronised, so the time of day may be wrong: look at its NTP client (timedatectl, chronyc tracking)"

// refusal returns the reason of the refusal that the verdict leads to.
func (v *Verdict) refusal() Reason {
	switch {
	case v.Reason != "":
		return v.Reason
	case v.Outcome == Unknown:
		return NoData
	}
	return When
}

// All checks that all conditions hold: one that does not decides, then one that is unknown. The
// verdict is that of the first that decides. Conditions behind one that does not hold are not
// checked.
func All(conditions []Condition, c *Call) (Verdict, error) {
	return all(conditions, func() *Call { return c })
}

// all is All with a call for each condition.
func all(conditions []Condition, call func() *Call) (Verdict, error) {
	decided := Verdict{Outcome: Yes}
	for _, one := range conditions {
		verdict, err := call().Check(one)
		switch {
		case err != nil || verdict.Outcome == No:
			return verdict, err
		case verdict.Outcome == Unknown && decided.Outcome == Yes:
			decided = verdict
		}
	}
	return decided, nil
}
