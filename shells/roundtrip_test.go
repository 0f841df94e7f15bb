package shells

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// listedValues are the files of testdata/values, a hostile value each.
func listedValues(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("../testdata/values/*")
	if err != nil || len(files) < 40 {
		t.Fatalf("testdata/values has %d files, %v", len(files), err)
	}
	var values []string
	for _, f := range files {
		values = append(values, read(t, f))
	}
	return values
}

// madeValues are bytes 1–255 in contexts where a neighbour could change their
// meaning, and random strings of bytes and of runes.
func madeValues(random *rand.Rand, n int) []string {
	var values []string
	for c := 1; c <= 255; c++ {
		b := string([]byte{byte(c)})
		for _, context := range []string{"%s", "a%sb", "%s0", "%sf0", "%s'", "'%s", "%s\\", "\\%s", "\x81%s", "%s\x81", "\xe9%s\xa1", "$%s", "%s\n"} {
			values = append(values, fmt.Sprintf(context, b))
		}
	}
	for range n {
		var b []byte
		for range random.IntN(40) {
			if random.IntN(2) == 0 {
				b = append(b, byte(1+random.IntN(255)))
			} else {
				b = utf8.AppendRune(b, 1+rune(random.IntN(0x10ffff)))
			}
		}
		values = append(values, string(b))
	}
	return values
}

// readBack has a real interactive shell apply the values and returns what a child
// of that shell inherits. options is evaluated before the hook runs.
func readBack(t testing.TB, s Shell, values []string, options string, env ...string) []string {
	t.Helper()
	program := need(t, string(s))
	f := newFake(t)
	u := Update{}
	for i, v := range values {
		u.Changes = append(u.Changes, Change{Name: fmt.Sprintf("V%d", i), Value: v})
	}
	f.answer(t, s.Render(u), 0)
	file := filepath.Join(t.TempDir(), "environment")
	script := s.Hook([]string{f.program()}) + options + "\n" +
		"cd /\n__ambit_run\n" + os.Args[0] + "\n"
	cmd := exec.Command(program, append(s.interactive(), script)...)
	cmd.Env = append([]string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TERM=xterm", "AMBIT_TEST_ENVIRONMENT=" + file}, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", s, err, Printable(string(out)))
	}
	got := make([]string, len(values))
	for i := range got {
		got[i] = "(unset)"
	}
	for pair := range strings.SplitSeq(read(t, file), "\x00") {
		name, value, _ := strings.Cut(pair, "=")
		var i int
		if _, err := fmt.Sscanf(name, "V%d", &i); err == nil {
			got[i] = value
		}
	}
	return got
}

func checkBack(t *testing.T, s Shell, values []string, options string, env ...string) {
	t.Helper()
	const batch = 1800
	wrong := 0
	for len(values) > 0 {
		var size, n int
		for n < len(values) && n < batch && size < 400_000 {
			size += len(values[n])
			n++
		}
		for i, got := range readBack(t, s, values[:n], options, env...) {
			if got != values[i] {
				if wrong++; wrong < 6 {
					t.Errorf("%.80q came back as %.80q", values[i], got)
				}
			}
		}
		values = values[n:]
	}
	if wrong > 0 {
		t.Errorf("%d values came back changed", wrong)
	}
}

// TestValuesReturn is the promise of this package: any value, byte for byte.
func TestValuesReturn(t *testing.T) {
	values := append(listedValues(t), madeValues(rand.New(rand.NewPCG(1, 2)), 1000)...)
	for _, s := range all {
		for _, locale := range []string{"C", "C.UTF-8"} {
			t.Run(string(s)+"/"+locale, func(t *testing.T) {
				t.Parallel()
				checkBack(t, s, values, "", "LC_ALL="+locale)
			})
		}
	}
}

