package hook

import (
	"strings"
	"testing"
	"time"
)

func TestSegment(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		state, env, expires, want string
	}{
		{"", "", "", ""},
		{"", "shop/dev", "1700002520", "shop/dev 42m"}, // below "ambit run"
		{"", "", "1700002520", ""},
		{"1x", "shop/dev", "", "shop/dev"},
		{"1x", "shop/dev", "1700002520", "shop/dev 42m"},
		{"1x", "shop/dev", "1700000045", "shop/dev 45s"},
		{"1x", "shop/dev", "1700041400", "shop/dev 11h30m"},
		{"1x", "shop/dev", "1700000000", "shop/dev expired"},
		{"1x", "shop/dev", "1", "shop/dev expired"},
		{"p1x", "shop/dev", "1700002520", "shop/dev 42m"},
		{"1x", "", "", "not loaded"},
		{"00123456789abcdef", "", "", "not loaded"},
		{"1x", "$(id)", "$(id)", "{24}(id)"},
		{"1x", "a\nb", "9223372036854775807", "a{a}b"},
		{"1x", "a", "-9223372036854775808", "a expired"},
		{"1x", strings.Repeat("x", 50), "", strings.Repeat("x", 37) + "..."},
		{"1x", strings.Repeat("\x1b", 5000), "", strings.Repeat("{1b}", 9) + "{..."},
	} {
		vars := map[string]string{StateVar: c.state, EnvVar: c.env, ExpiresVar: c.expires}
		got := Segment(func(name string) (string, bool) { v := vars[name]; return v, v != "" }, now)
		if got != c.want {
			t.Errorf("state %q, env %q, expires %q: %q, want %q", c.state, c.env, c.expires, got, c.want)
		}
	}
}
