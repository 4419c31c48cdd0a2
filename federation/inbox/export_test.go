package inbox

import "context"

// WriteViews writes what was seen, as the loop does.
func (i *Inbox) WriteViews(ctx context.Context) { i.writeViews(ctx) }
