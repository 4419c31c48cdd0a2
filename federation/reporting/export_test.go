package reporting

import (
	"context"

	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// LastAttempt is the last attempt of a fetch.
const LastAttempt = fetchAttempts

// FetchStatements is one attempt to fetch a node's statements.
func (s *Service) FetchStatements(ctx context.Context, node string, month royalty.Month, stage report.Stage, try int64, attempt int) error {
	return s.fetchStatements(ctx, statementsDue{node, month, stage, try}, attempt)
}
