package web

import (
	"net/http"
	"slices"
	"strconv"

	"antiphon/payments/anomaly"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
	"antiphon/templates"
)

// The settings of a rule.
const (
	ruleHolds = "holds"
	ruleTells = "tells"
	ruleOff   = "off"
)

// settable are the rules that an admin may set: what is no play (R0) never counts.
func settable() []string {
	var out []string
	for _, rule := range anomaly.V1().Rules {
		if rule != anomaly.R0Short {
			out = append(out, string(rule))
		}
	}
	return out
}

// PoolRules is GET /admin/rules: by which policy plays are judged, and the form that sets the next one.
func (p *Pages) PoolRules(w http.ResponseWriter, r *http.Request) error {
	return p.poolRules(w, r, nil)
}

func (p *Pages) poolRules(w http.ResponseWriter, r *http.Request, refused error) error {
	s, err := p.asReporter(r)
	if err != nil {
		return err
	}
	policy, err := s.NewestPolicy(r.Context())
	if err != nil {
		return err
	}
	view := &templates.PoolRules{
		Layout: p.Layout(r), Version: policy.Version, From: string(policy.From), Next: string(royalty.MonthOf(p.Now()).Next()),
		MinSeconds: policy.MinSeconds, DayCap: policy.DayCap,
	}
	view.NoIndex = true
	for _, rule := range settable() {
		one := templates.PoolRule{Rule: rule, Setting: ruleOff}
		switch {
		case slices.Contains(policy.ReportOnly, rule):
			one.Setting = ruleTells
		case slices.Contains(policy.Rules, rule):
			one.Setting = ruleHolds
		}
		view.Rules = append(view.Rules, one)
	}
	status := http.StatusOK
	if refused != nil {
		p.Log.Warn("policy not set", "error", refused)
		view.Error, status = report.Explain(refused), http.StatusConflict
	}
	return p.Render(w, status, view)
}

// SetPoolRules is POST /admin/rules.
func (p *Pages) SetPoolRules(w http.ResponseWriter, r *http.Request) error {
	s, err := p.asReporter(r)
	if err != nil {
		return err
	}
	err = s.ChangePolicy(r.Context(), func(policy *contract.Policy) {
		// What is no number is refused by the contract.
		policy.MinSeconds, _ = strconv.Atoi(r.PostFormValue("seconds"))
		policy.DayCap, _ = strconv.Atoi(r.PostFormValue("cap"))
		policy.Rules, policy.ReportOnly = []string{string(anomaly.R0Short)}, []string{}
		for _, rule := range settable() {
			switch r.PostFormValue(rule) {
			case ruleHolds:
				policy.Rules = append(policy.Rules, rule)
			case ruleTells:
				policy.Rules, policy.ReportOnly = append(policy.Rules, rule), append(policy.ReportOnly, rule)
			}
		}
	})
	if err != nil {
		return p.poolRules(w, r, err)
	}
	return seeOther(w, r, "/admin/rules?done=rules")
}
