package jsonld_test

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"antiphon/vocab/jsonld"
)

func nested(open, shut string, n int) string {
	return strings.Repeat(open, n) + strings.Repeat(shut, n)
}

func manyKeys(n int) string {
	var b strings.Builder
	b.WriteString(`{"a":1`)
	for i := range n {
		b.WriteString(`,"` + strconv.Itoa(i) + `":0`)
	}
	b.WriteString("}")
	return b.String()
}

func TestParse(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, in      string
		plain, signed error
	}{
		{"object", `{"id":"https://a.example/1","n":1,"ok":true,"no":null,"l":[1,"x"]}`, nil, nil},
		{"empty", `{}`, nil, nil},
		{"space around", " \n{}\t", nil, nil},
		{"pair of surrogates", `{"a":"\ud83c\udfb5"}`, nil, nil},
		{"backslashes before u", `{"a":"\\ud83c"}`, nil, nil},
		{"largest integer", `{"n":9007199254740991}`, nil, nil},
		{"negative integer", `{"n":-12}`, nil, nil},
		{"2^53", `{"n":9007199254740992}`, nil, jsonld.ErrMalformed},
		{"fraction", `{"n":-71.184902}`, nil, jsonld.ErrMalformed},
		{"exponent", `{"n":1e3}`, nil, jsonld.ErrMalformed},
		{"minus zero", `{"n":-0}`, nil, jsonld.ErrMalformed},
		{"integral fraction", `{"n":1.0}`, nil, jsonld.ErrMalformed},
		{"1e400", `{"n":1e400}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"leading zero", `{"n":01}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"plus", `{"n":+1}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"NaN", `{"n":NaN}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"nothing", ``, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"array", `[]`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"string", `"x"`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"null", `null`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"duplicate key", `{"id":"a","id":"b"}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"duplicate key, escaped", `{"id":"a","\u0069d":"b"}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"duplicate key within", `{"o":[{"id":"a","id":"b"}]}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"trailing garbage", `{} x`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"two values", `{}{}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"trailing comma", `{"a":1,}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"comment", `{/**/}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"byte order mark", "\xef\xbb\xbf{}", jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"invalid UTF-8", "{\"a\":\"\xff\"}", jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"lone high surrogate", `{"a":"\ud83c"}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"high and high", `{"a":"\ud83c\ud83c"}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"lone low surrogate", `{"a":"\udfb5"}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"lone surrogate in a key", `{"\ud83c":1}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"escaped NUL", `{"a":"\u0000"}`, jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"raw NUL", "{\"a\":\"\x00\"}", jsonld.ErrMalformed, jsonld.ErrMalformed},
		{"depth 64", `{"a":` + nested("[", "]", 63) + `}`, nil, nil},
		{"depth 65", `{"a":` + nested("[", "]", 64) + `}`, jsonld.ErrLimit, jsonld.ErrLimit},
		{"depth 10,000", nested(`{"a":`, "}", 10_000), jsonld.ErrLimit, jsonld.ErrLimit},
		{"brackets in a string", `{"a":"` + strings.Repeat("[", 1000) + `"}`, nil, nil},
		{"brackets after an escaped quote", `{"a":"\"` + strings.Repeat("[", 1000) + `"}`, nil, nil},
		{"many keys", manyKeys(60_000), jsonld.ErrLimit, jsonld.ErrLimit},
		{"many elements", `{"a":[` + strings.Repeat("1,", 60_000) + `1]}`, jsonld.ErrLimit, jsonld.ErrLimit},
		{"too long", `{"a":"` + strings.Repeat("x", jsonld.MaxBytes) + `"}`, jsonld.ErrLimit, jsonld.ErrLimit},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			if _, err := jsonld.Parse([]byte(tc.in)); !errors.Is(err, tc.plain) {
				t.Errorf("Parse: %v, want %v", err, tc.plain)
			}
			if _, err := jsonld.ParseSigned([]byte(tc.in)); !errors.Is(err, tc.signed) {
				t.Errorf("ParseSigned: %v, want %v", err, tc.signed)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestCanonicalize(t *testing.T) {
	t.Parallel()
	// From RFC 8785, sections 3.2.2 and 3.2.3.
	in := `{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false],
 "\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`
	want := "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27]," +
		"\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\"," +
		"\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"
	m, err := jsonld.Parse([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	got, err := jsonld.Canonicalize(m)
	if err != nil || string(got) != want {
		t.Errorf("got  %s %v\nwant %s", got, err, want)
	}
	for name, bad := range map[string]any{"invalid UTF-8": "\xff", "infinite": math.Inf(1), "NaN": math.NaN(), "2^53": int64(1 << 53), "a struct": struct{}{}, "bytes": []byte{1}} {
		if _, err := jsonld.Canonicalize(map[string]any{"a": []any{bad}}); !errors.Is(err, jsonld.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// value draws JSON values of any shape.
func value(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.StringMatching(`[^\x00]{0,12}`).AsAny(),
		rapid.Custom(func(t *rapid.T) any {
			return float64(rapid.Int64Range(-jsonld.MaxInteger, jsonld.MaxInteger).Draw(t, "n"))
		})}
	if depth > 0 {
		leaves = append(leaves, rapid.SliceOfN(value(depth-1), 0, 4).AsAny(), object(depth-1).AsAny())
	}
	return rapid.OneOf(leaves...)
}

func object(depth int) *rapid.Generator[map[string]any] {
	return rapid.MapOfN(rapid.StringMatching(`[^\x00]{0,8}`), value(depth), 0, 4)
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := object(3).Draw(t, "object")
		canonical, err := jsonld.Canonicalize(in)
		if err != nil {
			t.Fatal(err)
		}
		back, err := jsonld.ParseSigned(canonical)
		if err != nil {
			t.Fatalf("%s: %v", canonical, err)
		}
		if !reflect.DeepEqual(back, in) {
			t.Fatalf("%#v became %#v", in, back)
		}
		again, err := jsonld.Canonicalize(back)
		if err != nil || string(again) != string(canonical) {
			t.Fatalf("%s became %s", canonical, again)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"\ud83c\udfb5"}],"c":null}`))
	f.Add([]byte(`{"a":"\\\ud83c"}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add([]byte(`{"a":1e308,"b":-0,"c":0.1,"d":9007199254740993,"e":1E-400}`))
	f.Add([]byte(`{"\u0061":"\u2028\u007f","\ud83d\ude00":"\/"}`))
	f.Add([]byte("{\"a\":\"\xc3\xa9\\\\u0000\"}"))
	f.Add([]byte(strings.Repeat(`{"a":`, 64) + "1" + strings.Repeat("}", 64)))
	f.Add([]byte(" { \"a\" : [ ] , \"\\u0062\" : { } , \"c\" : [ true , -1.5e+3 , \"\" ] } "))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := jsonld.Parse(raw)
		if err != nil {
			return
		}
		var plain map[string]any
		if err := json.Unmarshal(raw, &plain); err != nil || !reflect.DeepEqual(plain, m) {
			t.Fatalf("encoding/json reads %#v (%v), we read %#v", plain, err, m)
		}
		_, members, err := jsonld.ParseMembers(raw)
		if err != nil || len(members) != len(m) {
			t.Fatalf("%d members of %d, %v", len(members), len(m), err)
		}
		for name, text := range members {
			var v any
			if err := json.Unmarshal(text, &v); err != nil || !reflect.DeepEqual(v, m[name]) {
				t.Fatalf("member %q is %s, %v", name, text, err)
			}
		}
		canonical, err := jsonld.Canonicalize(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := jsonld.Parse(canonical)
		if err != nil && !errors.Is(err, jsonld.ErrLimit) || err == nil && !reflect.DeepEqual(again, m) {
			t.Fatalf("%s is read again as %#v (%v)", canonical, again, err)
		}
		if signed, err := jsonld.ParseSigned(raw); err == nil && !reflect.DeepEqual(signed, m) {
			t.Fatalf("signed, it is %#v", signed)
		}
	})
}
