package fabric

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"

	"antiphon/payments/ledger/contract"
)

// The functions that only read; no function of the contract has a dot in its name.
const (
	readKey   = "state.get"
	readRange = "state.range"
)

// A page of a range ends with either.
const (
	pageRows  = 1000
	pageBytes = 1 << 20
)

// page is a part of a range.
type page struct {
	// Rows are keys, each followed by its value.
	Rows []string `json:"rows"`
	// More says that the range goes on after the last key.
	More bool `json:"more,omitempty"`
}

// chaincode is the contract as Fabric calls it.
type chaincode struct{}

// Init implements [shim.Chaincode]; the ledger begins empty.
func (chaincode) Init(shim.ChaincodeStubInterface) *peer.Response { return shim.Success(nil) }

// Invoke implements [shim.Chaincode].
func (chaincode) Invoke(stub shim.ChaincodeStubInterface) (answer *peer.Response) {
	// The contract is not to panic; if it does, on what another operator has sent, this instance is to go on.
	defer func() {
		if r := recover(); r != nil {
			answer = shim.Error(contract.Message(fmt.Errorf("contract broke: %v", r)))
		}
	}()
	payload, err := invoke(stub)
	if err != nil {
		return shim.Error(contract.Message(err))
	}
	return shim.Success(payload)
}

func invoke(stub shim.ChaincodeStubInterface) ([]byte, error) {
	args := stub.GetArgs()
	if len(args) == 0 {
		return nil, fmt.Errorf("%w: no function", contract.ErrInvalid)
	}
	s, err := newState(stub)
	if err != nil {
		return nil, err
	}
	switch name := string(args[0]); {
	case name == readKey && len(args) == 2:
		return stub.GetState(string(args[1])) // as it is stored, which says whether it is there
	case name == readRange && len(args) == 3:
		return readPage(s, string(args[1]), string(args[2]))
	case name != readKey && name != readRange && len(args) == 2:
		return nil, contract.Run(s, name, args[1])
	default:
		return nil, fmt.Errorf("%w: %d arguments of %.60q", contract.ErrInvalid, len(args)-1, name)
	}
}

// errPageEnd ends the reading of a page.
var errPageEnd = errors.New("page is full")

func readPage(s *state, start, end string) ([]byte, error) {
	p, size := page{Rows: []string{}}, 0
	err := s.Range(start, end, func(key, value string) error {
		if len(p.Rows) == 2*pageRows || size > pageBytes {
			p.More = true
			return errPageEnd
		}
		p.Rows, size = append(p.Rows, key, value), size+len(key)+len(value)
		return nil
	})
	if err != nil && !errors.Is(err, errPageEnd) {
		return nil, err
	}
	return json.Marshal(p)
}
