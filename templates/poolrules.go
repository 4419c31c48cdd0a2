package templates

// PoolRules is the admins' page of the policy by which plays of the pool are judged.
type PoolRules struct {
	Layout
	// Version holds from the month From on; Next is the first one that a change holds for.
	Version    int
	From, Next string
	Rules      []PoolRule
	// MinSeconds and DayCap are the numbers that can be set.
	MinSeconds, DayCap int
	// Error says in words why a change was refused.
	Error string
}

func (*PoolRules) page() string { return "admin_rules" }

// PoolRule is a rule and whether it is applied: its Setting is holds, tells or off.
type PoolRule struct{ Rule, Setting string }
