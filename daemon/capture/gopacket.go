package capture

import "github.com/google/gopacket"

// ZeroCopyReadPacketData makes a Source a [gopacket.ZeroCopyPacketDataSource]:
// it waits for the next packet that counts, whose data are valid until the next
// call and begin with the IP header. The error is os.ErrClosed once s is closed.
func (s *Source) ZeroCopyReadPacketData() ([]byte, gopacket.CaptureInfo, error) {
	for !s.Next(&s.frame) {
		if err := s.Wait(); err != nil {
			return nil, gopacket.CaptureInfo{}, err
		}
	}
	f := &s.frame
	return f.Data, gopacket.CaptureInfo{
		Timestamp: f.Stamp, CaptureLength: len(f.Data), Length: f.Wire, InterfaceIndex: f.Interface,
	}, nil
}
