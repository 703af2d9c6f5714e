package page_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"sesame/simulate/page"
)

// sample returns the data of an hour in which so many sources made so many attempts each.
func sample(sources, each int) *page.Data {
	s := &sampler{Rand: rand.New(rand.NewPCG(1, 2)), data: &page.Data{
		Command: "simulate", Title: "monday.pcapng.gz", Begin: noon, End: noon.Add(time.Hour),
		Totals: []page.Total{{Name: "packets", Value: 1284201}, {Name: "knocks", Value: 1520}, {Name: "opens", Value: 61}, {Name: "misses", Value: 113}, {Name: "refusals", Value: 18}},
		Notes:  []string{"every destination counted; with --local ADDRESS only packets to that address do"},
	}}
	for i := range sources {
		source := fmt.Sprintf("203.0.113.%d", 3+i*7%250)
		if i%5 == 4 || i > 250 {
			source = fmt.Sprintf("2001:db8::%x", 0x7330+i)
		}
		door := []string{"ssh", "vpn", "admin panel"}[i%3]
		for range each {
			s.attempt(source, door)
		}
		s.data.Accounts = append(s.data.Accounts, page.Account{Source: source, Door: door, Verdict: page.Stopped, Best: 3, Stages: 4,
			Lines: []string{"stopped 2 times, the furthest at 3 of 4: tcp/6117 came 1.006s too late (packet 13, within 8s)", "within >= 9.1s: opens"}, Suggestion: "within >= 9.1s: opens"})
	}
	s.data.Accounts = append(s.data.Accounts, page.Account{Source: "198.51.100.77", Door: "ssh", Verdict: page.NeverBegan, Stages: 4, Lines: []string{"tcp/9133 in place of udp/9133: opens"}})
	slices.SortStableFunc(s.data.Attempts, func(a, b page.Attempt) int { return a.Begin.Compare(b.Begin) })
	slices.SortStableFunc(s.data.Grants, func(a, b page.Grant) int { return a.Begin.Compare(b.Begin) })
	return s.data
}

type sampler struct {
	*rand.Rand
	data *page.Data
}

func (s *sampler) attempt(source, door string) {
	at := noon.Add(time.Duration(s.IntN(3_300_000)) * time.Millisecond)
	a := page.Attempt{Source: source, Door: door, Begin: at, Best: 4, Stages: 4}
	a.Verdict = []page.Verdict{page.Opened, page.Opened, page.Opened, page.Stopped, page.Stopped, page.Stopped, page.Refused, page.Failed}[s.IntN(8)]
	if a.Verdict == page.Stopped {
		a.Best = 1 + s.IntN(3)
	}
	for k := range a.Best {
		a.Marks = append(a.Marks, page.Mark{Kind: page.MarkKnock, Time: at, Packet: 10 + k, Text: []string{"tcp/7421", "udp/9133", "tcp/2904", "tcp/6117"}[k]})
		a.End = at
		at = at.Add(time.Duration(200+s.IntN(1800)) * time.Millisecond)
	}
	// The others have no text of their own.
	//exhaustive:ignore
	switch a.Verdict {
	case page.Stopped:
		a.Text, a.End = "tcp/6117 came 341ms too late (packet 13, step_timeout 3s)", at
		a.Marks = append(a.Marks, page.Mark{Kind: page.MarkEnd, Time: at, Packet: 13, Text: a.Text})
	case page.Refused:
		a.Text = "hours: mon-fri 08:00-19:00 Europe/Madrid; it was Sat 16:00"
	case page.Failed:
		a.Text = "ssh.lua:14: attempt to index a nil value"
	case page.Opened:
		a.Gave = []string{"allow tcp/22 for 5m", "run /usr/local/bin/audit " + source}
		s.data.Grants = append(s.data.Grants, page.Grant{Source: source, Door: door, Begin: a.End, End: a.End.Add(5 * time.Minute), What: "tcp/22",
			Reason: "expired", Observed: door == "vpn", Number: uint64(len(s.data.Grants) + 1)})
	}
	s.data.Attempts = append(s.data.Attempts, a)
}