// The options before each run are those that change how words, quotes and
// assignments are read; the hook has to be right under each.
func TestValuesReturnUnderOptions(t *testing.T) {
	values := append(listedValues(t), madeValues(rand.New(rand.NewPCG(3, 4)), 100)...)
	if testing.Short() {
		values = listedValues(t)
	}
	for s, sets := range map[Shell][]string{
		Bash: {"set -u", "set -k", "set -f", "set -T -E", "set -a", "set -o posix", "IFS=a0", "IFS=", "shopt -s extglob nullglob", "set -B +H; set -uekfTE; IFS=:"},
		Zsh: {"setopt csh_junkie_quotes", "setopt rc_quotes", "setopt ksh_arrays", "setopt sh_word_split glob_subst", "setopt all_export", "setopt no_unset",
			"setopt magic_equal_subst", "setopt extended_glob", "setopt no_multibyte", "emulate sh", "emulate ksh", "emulate csh", "IFS=a0", "setopt ignore_braces", "setopt interactive_comments"},
		Fish: {"set -g IFS a0", "set -g IFS ''", "function set; end", "function source; end; function printf; end; function test; end; function string; end"},
	} {
		for _, options := range sets {
			t.Run(string(s)+"/"+options, func(t *testing.T) {
				t.Parallel()
				checkBack(t, s, values, options, "LC_ALL=C.UTF-8")
			})
		}
	}
}

var makeLocales = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "locales")
	if err != nil {
		return "", err
	}
	for name, source := range map[string][2]string{
		"sjis": {"ja_JP", "SHIFT_JIS"}, "gbk": {"zh_CN", "GBK"}, "gb18030": {"zh_CN", "GB18030"},
		"big5": {"zh_TW", "BIG5"}, "big5hkscs": {"zh_HK", "BIG5-HKSCS"},
	} {
		// localedef warns, and then says 1, about SHIFT_JIS not being ASCII
		_ = exec.Command("localedef", "-c", "-i", source[0], "-f", source[1], filepath.Join(dir, name)).Run()
		if _, err := os.Stat(filepath.Join(dir, name, "LC_CTYPE")); err != nil {
			return dir, fmt.Errorf("localedef made no %s locale", source[1])
		}
	}
	return dir, nil
})

// In these locales the second byte of a character can be a quote or a backslash.
func TestValuesReturnInMultibyteLocales(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: -short")
	}
	need(t, "localedef")
	dir, err := makeLocales()
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err != nil {
		missing(t, err.Error())
	}
	values := append(listedValues(t), madeValues(rand.New(rand.NewPCG(5, 6)), 300)...)
	t.Run("", func(t *testing.T) { // so that the clean-up waits for the parallel ones
		for _, s := range all {
			for _, locale := range []string{"sjis", "gbk", "gb18030", "big5", "big5hkscs"} {
				t.Run(string(s)+"/"+locale, func(t *testing.T) {
					t.Parallel()
					checkBack(t, s, values, "", "LOCPATH="+dir, "LC_ALL="+locale)
				})
			}
		}
	})
}

// FuzzQuote asks the three shells for each value; many at once, for a shell costs
// more than a value: the input is cut at NUL, which no value has.
func FuzzQuote(f *testing.F) {
	for _, v := range listedValues(f) {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, input string) {
		values := strings.Split(input, "\x00")
		if len(values) > 1000 || len(input) > 100_000 {
			return
		}
		for _, s := range all {
			checkBack(t, s, values, "", "LC_ALL=C.UTF-8")
			for _, v := range values {
				checkWord(t, s, v)
			}
		}
	})
}

// checkWord parses a quoted value: one word, one literal, nothing else.
func checkWord(t *testing.T, s Shell, value string) {
	t.Helper()
	quoted := s.Quote(value)
	for i := range len(quoted) {
		if quoted[i] < ' ' || quoted[i] > '~' {
			t.Fatalf("%.80q is quoted as %.80q", value, quoted)
		}
	}
	if s == Fish {
		return // only fish parses fish
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader("f "+quoted), "")
	if err != nil {
		t.Fatal(err)
	}
	call, ok := file.Stmts[0].Cmd.(*syntax.CallExpr)
	if !ok || len(file.Stmts) != 1 || len(call.Args) != 2 || !literal(call.Args[1]) {
		t.Fatalf("%.80q is quoted as %.80q", value, quoted)
	}
}

