package resolver

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for tier, c := range map[string]struct {
		has   func(string) bool
		yes   string
		nots  string
		shape string
	}{
		"forbidden": {has: Forbidden,
			yes: `AMBIT_STATE AMBIT_X __ambit_pwd HOME XDG_CONFIG_HOME XDG_RUNTIME_DIR _ PWD SHLVL BASH_ENV BASH_FUNC_x ENV IFS
				PS0 PS1 PS4 PROMPT PROMPT_COMMAND RPROMPT RPROMPT2 RPS1 HISTFILE MAILPATH RANDOM EPOCHSECONDS UID COLUMNS
				COMP_WORDBREAKS READLINE_LINE STTY ZDOTDIR FPATH WATCH WATCHFMT fish_prompt __fish_x status path prompt
				REPORTTIME options 1A A-B A.B é`,
			nots: "A a _a PATH LD_PRELOAD AWS_PROFILE AMBIT XDG_OTHER PS5 PROMPTS HOMES MYPS1 hosts Path"},
		"consent": {has: NeedsConsent,
			yes: `LD_PRELOAD DYLD_INSERT_LIBRARIES NODE_OPTIONS PYTHONPATH LUA_INIT LUA_INIT_5_3 GIT_SSH_COMMAND GIT_CONFIG
				GIT_CONFIG_COUNT PAGER EDITOR SHELL HTTP_PROXY https_proxy NO_PROXY SSL_CERT_FILE AWS_ENDPOINT_URL
				AWS_ENDPOINT_URL_STS AWS_CONFIG_FILE AWS_CA_BUNDLE AWS_CONTAINER_AUTHORIZATION_TOKEN KUBECONFIG PIP_INDEX_URL
				NPM_CONFIG_REGISTRY USER XDG_DATA_DIRS TMPDIR TERM LANG LC_ALL PATH MANPATH GOPATH NODE_PATH DYLD_X_PATH`,
			nots: "A AWS_REGION AWS_PROFILE AWS_ACCESS_KEY_ID LOG_LEVEL HOME PS1 PROXY GIT_AUTHOR_NAME DATABASE_URL"},
		"path-like": {has: PathLike,
			yes:  "PATH MANPATH LD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH XDG_DATA_DIRS XDG_CONFIG_DIRS CLASSPATH",
			nots: "XDG_DATA_HOME PATHS MYPATH DYLD_PRINT"},
	} {
		for _, name := range strings.Fields(c.yes) {
			if !c.has(name) {
				t.Errorf("%s is not %s", name, tier)
			}
		}
		for _, name := range strings.Fields(c.nots) {
			if c.has(name) {
				t.Errorf("%s is %s", name, tier)
			}
		}
	}
	for _, name := range []string{"", "A[0]", "A=B", "A B", "A\n", "A\x00"} {
		if ValidName(name) || !Forbidden(name) || NeedsConsent(name) {
			t.Errorf("%q counts as a name", name)
		}
	}
}

func TestNearest(t *testing.T) {
	names := strings.Fields("region account_id environment imports values a ab")
	for word, want := range map[string]string{
		"regoin": "region", "regin": "region", "Region": "region", "accountId": "account_id", "enviroment": "environment",
		"import": "imports", "vlaues": "values", "b": "a", "xyz": "", "": "", "something": "", "REGION": "region",
	} {
		if got := Nearest(word, names); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
	if got := Nearest(strings.Repeat("x", 1<<20), names); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestDecimal(t *testing.T) {
	for text, want := range map[string]string{
		"1": "1", "-1": "-1", "+1": "1", "1.10": "1.10", "1e3": "1e3", "010": "8", "0o17": "15", "0x1F": "31", "0b101": "5",
		"1_000": "1000", ".5": "0.5", "-.5": "-0.5", "1.": "1", "+1.50": "1.50", "00.5": "0.5", "-0x10": "-16", "0": "0", "-0": "-0",
		"18446744073709551615": "18446744073709551615", "123456789012345678901234567890": "123456789012345678901234567890",
		"1E+2": "1E+2", "01e5": "1e5",
	} {
		if got := decimal(text); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
		if !jsonNumber.MatchString(decimal(text)) {
			t.Errorf("%s becomes %s, which is not JSON", text, decimal(text))
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]string{"1h30m": "1h30m0s", "90s": "1m30s", "0s": "0s", "36h": "36h0m0s"} {
		if d, err := ParseDuration(text); err != nil || d.String() != want {
			t.Errorf("%s: got %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "1", "1.5h", "-1h", "1m1h", "1d", " 1h", "99999999999h", "1h\n"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q: got %v", text, d)
		}
	}
}
