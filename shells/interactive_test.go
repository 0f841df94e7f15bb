package shells

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func each(t *testing.T, test func(t *testing.T, s Shell)) {
	for _, s := range all {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

// inProject makes every prompt below the home run the command.
func inProject(term *terminal) {
	term.t.Helper()
	write(term.t, filepath.Join(term.home, ".envrc.yaml"), "")
}

func TestStatusIsKept(t *testing.T) {
	each(t, func(t *testing.T, s Shell) {
		term := openTerminal(t, s, "", "")
		inProject(term)
		show := map[Shell]string{
			Bash: `echo "$? ${PIPESTATUS[*]}" >>out`, Zsh: `echo "$? ${pipestatus[*]}" >>out`, Fish: `echo $status $pipestatus >>out`,
		}[s]
		term.says(Change{Name: "A", Value: "1"})
		for _, c := range [][2]string{
			{"false", "1 1\n"}, {"sh -c 'exit 3'", "3 3\n"}, {"true | sh -c 'exit 4' | sh -c 'exit 5'", "5 0 4 5\n"}, {"true", "0 0\n"},
		} {
			if got := term.value(c[0], show); got != c[1] {
				t.Errorf("after %s: %q, want %q", c[0], got, c[1])
			}
		}
		if term.fake.calls(t) == 0 {
			t.Error("the command did not run")
		}
		term.fake.answer(t, nil, 9)
		if got := term.value("false | true", show); got != "0 1 0\n" {
			t.Errorf("when the command fails: %q", got)
		}
	})
}

func TestBashPromptCommandForms(t *testing.T) {
	log := `printf "%s,%s " "$?" "${PIPESTATUS[*]}" >>log`
	modern := exec.Command("bash", "-c", "(( BASH_VERSINFO[0] * 10 + BASH_VERSINFO[1] >= 51 ))").Run() == nil
	if !modern {
		missing(t, "bash 5.1 is not installed")
	}
	for before, want := range map[string]string{
		"":                                      "",
		"PROMPT_COMMAND='" + log + "'":          "3,0 3 ",
		"PROMPT_COMMAND=('" + log + "' second)": "3,0 3 3 ",
		"PROMPT_COMMAND=; set -u":               "",
		"export PROMPT_COMMAND='" + log + "'":   "3,0 3 ",
		"PROMPT_COMMAND=('' [7]='" + log + "')": "3,0 3 ",
		"PROMPT_COMMAND='" + log + ";'":         "3,0 3 ",
		"declare -a PROMPT_COMMAND":             "",
	} {
		term := openTerminal(t, Bash, "second() { printf '%s ' $? >>log; }\n"+before, "")
		inProject(term)
		term.says()
		term.run("(exit 0) | (exit 3)", "cp log log1; :")
		got := ""
		if log, err := os.ReadFile(filepath.Join(term.home, "log1")); err == nil {
			_, got, _ = strings.Cut(string(log), "3,") // the prompts before do not matter
			got = "3," + got
		}
		if got != want {
			t.Errorf("%s: the others saw %q, want %q", before, got, want)
		}
		if first := term.value(`echo "${PROMPT_COMMAND[0]}" >out`); !strings.HasPrefix(first, "__ambit_hook\n") {
			t.Errorf("%s: first is %q", before, first)
		}
	}
}

func TestReadonlyPromptCommandWarnsOnce(t *testing.T) {
	for _, before := range []string{"readonly PROMPT_COMMAND=:", "readonly PROMPT_COMMAND", "readonly -a PROMPT_COMMAND=(: :)"} {
		term := openTerminal(t, Bash, before, "")
		out := term.startup + term.run("echo $?")
		if strings.Count(out, "ambit: warning: PROMPT_COMMAND is read-only here") != 1 || strings.Count(out, "readonly") > 0 {
			t.Errorf("%s: %s", before, out)
		}
	}
	term := openTerminal(t, Zsh, "typeset -ar precmd_functions=(a)", "")
	out := term.startup + term.run("echo $?")
	if strings.Count(out, "ambit: warning: precmd_functions is read-only here") != 1 || strings.Count(out, "read-only variable") > 0 {
		t.Error(out)
	}
}

// fish exports a universal variable even if a global one that is not exported stands
// before it: a person is told.
func TestFishUniversalVariableStays(t *testing.T) {
	f := newFake(t)
	home := filepath.Dir(f.program())
	f.answer(t, Fish.Render(Update{Changes: []Change{{Name: "GLOBAL", Unset: true}, {Name: "PROFILE", Unset: true}, {Name: "QUIET", Unset: true}}}), 0)
	write(t, filepath.Join(home, ".envrc.yaml"), "")
	// with --no-config there are no universal variables
	cmd := exec.Command(need(t, "fish"), "-i", "-c", "set -Ux PROFILE mine; set -U QUIET mine; set -gx GLOBAL mine\n"+
		Fish.Hook([]string{f.program()})+"__ambit_hook; AMBIT_TEST_ENVIRONMENT=env $TEST")
	cmd.Dir = home
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TERM=xterm", "TEST=" + os.Args[0]}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if said := withoutJobControl(string(out)); said != `ambit: warning: PROFILE is universal here and stays set; "set -eU PROFILE" removes it`+"\n" {
		t.Errorf("%q", said)
	}
	env := strings.Split(read(t, filepath.Join(home, "env")), "\x00")
	if slices.Contains(env, "GLOBAL=mine") || !slices.Contains(env, "PROFILE=mine") {
		t.Errorf("%q", env)
	}
}

// Where the session cannot be kept nothing is loaded: nobody would unload it.
func TestReadonlyState(t *testing.T) {
	for _, s := range []Shell{Bash, Zsh} {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			for _, state := range []string{"", "=x"} {
				term := openTerminal(t, s, "", "readonly AMBIT_STATE"+state)
				p := newProject(t)
				term.fake.answer(t, s.Render(Update{Changes: []Change{{Name: "AMBIT_STATE", Value: "sealed"}, {Name: "A", Value: "1"}}, Check: p.check}), 0)
				said := term.startup + term.run("cd "+s.Quote(p.dir)) + term.run("true")
				if strings.Count(said, "ambit: warning: AMBIT_STATE is read-only here") != 1 {
					t.Errorf("readonly AMBIT_STATE%s: said %q", state, said)
				}
				if got := term.environment()["A"]; got != "" {
					t.Errorf("readonly AMBIT_STATE%s: A is loaded", state)
				}
			}
		})
	}
}

