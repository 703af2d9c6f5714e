package trace

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
	"sesame/daemon/transcript"
)

var (
	noon   = time.Date(2026, time.March, 2, 12, 0, 0, 0, time.UTC)
	client = netip.MustParseAddr("203.0.113.9")
	host   = netip.MustParseAddr("192.0.2.1")
	knock1 = packet.Port{Proto: packet.TCP, Number: 7001}
	knock2 = packet.Port{Proto: packet.UDP, Number: 7002}
)

// office is a door of three knocks with a limit.
func office() *engine.Door {
	return &engine.Door{
		Name:     "office",
		Sequence: []engine.Knock{{Port: knock1, Flags: engine.SYN}, {Port: knock2}, {Port: knock1, Flags: engine.SYN}},
		Limit:    &engine.Limit{Text: "3/h"},
	}
}

// hours is a condition.
type hours struct{}

func (hours) Check(*engine.Call) (engine.Verdict, error) { return engine.Verdict{}, nil }
func (hours) String() string                             { return "hours: mon-fri 08:00-19:00 UTC" }
func (hours) Name() string                               { return "hours" }

// syn returns a packet to the first knock.
func syn() *Packet {
	return Begin(&packet.Packet{Time: noon.Add(1500 * time.Microsecond), Number: 3, Source: client, Dest: host, Port: knock1, Flags: packet.SYN})
}

