package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// bench is one run.
type bench struct {
	out        io.Writer
	json, cold bool
	rounds     int
	// length is how long a run of clients lasts, and perSecond how many posts a second are made for one.
	length    time.Duration
	perSecond int
	// dir is the run's own folder; it goes with the run.
	dir    string
	missed bool
}

// floor is what a figure must not pass.
type floor struct {
	bound float64
	sign  string
}

func atMost(bound float64) floor  { return floor{bound, "<="} }
func atLeast(bound float64) floor { return floor{bound, ">="} }

// noFloor is for figures that are told and not judged.
var noFloor floor

func (f floor) String() string {
	if f == noFloor {
		return "-"
	}
	return f.sign + strconv.FormatFloat(f.bound, 'f', -1, 64)
}

func (f floor) holds(value float64) bool {
	switch f.sign {
	case "<=":
		return value <= f.bound
	case ">=":
		return value >= f.bound
	}
	return true
}

// report tells one figure.
func (b *bench) report(name string, value float64, unit string, f floor) error {
	ok := f.holds(value)
	b.missed = b.missed || !ok
	if b.json {
		lines := json.NewEncoder(b.out)
		lines.SetEscapeHTML(false) // a floor begins with < or >
		return lines.Encode(struct {
			Name  string  `json:"name"`
			Value float64 `json:"value"`
			Unit  string  `json:"unit"`
			Floor string  `json:"floor"`
			OK    bool    `json:"ok"`
		}{name, value, unit, f.String(), ok})
	}
	verdict := "ok"
	if !ok {
		verdict = "MISSED"
	}
	_, err := fmt.Fprintf(b.out, "%s %.3f %s %s %s\n", name, value, unit, f, verdict)
	return err
}
