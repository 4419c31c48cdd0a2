package ledger

import "slices"

// memory is the state as it grows while the records are run again.
type memory struct {
	values map[string]string
	// order are the keys in order, as of the last scan; fresh are those that came since. known are both; some may be gone.
	order, fresh []string
	known        map[string]bool
}

func newMemory() *memory {
	return &memory{values: map[string]string{}, known: map[string]bool{}}
}

func (m *memory) get(key string) (string, bool, error) {
	value, found := m.values[key]
	return value, found, nil
}

func (m *memory) commit(b *buffer) {
	for key := range b.deleted {
		delete(m.values, key)
	}
	for key, value := range b.written {
		m.values[key] = value
		if !m.known[key] {
			m.known[key] = true
			m.fresh = append(m.fresh, key)
		}
	}
}

func (m *memory) scan(start, end string, fn func(key, value string) error) error {
	m.merge()
	from, _ := slices.BinarySearch(m.order, start)
	for _, key := range m.order[from:] {
		if key >= end {
			break
		}
		value, found := m.values[key]
		if !found {
			continue
		}
		if err := fn(key, value); err != nil {
			return err
		}
	}
	return nil
}

// merge brings the fresh keys to their places: few scans are made, and many keys come between them.
func (m *memory) merge() {
	if len(m.fresh) == 0 {
		return
	}
	slices.Sort(m.fresh)
	merged := make([]string, 0, len(m.order)+len(m.fresh))
	i := 0
	for _, key := range m.fresh {
		from := i
		n, _ := slices.BinarySearch(m.order[from:], key)
		i += n
		merged = append(append(merged, m.order[from:i]...), key)
	}
	m.order, m.fresh = append(merged, m.order[i:]...), nil
}
