package treasury_test

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
	"antiphon/payments/raiden/raidentest"
	"antiphon/payments/raidendev"
	"antiphon/payments/treasury"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var money = treasury.Money{Symbol: "DAI", Decimals: 18}

// TestFindings judges nodes of both dialects, whole ones and ones that lack something.
func TestFindings(t *testing.T) {
	t.Parallel()
	says := func(method, path, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != method || !strings.HasPrefix(r.URL.Path, "/api/v1"+path) {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	status := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(code); return true }
	}
	channel := func(state, balance, deposit, online string) string {
		return `[{"channel_identifier":"1","token_network_address":"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed","partner_address":"0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",` +
			`"token_address":"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB","balance":"` + balance + `","total_deposit":"` + deposit + `","total_withdraw":"0","state":"` + state + `","network_state":"` + online + `"}]`
	}
	for _, c := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request) bool
		// part is the finding looked at, with its level and a part of its words.
		part  string
		level treasury.Level
		words string
		worst treasury.Level
	}{
		{"whole", nil, "paying", treasury.OK, "up to 1000 DAI", treasury.Warn},
		{"whole", nil, "being paid", treasury.Warn, "only as far as partners", treasury.Warn},
		{"whole", nil, "user deposit", treasury.OK, "does not tell", treasury.Warn},
		{"whole", nil, "transfers", treasury.OK, "none", treasury.Warn},
		{"no node", status(http.StatusBadGateway), "node", treasury.Fail, "does not answer", treasury.Fail},
		{"no such node", status(http.StatusBadRequest), "node", treasury.Fail, "not a Raiden node", treasury.Fail},
		{"locked out", status(http.StatusUnauthorized), "node", treasury.Fail, "credential", treasury.Fail},
		{"syncing", says("GET", "/status", `{"status":"syncing","blocks_to_sync":"17"}`), "chain", treasury.Fail, "17 blocks", treasury.Fail},
		{"not ready", says("GET", "/status", `{"status":"unavailable"}`), "chain", treasury.Fail, "not ready", treasury.Fail},
		{"another token", says("GET", "/tokens", `[]`), "token", treasury.Fail, "does not know", treasury.Fail},
		{"no channel", says("GET", "/channels", `[]`), "channels", treasury.Fail, "none is open", treasury.Fail},
		{"closed", says("GET", "/channels", channel("closed", "1", "1", "")), "channels", treasury.Fail, "none is open", treasury.Fail},
		{"partner away", says("GET", "/channels", channel("opened", "1", "1", "unreachable")), "partners", treasury.Fail, "away", treasury.Fail},
		{"empty", says("GET", "/channels", channel("opened", "0", "5000000000000000000", "")), "paying", treasury.Warn, "nothing can be bought", treasury.Warn},
		{"has paid", says("GET", "/channels", channel("opened", "2000000000000000000", "5000000000000000000", "reachable")), "being paid", treasury.OK, "at least 3 DAI", treasury.OK},
		{"rich", says("GET", "/user_deposit", `{"total_deposit":"12"}`), "user deposit", treasury.OK, "12 units", treasury.Warn},
		{"poor", says("GET", "/user_deposit", `"0"`), "user deposit", treasury.Warn, "empty", treasury.Warn},
	} {
		for _, dialect := range []raiden.Dialect{raiden.DialectPython, raiden.DialectLight} {
			t.Run(c.name+" "+c.part+" "+string(dialect), func(t *testing.T) {
				t.Parallel()
				n := raidentest.New(t, dialect)
				n.Payer.Intercept(c.answer)
				survey := treasury.Look(t.Context(), n.Payer.Client(t), n.Token)
				all := survey.Findings(money)
				i := slices.IndexFunc(all, func(f treasury.Finding) bool { return f.Part == c.part })
				if i < 0 || all[i].Level != c.level || !strings.Contains(all[i].Says, c.words) {
					t.Fatalf("findings %+v", all)
				}
				if all[i].Level == treasury.Fail && all[i].Do == "" {
					t.Error("it is not said what to do")
				}
				if worst := treasury.Worst(all); worst != c.worst {
					t.Errorf("worst is %s: %+v", worst, all)
				}
			})
		}
	}
	n := raidentest.New(t, raiden.DialectLight)
	n.Payer.Pending(n.Payee.PendingTransfer(n.Payer.Address, 7))
	all := treasury.Look(t.Context(), n.Payer.Client(t), n.Token).Findings(money)
	if f := all[len(all)-1]; f.Part != "transfers" || f.Level != treasury.Warn || !strings.Contains(f.Says, "1 under way") {
		t.Errorf("a pending transfer: %+v", f)
	}
}

