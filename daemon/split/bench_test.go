package split

import (
	"testing"
	"time"

	"sesame/daemon/engine"
	"sesame/daemon/packet"
)

// BenchmarkPacket has packets that are no last knock, and a flood of last knocks.
func BenchmarkPacket(b *testing.B) {
	for name, port := range map[string]string{"other": "tcp/7421", "last": "tcp/6117"} {
		b.Run(name, func(b *testing.B) {
			var f Finder
			f.SetDoors([]*engine.Door{door("ssh", four)})
			p := packet.Packet{Time: begin, Source: host, Dest: host, Port: knock(port).Port, Flags: packet.SYN}
			b.ReportAllocs()
			for b.Loop() {
				p.Time = p.Time.Add(time.Microsecond)
				p.Sequence++
				f.Packet(&p, nil, ours)
			}
		})
	}
}
