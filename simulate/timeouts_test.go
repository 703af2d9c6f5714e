package simulate

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/record"
	"sesame/daemon/wire"
)

// recordedTimeouts returns a recording of as many knocks, a second apart, and of the runs of
// functions that the clock ended during each.
func recordedTimeouts(t *testing.T, script string, ended ...[]engine.Timeout) []byte {
	t.Helper()
	scripts := record.Scripts{Single: "a.lua", Files: []wire.File{{Path: "a.lua", Source: []byte(script)}}}
	set, err := load(scripts, false, false)
	must(t, err)
	defer set.Close()
	e := engine.New(engine.Config{}, noon)
	e.Swap(noon, set.Engine)
	r := record.NewRecorder(0)
	r.Begin(noon, e.State(), scripts)
	decoder, p := packet.NewDecoder(), packet.Packet{}
	for i, ended := range ended {
		frame := framed(t, "0s 203.0.113.9 udp/9")
		decoder.Decode(packet.Raw, frame, len(frame), &p)
		p.Time, p.Number = noon.Add(time.Duration(i+1)*time.Second), i+1
		r.Timeouts(p.Time, ended)
		r.Packet(&p, frame, len(frame))
	}
	var b bytes.Buffer
	_, err = r.Recording().WriteTo(&b)
	must(t, err)
	return b.Bytes()
}

const logging = `sesame.listen "a" { on = "udp/9", on_knock = function(knock) knock:log("it ran") end }`

// A replay needs no clock: it does not run what the clock ended, and runs all else.
func TestAReplayRepeatsTimeouts(t *testing.T) {
	recording := recordedTimeouts(t, logging, nil, []engine.Timeout{{Fault: engine.Fault{Script: "a.lua", Line: 1, Detail: "it was slow"}}}, nil)
	report, got := again(t, Config{}, recording)
	for _, want := range []string{
		`"packet":1,"event":"effect"`,
		`"packet":2,"event":"error","door":"a","source":"203.0.113.9","script":"a.lua","line":1,"reason":"script_timeout","detail":"it was slow"}`,
		`"packet":2,"event":"refuse","door":"a","source":"203.0.113.9","reason":"script_timeout"}`,
		`"packet":3,"event":"effect"`,
	} {
		if strings.Count(got, want) != 1 {
			t.Errorf("not one %s in\n%s", want, got)
		}
	}
	if strings.Contains(got, `"packet":2,"event":"effect"`) || !report.Exact || report.Unended != 0 {
		t.Errorf("%+v\n%s", report, got)
	}

	t.Log("# other scripts have functions of their own")
	set := loaded(t, logging)
	defer set.Close()
	if _, got := again(t, Config{Set: set.Engine}, recording); strings.Count(got, `"event":"effect"`) != 3 {
		t.Error(got)
	}
}

// A run that does not come is counted: the file is damaged, or another program wrote it.
func TestATimeoutThatDoesNotCome(t *testing.T) {
	recording := recordedTimeouts(t, logging, []engine.Timeout{{Fault: engine.Fault{Detail: "x"}}, {Run: 7, Fault: engine.Fault{Detail: "y"}}}, nil)
	report, got := again(t, Config{}, recording)
	if report.Exact || report.Unended != 1 || !strings.Contains(got, `"packet":2,"event":"effect"`) {
		t.Errorf("%+v\n%s", report, got)
	}
}
