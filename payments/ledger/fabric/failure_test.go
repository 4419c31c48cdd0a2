package fabric

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"antiphon/payments/ledger/contract"
)

// said is an error as the gateway of a peer gives it, with what each other peer said: its MSP and its words.
func said(t *testing.T, code codes.Code, message string, details ...string) error {
	t.Helper()
	s := status.New(code, message)
	for i := 0; i < len(details); i += 2 {
		var err error
		s, err = s.WithDetails(&gateway.ErrorDetail{Address: "peer.example:7051", MspId: details[i], Message: details[i+1]})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s.Err()
}

const duplicate = "chaincode response 500, duplicate: record_payment: payment was recorded before"

func TestFailures(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err    error
		want   error
		never  error
		passes bool
	}{
		"refused by the own peer": {
			err: said(t, codes.Aborted, "failed to endorse transaction, see attached details for more info", "AlphaMSP", duplicate), want: contract.ErrDuplicate,
		},
		"refused by both": {
			err: said(t, codes.Aborted, "failed", "BetaMSP", duplicate, "AlphaMSP", duplicate), want: contract.ErrDuplicate,
		},
		"refused elsewhere alone": {
			err: said(t, codes.Aborted, "failed", "BetaMSP", duplicate), want: ErrDisagree, never: contract.ErrDuplicate, passes: true,
		},
		"refused in an evaluation": {
			err: said(t, codes.Unknown, "evaluate call to endorser returned error: chaincode response 500, unknown: x: not on the ledger"), want: contract.ErrUnknown,
		},
		"different results": {
			err: said(t, codes.Aborted, "failed to assemble transaction: ProposalResponsePayloads do not match"), want: ErrDisagree, passes: true,
		},
		"peers have not met": {
			err:  said(t, codes.FailedPrecondition, "no combination of peers can be derived which satisfy the endorsement policy"),
			want: ErrUnavailable, passes: true,
		},
		"a peer is away": {
			err:  said(t, codes.Aborted, "failed to collect enough transaction endorsements", "BetaMSP", "rpc error: code = Unavailable desc = connection refused"),
			want: ErrUnavailable,
		},
		"the own peer is away":     {err: said(t, codes.Unavailable, "connection refused"), want: ErrUnavailable},
		"no answer in time":        {err: context.DeadlineExceeded, want: ErrUnavailable},
		"the contract broke":       {err: said(t, codes.Aborted, "failed", "AlphaMSP", "chaincode response 500, failed: contract broke: x"), never: ErrUnavailable},
		"others wrote the keys":    {err: &notCommitted{peer.TxValidationCode_MVCC_READ_CONFLICT}, want: ErrUnavailable, passes: true},
		"others wrote the range":   {err: &notCommitted{peer.TxValidationCode_PHANTOM_READ_CONFLICT}, want: ErrUnavailable, passes: true},
		"the policy was not met":   {err: &notCommitted{peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE}, want: ErrDisagree},
		"any other code of commit": {err: &notCommitted{peer.TxValidationCode_EXPIRED_CHAINCODE}, want: ErrUnavailable},
	} {
		b := &Backend{cfg: Config{MSP: "AlphaMSP"}}
		got := b.read(tc.err)
		if tc.want != nil && !errors.Is(got.err, tc.want) || tc.never != nil && errors.Is(got.err, tc.never) || got.passes != tc.passes {
			t.Errorf("%s: %v, passes %t", name, got.err, got.passes)
		}
	}
}

// TestRetry: what passes is tried again until it has passed, or patience or the context is over; nothing else is.
func TestRetry(t *testing.T) {
	t.Parallel()
	conflict := &notCommitted{peer.TxValidationCode_MVCC_READ_CONFLICT}
	synctest.Test(t, func(t *testing.T) {
		b := &Backend{cfg: Config{MSP: "AlphaMSP", Patience: 10 * time.Second}}
		calls := 0
		failing := func(times int, err error) func(context.Context) error {
			calls = 0
			return func(context.Context) error {
				if calls++; calls <= times {
					return err
				}
				return nil
			}
		}
		if err := b.retry(t.Context(), failing(5, conflict)); err != nil || calls != 6 {
			t.Errorf("after 5 conflicts: %v in %d calls", err, calls)
		}
		begin := time.Now()
		err := b.retry(t.Context(), failing(1e6, conflict))
		if took := time.Since(begin); !errors.Is(err, ErrUnavailable) || took > 10*time.Second || took < 9*time.Second {
			t.Errorf("conflicts without end: %v after %s", err, took)
		}
		begin = time.Now()
		if err := b.retry(t.Context(), failing(1, said(t, codes.Unavailable, "away"))); !errors.Is(err, ErrUnavailable) || time.Since(begin) > 0 || calls != 1 {
			t.Errorf("a peer that is away: %v in %d calls after %s", err, calls, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := b.retry(ctx, failing(1e6, conflict)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a caller who leaves: %v", err)
		}
	})
}
