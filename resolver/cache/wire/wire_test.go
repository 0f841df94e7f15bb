package wire

import (
	"bytes"
	"math"
	"reflect"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	var e Encoder
	ints := []int64{0, 1, -1, 63, -64, 64, math.MaxInt64, math.MinInt64}
	for _, i := range ints {
		e.Int(i)
		e.Uint(uint64(i))
	}
	e.Bool(true)
	e.Bool(false)
	list := []string{"", "a\x00b\xff", "é"}
	e.Strings(list)
	e.Strings(nil)
	e.Fixed([]byte{1, 2, 3})

	d := NewDecoder(e.Bytes())
	for _, i := range ints {
		if got := d.Int(); got != i {
			t.Errorf("Int: got %d, want %d", got, i)
		}
		if got := d.Uint(); got != uint64(i) {
			t.Errorf("Uint: got %d, want %d", got, uint64(i))
		}
	}
	if !d.Bool() || d.Bool() {
		t.Error("Bool differs")
	}
	if got := d.Strings(); !reflect.DeepEqual(got, list) {
		t.Errorf("Strings: got %q", got)
	}
	if got := d.Strings(); got != nil {
		t.Errorf("empty Strings: got %q", got)
	}
	var fixed [3]byte
	d.Fixed(fixed[:])
	if fixed != [3]byte{1, 2, 3} {
		t.Errorf("Fixed: got %v", fixed)
	}
	if err := d.End(); err != nil {
		t.Error(err)
	}
}

func TestMalformed(t *testing.T) {
	for name, take := range map[string]func(*Decoder){
		"overlong number": func(d *Decoder) { d.Uint() },
		"list too long":   func(d *Decoder) { d.Strings() },
		"string too long": func(d *Decoder) { _ = d.String() },
		"fixed too short": func(d *Decoder) { d.Fixed(make([]byte, 9)) },
		"bytes left over": func(d *Decoder) { d.Bool() },
	} {
		d := NewDecoder([]byte{0x80, 0x00})
		if name == "bytes left over" {
			d = NewDecoder([]byte{1, 1})
		}
		take(d)
		if d.End() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestUnframe(t *testing.T) {
	framed := Frame("ambit test 1", []byte("body"))
	body, err := Unframe("ambit test 1", framed)
	if err != nil || string(body) != "body" {
		t.Fatalf("got %q, %v", body, err)
	}
	for n := range framed {
		if _, err := Unframe("ambit test 1", framed[:n]); err == nil {
			t.Errorf("cut to %d bytes: accepted", n)
		}
		flipped := bytes.Clone(framed)
		flipped[n] ^= 1
		if _, err := Unframe("ambit test 1", flipped); err == nil {
			t.Errorf("byte %d flipped: accepted", n)
		}
	}
	if _, err := Unframe("ambit test 2", framed); err == nil {
		t.Error("another schema: accepted")
	}
}