func text(t *testing.T, p *Packet, others ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := p.WriteText(&out, others); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func jsonl(t *testing.T, p *Packet) string {
	t.Helper()
	var out bytes.Buffer
	lines := transcript.NewJSON(&out)
	for _, line := range p.Lines() {
		lines.Line(line...)
	}
	if err := lines.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTheHeadOfAPacket(t *testing.T) {
	for _, tt := range []struct {
		name, text, jsonl string
		packet            packet.Packet
	}{
		{"a SYN", "packet 3  2026-03-02 12:00:00.001  203.0.113.9 > 192.0.2.1 tcp/7001 syn\n",
			`{"event":"trace","time":"2026-03-02T12:00:00.0015Z","packet":3,"source":"203.0.113.9","dest":"192.0.2.1","port":"tcp/7001","flags":"syn"}`,
			packet.Packet{Time: noon.Add(1500 * time.Microsecond), Number: 3, Source: client, Dest: host, Port: knock1, Flags: packet.SYN}},
		{"a datagram of the second capture", "packet 4 of capture 2  2026-03-02 12:00:00.000  203.0.113.9 > 192.0.2.1 udp/7002 with 5 bytes\n",
			`{"event":"trace","time":"2026-03-02T12:00:00Z","packet":4,"capture":2,"source":"203.0.113.9","dest":"192.0.2.1","port":"udp/7002"}`,
			packet.Packet{Time: noon.In(time.FixedZone("", 3600)), Number: 4, Capture: 2, Source: client, Dest: host, Port: knock2, Payload: []byte("hello")}},
		{"a segment without flags", "packet 1  2026-03-02 12:00:00.000  203.0.113.9 > 192.0.2.1 tcp/7001 none with 1 byte\n",
			`{"event":"trace","time":"2026-03-02T12:00:00Z","packet":1,"source":"203.0.113.9","dest":"192.0.2.1","port":"tcp/7001","flags":"none"}`,
			packet.Packet{Time: noon, Number: 1, Source: client, Dest: host, Port: knock1, Payload: []byte("x")}},
	} {
		p := Begin(&tt.packet)
		if diff := cmp.Diff(tt.text, text(t, p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.jsonl+"\n", jsonl(t, p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestTests(t *testing.T) {
	door := office()
	for _, tt := range []struct {
		test        engine.Test
		text, jsonl string
	}{
		{engine.Test{Kind: engine.TestHost, Outcome: engine.Yes}, "is it to this host? yes", `"test":"host","outcome":"yes"`},
		{engine.Test{Kind: engine.TestPort, Outcome: engine.No}, "does a door watch its port? no", `"test":"port","outcome":"no"`},
		{engine.Test{Kind: engine.TestSource, Outcome: engine.Yes}, "can it come from outside? yes", `"test":"source","outcome":"yes"`},
		{engine.Test{Kind: engine.TestNew, Outcome: engine.Yes}, "is it new, no copy and no retransmit? yes", `"test":"new","outcome":"yes"`},
		{engine.Test{Kind: engine.TestDestination, Door: door, Outcome: engine.No},
			"office: does the door listen there? no", `"door":"office","test":"destination","outcome":"no"`},
		{engine.Test{Kind: engine.TestKnock, Door: door, Outcome: engine.Yes},
			"office: are port and flags those of a knock? yes", `"door":"office","test":"knock","outcome":"yes"`},
		{engine.Test{Kind: engine.TestPayload, Door: door, Outcome: engine.Yes},
			"office: is the payload right? yes", `"door":"office","test":"payload","outcome":"yes"`},
		{engine.Test{Kind: engine.TestSteps, Door: door, Outcome: engine.Yes},
			"office: may the functions of the door run? yes", `"door":"office","test":"steps","outcome":"yes"`},
		{engine.Test{Kind: engine.TestLimit, Door: door, Outcome: engine.No},
			"office: does the limit admit it? no (3/h)", `"door":"office","test":"limit","outcome":"no","detail":"3/h"`},
		{engine.Test{Kind: engine.TestCondition, Door: door, Outcome: engine.Yes, Condition: hours{}},
			"office: does the condition hours hold? yes (hours: mon-fri 08:00-19:00 UTC)",
			`"door":"office","test":"condition","outcome":"yes","condition":"hours","detail":"hours: mon-fri 08:00-19:00 UTC"`},
		{engine.Test{Kind: engine.TestCondition, Door: door, Outcome: engine.Unknown, Condition: hours{}, Detail: "nobody\nknows"},
			`office: does the condition hours hold? unknown ("nobody\nknows")`,
			`"door":"office","test":"condition","outcome":"unknown","condition":"hours","detail":"nobody\nknows"`},
		{engine.Test{Kind: engine.TestFunction, Door: door, Outcome: engine.No, Detail: "no"},
			"office: does the function agree? no (no)", `"door":"office","test":"function","outcome":"no","detail":"no"`},
	} {
		p := syn()
		p.Test(&tt.test)
		head, all := text(t, syn()), text(t, p)
		if diff := cmp.Diff(head+"  "+tt.text+"\n", all); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(jsonl(t, syn())+`{"event":"test","packet":3,`+tt.jsonl+"}\n", jsonl(t, p)); diff != "" {
			t.Errorf("jsonl (-want +got):\n%s", diff)
		}
	}
}

func TestJudgments(t *testing.T) {
	until := noon.Add(8 * time.Second)
	for _, tt := range []struct {
		judgment engine.Judgment
		nowhere  bool // it is the same for all doors
		ruling   string
		text     string
	}{
		{engine.Judgment{Ruling: engine.Began, Stage: 1, Deadline: until}, false, "began", "knock 1 of 3; time until 12:00:08.000"},
		{engine.Judgment{Ruling: engine.Advanced, Before: 1, Stage: 2, Deadline: until.In(time.FixedZone("", 3600))}, false, "advanced", "knock 2 of 3; time until 12:00:08.000"},
		{engine.Judgment{Ruling: engine.Finished, Before: 2, Stage: 3, Left: time.Second}, false, "finished", "the last knock"},
		{engine.Judgment{Ruling: engine.Finished, Stage: 3, Reason: engine.When, Detail: "hours"}, false, "finished", "the last knock, refused"},
		{engine.Judgment{Ruling: engine.Finished, Stage: 3, Reason: engine.NoData, Detail: "country"}, false, "finished", "the last knock, refused"},
		{engine.Judgment{Ruling: engine.Finished, Stage: 3, Reason: engine.Limited, Detail: "3/h"}, false, "finished", "the last knock; limit: 3/h"},
		{engine.Judgment{Ruling: engine.Finished, Stage: 1, Why: engine.GaveNothing}, false, "finished", "the last knock: the function neither refused nor gave anything"},
		{engine.Judgment{Ruling: engine.Repeated, Before: 1, Stage: 1, Deadline: until}, false, "repeated", "the latest knock again, which is forgiven; time until 12:00:08.000"},
		{engine.Judgment{Ruling: engine.Disturbed, Before: 2, Stage: 1, Why: engine.OutOfTurn, Reason: engine.OutOfOrder}, false, "disturbed",
			"a wrong knock: the attempt was at 2 of 3, and is at 1: it is a knock of the door, and not the awaited one; out of order"},
		{engine.Judgment{Ruling: engine.TooLate, Before: 1, Stage: 1, Late: 1500 * time.Millisecond, Reason: engine.TotalTimeout}, false, "too_late",
			"the awaited knock, 1.5s too late; total timeout"},
		{engine.Judgment{Ruling: engine.Ended, Time: noon, Before: 2, Reason: engine.EndOfCapture}, false, "ended", "the attempt at 2 of 3 ended at 12:00:00.000; end of capture"},
		{engine.Judgment{Ruling: engine.LetIn, Grant: 7}, false, "let_in", "let in by grant 7"},
		{engine.Judgment{Ruling: engine.KeptOut, Since: noon}, false, "kept_out", "no grant lets it in"},
		{engine.Judgment{Ruling: engine.Ignored, Why: engine.OtherPort}, true, "ignored", "ignored: it is to no port of a door"},
		{engine.Judgment{Ruling: engine.Ignored, Why: engine.ResentSegment, Original: engine.Origin{Packet: 2}}, true, "ignored",
			"ignored: the same TCP segment came before (packet 2)"},
		{engine.Judgment{Ruling: engine.Ignored, Why: engine.OtherBytes, Detail: "length 0, expected 4"}, false, "ignored",
			"ignored: its payload is not that of the knock; length 0, expected 4"},
		{engine.Judgment{Ruling: engine.Ignored, Why: engine.OutOfTurn, Awaited: engine.Knock{Port: knock1}}, false, "ignored",
			"ignored: it is a knock of the door, and not the awaited one"},
		{engine.Judgment{Ruling: engine.Ignored, Before: 1, Stage: 1, Why: engine.OtherFlags, Awaited: engine.Knock{Port: knock2}, Deadline: until}, false, "ignored",
			"ignored: its TCP flags are not those of the knock; the attempt is at 1 of 3 and awaits udp/7002"},
		{engine.Judgment{Ruling: engine.Ignored, Before: 1, Why: engine.OtherBytes}, false, "ignored", "ignored: its payload is not that of the knock"},
	} {
		p, where, place := syn(), `"door":"office",`, "office: "
		if tt.judgment.Door = office(); tt.nowhere {
			tt.judgment.Door, where, place = nil, "", ""
		}
		p.Judge(&tt.judgment)
		if diff := cmp.Diff(text(t, syn())+"  "+place+tt.text+"\n", text(t, p)); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
		want := Entry{Door: strings.TrimSuffix(place, ": "), Ruling: tt.ruling, Stage: tt.judgment.Stage, Text: tt.text}
		if !tt.nowhere {
			want.Stages = 3
		}
		if diff := cmp.Diff([]Entry{want}, p.Entries, cmpopts.IgnoreUnexported(Entry{})); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		if got := jsonl(t, p); !strings.Contains(got, "\n"+`{"event":"judgment","packet":3,`+where+`"ruling":"`+tt.ruling+`"`) {
			t.Errorf("jsonl: %s", got)
		}
	}
}

// What happened behind the last packet is about no packet, and about no other door.
func TestTheEnd(t *testing.T) {
	p := syn()
	p.Judge(&engine.Judgment{Ruling: engine.Ended, Time: noon, Door: office(), Before: 1, Reason: engine.TotalTimeout})
	p = End(noon.Add(time.Minute).In(time.FixedZone("", 3600)), client, p.Entries)
	want := "end of the captures  2026-03-02 12:01:00.000  203.0.113.9 sent nothing more\n" +
		"  office: the attempt at 1 of 3 ended at 12:00:00.000; total timeout\n"
	if diff := cmp.Diff(want, text(t, p, "web")); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	want = `{"event":"trace","time":"2026-03-02T12:01:00Z","source":"203.0.113.9"}
{"event":"judgment","door":"office","ruling":"ended","stages":3,"text":"the attempt at 1 of 3 ended at 12:00:00.000; total timeout"}
`
	if diff := cmp.Diff(want, jsonl(t, p)); diff != "" {
		t.Errorf("jsonl (-want +got):\n%s", diff)
	}
}

// Each reason, ruling and question of the engine has words.
func TestAllHaveWords(t *testing.T) {
	for why := engine.NoWhy + 1; why <= engine.GaveNothing; why++ {
		if whys[why] == "" {
			t.Errorf("why %d has no words", why)
		}
	}
	if len(whys) != int(engine.GaveNothing)+1 || len(rulings) != int(engine.KeptOut)+1 {
		t.Errorf("%d whys and %d rulings", len(whys), len(rulings))
	}
	for kind := engine.TestHost; kind <= engine.TestFunction; kind++ {
		if questions[kind.String()] == "" && kind != engine.TestCondition {
			t.Errorf("the test %v has no words", kind)
		}
	}
}

func TestWhatAPacketCaused(t *testing.T) {
	p := syn()
	p.Test(&engine.Test{Kind: engine.TestHost, Outcome: engine.Yes})
	p.Capture = 2
	p.Events = []engine.Event{{Kind: engine.EventStage, Door: "office", Stage: 1, Stages: 3}, {Kind: engine.EventOpen, Door: "office"}}
	want := `packet 3 of capture 2  2026-03-02 12:00:00.001  203.0.113.9 > 192.0.2.1 tcp/7001 syn
  is it to this host? yes
  = stage 1 of 3
  = open
  it did not concern: "a\nb, web"
`
	if diff := cmp.Diff(want, text(t, p, "a\nb", "web")); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if got := jsonl(t, p); strings.Count(got, `"packet":3,"capture":2,`) != 2 {
		t.Errorf("jsonl: %s", got)
	}
}

func TestADroppedPacket(t *testing.T) {
	p := syn()
	p.Dropped = "not_watched"
	if want := "\n  = no knock: not watched\n"; !strings.HasSuffix(text(t, p), want) {
		t.Errorf("text: %q", text(t, p))
	}
	if want := `"dropped":"not_watched"}` + "\n"; !strings.HasSuffix(jsonl(t, p), want) {
		t.Errorf("jsonl: %s", jsonl(t, p))
	}
}

func TestManyDoorsThatAPacketDoesNotConcern(t *testing.T) {
	names := strings.Split("abcdefghij", "")
	if want := "\n  it did not concern: a, b, c, d, e, f, g, h\n"; !strings.HasSuffix(text(t, syn(), names[:8]...), want) {
		t.Errorf("text: %q", text(t, syn(), names[:8]...))
	}
	if want := "\n  it did not concern: a, b, c, d, e, f, g, h and 2 more\n"; !strings.HasSuffix(text(t, syn(), names...), want) {
		t.Errorf("text: %q", text(t, syn(), names...))
	}
}

// What time did before a packet came is not about the packet.
func TestEntriesOfThePacket(t *testing.T) {
	p := syn()
	p.Judge(&engine.Judgment{Ruling: engine.Ended, Door: office(), Before: 1, Reason: engine.TotalTimeout})
	p.Judge(&engine.Judgment{Ruling: engine.Began, Door: office(), Stage: 1, Packet: 1})
	p.Test(&engine.Test{Kind: engine.TestHost, Outcome: engine.Yes})
	if p.Entries[0].OfPacket() || !p.Entries[1].OfPacket() || !p.Entries[2].OfPacket() {
		t.Errorf("entries %+v", p.Entries)
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestTheErrorOfAWriter(t *testing.T) {
	if err := syn().WriteText(closed{}, nil); err == nil || err.Error() != "closed" {
		t.Errorf("error %v", err)
	}
}
