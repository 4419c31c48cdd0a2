package fabric

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/grpc/status"

	"antiphon/payments/ledger/contract"
)

var (
	// ErrUnavailable means that the network did not take or answer a call; the same call may be made again later.
	ErrUnavailable = errors.New("fabric network is not available")
	// ErrDisagree means that peers came to different results and kept to them: they do not run the same contract, or
	// somebody's state is not what it should be.
	ErrDisagree = errors.New("peers disagree")
)

// answerLimit bounds one attempt of anything, from the proposal to the commit.
const answerLimit = 30 * time.Second

// pause is the time before a second attempt; it doubles up to maxPause.
const (
	pause    = 50 * time.Millisecond
	maxPause = 400 * time.Millisecond
)

// retry makes a call until it succeeds, is refused for good, or the backend's patience is over.
func (b *Backend) retry(ctx context.Context, call func(ctx context.Context) error) error {
	begin, wait := time.Now(), pause
	for {
		once, cancel := context.WithTimeout(ctx, answerLimit)
		err := call(once)
		cancel()
		if err == nil {
			return nil
		}
		f := b.read(err)
		if !f.passes || time.Since(begin)+wait > b.cfg.Patience {
			return f.err
		}
		select {
		case <-ctx.Done():
			return errors.Join(f.err, ctx.Err())
		case <-time.After(wait):
		}
		wait = min(2*wait, maxPause)
	}
}

// failure is why a call came to nothing.
type failure struct {
	err error
	// passes says that the same call may well succeed in a moment.
	passes bool
}

// read makes out what the gateway's error means.
func (b *Backend) read(err error) failure {
	var ordered *notCommitted
	if errors.As(err, &ordered) {
		switch ordered.code {
		case peer.TxValidationCode_MVCC_READ_CONFLICT, peer.TxValidationCode_PHANTOM_READ_CONFLICT:
			return failure{fmt.Errorf("%w: others write the same keys: %w", ErrUnavailable, err), true}
		case peer.TxValidationCode_ENDORSEMENT_POLICY_FAILURE:
			return failure{fmt.Errorf("%w: %w", ErrDisagree, err), false}
		}
		return failure{fmt.Errorf("%w: %w", ErrUnavailable, err), false}
	}
	said := status.Convert(err)
	all := said.Message()
	elsewhere := false
	for _, d := range said.Details() {
		detail, ok := d.(*gateway.ErrorDetail)
		if !ok {
			continue
		}
		all += "; " + detail.GetMspId() + " at " + detail.GetAddress() + ": " + detail.GetMessage()
		refused, ok := refusal(detail.GetMessage())
		if !ok {
			continue
		}
		if detail.GetMspId() == b.cfg.MSP {
			return failure{refused, false}
		}
		elsewhere = true
	}
	if refused, ok := refusal(said.Message()); ok { // an evaluation has no other place for it
		return failure{refused, false}
	}
	switch {
	case elsewhere:
		// The own peer agreed and another one did not: it lags behind by a block, or it is not of one mind with us. That
		// is not the contract's refusal.
		return failure{fmt.Errorf("%w: %s", ErrDisagree, all), true}
	case strings.Contains(all, "ProposalResponsePayloads do not match"):
		return failure{fmt.Errorf("%w: %s", ErrDisagree, all), true}
	case strings.Contains(all, "no combination of peers can be derived"):
		return failure{fmt.Errorf("%w: %s", ErrUnavailable, all), true}
	case strings.Contains(all, answered+"failed: "):
		return failure{fmt.Errorf("contract: %s", all), false}
	default:
		return failure{fmt.Errorf("%w: %s: %s", ErrUnavailable, said.Code(), all), false}
	}
}

// answered stands before a chaincode's own words in what a peer says.
const answered = "chaincode response 500, "

// refusal finds the contract's own words in what a peer says: "chaincode response 500, duplicate: ...".
func refusal(text string) (error, bool) {
	_, words, found := strings.Cut(text, answered)
	if !found {
		return nil, false
	}
	return contract.ParseMessage(words)
}
