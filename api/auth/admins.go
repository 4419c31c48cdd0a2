package auth

import (
	"context"
	"fmt"
)

// Admins are the actors of those who look after the instance, in order.
func (s *Service) Admins(ctx context.Context) ([]string, error) {
	var out []string
	if err := s.db.Read.WithContext(ctx).Model(&Account{}).Where("role = ?", Admin).Order("actor").Pluck("actor", &out).Error; err != nil {
		return nil, fmt.Errorf("read admins: %w", err)
	}
	return out, nil
}
