package main

import (
	"bytes"
	"encoding/json"
	"time"

	"sesame/daemon/transcript"
	"sesame/simulate/account"
	"sesame/simulate/perturb"
)

// The objects of sesame perturb --format json, as docs/transcript.md has them.
type (
	perturbed struct {
		Seed     uint64             `json:"seed"`
		Runs     int                `json:"runs"`
		Packets  int                `json:"packets"`
		Doors    []perturbedDoor    `json:"doors"`
		Findings []perturbedFinding `json:"findings"`
		Failed   int                `json:"failed,omitempty"`
		First    uint64             `json:"first_failed,omitempty"`
		Faults   []perturb.Told     `json:"faults,omitempty"`
		More     int                `json:"more_faults,omitempty"`
		Accounts []json.RawMessage  `json:"accounts,omitempty"`
	}
	perturbedDoor struct {
		Door   string `json:"door"`
		Opened int    `json:"opened"`
		interval
		First   *uint64           `json:"first_seed,omitempty"`
		Repeat  string            `json:"repeat,omitempty"`
		Mean    string            `json:"later,omitempty"`
		Most    string            `json:"latest,omitempty"`
		Sources []perturbedSource `json:"sources"`
		Reasons []perturbedReason `json:"reasons"`
	}
	perturbedSource struct {
		Source string `json:"source"`
		Opened int    `json:"opened"`
		interval
		First *uint64 `json:"first_seed,omitempty"`
	}
	perturbedReason struct {
		Count int `json:"count"`
		perturb.Reason
		First uint64 `json:"first_seed"`
		Text  string `json:"text"`
	}
	perturbedFinding struct {
		Door   string `json:"door"`
		Source string `json:"source"`
		Opened int    `json:"opened"`
		interval
		First  uint64 `json:"first_seed"`
		Repeat string `json:"repeat"`
	}
)

// object returns the report for programs.
func (o *perturbOutput) object(r *perturb.Report) *perturbed {
	all := &perturbed{Seed: r.Seed, Runs: r.Runs, Packets: r.Packets, Doors: []perturbedDoor{}, Findings: []perturbedFinding{}, Failed: r.Failed, First: r.FirstFailed}
	for i := range r.Doors {
		all.Doors = append(all.Doors, o.door(&r.Doors[i]))
	}
	for _, f := range r.Only {
		all.Findings = append(all.Findings, perturbedFinding{f.Door, f.Source, f.Runs.Of, intervalOf(f.Runs), f.First, o.again(f.First)})
	}
	if o.single != nil {
		all.Faults, all.More = o.single.Fates, o.single.More
		for _, a := range o.accounts() {
			all.Accounts = append(all.Accounts, accountObject(a))
		}
	}
	return all
}

// accountObject returns an account as a transcript has it.
func accountObject(a *account.Account) json.RawMessage {
	var b bytes.Buffer
	line := transcript.NewJSON(&b)
	line.Line(a.Pairs()...)
	_ = line.Flush() // into memory
	return bytes.TrimSpace(b.Bytes())
}

func (o *perturbOutput) door(d *perturb.Door) perturbedDoor {
	one := perturbedDoor{Door: d.Name, Opened: d.Chances.Of, interval: intervalOf(d.Chances), Sources: []perturbedSource{}, Reasons: []perturbedReason{}}
	if d.Chances.Of < d.Chances.All {
		one.First, one.Repeat = &d.First, o.again(d.First)
	}
	if d.Mean > 0 {
		one.Mean, one.Most = transcript.Duration(d.Mean.Round(time.Microsecond)), transcript.Duration(d.Most.Round(time.Microsecond))
	}
	for _, s := range d.Sources {
		source := perturbedSource{Source: s.Address, Opened: s.Chances.Of, interval: intervalOf(s.Chances)}
		if s.Chances.Of < s.Chances.All {
			source.First = &s.First
		}
		one.Sources = append(one.Sources, source)
	}
	for _, reason := range d.Reasons {
		one.Reasons = append(one.Reasons, perturbedReason{reason.Count, reason.Reason, reason.First, reason.Text})
	}
	return one
}
