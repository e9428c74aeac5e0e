package isolate

// Lent is how much of the shared memory the host's own arena has beyond what it keeps for
// the next.
func (s *Session) Lent() uint64 {
	own, _ := s.link.SharedBytes()
	return own - min(own, 128<<20)
}

// Active is the number of requests under way, in either direction.
func (s *Session) Active() int { return s.link.Active() }
