package fabric

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
	"github.com/hyperledger/fabric-protos-go-apiv2/ledger/queryresult"
	"github.com/hyperledger/fabric-protos-go-apiv2/msp"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/contracttest"
)

// stub is one transaction on a peer's state, in as far as a chaincode of ours looks at it; any other method panics.
type stub struct {
	shim.ChaincodeStubInterface

	args      [][]byte
	creator   []byte
	committed map[string][]byte
	put       map[string][]byte
	events    []string
}

func newStub(committed map[string][]byte, args ...string) *stub {
	creator, err := proto.Marshal(&msp.SerializedIdentity{Mspid: "AlphaMSP", IdBytes: []byte("a certificate that the peer has checked")})
	if err != nil {
		panic(err)
	}
	s := &stub{committed: committed, creator: creator, put: map[string][]byte{}}
	for _, a := range args {
		s.args = append(s.args, []byte(a))
	}
	return s
}

func (s *stub) GetArgs() [][]byte                   { return s.args }
func (s *stub) GetCreator() ([]byte, error)         { return s.creator, nil }
func (s *stub) GetTxID() string                     { return "tx" }
func (s *stub) GetState(key string) ([]byte, error) { return s.committed[key], nil }
func (s *stub) DelState(key string) error           { s.put[key] = nil; return nil }
func (s *stub) SetEvent(name string, payload []byte) error {
	s.events = append(s.events, name+" "+string(payload))
	return nil
}

func (s *stub) GetTxTimestamp() (*timestamppb.Timestamp, error) {
	return timestamppb.New(time.Date(2026, 11, 5, 12, 0, 0, 999, time.UTC)), nil
}

// PutState does as Fabric: an empty value is a deletion.
func (s *stub) PutState(key string, value []byte) error {
	s.put[key] = value
	return nil
}

// queryLimit is what this peer gives in one query, and not a word more.
const queryLimit = 700

func (s *stub) GetStateByRange(start, end string) (shim.StateQueryIteratorInterface, error) {
	r := &rows{}
	for _, key := range slices.Sorted(maps.Keys(s.committed)) {
		if key >= start && (end == "" || key < end) && len(r.left) < queryLimit {
			r.left = append(r.left, &queryresult.KV{Key: key, Value: s.committed[key]})
		}
	}
	return r, nil
}

type rows struct {
	left   []*queryresult.KV
	closed bool
}

func (r *rows) HasNext() bool { return len(r.left) > 0 }
func (r *rows) Close() error  { r.closed = true; return nil }
func (r *rows) Next() (*queryresult.KV, error) {
	next := r.left[0]
	r.left = r.left[1:]
	return next, nil
}

// commit makes what was written the committed state, as a peer does.
func (s *stub) commit() {
	for key, value := range s.put {
		if len(value) == 0 {
			delete(s.committed, key)
		} else {
			s.committed[key] = value
		}
	}
}

// call invokes the chaincode, and commits what it wrote.
func call(t testing.TB, committed map[string][]byte, args ...string) *peer.Response {
	t.Helper()
	s := newStub(committed, args...)
	answer := chaincode{}.Invoke(s)
	if answer.GetStatus() == shim.OK {
		s.commit()
	} else if len(s.put) > 0 {
		t.Errorf("%q was refused and has written %v", args, s.put)
	}
	return answer
}

func encoded(t testing.TB, c contract.Command) []string {
	t.Helper()
	function, args, err := contract.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	return []string{function, string(args)}
}

