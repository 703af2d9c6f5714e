package simulate

// InProgress reports whether some source has an attempt that has time left. While none has one, a
// strict door is disturbed by nothing.
func (s *Session) InProgress() bool { return s.pass.replay.engine.Attempts(s.pass.replay.last) > 0 }