func TestHookInstallsOnceAndFirst(t *testing.T) {
	each(t, func(t *testing.T, s Shell) {
		f := newFake(t)
		hook := s.Hook([]string{f.program()})
		before := map[Shell]string{
			Bash: "PROMPT_COMMAND=(one two)\none() { :; }\ntwo() { :; }",
			Zsh:  "precmd_functions=(one two); chpwd_functions=(one); one() { :; }; two() { :; }; setopt ksh_arrays",
			Fish: "",
		}[s]
		term := openTerminalWith(t, s, f, before+"\n"+hook+hook)
		show := map[Shell]string{
			Bash: `printf '%s|' "${PROMPT_COMMAND[@]}" >out`,
			Zsh:  `echo "${precmd_functions[@]} ${chpwd_functions[@]} ${preexec_functions[@]}" >out`,
			Fish: `functions --handlers | string match '*__ambit*' >out`,
		}[s]
		want := map[Shell]string{
			Bash: "__ambit_hook\n\\builtin eval \"${__ambit_top-}\"|one|two|",
			Zsh:  "__ambit_hook one two __ambit_hook one __ambit_preexec\n",
			Fish: strings.Join(Usual[1:], " __ambit_forget\n") + " __ambit_forget\n" +
				"fish_preexec __ambit_preexec\nfish_prompt __ambit_hook\nPWD __ambit_chpwd\n",
		}[s]
		got := term.value(show)
		if s == Fish {
			got, want = sortedLines(got), sortedLines(want)
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
		inProject(term)
		term.says()
		write(t, filepath.Join(f.dir, "calls"), "")
		if term.run(); f.calls(t) != 1 {
			t.Errorf("ran %d times at one prompt", f.calls(t))
		}
	})
}

func sortedLines(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestNamesAndOptionsAreKept compares everything that a shell can list before the
// hook and after it has loaded, run at prompts and unloaded.
func TestNamesAndOptionsAreKept(t *testing.T) {
	each(t, func(t *testing.T, s Shell) {
		list := map[Shell]string{
			Bash: "{ compgen -v; compgen -A function; alias; trap -p; shopt -p; set -o; } 2>&1 | grep -v -e __ambit -e '^_$' -e PIPESTATUS -e PROMPT_COMMAND -e BASH_ >",
			Zsh:  "{ typeset +; functions +; alias; trap; setopt; zmodload; } 2>&1 | grep -v -e __ambit -e _functions -e shinstdin >",
			Fish: "begin; set -n; functions -a -n | string split ', '; trap; end 2>&1 | string match -v '*__ambit*' | string match -v -r '^(argv|pipestatus)' >",
		}[s]
		term := openTerminal(t, s, "trap 'echo int' INT\n"+list+"$HOME/before0\n", "")
		inProject(term)
		term.run("true", list+"before")
		term.says(Change{Name: "A", Value: "1"})
		term.run("true")
		if term.environment()["A"] != "1" {
			t.Error("A is not set")
		}
		term.says(Change{Name: "A", Unset: true})
		term.run("true", list+"after")
		before, after := read(t, filepath.Join(term.home, "before")), read(t, filepath.Join(term.home, "after"))
		if before != after || len(before) < 100 {
			t.Errorf("before:\n%s\nafter:\n%s", before, after)
		}
		first := strings.Fields(read(t, filepath.Join(term.home, "before0")))
		for _, name := range strings.Fields(before) {
			if !slices.Contains(first, name) && regexp.MustCompile(`^[a-z]`).MatchString(name) && s != Fish {
				t.Errorf("the hook has left %s", name)
			}
		}
		if s != Fish && !strings.Contains(after, "echo int") {
			t.Error("the INT trap is gone")
		}
	})
}

func TestChildrenSeeNoNameOfOurs(t *testing.T) {
	each(t, func(t *testing.T, s Shell) {
		before := map[Shell]string{Bash: "set -a", Zsh: "setopt all_export", Fish: ""}[s]
		term := openTerminal(t, s, before, "", "__ambit_pwd=/", "__ambit_bin=/bin/false", "__ambit_held=x", "__ambit_o=x")
		inProject(term)
		p := newProject(t)
		term.fake.answer(t, s.Render(Update{Changes: []Change{{Name: "A", Value: "1"}}, Check: Check{Pwd: term.home, Generation: p.check.Generation, Dead: 1}}), 0)
		term.run("true")
		env := term.environment()
		if env["A"] != "1" {
			t.Error("A is not set")
		}
		for name := range env {
			if strings.Contains(name, "__ambit") {
				t.Errorf("a child sees %s", name)
			}
		}
	})
}

// Every option that a shell has, alone: the environment is set, and unset, and the
// status is kept.
func TestEachOption(t *testing.T) {
	zsh := func() []string {
		out, err := exec.Command(need(t, "zsh"), "-fic", "setopt kshoptionprint; setopt").Output()
		if err != nil {
			t.Fatal(err)
		}
		var sets []string
		for line := range strings.Lines(string(out)) {
			name, state, _ := strings.Cut(strings.TrimSpace(line), " ")
			state = strings.TrimSpace(state)
			switch name {
			case "exec", "noexec", "interactive", "restricted", "shinstdin", "singlecommand", "privileged", "errexit", "kshoptionprint", "monitor", "zle", "login", "xtrace", "verbose":
				continue // no shell, or no test, is left with these; some below
			}
			sets = append(sets, map[string]string{"on": "unsetopt ", "off": "setopt "}[state]+name)
		}
		return append(sets, "emulate sh", "emulate ksh", "emulate csh", "emulate -R sh", "emulate -R csh", "setopt errexit", "setopt xtrace", "setopt verbose",
			"setopt posix_aliases; alias if=false case=false while=false", "IFS=", "IFS=/a", "trap 'echo d >>/dev/null' DEBUG; trap : ZERR")
	}
	bash := []string{"set -u", "set -e", "set -k", "set -f", "set -T", "set -E", "set -a", "set -x", "set -v", "set -o posix", "set -uekfTEaxv -o posix", "IFS=", "IFS=/a", "IFS=0123456789",
		"shopt -s extdebug", "shopt -s nullglob failglob", "shopt -u interactive_comments", "shopt -s compat31", "shopt -s compat44", "shopt -s xpg_echo", "shopt -s localvar_inherit",
		"shopt -s localvar_unset", "shopt -s expand_aliases", "shopt -s assoc_expand_once", "shopt -s nocasematch", "shopt -s nocasematch; set -E", "set -o pipefail", "set -C", "set -H", "set -P", "set -h", "set -t; set +t",
		"trap 'echo d >>/dev/null' DEBUG; trap : ERR RETURN; set -TE"}
	for s, sets := range map[Shell][]string{Bash: bash, Zsh: zsh(), Fish: {"set -g fish_trace 1", "set -g IFS ''", "set -g IFS a"}} {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			program := need(t, string(s))
			for _, set := range sets {
				f := newFake(t)
				dir := filepath.Dir(f.program())
				write(t, filepath.Join(dir, ".envrc.yaml"), "")
				f.answer(t, s.Render(Update{Changes: []Change{{Name: "A", Value: "it's é\n$x"}, {Name: "B", Unset: true}}}), 0)
				hook := s.Hook([]string{f.program()})
				write(t, filepath.Join(dir, "hook"), hook)
				test := map[Shell]string{Fish: "cd " + posixQuote(dir) + "; __ambit_hook; set -e fish_trace"}[s]
				if test == "" {
					test = "cd " + posixQuote(dir) + "; (exit 3) || __ambit_hook || echo \"status: $?\""
				}
				script := set + "\neval \"$(cat " + posixQuote(dir+"/hook") + ")\"\n" + test + "\nAMBIT_TEST_ENVIRONMENT=env \"$TEST\""
				if s == Fish {
					script = set + "\nsource " + dir + "/hook\n" + test + "\nAMBIT_TEST_ENVIRONMENT=env \"$TEST\""
				}
				cmd := exec.Command(program, append(s.interactive(), script)...)
				cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TERM=xterm", "TEST=" + os.Args[0], "B=b"}
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Errorf("%s: %v\n%s", set, err, out)
					continue
				}
				env := strings.Split(read(t, filepath.Join(dir, "env")), "\x00")
				if !slices.Contains(env, "A=it's é\n$x") || slices.Contains(env, "B=b") {
					t.Errorf("%s: not applied\n%s", set, out)
				}
				said := withoutJobControl(string(out))
				if strings.Contains(said, "it's") || strings.Contains(said, `it\047s`) {
					t.Errorf("%s: shows a value\n%s", set, said)
				}
				loud := strings.Contains(set, "x") && s == Bash || strings.Contains(set, "trace") || strings.Contains(set, "verbose") || strings.Contains(set, "-v") || strings.Contains(set, "exitvalue")
				if set == "set -e" && said == "" {
					continue // there the hook returns 0, see TestStrictTerminalLivesOn
				}
				if !loud && (s == Bash && said != "status: 3\n" || s != Bash && said != "") {
					t.Errorf("%s: %q", set, said)
				}
			}
		})
	}
}

