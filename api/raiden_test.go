package api_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"gorm.io/gorm"

	"antiphon/federation/moderation"
	"antiphon/payments/raiden"
	"antiphon/payments/raiden/raidentest"
	"antiphon/payments/treasury"
)

// TestRaidenPage: an admin sees the node and has it act after a question with a reason; others see nothing of it.
func TestRaidenPage(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{}, func(t *testing.T, i *instance) {
		n := raidentest.New(t, raiden.DialectPython)
		client := n.Payer.Client(t)
		root, lin := i.admin(t, "root_1"), i.signedUp(t, "lin", nil)
		root.get("/admin/raiden").want(http.StatusOK, "has no Raiden node", "!Open a channel")
		root.post("/admin/raiden/acts", url.Values{"act": {"close"}, "why": {"x"}}).want(http.StatusNotFound)
		i.pages.Treasury = treasury.New(treasury.Parts{
			DB: i.db, Jobs: i.queue, Client: client, Payer: raiden.NewPayer(client), Token: n.Token, Money: treasury.Money{Symbol: "DAI", Decimals: 18}, Log: i.pages.Log, Now: i.clock.Now,
			Record: func(ctx context.Context, tx *gorm.DB, who, act, subject, why string) error {
				return moderation.Record(ctx, tx, who, act, subject, why, i.clock.Now())
			},
		})
		i.pages.Treasury.Register(i.queue)
		for _, path := range []string{"/admin/raiden", "/admin/raiden/confirm?act=close&partner=" + n.Payee.Address.String()} {
			lin.get(path).want(http.StatusForbidden)
			i.browser(t).get(path).want(http.StatusSeeOther)
		}
		for _, path := range []string{"/admin/raiden/acts", "/admin/raiden/acts/x/look", "/admin/raiden/acts/x/drop"} {
			lin.post(path, url.Values{"why": {"x"}}).want(http.StatusForbidden)
		}
		partner := n.Payee.Address.String()
		root.get("/admin/raiden").want(http.StatusOK, partner, "1000.00", "Top up", "Python node", "None so far.")
		ask := func(act, partner, amount string) *answer {
			return root.get("/admin/raiden/confirm?" + url.Values{"act": {act}, "partner": {partner}, "amount": {amount}}.Encode())
		}
		ask("deposit", partner, "2.5").want(http.StatusOK, "1002.50", `name="total" value="1002500000000000000000"`, `name="seen" value="1000000000000000000000"`)
		ask("deposit", partner, "2,5").want(http.StatusUnprocessableEntity, "with a point before the decimals")
		ask("deposit", partner, "0").want(http.StatusUnprocessableEntity)
		ask("deposit", "0x12", "1").want(http.StatusUnprocessableEntity, "not a node&#39;s address")
		ask("deposit", n.Payer.Address.String(), "1").want(http.StatusUnprocessableEntity, "no open channel")
		ask("open", partner, "1").want(http.StatusUnprocessableEntity, "already")
		ask("burn", partner, "1").want(http.StatusBadRequest)
		ask("close", partner, "").want(http.StatusOK, "Comes back to us", "1000.00")

		form := url.Values{"act": {"deposit"}, "partner": {partner}, "amount": {"2.5"}, "total": {"1002500000000000000000"}, "seen": {"1000000000000000000000"}}
		root.post("/admin/raiden/acts", form).want(http.StatusUnprocessableEntity, "Please say why", "1002.50")
		form.Set("why", "more is bought than sold")
		root.post("/admin/raiden/acts", form).to("/admin/raiden?done=asked")
		root.post("/admin/raiden/acts", form).want(http.StatusConflict, "Something else is being done")
		root.get("/admin/raiden").want(http.StatusOK, "waits for its turn", "!Top up<span")
		root.get("/admin/audit").want(http.StatusOK, "raiden deposit", partner, "more is bought than sold")

		check(t, i.db.Write.Exec("UPDATE channel_acts SET state = ?, words = ?", treasury.Unknown, "The node has not said").Error)
		root.get("/admin/raiden").want(http.StatusOK, "not known", "The node has not said", "Look again", "Let it go")
		var id string
		check(t, i.db.Read.Table("channel_acts").Pluck("id", &id).Error)
		root.post("/admin/raiden/acts/"+id+"/look", nil).to("/admin/raiden?done=looked")
		root.get("/admin/raiden").want(http.StatusOK, "not there so far")
		root.post("/admin/raiden/acts/"+id+"/drop", nil).to("/admin/raiden?done=dropped")
		root.get("/admin/raiden").want(http.StatusOK, "let go", "Top up<span")

		n.Payer.Intercept(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true })
		root.get("/admin/raiden").want(http.StatusOK, "does not answer", "!Top up<span")
		root.post("/admin/raiden/acts", form).want(http.StatusUnprocessableEntity, "Nothing was done")
	})
}
