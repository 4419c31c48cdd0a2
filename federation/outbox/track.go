package outbox

import "antiphon/internal/jobs"

// Goods is what is sold of a track.
type Goods interface{}

func (o *Outbox) registerTracks(*jobs.Queue) {}