// Names of ours are all that a user's functions and aliases cannot take.
func TestHijackedNames(t *testing.T) {
	each(t, func(t *testing.T, s Shell) {
		var before strings.Builder
		for _, name := range []string{"export", "eval", "unset", "test", "local", "printf", "source", "set", "string", "return", "shift", "trap", "emulate", "setopt", "path", "read", "status", "print", "typeset", "declare", "command", "[", "math", "echo", "cat"} {
			switch {
			case s == Fish && slices.Contains([]string{"return", "command", "[", "status", "string", "set", "test", "read", "eval"}, name):
				// reserved in fish itself
			case s == Fish:
				before.WriteString("function " + name + "; builtin echo hijacked; end\n")
			case name == "[" || name == "return":
				before.WriteString("\\builtin alias '" + name + "=echo hijacked;'\n")
			default:
				before.WriteString("function " + name + " { \\builtin echo hijacked; }\n")
			}
		}
		if s != Fish {
			for _, name := range []string{"export", "eval", "unset", "test", "local", "set", "builtin", "shift", "printf"} {
				before.WriteString("\\builtin alias " + name + "='echo hijacked; '\n")
			}
		}
		f := newFake(t)
		program := need(t, string(s))
		f.answer(t, s.Render(Update{Changes: []Change{{Name: "A", Value: "1"}, {Name: "B", Unset: true}}}), 0)
		startup := before.String() + s.Hook([]string{f.program()})
		file := filepath.Join(f.dir, "startup")
		write(t, file, startup)
		source := map[Shell]string{Bash: "shopt -s expand_aliases\n\\builtin . ", Zsh: "\\builtin . ", Fish: "builtin source "}[s] + file
		cmd := exec.Command(program, append(s.interactive(), source+"\nAMBIT_STATE=x __ambit_run\nAMBIT_TEST_ENVIRONMENT="+file+".env "+os.Args[0])...)
		if s == Fish {
			cmd = exec.Command(program, append(s.interactive(), source+"\n__ambit_run\nAMBIT_TEST_ENVIRONMENT="+file+".env "+os.Args[0])...)
		}
		cmd.Env = []string{"HOME=" + f.dir, "PATH=" + os.Getenv("PATH"), "TERM=xterm", "B=b"}
		out, err := cmd.CombinedOutput()
		if err != nil || withoutJobControl(string(out)) != "" {
			t.Fatalf("%v\n%s", err, out)
		}
		if env := strings.Split(read(t, file+".env"), "\x00"); !slices.Contains(env, "A=1") || slices.Contains(env, "B=b") {
			t.Error("not applied")
		}
	})
}