func literal(w *syntax.Word) bool {
	for _, part := range w.Parts {
		switch part := part.(type) {
		case *syntax.Lit:
			if strings.ContainsAny(part.Value, "~*?[{\\") {
				return false
			}
		case *syntax.SglQuoted:
		default:
			return false
		}
	}
	return true
}

// What bash and zsh evaluate is calls of the two helpers and assignments of
// literal words to our own names, and no other node.
func TestRenderedTextHasNoCode(t *testing.T) {
	u := Update{Check: newProject(t).check}
	u.Check.Absent = append(u.Check.Absent, "/a b/$(id)", "/`id`\n;id", "/'")
	u.Check.Seen = []Seen{{"AMBIT_STORES", "/x;id", true}, {"FOO", "$(id)", true}, {"BAR", "", false}}
	for i, v := range listedValues(t) {
		u.Changes = append(u.Changes, Change{Name: fmt.Sprintf("V%d", i), Value: v}, Change{Name: fmt.Sprintf("V%d", i), Unset: true})
	}
	for _, s := range []Shell{Bash, Zsh} {
		file, err := syntax.NewParser(syntax.Variant(syntax.LangBash), syntax.KeepComments(true)).Parse(bytes.NewReader(s.Render(u)), "")
		if err != nil {
			t.Fatal(err)
		}
		if len(file.Last) != 1 || file.Last[0].Text != strings.TrimPrefix(Sentinel, "#") {
			t.Errorf("%s: last comment %v", s, file.Last)
		}
		calls := 0
		for _, stmt := range file.Stmts {
			call, ok := stmt.Cmd.(*syntax.CallExpr)
			if !ok || stmt.Negated || stmt.Background || stmt.Coprocess || len(stmt.Redirs) > 0 {
				t.Fatalf("%s: %T at %s", s, stmt.Cmd, stmt.Pos())
			}
			for _, a := range call.Assigns {
				words := []*syntax.Word{a.Value}
				if a.Array != nil {
					words = nil
					for _, e := range a.Array.Elems {
						words = append(words, e.Value)
					}
				}
				if len(call.Args) > 0 || a.Append || a.Index != nil || !strings.HasPrefix(a.Name.Value, "__ambit_") {
					t.Fatalf("%s: assignment at %s", s, a.Pos())
				}
				for _, w := range words {
					if !literal(w) {
						t.Fatalf("%s: word at %s", s, w.Pos())
					}
				}
			}
			if len(call.Args) > 0 {
				calls++
				name := call.Args[0].Lit()
				if name != "__ambit_set" && name != "__ambit_unset" {
					t.Fatalf("%s: call of %q", s, name)
				}
				for _, w := range call.Args {
					if !literal(w) {
						t.Fatalf("%s: word at %s", s, w.Pos())
					}
				}
			}
		}
		if calls != len(u.Changes) {
			t.Errorf("%s: %d calls for %d changes", s, calls, len(u.Changes))
		}
	}
}

func TestRenderRefusesWhatNoShellCanSay(t *testing.T) {
	for _, s := range all {
		for _, c := range []Change{
			{Name: "A[$(id)]", Value: "x"}, {Name: "A[$(id)]", Unset: true}, {Name: "", Value: "x"}, {Name: "1A"},
			{Name: "A-B"}, {Name: "A=B"}, {Name: "é"}, {Name: "A\nB"}, {Name: "A", Value: "x\x00y"},
		} {
			if text := s.Render(Update{Changes: []Change{c}}); text != nil {
				t.Errorf("%s: %+v is said as %q", s, c, text)
			}
			if line := s.SetLine(c); line != "" {
				t.Errorf("%s: %+v is said as %q", s, c, line)
			}
		}
	}
}

func TestRenderIsTheSameTwice(t *testing.T) {
	u := Update{Changes: []Change{{Name: "B", Value: "é"}, {Name: "A", Unset: true}}, Check: newProject(t).check}
	for _, s := range all {
		if !bytes.Equal(s.Render(u), s.Render(u)) {
			t.Errorf("%s says it differently", s)
		}
	}
}
