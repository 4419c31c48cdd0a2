package fabric

import (
	"errors"
	"fmt"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/pkg/cid"
	"github.com/hyperledger/fabric-chaincode-go/v2/shim"

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
	caller, err := cid.GetMSPID(stub)
	if err != nil {
		return nil, fmt.Errorf("read the caller: %w", err)
	}
	at, err := stub.GetTxTimestamp()
	if err != nil {
		return nil, fmt.Errorf("read the transaction's time: %w", err)
	}
	return &state{stub: stub, caller: caller, at: at.AsTime().UTC().Truncate(time.Second), written: map[string]bool{}}, nil
}

func (s *state) Get(key string) (string, bool, error) {
	value, err := s.stub.GetState(key)
	return string(value), len(value) > 0, err
}

func (s *state) Put(key, value string) error {
	if err := s.once(key); err != nil {
		return err
	}
	if value == "" { // Fabric takes it for a deletion
		return fmt.Errorf("%w: key %s without a value", contract.ErrInvalid, key)
	}
	return s.stub.PutState(key, []byte(value))
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

func (s *state) Range(start, end string, fn func(key, value string) error) (err error) {
	if end <= start { // Fabric takes an empty end for none
		return nil
	}
	rows, err := s.stub.GetStateByRange(start, end)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.HasNext() {
		row, err := rows.Next()
		if err != nil {
			return err
		}
		if err := fn(row.GetKey(), string(row.GetValue())); err != nil {
			return err
		}
	}
	return nil
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