// Variables that are more than a string: one warning for a read-only one, the rest
// arrives, byte for byte, and no value is evaluated.
func TestTypedVariables(t *testing.T) {
	for _, s := range []Shell{Bash, Zsh} {
		before := "readonly RO=ro; declare -i INT=1; declare -a ARR=(a b); declare -A MAP; declare -l LOW=x; declare -u UP=x; declare -n REF=TARGET; TARGET=t; declare -rn RREF=TARGET; declare -x EXP=e"
		if s == Zsh {
			before = "readonly RO=ro; typeset -i INT=1; typeset -a ARR=(a b); typeset -A MAP; typeset -l LOW=x; typeset -u UP=x; typeset -F FLO=1; typeset -L 3 LEFT=x; typeset -Z 5 ZERO=1; typeset -T TIED tied; typeset -x EXP=e"
		}
		names := []string{"ARR", "EXP", "FLO", "INT", "LEFT", "LOW", "MAP", "REF", "RO", "TIED", "UP", "ZERO"}
		hostile := "a[$(touch code)]+1 xX"
		term := openTerminal(t, s, before, "")
		inProject(term)
		var changes []Change
		for _, name := range names {
			changes = append(changes, Change{Name: name, Value: hostile})
		}
		term.says(changes...)
		p := newProject(t)
		term.fake.answer(t, s.Render(Update{Changes: changes, Check: Check{Pwd: term.home, Generation: p.check.Generation}}), 0)
		out := term.run("true")
		if n := strings.Count(out, "ambit: warning: RO is read-only here"); n != 1 || strings.Count(out, "RO") != 1 {
			t.Errorf("%s: %d warnings\n%s", s, n, out)
		}
		env := term.environment()
		for _, name := range names {
			want := hostile
			if name == "RO" {
				want = ""
			}
			if env[name] != want {
				t.Errorf("%s: %s is %q", s, name, env[name])
			}
		}
		if _, err := os.Stat(filepath.Join(term.home, "code")); err == nil {
			t.Errorf("%s: a value was evaluated", s)
		}
		if got := term.value(`echo "$RO ${TARGET-t}" >out`); got != "ro t\n" {
			t.Errorf("%s: %q", s, got)
		}
		changes = nil
		for _, name := range names {
			changes = append(changes, Change{Name: name, Unset: true})
		}
		term.says(changes...)
		term.run("__ambit_pwd=")
		for name := range term.environment() {
			if slices.Contains(names, name) {
				t.Errorf("%s: %s is still set", s, name)
			}
		}
	}
}

