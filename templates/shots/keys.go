package main

import (
	"time"

	. "antiphon/templates"
)

// keyPages are the pages about listeners' keys.
func keyPages(user *User) map[string]View {
	pair := [2]string{"zQ3shVc2UkAfJCdc1TR8E66J85h48P43r93q8jGPkPpjF9Ef9", "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"}
	quiet := Keys{Layout: layout("/settings/keys", user), ReceivingKey: pair[0], RequestingKey: pair[1]}
	busy := quiet
	busy.Waiting, busy.Granted, busy.Total, busy.MovedTo = 2, 2, 7, "@lin@a-very-long-instance-name.music.example"
	busy.Rows = []Anew{
		{ID: "1", Title: "Introzik", Seller: "music.example", State: "granted", Since: now},
		{ID: "2", Title: "نهر", Seller: "another-long-instance-name.music.example", State: "granted", Since: now},
		{ID: "3", Title: "A song whose seller has gone away", Seller: "gone.example", State: "silent", Since: now.Add(-26 * time.Hour)},
		{ID: "4", Title: "Regen", Seller: "b.example", State: "refused", Since: now, Words: "The artist has taken this back."},
		{ID: "5", Title: "Schnee", Seller: "c.example", State: "letgo", Since: now, Words: "You let this one go. It opens with your old key."},
	}
	wrong := quiet
	wrong.Error = "This library was packed for another account."
	held := &Orders{Layout: layout("/orders", user), Holds: []KeyHold{{Buyer: "https://b.example/users/lin", Name: "@orchester_der_vergessenen@a-very-long-instance-name.music.example", Since: now}}}
	return map[string]View{"keys": &quiet, "keys-anew": &busy, "keys-wrong": &wrong, "orders-held": held}
}
