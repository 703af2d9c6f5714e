package record

import (
	"errors"
	"fmt"

	"sesame/daemon/engine"
	"sesame/daemon/wire"
)

// This file encodes the runs of functions that the clock ended during an input, and decodes them.
// docs/recording.md specifies the form.

// maxTimeouts bounds the runs of one input. With a quarter of a second for each, a daemon would
// handle one input for more than 4 hours.
const maxTimeouts = 1 << 16

// A timeout is such a run, in JSON.
type timeout struct {
	Run    int       `json:"run"`
	Script wire.Text `json:"script"`
	Line   int       `json:"line,omitzero"`
	Detail wire.Text `json:"detail"`
}

func timeoutsOf(ended []engine.Timeout) []timeout {
	list := make([]timeout, len(ended))
	for i, one := range ended {
		list[i] = timeout{one.Run, wire.Text(one.Fault.Script), one.Fault.Line, wire.Text(one.Fault.Detail)}
	}
	return list
}

func timeoutsFrom(list []timeout) ([]engine.Timeout, error) {
	if len(list) > maxTimeouts {
		return nil, fmt.Errorf("it has %d timeouts: expected at most %d", len(list), maxTimeouts)
	}
	ended := make([]engine.Timeout, len(list))
	for i, one := range list {
		if one.Run < 0 || one.Line < 0 || i > 0 && one.Run <= list[i-1].Run {
			return nil, errors.New("its timeouts are not in the order in which the functions ran")
		}
		ended[i] = engine.Timeout{Run: one.Run, Fault: engine.Fault{
			Script: string(one.Script), Line: one.Line, Detail: string(one.Detail), Timeout: true,
		}}
	}
	return ended, nil
}