func TestZshSubshellsAndCompletion(t *testing.T) {
	term := openTerminal(t, Zsh, "", "")
	inProject(term)
	p := newProject(t)
	term.fake.answer(t, Zsh.Render(Update{Check: Check{Pwd: term.home, Generation: p.check.Generation}}), 0)
	term.run("mkdir sub", "true")
	n := term.fake.calls(t)
	if got := term.value("x=$(cd sub; pwd)", "(cd sub)", "echo $x >out"); got != term.home+"/sub\n" || term.fake.calls(t) != n {
		t.Errorf("%q, ran %d times", got, term.fake.calls(t)-n)
	}
	term.run("f() { local -A compstate; cd sub; cd ..; }; f")
	if term.fake.calls(t) != n {
		t.Error("ran in a completion")
	}
}

// cd and a command on one line: zsh and fish know before the command starts.
func TestChangeOfDirectoryIsSeenAtOnce(t *testing.T) {
	for _, s := range []Shell{Zsh, Fish} {
		term := openTerminal(t, s, "", "")
		term.run("mkdir in")
		write(t, filepath.Join(term.home, "in/.envrc.yaml"), "")
		term.says(Change{Name: "A", Value: "1"})
		if got := term.value("cd in; printenv A >../out"); got != "1\n" {
			t.Errorf("%s: %q", s, got)
		}
	}
}

func TestFishModes(t *testing.T) {
	for mode, want := range map[string]string{"eval_on_arrow": "at once\n", "": "at once\n", "eval_after_arrow": "\n", "disable_arrow": "\n"} {
		term := openTerminal(t, Fish, "", "set -g ambit_fish_mode "+mode)
		term.run("mkdir in")
		write(t, filepath.Join(term.home, "in/.envrc.yaml"), "")
		term.says(Change{Name: "A", Value: "at once"})
		if got := term.value("cd in; echo $A >../out"); got != want {
			t.Errorf("%s: %q", mode, got)
		}
		if got := term.value("echo $A >../out"); got != "at once\n" {
			t.Errorf("%s, at the next prompt: %q", mode, got)
		}
	}
}

// A key that changes directory while a line is edited: what it does before the
// next prompt is the mode's to say.
func TestFishArrowIsAppliedBeforeTheCommand(t *testing.T) {
	term := openTerminal(t, Fish, "", "set -g ambit_fish_mode eval_after_arrow; bind \\cg 'cd in'")
	term.run("mkdir in")
	write(t, filepath.Join(term.home, "in/.envrc.yaml"), "")
	term.says(Change{Name: "A", Value: "1"})
	if got := term.value("\x07printenv A >../out"); got != "1\n" {
		t.Errorf("%q", got)
	}
}

