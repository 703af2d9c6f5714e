package scripting

import (
	"slices"
	"strings"

	"github.com/yuin/gopher-lua"

	"sesame/scripting/spec"
)

// A stepDraft is a step while its table is read.
type stepDraft struct {
	spec.Step
	script *script
}

// stepOptions are the keys of a step.
func stepOptions() []option[stepDraft] {
	actions := []option[stepDraft]{
		{Option{"knock", "the name of a door, or a list of packets", "", "Sends the knocks of the door, or the packets: ports as in `sequence`, and tables with more."},
			func(v value, d *stepDraft) { d.readKnock(v) }},
		{Option{"scan", "a range of ports, or a list of them", "", "Sends a TCP SYN, or a datagram, to each port, such as `\"tcp/1-65535\"`."},
			func(v value, d *stepDraft) { d.act(v, spec.Scan); d.Ports, _ = v.ranges() }},
		{Option{"replay", "the path of a capture", "", "Replays a capture. A relative path begins at the directory of the scripts."},
			func(v value, d *stepDraft) { d.act(v, spec.Replay); d.Capture, _ = v.file("captures/ssh-opens.pcap") }},
		{Option{"at", "a time", "when the step before it ended", "When the step begins. A step may have it alone: then time passes until there."},
			func(v value, d *stepDraft) { d.At, _ = d.script.moment(v) }},
		{Option{"wait", "duration", "", "Lets time pass, behind the action if there is one."},
			func(v value, d *stepDraft) { d.Wait, _ = v.duration() }},
		{Option{"facts", "as in the test", "", "What is known from the begin of the step on. It takes the place of what was known of the same addresses or host."},
			func(v value, d *stepDraft) { d.Facts = d.script.facts(v) }},
	}
	return slices.Concat(actions, sendingOptions(), expectingOptions())
}

// sendingOptions say more about an action.
func sendingOptions() []option[stepDraft] {
	return []option[stepDraft]{
		{Option{"from", "an address", "that of the test", "Who knocks or scans."},
			func(v value, d *stepDraft) { d.From = v.knocker() }},
		{Option{"delay", "duration", `"100ms"`, "The time between two packets of a knock or a scan."},
			func(v value, d *stepDraft) { d.Delay, _ = v.duration() }},
		{Option{"order", `"up", "down" or "random"`, `"up"`, "The order of a scan. It is the same each time that the test runs. For the knocks of a door, `\"down\"` sends the last one first."},
			func(v value, d *stepDraft) {
				i, _ := v.oneOf("up", "down", "random")
				d.Order = spec.Order(i)
			}},
		{Option{"times", "a whole number from 1 to 1000", "1", "How often a scan is done, one after the other. It sends at most 5,000,000 packets."},
			func(v value, d *stepDraft) { d.Times, _ = v.integer(1, 1000) }},
		{Option{"min_knocks", "a whole number", "1", "How many packets of a capture must be knocks of a door. Of a list or a scan, how many must go to a port of a door; without min_knocks there need be none when something comes of them. With 0 there may be none."},
			func(v value, d *stepDraft) { d.MinKnocks, _ = v.integer(0, 1_000_000_000) }},
		{Option{"golden", "the path of a file", "", "A file with the transcript of the replay. `sesame test --update` writes it."},
			func(v value, d *stepDraft) { d.Golden, _ = v.file("captures/ssh-opens.jsonl") }},
	}
}

// expectingOptions are what a step must bring about.
func expectingOptions() []option[stepDraft] {
	const strict = " What is not written must not happen."
	var options []option[stepDraft]
	for event, kind := range eventKinds {
		options = append(options, option[stepDraft]{Option{kind.key, kind.what + ", a table, a list of these, or false", "false: none", kind.doc + strict},
			func(v value, d *stepDraft) { d.readExpectations(v, spec.Event(event)) }})
	}
	const compared = " Compared when it is written; `false` means none."
	return append(options,
		option[stepDraft]{Option{"allows", "a port, a table, a list of these, or false", "not compared", "The access that the step gives." + compared},
			func(v value, d *stepDraft) { d.readAllows(v) }},
		option[stepDraft]{Option{"runs", "the name of a command, a table, a list of these, or false", "not compared", "The commands that the step runs, also those that undo." + compared},
			func(v value, d *stepDraft) { d.readRuns(v) }},
		option[stepDraft]{Option{"logs", "a string, a list of strings, or false", "not compared", "Lines that functions log, or parts of them." + compared},
			func(v value, d *stepDraft) { d.readLogs(v) }},
	)
}

// act notes the action of a step. It has one at most.
func (d *stepDraft) act(v value, action spec.Action) {
	if d.Action != spec.NoAction {
		v.fail("the step has two actions, %s and %s: write a step for each", actionKeys[d.Action], v.what)
		return
	}
	d.Action = action
}

var actionKeys = [...]string{spec.Knock: "knock", spec.Scan: "scan", spec.Replay: "replay"}

// belongs has the keys that only steps with some actions have.
var belongs = []struct {
	key     string
	actions []spec.Action
}{
	{"from", []spec.Action{spec.Knock, spec.Scan}},
	{"delay", []spec.Action{spec.Knock, spec.Scan}},
	{"order", []spec.Action{spec.Scan, spec.Knock}},
	{"times", []spec.Action{spec.Scan}},
	{"min_knocks", []spec.Action{spec.Knock, spec.Scan, spec.Replay}},
	{"golden", []spec.Action{spec.Replay}},
}

// finish checks that the keys of a step fit together, and fills in what was left out.
func (d *stepDraft) finish(v value) {
	text := v.layout()
	for _, b := range belongs {
		if v.has(b.key) && !slices.Contains(b.actions, d.Action) {
			v.field(text, b.key, lua.LNil).fail("it is for a step with %s: leave it out", actionNames(b.actions))
		}
	}
	if v.has("order") && d.Action == spec.Knock {
		d.checkOrder(v.field(text, "order", lua.LNil))
	}
	idle := true
	for _, key := range []string{"knock", "scan", "replay", "at", "wait", "facts"} {
		idle = idle && !v.has(key)
	}
	if idle {
		v.fail(`nothing happens in it: give it knock, scan or replay, or let time pass with wait = "31s" or at = TIME`)
	}
	if d.Action == spec.Scan && !v.has("times") {
		d.Times = 1
	}
	switch named := d.Action == spec.Knock && d.Door != ""; {
	case named && v.has("min_knocks"):
		v.field(text, "min_knocks", lua.LNil).fail("the name of a door sends its knocks: leave it out")
	case !named && d.Action != spec.NoAction && !v.has("min_knocks"):
		d.MinKnocks = 1
	}
}

// checkOrder checks the order of knocks. A random one could be the right one.
func (d *stepDraft) checkOrder(order value) {
	switch {
	case d.Door == "":
		order.fail("it is for a scan, or for the knocks of a door: write the packets of the list in the order in which they are sent")
	case d.Order == spec.Random:
		order.fail(`a random order of the knocks may be the right one: write "down"`)
	}
}

func actionNames(actions []spec.Action) string {
	names := make([]string, len(actions))
	for i, action := range actions {
		names[i] = actionKeys[action]
	}
	return strings.Join(names, " or ")
}

// maxPath is more bytes than a path on Linux can have (PATH_MAX of limits.h).
const maxPath = 4096

// file reads the path of a file.
func (v value) file(example string) (string, bool) {
	name, ok := v.path(example)
	if ok && (name == "" || len(name) >= maxPath || strings.ContainsRune(name, 0)) {
		v.fail("expected a path such as %q", example)
		return "", false
	}
	return name, ok
}
