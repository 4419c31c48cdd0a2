package listen

import "context"

// Keep does what the loop does.
func (s *Service) Keep(ctx context.Context) error { return s.keep(ctx) }
