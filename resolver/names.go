package resolver

import "strings"

// ValidName says whether a name can be an environment variable:
// ^[A-Za-z_][A-Za-z0-9_]*$.
func ValidName(name string) bool {
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', c == '_':
		case '0' <= c && c <= '9' && i > 0:
		default:
			return false
		}
	}
	return name != ""
}

// Forbidden says whether no file may set or unset the variable: what is no
// name, what ambit finds itself by, and what a shell runs, rewrites or refuses.
func Forbidden(name string) bool { return !ValidName(name) || never.has(name) }

const forbiddenHint = "the shell, or ambit itself, depends on it: choose another name"

// NeedsConsent says whether a file of a repository may set or unset the
// variable only if the user has agreed to that name.
func NeedsConsent(name string) bool {
	return !Forbidden(name) && (consent.has(name) || PathLike(name))
}

// PathLike says whether the variable is a list of directories, which a file
// should add to and not replace.
func PathLike(name string) bool { return pathLike.has(name) }

// patterns are names in which a `*` may stand for any text, once: at the start,
// at the end or within.
type patterns struct {
	exact map[string]bool
	wild  [256][]wildcard // by first byte; those that begin with `*` under 0
}

type wildcard struct{ prefix, suffix string }

func newPatterns(text string) *patterns {
	p := &patterns{exact: map[string]bool{}}
	for _, word := range strings.Fields(text) {
		prefix, suffix, ok := strings.Cut(word, "*")
		if !ok {
			p.exact[word] = true
			continue
		}
		first := byte(0)
		if prefix != "" {
			first = prefix[0]
		}
		p.wild[first] = append(p.wild[first], wildcard{prefix, suffix})
	}
	return p
}

func (p *patterns) has(name string) bool {
	if name == "" || p.exact[name] {
		return name != ""
	}
	for _, first := range [2]byte{0, name[0]} {
		for _, w := range p.wild[first] {
			if len(name) >= len(w.prefix)+len(w.suffix) && strings.HasPrefix(name, w.prefix) && strings.HasSuffix(name, w.suffix) {
				return true
			}
		}
	}
	return false
}

var never = newPatterns(`
AMBIT_* __ambit*
HOME XDG_CONFIG_HOME XDG_STATE_HOME XDG_CACHE_HOME XDG_DATA_HOME XDG_RUNTIME_DIR
_ PWD OLDPWD SHLVL SHELLOPTS BASHOPTS BASH_* ENV IFS PS0 PS1 PS2 PS3 PS4
SPROMPT PROMPT PROMPT2 PROMPT3 PROMPT4 PROMPT_* RPROMPT* RPS* POSIXLY_CORRECT
HISTFILE HISTCONTROL HISTIGNORE HISTCMD HISTSIZE HISTCHARS SAVEHIST
MAIL MAILPATH MAILCHECK RANDOM SRANDOM SECONDS EPOCH* LINENO OPTIND OPTARG OPTERR
UID EUID GID EGID USERNAME PPID COLUMNS LINES FUNCNEST KEYTIMEOUT LISTMAX ERRNO
TTYIDLE BAUD LOGCHECK DIRSTACKSIZE REPORT* TMOUT GLOBIGNORE EXECIGNORE FIGNORE
COMP_* READLINE_* STTY NULLCMD READNULLCMD ZDOTDIR FPATH MODULE_PATH WATCH* fish_* __fish*
status version history hostname umask pipestatus argv path fpath cdpath manpath
mailpath module_path prompt psvar histchars functions aliases options commands
`)

var consent = newPatterns(`
LD_* DYLD_* GCONV_PATH GLIBC_TUNABLES LOCPATH MALLOC_*
NODE_OPTIONS PYTHONSTARTUP PYTHONPATH PYTHONHOME PYTHONINSPECT PYTHONBREAKPOINT
PERL5OPT PERL5LIB PERL5DB RUBYOPT RUBYLIB LUA_INIT* JAVA_TOOL_OPTIONS _JAVA_OPTIONS
JDK_JAVA_OPTIONS CLASSPATH GOFLAGS RUSTC_WRAPPER MAKEFLAGS
GIT_SSH GIT_SSH_COMMAND GIT_EXTERNAL_DIFF GIT_PAGER GIT_EDITOR GIT_ASKPASS
GIT_PROXY_COMMAND GIT_CONFIG* GIT_EXEC_PATH GIT_DIR GIT_TEMPLATE_DIR SSH_ASKPASS
SUDO_ASKPASS PAGER MANPAGER LESSOPEN LESSCLOSE LESS EDITOR VISUAL FCEDIT BROWSER SHELL INPUTRC
*_PROXY *_proxy SSL_CERT_* CURL_CA_BUNDLE REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS
NODE_TLS_REJECT_UNAUTHORIZED OPENSSL_CONF AWS_ENDPOINT_URL* AWS_CONFIG_FILE
AWS_SHARED_CREDENTIALS_FILE AWS_CA_BUNDLE AWS_EC2_METADATA* AWS_CONTAINER_* KUBECONFIG
DOCKER_HOST TF_CLI_CONFIG_FILE PIP_* NPM_CONFIG_* npm_config_* GOPROXY GONOSUMDB
USER LOGNAME XDG_* TMPDIR SSH_AUTH_SOCK DBUS_SESSION_BUS_ADDRESS TERM TERMINFO LANG LC_*
`)

var pathLike = newPatterns(`
PATH MANPATH INFOPATH CDPATH PKG_CONFIG_PATH CMAKE_PREFIX_PATH CPATH LIBRARY_PATH
C_INCLUDE_PATH CPLUS_INCLUDE_PATH GOPATH NODE_PATH
LD_LIBRARY_PATH DYLD_*_PATH PYTHONPATH PERL5LIB RUBYLIB CLASSPATH XDG_*_DIRS
`)