// A command typed after the loaded values have died sees new ones; once only.
func TestDeadValuesAreRenewedBeforeACommand(t *testing.T) {
	each(t, func(t *testing.T, s Shell) {
		forms := map[string]string{"": "", "xtrace": map[Shell]string{Zsh: "setopt xtrace", Fish: "set -g fish_trace 1"}[s]}
		if s == Bash {
			forms = map[string]string{
				"xtrace": "set -x", "no trap": "", "trap": `trap 'printf "%s,%s " "$?" "$_" >>traps' DEBUG`, "ignored": `trap '' DEBUG`,
				"extdebug": "shopt -s extdebug", "strict": "set -uk", "bash-preexec": "declare -a preexec_functions; trap '[[ $BASH_COMMAND == printenv* ]] && for f in \"${preexec_functions[@]}\"; do $f; done' DEBUG",
			}
		}
		for name, before := range forms {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				term := openTerminal(t, s, before, "")
				trap := term.value("trap -p DEBUG >out")
				p := newProject(t)
				inProject(term)
				say := func(value string, dead int64) {
					term.fake.answer(t, s.Render(Update{Changes: []Change{{Name: "A", Value: value}},
						Check: Check{Pwd: term.home, Generation: p.check.Generation, GenerationTime: 1700000000, Dead: dead}}), 0)
				}
				say("dead", time.Now().Unix()+1)
				term.run("__ambit_pwd=") // the next prompt asks
				if s == Fish {
					term.run("set -g __ambit_pwd")
				}
				at(t, p.check.Generation.Path, time.Now()) // a renewal, while this shell is idle
				for deadline := time.Now().Unix() + 1; time.Now().Unix() <= deadline; {
					time.Sleep(50 * time.Millisecond) // the clock is the input here
				}
				say("alive", time.Now().Unix()+1000)
				shown := term.run("printenv A >out")
				at(t, p.check.Generation.Path, time.Unix(1700000000, 123456789))
				if got := read(t, filepath.Join(term.home, "out")); got != "alive\n" {
					t.Errorf("%s: a command saw %q", name, got)
				}
				if strings.Contains(shown, "alive") {
					t.Errorf("%s: shows a value\n%s", name, shown)
				}
				n := term.fake.calls(t)
				term.run("true", "true; true")
				if term.fake.calls(t) != n {
					t.Errorf("%s: asked again", name)
				}
				if s != Bash {
					return
				}
				if name == "trap" {
					write(t, filepath.Join(term.home, "traps"), "")
					term.run("(exit 5); echo last")
					if traps := read(t, filepath.Join(term.home, "traps")); !strings.Contains(traps, "5,") {
						t.Errorf("the trap that was there saw %q", traps)
					}
				}
				if got := term.value("false", `echo "$?" >out`); got != "1\n" {
					t.Errorf("%s: status is %q", name, got)
				}
				if got := term.value(`true word; echo "$_" >out`); got != "word\n" {
					t.Errorf("%s: $_ is %q", name, got)
				}
				say("gone", 0)
				term.run("__ambit_pwd=", "true")
				if got := term.value("trap -p DEBUG >out"); got != trap {
					t.Errorf("%s: the trap is %q, was %q", name, got, trap)
				}
			})
		}
	})
}

// bashPreexec works as bash-preexec does: at the first prompt it takes its own line
// out of the first element of PROMPT_COMMAND, and ends that with a mark. What runs
// next is a typed command, unless it stands in that element.
const bashPreexec = `
typing=
__bp_install() {
	[[ $PROMPT_COMMAND == *typing=on* ]] && return
	trap 'typed "$BASH_COMMAND"' DEBUG
	PROMPT_COMMAND=${PROMPT_COMMAND//$pending/:}$'\n''typing=on'
	typing=on
}
typed() {
	[[ $typing ]] || return 0
	typing=
	case $'\n'$PROMPT_COMMAND$'\n' in *[$'\n;']"$1"[$'\n;']*) return 0 ;; esac
	for f in "${preexec_functions[@]}"; do $f "$1"; done
}
preexec_functions=(told)
told() { printf '%s|' "$1" >>told; }
pending='trap - DEBUG; __bp_install'
PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}$pending
`

// bash-preexec tells of each typed command, and of no other, in whichever order the
// two are sourced.
func TestBashPreexec(t *testing.T) {
	for order, parts := range map[string][2]string{"before": {bashPreexec, ""}, "after": {"", bashPreexec}} {
		term := openTerminal(t, Bash, parts[0], parts[1])
		p := newProject(t)
		inProject(term)
		say := func(value string, dead int64) {
			term.fake.answer(t, Bash.Render(Update{Changes: []Change{{Name: "A", Value: value}},
				Check: Check{Pwd: term.home, Generation: p.check.Generation, GenerationTime: 1700000000, Dead: dead}}), 0)
		}
		say("dead", time.Now().Unix()+1)
		term.run("__ambit_pwd=", ": one", ": two")
		for deadline := time.Now().Unix() + 1; time.Now().Unix() <= deadline; {
			time.Sleep(50 * time.Millisecond) // the clock is the input here
		}
		say("alive", time.Now().Unix()+1000)
		if got := term.value("printenv A >out"); got != "alive\n" {
			t.Errorf("%s: a command saw %q", order, got)
		}
		told := read(t, filepath.Join(term.home, "told"))
		for _, want := range []string{"|: one|", "|: two|", "|printenv A > out|"} {
			if strings.Count("|"+told, want) != 1 {
				t.Errorf("%s: told %q, not once of %q", order, told, want)
			}
		}
		if strings.Contains(told, "__ambit_hook") || strings.Contains(told, "eval") {
			t.Errorf("%s: told of what no one typed: %q", order, told)
		}
	}
}

