package packet

import "testing"

func TestParseFlags(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Flags
		err  string
	}{
		{"syn", SYN, ""},
		{"syn, ack", SYN | ACK, ""},
		{"cwr,fin", CWR | FIN, ""},
		{"none", 0, ""},
		{"", 0, `unknown TCP flag "": expected some of fin, syn, rst, psh, ack, urg, ece, cwr, such as "syn,ack", or "none"`},
		{"syn,!ack", 0, `unknown TCP flag "!ack": expected some of fin, syn, rst, psh, ack, urg, ece, cwr, such as "syn,ack", or "none"`},
		{"syn, syn", 0, `"syn, syn" names "syn" twice`},
	} {
		got, err := ParseFlags(tt.text)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != tt.want || text != tt.err {
			t.Errorf("ParseFlags(%q) = %v, %q; want %v, %q", tt.text, got, text, tt.want, tt.err)
		}
	}
}

// TestFlagsAreReadAsWritten tries each combination of flags.
func TestFlagsAreReadAsWritten(t *testing.T) {
	for n := range 256 {
		if got, err := ParseFlags(Flags(n).Names()); err != nil || got != Flags(n) {
			t.Errorf("ParseFlags(%q) = %v, %v; want %#x", Flags(n).Names(), got, err, n)
		}
	}
}