// desk is a treasury over a node of a development network; between lies a proxy that can lose requests and answers.
type desk struct {
	*treasury.Service
	db       *db.DB
	jobs     *jobs.Queue
	network  *raidendev.Network
	partners map[string]eip55.Address
	// status is what the proxy answers to changes instead of the node; with pass, the node is asked all the same.
	status atomic.Int64
	pass   atomic.Bool
	sent   atomic.Int64
}

func open(t *testing.T, dsn string) *desk {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	network, err := raidendev.Open(raidendev.Config{
		Dir: t.TempDir(), Nodes: []string{"ada", "lin"}, Deposit: amount.NewUnits(1000), Log: log, Now: time.Now, Rand: rand.Reader,
	})
	must(t, err)
	served := make(chan error, 1)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { served <- network.Serve(ctx) }()
	d := &desk{network: network, partners: map[string]eip55.Address{}}
	for _, n := range network.Nodes() {
		d.partners[n.Name] = n.Address
	}
	target, err := url.Parse(network.Nodes()[1].URL)
	must(t, err)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || d.status.Load() == 0 {
			if r.Method != http.MethodGet {
				d.sent.Add(1)
			}
			forward.ServeHTTP(w, r)
			return
		}
		d.sent.Add(1)
		if d.pass.Load() {
			forward.ServeHTTP(httptest.NewRecorder(), r)
		}
		w.WriteHeader(int(d.status.Load()))
	}))
	client, err := raiden.New(raiden.Config{URL: proxy.URL})
	must(t, err)
	d.db, err = db.Open(t.Context(), dsn, log)
	must(t, err)
	d.jobs = jobs.New(d.db, log)
	d.Service = treasury.New(treasury.Parts{
		DB: d.db, Jobs: d.jobs, Client: client, Payer: raiden.NewPayer(client), Token: network.Token(), Money: money, Log: log, Now: time.Now,
		Record: func(_ context.Context, tx *gorm.DB, who, act, subject, why string) error {
			return tx.Exec("INSERT INTO audit (id, who, act, subject, why, created_at) VALUES (?, ?, ?, ?, ?, ?)", rand.Text(), who, act, subject, why, time.Now()).Error
		},
	})
	d.Register(d.jobs)
	must(t, d.jobs.Open())
	must(t, d.jobs.Start(context.WithoutCancel(t.Context())))
	t.Cleanup(func() {
		_ = d.jobs.Stop(context.Background())
		_ = d.db.Close()
		client.CloseIdle()
		proxy.Close()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		_ = network.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func units(n uint64) amount.Units { return amount.NewUnits(n) }

// order is an order of the admin.
func order(kind treasury.Kind, partner eip55.Address, total, seen uint64) treasury.Order {
	return treasury.Order{Kind: kind, Partner: partner, Total: units(total), Seen: units(seen), Who: "ada", Why: "because"}
}

// does begins an order and waits for its outcome.
func (d *desk) does(t *testing.T, o treasury.Order, want treasury.State) treasury.Act {
	t.Helper()
	act, err := d.Begin(t.Context(), o)
	must(t, err)
	return d.ends(t, act.ID, want)
}

func (d *desk) ends(t *testing.T, id string, want treasury.State) treasury.Act {
	t.Helper()
	var act treasury.Act
	testkit.Until(t, "the act is "+string(want), func() bool {
		acts, err := d.Acts(t.Context(), 50)
		must(t, err)
		i := slices.IndexFunc(acts, func(a treasury.Act) bool { return a.ID == id })
		if i < 0 {
			return false
		}
		act = acts[i]
		return act.State == want
	})
	return act
}

func (d *desk) channel(t *testing.T, partner eip55.Address) (raiden.Channel, bool) {
	t.Helper()
	for _, c := range d.Look(t.Context()).Open() {
		if c.Partner == partner {
			return c, true
		}
	}
	return raiden.Channel{}, false
}

func TestActs(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		d := open(t, fresh())
		lin, hub := d.partners["lin"], d.partners["hub"]
		refused := func(o treasury.Order, words string) {
			t.Helper()
			var r *treasury.Refusal
			if _, err := d.Begin(t.Context(), o); !errors.As(err, &r) || !strings.Contains(r.Words, words) {
				t.Errorf("%s %s: %v", o.Kind, o.Partner, err)
			}
		}
		refused(order(treasury.Open, hub, 5, 0), "already")
		refused(order(treasury.Open, d.partners["ada"], 5, 0), "its own address")
		refused(order(treasury.Open, eip55.Address{}, 5, 0), "its own address")
		refused(order(treasury.Deposit, lin, 5, 0), "no open channel")
		refused(order(treasury.Close, lin, 0, 0), "no open channel")
		refused(order("burn", hub, 0, 0), "opened, topped up or closed")

		d.does(t, order(treasury.Open, lin, 50, 0), treasury.Done)
		if c, ok := d.channel(t, lin); !ok || c.TotalDeposit != units(50) {
			t.Fatalf("opened: %+v", c)
		}
		// The new total is said, not what is added; who decided on an old page decides again.
		d.does(t, order(treasury.Deposit, lin, 80, 50), treasury.Done)
		if c, _ := d.channel(t, lin); c.TotalDeposit != units(80) || c.Balance != units(80) {
			t.Fatalf("topped up: %+v", c)
		}
		refused(order(treasury.Deposit, lin, 110, 50), "has changed meanwhile")
		refused(order(treasury.Deposit, lin, 80, 80), "only grows")

		t.Run("lost answer", func(t *testing.T) {
			d.status.Store(http.StatusGatewayTimeout)
			d.pass.Store(true)
			before := d.sent.Load()
			act := d.does(t, order(treasury.Deposit, lin, 90, 80), treasury.Unknown)
			if act.Words == "" {
				t.Error("nothing is said of an unknown outcome")
			}
			if _, err := d.Begin(t.Context(), order(treasury.Close, lin, 0, 0)); !errors.Is(err, treasury.ErrBusy) {
				t.Errorf("while the outcome is unknown: %v", err)
			}
			must(t, d.LookAgain(t.Context(), act.ID))
			d.ends(t, act.ID, treasury.Done)
			if got := d.sent.Load() - before; got != 1 {
				t.Errorf("it was sent %d times", got)
			}
			if c, _ := d.channel(t, lin); c.TotalDeposit != units(90) {
				t.Errorf("deposit is %s", c.TotalDeposit)
			}
		})
		t.Run("lost request", func(t *testing.T) {
			d.status.Store(http.StatusBadGateway)
			d.pass.Store(false)
			before := d.sent.Load()
			act := d.does(t, order(treasury.Close, lin, 0, 0), treasury.Unknown)
			must(t, d.LookAgain(t.Context(), act.ID))
			if act = d.ends(t, act.ID, treasury.Unknown); !strings.Contains(act.Words, "not there so far") {
				t.Errorf("looked: %q", act.Words)
			}
			must(t, d.Drop(t.Context(), act.ID, "ada"))
			d.ends(t, act.ID, treasury.Dropped)
			if err := d.Drop(t.Context(), act.ID, "ada"); !errors.Is(err, treasury.ErrNotFound) {
				t.Errorf("let go twice: %v", err)
			}
			if got := d.sent.Load() - before; got != 1 {
				t.Errorf("it was sent %d times", got)
			}
		})
		t.Run("refused by the node", func(t *testing.T) {
			d.status.Store(http.StatusPaymentRequired)
			if act := d.does(t, order(treasury.Deposit, lin, 95, 90), treasury.Refused); !strings.Contains(act.Words, "enough tokens") {
				t.Errorf("words %q", act.Words)
			}
		})
		d.status.Store(0)
		t.Run("killed", func(t *testing.T) {
			// What a killed process had given to the node is looked for, and not given again.
			must(t, d.jobs.Stop(t.Context()))
			before := d.sent.Load()
			act, err := d.Begin(t.Context(), order(treasury.Deposit, lin, 99, 90))
			must(t, err)
			must(t, d.db.Write.Model(&treasury.Act{}).Where("id = ?", act.ID).Update("state", treasury.Doing).Error)
			must(t, d.jobs.Start(context.WithoutCancel(t.Context())))
			d.ends(t, act.ID, treasury.Unknown)
			if d.sent.Load() != before {
				t.Error("it was sent again")
			}
			must(t, d.Drop(t.Context(), act.ID, "ada"))
		})
		d.does(t, order(treasury.Close, lin, 0, 0), treasury.Done)
		if c, ok := d.channel(t, lin); ok {
			t.Errorf("closed: %+v", c)
		}
		var acts []string
		must(t, d.db.Read.Table("audit").Order("created_at").Pluck("act", &acts).Error)
		want := []string{"raiden open", "raiden deposit", "raiden deposit", "raiden close", "raiden let go", "raiden deposit", "raiden deposit", "raiden let go", "raiden close"}
		if !slices.Equal(acts, want) {
			t.Errorf("record is %q", acts)
		}
	})
}

