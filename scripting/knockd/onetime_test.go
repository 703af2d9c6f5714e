package knockd

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"sesame/daemon/packet"
)

func TestUnused(t *testing.T) {
	text := "# what the file is for\n" +
		" 1,2:udp\n" +
		"\n" +
		"#3,4\n" +
		"\t# 5,6\n" +
		"7 , 8\r\n" +
		"65536\n" +
		"9:icmp\n" +
		"1" + strings.Repeat(",1", 32) + "\n" +
		"hello\n" +
		"9,10" + strings.Repeat(" ", 4100) + "\n" +
		"9\x00,10\n" +
		"11"
	unused, traps := Unused([]byte(text))
	want := []Sequence{
		{2, "1,2:udp", []packet.Port{tcp(1)[0], udp(2)}},
		{6, "7 , 8", tcp(7, 8)},
		{10, "hello", tcp(0)},
		{13, "11", tcp(11)},
	}
	if diff := cmp.Diff(want, unused); diff != "" {
		t.Errorf("sequences (-want +got):\n%s", diff)
	}
	wantTraps := []string{
		`7: this line is skipped: "65536" is no port: expected 1 to 65535`,
		`8: this line is skipped: "icmp" is no protocol: expected tcp or udp, as in 7000:udp`,
		`9: this line is skipped: the sequence has more than 32 knocks, and knockd has no room for them: write a shorter one`,
		`10: "hello" is tcp/0 to knockd, which nobody can knock, so the door cannot be opened: write the number alone, and a comma behind each knock`,
		`11: this line is skipped: it is longer than 4095 bytes`,
		`12: this line is skipped: it has a NUL byte`,
	}
	if diff := cmp.Diff(wantTraps, said(traps)); diff != "" {
		t.Errorf("traps (-want +got):\n%s", diff)
	}
}
