package contracttest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"antiphon/payments/ledger/contract"
)

// Memory is a back end that keeps everything in memory and signs nothing: what the contract's own tests run on.
type Memory struct {
	mu     sync.Mutex
	values map[string]string
	events []contract.Event
	n      int
	caller string
	now    func() time.Time
}

// NewMemory is an empty ledger, whose transactions have the time that now gives.
func NewMemory(caller string, now func() time.Time) *Memory {
	return &Memory{values: map[string]string{}, caller: caller, now: now}
}

// As makes the next calls those of another caller.
func (m *Memory) As(caller string) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.caller = caller
	return m
}

// Set writes a value past the contract.
func (m *Memory) Set(key, value string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[key] = value
}

// Submit implements [contract.Backend].
func (m *Memory) Submit(_ context.Context, c contract.Command) error {
	function, args, err := contract.Encode(c)
	if err != nil {
		return err
	}
	return m.Run(function, args)
}

// Run calls a function as a command would.
func (m *Memory) Run(function string, args []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &memoryState{Memory: m, put: map[string]string{}, deleted: map[string]bool{}}
	if err := contract.Run(s, function, args); err != nil {
		return err
	}
	for key := range s.deleted {
		delete(m.values, key)
	}
	maps.Copy(m.values, s.put)
	m.events = append(m.events, s.event...)
	m.n++
	return nil
}

// Get implements [contract.Backend].
func (m *Memory) Get(_ context.Context, key string) (string, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, found := m.values[key]
	return value, found, nil
}

// Range implements [contract.Backend].
func (m *Memory) Range(_ context.Context, start, end string, fn func(key, value string) error) error {
	m.mu.Lock()
	values := maps.Clone(m.values)
	m.mu.Unlock()
	return scan(values, start, end, fn)
}

// Events implements [contract.Backend].
func (m *Memory) Events(_ context.Context, fn func(contract.Event) error) error {
	m.mu.Lock()
	events := slices.Clone(m.events)
	m.mu.Unlock()
	for _, e := range events {
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}

func scan(values map[string]string, start, end string, fn func(key, value string) error) error {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if key < start || key >= end {
			continue
		}
		if err := fn(key, values[key]); err != nil {
			return err
		}
	}
	return nil
}

// memoryState is the State of one call.
type memoryState struct {
	*Memory
	put     map[string]string
	deleted map[string]bool
	event   []contract.Event
}

func (s *memoryState) Get(key string) (string, bool, error) {
	value, found := s.values[key]
	return value, found, nil
}

func (s *memoryState) once(key string) error {
	if _, twice := s.put[key]; twice || s.deleted[key] {
		return fmt.Errorf("%w: key %s is written twice", contract.ErrInvalid, key)
	}
	return nil
}

func (s *memoryState) Put(key, value string) error {
	if err := s.once(key); err != nil {
		return err
	}
	if value == "" {
		return fmt.Errorf("%w: key %s without a value", contract.ErrInvalid, key)
	}
	s.put[key] = value
	return nil
}

func (s *memoryState) Delete(key string) error {
	if err := s.once(key); err != nil {
		return err
	}
	s.deleted[key] = true
	return nil
}

func (s *memoryState) Range(start, end string, fn func(key, value string) error) error {
	return scan(s.values, start, end, fn)
}

func (s *memoryState) Emit(name string, payload []byte) error {
	if len(s.event) > 0 {
		return fmt.Errorf("%w: two events", contract.ErrInvalid)
	}
	s.event = append(s.event, contract.Event{TxID: s.TxID(), Name: name, Payload: payload})
	return nil
}

func (s *memoryState) TxID() string    { return strconv.Itoa(s.n) }
func (s *memoryState) Time() time.Time { return s.now().UTC().Truncate(time.Second) }
func (s *memoryState) Caller() string  { return s.caller }
