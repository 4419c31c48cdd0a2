package templates

import "time"

// Reports is the admins' list of what was reported.
type Reports struct {
	Layout
	// State is which are shown: "open", "resolved" or "dismissed".
	State string
	// Tabs lead to the other states.
	Tabs  []Choice
	Rows  []ReportRow
	Pager Pager
}

func (*Reports) page() string { return "admin_reports" }

// ReportRow is one report in a list.
type ReportRow struct {
	URL string
	// Target and Reporter are handles, or addresses of whom nothing is known.
	Target, Reporter string
	Words, Outcome   string
	When             time.Time
	Objects          int
}

// Report is one report with everything that helps to decide.
type Report struct {
	Layout
	ID    string
	State string
	Row   ReportRow
	// TargetURL is the account's page here, TargetURI its id.
	TargetURL, TargetURI string
	// Local says that the account lives here: then AccountURL leads to closing it, else PolicyURL to a policy.
	Local                 bool
	AccountURL, PolicyURL string
	Objects               []Reported
	Forwarded             bool
	Notes                 []ReportNote
}

func (*Report) page() string { return "admin_report" }

// Reported is one thing that was reported.
type Reported struct {
	URL, Title string
	// TakeDownURL leads to taking it down; empty when it cannot be.
	TakeDownURL string
}

// ReportNote is what an admin wrote about a report.
type ReportNote struct {
	Author, Words string
	When          time.Time
}

// Policies is the admins' list of whom the instance keeps away.
type Policies struct {
	Layout
	Rows  []Policy
	Pager Pager
	// AllowList says that only listed hosts are admitted.
	AllowList bool
	// Subject is filled into the form; Error says what is wrong with it.
	Subject, Error string
	Severities     []Choice
}

func (*Policies) page() string { return "admin_policies" }

// Policy is one row of them.
type Policy struct {
	Subject, Severity                     string
	RejectMedia, RejectReports, Obfuscate bool
	Public, Private                       string
	Changed                               time.Time
	LiftURL                               string
}

// PolicyImport shows what an uploaded block list would change.
type PolicyImport struct {
	Layout
	ID string
	// Changes are the first of Total; More is how many are not shown.
	Changes     []PolicyChange
	Total, More int
	Same        int
	Follows     int
	Problems    []ListProblem
}

func (*PolicyImport) page() string { return "admin_import" }

// PolicyChange is one of them; Was is empty for a new one.
type PolicyChange struct {
	Subject, Was, Severity     string
	RejectMedia, RejectReports bool
	Follows                    int
}

// ListProblem is a line that cannot be used; Why chooses the words.
type ListProblem struct {
	Line      int
	Text, Why string
}

// Audit is the record of what admins did.
type Audit struct {
	Layout
	Rows  []Act
	Pager Pager
}

func (*Audit) page() string { return "admin_audit" }

// Act is one act.
type Act struct {
	Who, Act, Subject, Why string
	When                   time.Time
}

// Signups is the list of those who wait to be let in.
type Signups struct {
	Layout
	Rows  []Applicant
	Pager Pager
	// Asked says that new members do wait; without it the list is what is left of then.
	Asked bool
}

func (*Signups) page() string { return "admin_signups" }

// Applicant is one of them.
type Applicant struct {
	Name, Display, Reason string
	When                  time.Time
}

// Decision asks an admin for the reason of one act before it is done.
type Decision struct {
	Layout
	// Key chooses the words: "decision.<key>" and so on.
	Key string
	// Subject is whom or what it is about, with a link if there is one.
	Subject, SubjectURL string
	// Action is where the form goes.
	Action string
	// Hidden are further fields of the form.
	Hidden map[string]string
	// Deny offers to deny the blocks as well.
	Deny bool
	// Error says what is wrong with what was typed.
	Error string
	// Why is what was typed.
	Why string
	// BackURL leads to where the admin came from.
	BackURL string
}

func (*Decision) page() string { return "admin_decision" }

// Complaint is the form with which a member reports somebody or something.
type Complaint struct {
	Layout
	// Target is whom it is about, Host its server when it is another one.
	Target, TargetURI, Host string
	// Object is what it is about besides the account, and Title what that is called; both may be empty.
	Object, Title string
	Error         string
}

func (*Complaint) page() string { return "report" }
