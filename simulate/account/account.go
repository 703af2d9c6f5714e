package account

import (
	"iter"
	"net/netip"
	"time"
)

// An Account is what became of one source at one door. Lines are for people, and the other fields
// for programs. Both are made of the same facts.
type Account struct {
	Door                    string
	Source                  netip.Addr
	Best, Stages            int           // knocks that its furthest attempt had, of how many
	Awaited                 string        // the knock that this attempt waited for, such as "tcp/2904"
	Came                    string        // what came instead of it, or too late
	Packet                  int           // its number; 0: no packet ended the attempt
	Capture                 int           // of that packet; 0: there is only one
	Reason                  string        // why the attempt went no further; "opened" when it did
	Late                    time.Duration // how much too late the awaited knock came
	Slack                   time.Duration // how much of its time the first opening had left
	Suggestion              string        // a change that would have opened the door, as a replay has shown
	Opens, Refusals, Misses int           // how often each happened
	Lines                   []string
}

// All returns the accounts, those that came furthest first.
func (b *Book) All() iter.Seq[*Account] {
	return func(yield func(*Account) bool) {
		for _, o := range b.all() {
			if !yield(o.account(b)) {
				return
			}
		}
	}
}

func (o *outcome) account(b *Book) *Account {
	best, _ := o.furthest(b.ended)
	return &Account{
		Door: o.door.Name, Source: o.source, Best: best.stage, Stages: len(o.door.Sequence),
		Packet: best.at.packet, Capture: best.at.capture, Reason: string(best.reason), Late: best.late,
		Opens: o.opens, Refusals: o.refusals, Misses: o.misses,
		Lines: o.lines(b.ended, b.running),
	}
}
