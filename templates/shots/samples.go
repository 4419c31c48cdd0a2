package main

import (
	"fmt"
	"time"

	. "antiphon/templates"
)

const site = "https://kirchplatz.example"

var now = time.Date(2026, 11, 20, 18, 40, 0, 0, time.UTC)

func layout(path string, user *User) Layout {
	return Layout{Site: "Kirchplatz", BaseURL: site, User: user, Path: path, DevTokens: true, SignupOpen: true}
}

func lin() *User {
	return &User{Name: "lin", Display: "Lin Okafor", Handle: "@lin@kirchplatz.example", Actor: site + "/users/lin", URL: "/@lin", Admin: true, Custody: CustodyOwn}
}

func price(units string) Money {
	return Money{Units: units, Decimals: 18, Symbol: "DEV", DevTokens: true}
}

// track is a track with everything set; the cases change what they are about.
func track(n int, title, artist, cover, accent string) Track {
	t := Track{
		URI: fmt.Sprintf("%s/tracks/%d", site, n), URL: fmt.Sprintf("/tracks/%d", n), Title: title, Artist: artist,
		ArtistURL: "/@artist", ArtistHandle: "@artist@kirchplatz.example", Accent: accent, CoverAlt: "",
		Duration: time.Duration(150+n*37%260) * time.Second, Preview: "/preview.wav", Peaks: peaks(n),
		Published: now.AddDate(0, 0, -n*3), Price: price("5000000000000000000"), BuyURL: fmt.Sprintf("/tracks/%d/buy", n),
	}
	if cover != "" {
		t.Cover = "/" + cover + ".png"
	}
	return t
}

func tracks() []Track {
	long := track(4, "The Lanterns We Carried Down to the Harbour on the Last Evening Before the Ferries Stopped (Live at St. Jakobi, second night)", "Orchester der vergessenen Straßenbahnhaltestellen", "tide", "#2f8f83")
	arabic := track(5, "أغنية المطر على نافذة قديمة", "نور الهاشمي", "violet", "#7a4bd0")
	bare := track(3, "Untitled (Four-Track Demo)", "Ada Brandt", "", "")
	bare.Peaks = nil
	free := track(6, "Signal", "Marta & the Relays", "signal", "#d7331d")
	free.Price = Money{}
	owned := track(2, "Fernweh", "Ada Brandt", "fern", "#6f9a3c")
	owned.Owned = true
	return []Track{
		track(1, "Dusk Over Kirchplatz", "Ada Brandt", "dusk", "#c4626b"), owned, bare, long, arabic, free,
		track(7, "Quarry Song", "Josef Lindqvist", "quarry", "#808080"), track(8, "Pneuma", "Ada Brandt", "", "#3a7bd5"),
	}
}

func many(n int) []Track {
	all := tracks()
	list := make([]Track, n)
	for i := range list {
		t := all[i%len(all)]
		t.URI = fmt.Sprintf("%s-%d", t.URI, i)
		t.Title = fmt.Sprintf("%s, No. %d", t.Title, i+1)
		t.Owned, t.Peaks = true, nil
		list[i] = t
	}
	return list
}

func steps(at int) []Step {
	names := []string{"receive", "probe", "transcode", "package", "seal", "store", "capsule"}
	list := make([]Step, len(names))
	for i, name := range names {
		list[i] = Step{Name: name, State: "waiting"}
		if i < at {
			list[i] = Step{Name: name, State: "done", Done: 1}
		} else if i == at {
			list[i] = Step{Name: name, State: "working", Done: 0.42}
		}
	}
	return list
}

var keys = [2]string{"zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme", "z6MkehRgf7yJbgaGfYsdoAsKdBPE3dj2CYhowQdcjqSJgvVd"}
