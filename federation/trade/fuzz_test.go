package trade_test

import (
	"encoding/json"
	"errors"
	"testing"

	"antiphon/federation/trade"
)

func FuzzParseLuggage(f *testing.F) {
	for _, s := range []string{
		`{"type":"antiphon-library","from":"https://a.example/users/lin","to":"https://b.example/users/lin","items":[{"artist":"https://s.example/users/ada","track":"https://s.example/tracks/1","title":"Rain","agreement":{"type":"Agreement"}}]}`,
		`{"type":"antiphon-library","items":[]}`, `{"type":"antiphon-library","items":[null]}`, `{"type":"antiphon-library","items":[{}],"more":1}`, `{}`, `[]`, `null`, `{`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := trade.ParseLuggage(data)
		if err != nil {
			var refused *trade.Refusal
			if !errors.As(err, &refused) || refused.Words == "" {
				t.Fatalf("refused without words: %v", err)
			}
			return
		}
		if l.Type != trade.LuggageType || len(l.Items) == 0 {
			t.Errorf("took %+v", l)
		}
		for _, c := range l.Items {
			if len(c.Agreement) > 0 && !json.Valid(c.Agreement) {
				t.Errorf("agreement %q", c.Agreement)
			}
		}
	})
}
