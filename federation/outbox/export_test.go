package outbox

import "context"

// Turn does everything that can be done at the present time, for tests that turn the clock: deliveries that are due,
// probes and chores, until nothing is left.
func (o *Outbox) Turn(ctx context.Context) error {
	d := o.dispatcher
	for {
		d.tended = tended{}
		more, err := d.pass(ctx)
		if err != nil {
			return err
		}
		d.out.Wait()
		d.mu.Lock()
		more = more || len(d.outcomes) > 0 || len(d.returned) > 0
		d.mu.Unlock()
		if !more {
			return nil
		}
	}
}