// TestOneAtATime: a change waits for a payment, and a payment for a change.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	n := raidentest.New(t, raiden.DialectLight)
	payer := raiden.NewPayer(n.Payer.Client(t))
	asked, held := make(chan struct{}, 8), make(chan struct{})
	n.Payer.Intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			asked <- struct{}{}
			<-held
		}
		return false
	})
	paid := make(chan error, 1)
	go func() {
		_, err := payer.PayOnce(t.Context(), raiden.PayRequest{Token: n.Token, Target: n.Payee.Address, Amount: units(1), Identifier: 1})
		paid <- err
	}()
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	changed := false
	_, err := payer.Change(ctx, n.Token, func(context.Context, *raiden.Client) (raiden.Channel, error) {
		changed = true
		return raiden.Channel{}, nil
	})
	if !errors.Is(err, raiden.ErrBusy) || changed {
		t.Errorf("a change beside a payment: %v, done %t", err, changed)
	}
	close(held)
	must(t, <-paid)
	n.Payer.Pending(strings.ReplaceAll(n.Payee.PendingTransfer(n.Payer.Address, 7), "target,", "initiator"))
	_, err = payer.Change(t.Context(), n.Token, func(context.Context, *raiden.Client) (raiden.Channel, error) {
		changed = true
		return raiden.Channel{}, nil
	})
	if !errors.Is(err, raiden.ErrBusy) || changed {
		t.Errorf("a change beside a pending transfer: %v", err)
	}
}

// TestRecent finds the end of histories of any length, also when they were longer before.
func TestRecent(t *testing.T) {
	t.Parallel()
	n := raidentest.New(t, raiden.DialectLight)
	s := treasury.New(treasury.Parts{Client: n.Payer.Client(t), Token: n.Token})
	for _, length := range []int{0, 1, 19, 20, 63, 64, 65, 300, 301, 7} {
		n.Payer.Change(func([]raidentest.Line) []raidentest.Line {
			lines := make([]raidentest.Line, length)
			for i := range lines {
				lines[i] = raidentest.Line{Event: raiden.EventSent, Initiator: n.Payer.Address, Target: n.Payee.Address, Amount: "1", Identifier: uint64(i + 1), Time: time.Now()}
			}
			return lines
		})
		events, err := s.Recent(t.Context(), 20)
		must(t, err)
		if len(events) != min(length, 20) || length > 0 && events[0].Identifier != uint64(length) {
			t.Errorf("of %d lines: %d, the latest %+v", length, len(events), events[:min(1, len(events))])
		}
	}
}