// A trap that the user sets over ours is the user's.
func TestBashKeepsTheUsersLaterTrap(t *testing.T) {
	term := openTerminal(t, Bash, "", "")
	p := newProject(t)
	inProject(term)
	term.fake.answer(t, Bash.Render(Update{Check: Check{Pwd: term.home, Generation: p.check.Generation, Dead: time.Now().Unix() + 1000}}), 0)
	if got := term.value("true", "trap -p DEBUG >out"); !strings.Contains(got, "__ambit_trap") {
		t.Fatalf("%q", got)
	}
	term.fake.answer(t, Bash.Render(Update{Check: Check{Pwd: term.home, Generation: p.check.Generation}}), 0)
	if got := term.value("trap : DEBUG", "__ambit_pwd=", "true", "trap -p DEBUG >out"); got != "trap -- ':' DEBUG\n" {
		t.Errorf("%q", got)
	}
}

func TestBinaryPathsAndFailures(t *testing.T) {
	each(t, func(t *testing.T, s Shell) {
		dir := filepath.Join(t.TempDir(), "a b'\"$x`\\*é")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		f := newFakeAt(t, filepath.Join(dir, "ambit-hook"))
		term := openTerminalWith(t, s, f, s.Hook([]string{f.program(), "export"}))
		inProject(term)
		term.says(Change{Name: "A", Value: "1"})
		term.run("true")
		if calls := read(t, filepath.Join(dir, "calls")); !strings.HasPrefix(calls, "export "+string(s)+"\n") {
			t.Errorf("called with %q", calls)
		}
		if term.environment()["A"] != "1" {
			t.Error("A is not set")
		}
		f.answer(t, s.Render(Update{Changes: []Change{{Name: "A", Value: "2"}}}), 1)
		term.run("true")
		if term.environment()["A"] != "1" {
			t.Error("applied the answer of a command that failed")
		}
		if err := os.Remove(f.program()); err != nil {
			t.Fatal(err)
		}
		if out := term.run("true", "cd /", "true"); strings.Contains(out, "ambit") {
			t.Errorf("not silent without the command: %s", out)
		}
	})
}

// The command does not eat what was typed ahead, and starts no job.
func TestTypedAheadAndJobs(t *testing.T) {
	each(t, func(t *testing.T, s Shell) {
		term := openTerminal(t, s, "", "")
		inProject(term)
		write(t, term.fake.program(), "#!/bin/sh\ncat >"+posixQuote(term.fake.dir)+"/stdin\necho >>"+posixQuote(term.fake.dir)+"/calls\n")
		if got := term.value("echo a >>out", "echo b >>out", "echo c >>out", "jobs >>out"); got != "a\nb\nc\n" {
			t.Errorf("%q", got)
		}
		if got := read(t, filepath.Join(term.fake.dir, "stdin")); got != "" {
			t.Errorf("the command read %q", got)
		}
	})
}

// A prompt at which nothing has changed starts no process: counted by strace.
func TestSteadyPromptForksNothing(t *testing.T) {
	strace := need(t, "strace")
	each(t, func(t *testing.T, s Shell) {
		program := need(t, string(s))
		p := newProject(t)
		f := newFake(t)
		p.check.Held, p.check.Until = true, time.Now().Unix()+1000
		p.check.Seen = []Seen{{"HOME", p.root, true}}
		call := regexp.MustCompile(`^\d+ +(execve|fork|vfork|clone|clone3)\(`)
		count := func(steps string) int {
			trace := filepath.Join(t.TempDir(), "trace")
			script := s.Hook([]string{f.program()}) + "cd " + s.Quote(p.dir) + "\n" + s.SetLine(Change{Name: "AMBIT_STATE", Value: "x"}) + string(s.Render(Update{Check: p.check})) + steps
			cmd := exec.Command(strace, append([]string{"-f", "-e", "trace=execve,fork,vfork,clone,clone3", "-o", trace, program}, append(s.interactive(), script)...)...)
			cmd.Env = []string{"HOME=" + p.root, "PATH=" + os.Getenv("PATH"), "TERM=xterm"}
			if out, err := cmd.CombinedOutput(); err != nil {
				missing(t, "strace does not work here: "+err.Error()+string(out))
			}
			n := 0
			for line := range strings.Lines(read(t, trace)) {
				// a call that another process interrupts is written on two lines
				if !strings.Contains(line, "CLONE_THREAD") && !strings.Contains(line, " resumed>") && call.MatchString(line) {
					n++
				}
			}
			return n
		}
		loop := func(step string) string {
			if s == Fish {
				return "for i in 1 2 3 4 5; for j in 1 2 3 4; " + step + "; end; end\ntrue\n"
			}
			return "for i in 1 2 3 4 5; do for j in 1 2 3 4; do " + step + "; done; done\n"
		}
		idle := count(loop("true"))
		if n := count(loop("__ambit_hook")); n != idle {
			t.Errorf("20 prompts started %d processes", n-idle)
		}
		if n := count(loop("/bin/true")); n < idle+20 {
			t.Errorf("strace counts %d for 20 forks", n-idle)
		}
	})
}

