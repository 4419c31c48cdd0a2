package fabric

import (
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"google.golang.org/protobuf/proto"

	"antiphon/payments/ledger/contract"
)

// state is the contract's view of one transaction. Fabric's own rules are those of [contract.State] almost to the
// letter: what was written in a transaction cannot be read in it.
type state struct {
	stub    shim.ChaincodeStubInterface
	caller  string
	at      time.Time
	written map[string]bool
	emitted bool
}

var _ contract.State = (*state)(nil)

// newState reads who calls and when, which both stand in what every peer is shown.
func newState(stub shim.ChaincodeStubInterface) (*state, error) {
	creator, err := stub.GetCreator()
	if err != nil {
		return nil, fmt.Errorf("read the caller: %w", err)
	}
	var identity msp.SerializedIdentity
	if err := proto.Unmarshal(creator, &identity); err != nil || identity.GetMspid() == "" {
		return nil, fmt.Errorf("%w: nobody calls", contract.ErrCaller)
	}
	at, err := stub.GetTxTimestamp()
	if err != nil {
		return nil, fmt.Errorf("read the transaction's time: %w", err)
	}
	return &state{stub: stub, caller: identity.GetMspid(), at: at.AsTime().UTC().Truncate(time.Second), written: map[string]bool{}}, nil
}

func (s *state) Get(key string) (string, bool, error) {
	stored, err := s.stub.GetState(key)
	if err != nil {
		return "", false, err
	}
	value, found := unwrap(stored)
	return value, found, nil
}

// wrap is a value as Fabric stores it, which takes an empty one for a deletion: that one is a zero byte, and what begins
// with a zero byte gets one more.
func wrap(value string) []byte {
	if value == "" || value[0] == 0 {
		return append([]byte{0}, value...)
	}
	return []byte(value)
}

// unwrap is the value that was wrapped; false when there is none.
func unwrap(stored []byte) (value string, found bool) {
	if len(stored) > 0 && stored[0] == 0 {
		return string(stored[1:]), true
	}
	return string(stored), len(stored) > 0
}

func (s *state) Put(key, value string) error {
	if err := s.once(key); err != nil {
		return err
	}
	return s.stub.PutState(key, wrap(value))
}

func (s *state) Delete(key string) error {
	if err := s.once(key); err != nil {
		return err
	}
	return s.stub.DelState(key)
}

// once refuses what the embedded ledger refuses.
func (s *state) once(key string) error {
	if key == "" || s.written[key] {
		return fmt.Errorf("%w: key %q is written twice, or has no name", contract.ErrInvalid, key)
	}
	s.written[key] = true
	return nil
}

// Range asks on from where an answer ended until there is nothing more: a peer cuts off what exceeds its setting
// ledger.state.totalQueryLimit, and says nothing.
func (s *state) Range(start, end string, fn func(key, value string) error) error {
	for end > start { // Fabric takes an empty end for none
		last, err := s.scan(start, end, fn)
		if err != nil || last == "" {
			return err
		}
		start = last + "\x00" // the next key that there can be
	}
	return nil
}

// scan makes one query, and returns the last key that it gave; empty for none.
func (s *state) scan(start, end string, fn func(key, value string) error) (last string, err error) {
	rows, err := s.stub.GetStateByRange(start, end)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.HasNext() {
		row, err := rows.Next()
		if err != nil {
			return "", err
		}
		last = row.GetKey()
		value, _ := unwrap(row.GetValue())
		if err := fn(last, value); err != nil {
			return "", err
		}
	}
	return last, nil
}

func (s *state) Emit(name string, payload []byte) error {
	if s.emitted || name == "" { // Fabric would forget the first
		return fmt.Errorf("%w: event %q after another one, or without a name", contract.ErrInvalid, name)
	}
	s.emitted = true
	return s.stub.SetEvent(name, payload)
}

func (s *state) TxID() string    { return s.stub.GetTxID() }
func (s *state) Time() time.Time { return s.at }
func (s *state) Caller() string  { return s.caller }
