package client

import (
	"encoding/json"
	"io"
)

// A result is the one object that --json prints. docs/transcript.md has its keys, which are stable.
type result struct {
	Host      string          `json:"host"`
	Knocks    []string        `json:"knocks"`
	Addresses []addressResult `json:"addresses"`
	Error     string          `json:"error,omitempty"` // why nothing was sent at all
	Status    int             `json:"status"`
}

// An addressResult is what was done at one address, in the order in which programs try them.
type addressResult struct {
	Address string      `json:"address"`
	Sent    int         `json:"sent"`
	Error   string      `json:"error,omitempty"`
	Then    *thenResult `json:"then,omitempty"`
}

// A thenResult is what --then found at one address.
type thenResult struct {
	Port   string `json:"port"`
	Before string `json:"before"` // a state: see [state.String]
	After  string `json:"after"`
	ICMP   string `json:"icmp,omitempty"` // what the ICMP error after the knocks said
	Text   string `json:"text"`
}

// write writes the object on one line.
func (r *result) write(w io.Writer) error { return json.NewEncoder(w).Encode(r) }

// newResult returns the result of runs, left out addresses included.
func newResult(o *options, runs []run, status int, err error) *result {
	r := &result{Host: o.host, Knocks: []string{}, Addresses: []addressResult{}, Status: status}
	for _, k := range o.knocks {
		r.Knocks = append(r.Knocks, k.String())
	}
	if err != nil {
		r.Error = err.Error()
	}
	for i := range runs {
		r.Addresses = append(r.Addresses, runs[i].result(o, err == nil))
	}
	return r
}

// result returns what was done at the address of the run. What --then found counts only when the
// run was ended.
func (r *run) result(o *options, ended bool) addressResult {
	a := addressResult{Address: r.to.String(), Sent: r.sent}
	switch {
	case r.err != nil:
		a.Error = r.err.Error()
	case o.then != nil && ended:
		a.Then = &thenResult{
			Port: o.then.String(), Before: r.before.state.String(), After: r.after.state.String(),
			ICMP: r.after.icmp, Text: verdict(*o.then, r.to, r.before, r.after),
		}
	}
	return a
}