// Ctrl-C while the command runs: the prompt is back, nothing has changed, and the
// shell's own handling of it is as before.
func TestInterruptedCommandChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, s Shell) {
		term := openTerminal(t, s, "", "")
		inProject(term)
		term.says(Change{Name: "A", Value: "1"})
		term.run("true")
		term.says(Change{Name: "A", Value: "2"})
		f := term.fake
		// bash runs PROMPT_COMMAND again at once, so only the first call hangs
		write(t, f.program(), "#!/bin/sh\ncd "+posixQuote(f.dir)+"\necho >>calls\n[ -e hung ] && { cat answer; exit 1; }\n: >hung\necho hanging >&2\nexec sleep 60\n")
		if _, err := term.pty.WriteString("true\n"); err != nil {
			t.Fatal(err)
		}
		term.expect("hanging")
		start := time.Now()
		if _, err := term.pty.Write([]byte{3}); err != nil {
			t.Fatal(err)
		}
		term.expect(prompt)
		if late := time.Since(start); late > 2*time.Second {
			t.Errorf("the prompt was back after %s", late)
		}
		if got := term.environment()["A"]; got != "1" {
			t.Errorf("A is %q", got)
		}
	})
}

// A shell that ends at the first error does not end because of us, nor is the
// user's ERR trap called by our own commands when the status was 0.
func TestStrictTerminalLivesOn(t *testing.T) {
	for _, s := range []Shell{Bash, Zsh} {
		term := openTerminal(t, s, "trap : DEBUG", "") // ours goes around it
		inProject(term)
		p := newProject(t)
		term.fake.answer(t, s.Render(Update{Changes: []Change{{Name: "A", Value: "1"}}, Check: Check{Pwd: term.home, Generation: p.check.Generation, Dead: time.Now().Unix() + 1000}}), 0)
		term.run("set -eu", "true")
		if s == Bash {
			term.run("trap 'echo err >>errs' ERR", "set -E", "true", "true", "cd .")
		}
		term.run("__ambit_pwd=")
		term.run("! true")
		term.run("if false; then :; fi")
		if got := term.value("! true", `echo "$?" >out`); got != "1\n" {
			t.Errorf("%s: status is %q", s, got)
		}
		if errs, err := os.ReadFile(filepath.Join(term.home, "errs")); err == nil {
			t.Errorf("%s: the ERR trap ran: %q", s, errs)
		}
	}
}

// A DEBUG trap that functions inherit sees which commands the hook runs, but no
// value.
func TestBashDebugTrapSeesNoValue(t *testing.T) {
	term := openTerminal(t, Bash, `trap 'printf "%s\n" "$BASH_COMMAND" >>log' DEBUG; set -T`, "")
	inProject(term)
	term.says(Change{Name: "A", Value: "canary"})
	term.run("true")
	if env := term.environment(); env["A"] != "canary" {
		t.Errorf("A is %q", env["A"])
	}
	if log := read(t, filepath.Join(term.home, "log")); strings.Contains(log, "canary") || !strings.Contains(log, "__ambit_run") {
		t.Errorf("the trap saw\n%s", log)
	}
}

// Neither a completion, a key binding nor a subshell is a typed command.
func TestBashBeforeOnlyTypedCommands(t *testing.T) {
	c := newProject(t).check
	for script, want := range map[string]int{
		"COMP_LINE=x; __ambit_before": 0, "READLINE_LINE=; __ambit_before": 0, "(__ambit_before)": 0,
		"__ambit_before": 1, "__ambit_before; __ambit_before": 1,
	} {
		if runs, out := hookRuns(t, Bash, c, "__ambit_hook() { __ambit_dead=1; "+script+"; }"); runs != want || out != "" {
			t.Errorf("%s: ran %d times\n%s", script, runs, out)
		}
	}
}