// TestState: the view of a transaction is that of the contract, where Fabric's own differs.
func TestState(t *testing.T) {
	t.Parallel()
	committed := map[string][]byte{}
	write := newStub(committed)
	s, err := newState(write)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"a": "1", "b": "", "c": "\x00", "d": "\x00\x00x", "e": "x\x00"}
	for key, value := range values {
		if err := s.Put(key, value); err != nil {
			t.Fatal(err)
		}
		if _, found, err := s.Get(key); found || err != nil {
			t.Errorf("%s can be read in the transaction that wrote it: %v", key, err)
		}
	}
	for name, err := range map[string]error{
		"put twice": s.Put("a", "2"), "deleted after put": s.Delete("a"), "put without a name": s.Put("", "x"),
		"first event": s.Emit("x", nil), "second event": s.Emit("y", nil),
	} {
		if (name == "first event") != (err == nil) || err != nil && !errors.Is(err, contract.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if at := time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC); s.Caller() != "AlphaMSP" || !s.Time().Equal(at) || s.TxID() != "tx" {
		t.Errorf("caller %s at %s in %s", s.Caller(), s.Time(), s.TxID())
	}

	write.commit()
	if s, err = newState(newStub(committed)); err != nil {
		t.Fatal(err)
	}
	for key, want := range values {
		if value, found, err := s.Get(key); value != want || !found || err != nil {
			t.Errorf("%s is %q, %t, %v; want %q", key, value, found, err, want)
		}
	}
	for _, tc := range []struct{ start, end, want string }{
		{"", "~", "abcde"}, {"b", "d", "bc"}, {"b", "", ""}, {"d", "b", ""}, {"b", "b", ""},
	} {
		var got strings.Builder
		err := s.Range(tc.start, tc.end, func(key, value string) error {
			if value != values[key] {
				t.Errorf("%s is %q", key, value)
			}
			got.WriteString(key)
			return nil
		})
		if err != nil || got.String() != tc.want {
			t.Errorf("from %q to %q: %s, %v; want %s", tc.start, tc.end, got.String(), err, tc.want)
		}
	}
	if err := s.Delete("a"); err != nil {
		t.Error(err)
	}

	nobody := newStub(committed)
	nobody.creator = nil
	if _, err := newState(nobody); !errors.Is(err, contract.ErrCaller) {
		t.Errorf("nobody calls: %v", err)
	}
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	committed := map[string][]byte{}
	if got := call(t, committed, encoded(t, contract.DefaultPolicy(contracttest.October+"0"))...); got.GetStatus() == shim.OK {
		t.Errorf("a month that there is not: %v", got)
	}
	policy := encoded(t, contract.DefaultPolicy("2026-12"))
	if got := call(t, committed, policy...); got.GetStatus() != shim.OK || len(committed) == 0 {
		t.Fatalf("%v, %d keys", got, len(committed))
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "invalid: "},
		{[]string{""}, "invalid: "},
		{[]string{policy[0]}, "invalid: "},
		{[]string{policy[0], policy[1], policy[1]}, "invalid: "},
		{[]string{policy[0], "{"}, "invalid: "},
		{[]string{"no_function", "{}"}, "invalid: "},
		{[]string{readKey}, "invalid: "},
		{[]string{readRange, "a"}, "invalid: "},
		{policy, "chain: "},
	} {
		got := call(t, committed, tc.args...)
		if got.GetStatus() < shim.ERRORTHRESHOLD || !strings.HasPrefix(got.GetMessage(), tc.want) {
			t.Errorf("%.60q: %d %s, want %s", tc.args, got.GetStatus(), got.GetMessage(), tc.want)
		}
	}
	// A method that is nil panics: the process that serves the chaincode is an instance's own.
	if got := (chaincode{}).Invoke(&broken{}); got.GetStatus() < shim.ERRORTHRESHOLD || !strings.HasPrefix(got.GetMessage(), "failed: contract broke") {
		t.Errorf("after a panic: %v", got)
	}
}

type broken struct{ shim.ChaincodeStubInterface }

// TestPages: what is more than one answer holds comes in several, by number and by size.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ keys, size, pages int }{{0, 1, 1}, {pageRows, 1, 1}, {pageRows + 1, 1, 2}, {5, pageBytes/2 + 1, 3}} {
		committed := map[string][]byte{}
		for i := range tc.keys {
			committed[fmt.Sprintf("k/%05d", i)] = []byte(strings.Repeat("v", tc.size))
		}
		start, got := "", []string{}
		for n := 1; ; n++ {
			answer := call(t, committed, readRange, start, "~")
			var p page
			if err := json.Unmarshal(answer.GetPayload(), &p); err != nil || answer.GetStatus() != shim.OK {
				t.Fatal(answer, err)
			}
			for i := 0; i < len(p.Rows); i += 2 {
				got = append(got, p.Rows[i])
				start = p.Rows[i] + "\x00"
			}
			if !p.More {
				if n != tc.pages {
					t.Errorf("%d keys of %d bytes came in %d pages, want %d", tc.keys, tc.size, n, tc.pages)
				}
				break
			}
		}
		if !slices.Equal(got, slices.Sorted(maps.Keys(committed))) {
			t.Errorf("%d keys came as %d", tc.keys, len(got))
		}
	}
}

// FuzzInvoke: whatever another operator sends, the answer is the contract's, and not that it broke.
func FuzzInvoke(f *testing.F) {
	committed := map[string][]byte{}
	books := contracttest.Keep(f, contracttest.Alpha, "2026-10", 1, []string{"L1"}, contracttest.Heard{Listener: "L1", Artist: "a", Plays: 3})
	for _, c := range []contract.Command{
		contract.DefaultPolicy("2026-12"), contracttest.Nodes("AlphaMSP")[0], books.EmptyDay(), books.Day, books.Paid(f, 1, "L1"),
		books.Report, books.Final(), books.Payouts(f),
	} {
		args := encoded(f, c)
		call(f, committed, args...)
		f.Add(args[0], args[1])
	}
	f.Add(readKey, "policy")
	f.Fuzz(func(t *testing.T, function, args string) {
		got := call(t, maps.Clone(committed), function, args)
		if strings.Contains(got.GetMessage(), "contract broke") {
			t.Error(got.GetMessage())
		}
	})
}
