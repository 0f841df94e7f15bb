#!/usr/bin/env bash
# Builds ambit from this checkout and installs it. Written for bash 3.2 and later,
# which macOS has.
# shellcheck disable=SC2016,SC2088 # what people read is not expanded
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -euo pipefail
unset -v CDPATH

usage() {
  cat <<'END'
usage: ./install.sh [--prefix DIR]
       ./install.sh --uninstall [--prefix DIR]
       ./install.sh --demo

Builds ambit and ambit-hook from this checkout and installs them in DIR/bin.

  --prefix DIR   where to; default $HOME/.local
  --uninstall    remove the two programs again
  --demo         install into a throw-away HOME, load credentials from a loopback
                 AWS in an interactive bash, and show it; no account is needed
  --help         show this

Examples:
  ./install.sh
  ./install.sh --prefix /opt/ambit
  ./install.sh --uninstall --prefix /opt/ambit
END
}

say() { printf 'ambit: %s\n' "$*"; }
warn() { printf 'ambit: warning: %s\n' "$*" >&2; }
hint() { printf 'ambit: hint: %s\n' "$*" >&2; }

# fail STATUS TEXT [HINT]
fail() {
  printf 'ambit: error: %s\n' "$2" >&2
  [ -z "${3-}" ] || hint "$3"
  exit "$1"
}

# What is to be removed when the script ends.
scratch=''
tidy() { [ -z "$scratch" ] || rm -rf -- "$scratch"; }
trap tidy EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

checkout=$(cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

main() {
  local action=install prefix='' given=''
  while [ $# -gt 0 ]; do
    case $1 in
    --prefix)
      [ $# -gt 1 ] || fail 2 '--prefix needs a directory' 'write, for example, --prefix "$HOME/.local"'
      given=x prefix=$2
      shift
      ;;
    --prefix=*) given=x prefix=${1#*=} ;;
    --uninstall) action=uninstall ;;
    --demo) action=demo ;;
    -h | --help)
      usage
      return
      ;;
    *) fail 2 "unknown option \"$(printable "$1")\"" 'run "./install.sh --help" for the list' ;;
    esac
    shift
  done
  if [ "$action" = demo ]; then
    [ -z "$given" ] || fail 2 '--demo installs into a throw-away HOME and takes no --prefix' 'run "./install.sh --demo"'
    demo
    return
  fi
  if [ -z "$given" ]; then
    case ${HOME-} in
    /*) prefix=$HOME/.local ;;
    *) fail 1 'HOME is not set to an absolute path' 'run "./install.sh --prefix DIR"' ;;
    esac
  fi
  case $prefix in
  '') fail 2 '--prefix needs a directory' 'write, for example, --prefix "$HOME/.local"' ;;
  *$'\n'*) fail 2 'a prefix cannot contain a line break' ;;
  /*) ;;
  *) prefix=$PWD/$prefix ;;
  esac
  while [ "$prefix" != / ] && [ "${prefix%/}" != "$prefix" ]; do prefix=${prefix%/}; done
  "$action" "${prefix%/}/bin"
}

printable() { printf '%s' "$1" | LC_ALL=C tr -c '[:print:]' '?'; }

# ours FILE NAME: was it built from cmd/NAME? Go writes the package into each program.
ours() { LC_ALL=C grep -Fq "$(printf 'path\tambit/cmd/%s\n' "$2")" "$1" 2>/dev/null; }

need_go() {
  command -v go >/dev/null 2>&1 ||
    fail 1 'Go is not installed, or not on PATH' 'get it from https://go.dev/dl/ or from your package manager'
  local want have
  want=$(sed -n 's/^go \([0-9.]*\).*/\1/p' "$checkout/go.mod")
  # In the checkout Go picks, and may fetch, the toolchain that go.mod asks for.
  have=$(cd -- "$checkout" && go env GOVERSION </dev/null) ||
    fail 1 "Go cannot be run, or cannot get Go $want" 'see the lines above'
  case $have in
  go[0-9]*) ;;
  *) return 0 ;; # a development version of Go itself
  esac
  older "${have#go}" "$want" || return 0
  fail 1 "Go is too old: this is $have, ambit needs go$want" 'get a newer one from https://go.dev/dl/'
}

# older A B: is version A lower than B? A suffix such as rc1 counts as .0.
older() {
  local IFS=. i a b
  # shellcheck disable=SC2206 # split at the dots
  a=(${1%%[!0-9.]*}) b=(${2%%[!0-9.]*})
  for i in 0 1 2; do
    [ "${a[$i]:-0}" -ge "${b[$i]:-0}" ] || return 0
    [ "${a[$i]:-0}" -eq "${b[$i]:-0}" ] || return 1
  done
  return 1
}

# build DIR: both programs, for this machine, into DIR.
build() {
  local version name
  version=$(git -C "$checkout" describe --tags --always --dirty 2>/dev/null || true)
  for name in ambit ambit-hook; do
    (
      cd -- "$checkout" &&
        CGO_ENABLED=0 GOOS='' GOARCH='' GOWORK=off go build -trimpath -buildvcs=false \
          -ldflags "-s -w -X main.version=${version#v}" -o "$1/$name" "./cmd/$name" </dev/null
    ) || fail 1 "$name cannot be built" 'see the lines above'
    chmod 755 "$1/$name"
  done
}

install() {
  local bin=$1 name
  need_go
  mkdir -p -- "$bin" 2>/dev/null ||
    fail 1 "cannot make the directory $(printable "$bin")" 'choose another one with --prefix'
  for name in ambit ambit-hook; do
    if [ -d "$bin/$name" ]; then
      fail 1 "$(printable "$bin/$name") is a directory" 'choose another place with --prefix'
    elif [ -e "$bin/$name" ] && ! ours "$bin/$name" "$name"; then
      fail 1 "$(printable "$bin/$name") is another program" 'choose another place with --prefix, or remove it'
    fi
  done
  # In the same directory: so the renames below are atomic, and no shell that is
  # open ever runs half a program.
  scratch=$(mktemp -d "$bin/.ambit-install.XXXXXX" 2>/dev/null) ||
    fail 1 "cannot write to $(printable "$bin")" 'choose another place with --prefix'
  build "$scratch"
  for name in ambit ambit-hook; do
    mv -f -- "$scratch/$name" "$bin/$name" || fail 1 "cannot replace $(printable "$bin/$name")" 'see the line above'
  done
  say "installed $("$bin/ambit" version | cut -d ' ' -f 1,2) and ambit-hook in $(printable "$bin")"
  next_step "$bin"
}

# next_step DIR: the one line for the user's shell, and what is in its way.
next_step() {
  local bin=$1 shell=${SHELL-} found quoted
  shell=${shell##*/}
  quoted=\'$(printf '%s' "$bin" | sed "s/'/'\\\\''/g")\'
  if on_path "$bin"; then
    found=$(type -P ambit || true)
    if [ -n "$found" ] && ! [ "$found" -ef "$bin/ambit" ]; then
      warn "$(printable "$found") comes before it on PATH"
      hint "put $(printable "$bin") first, or remove the other one"
    fi
  else
    warn "$(printable "$bin") is not on PATH"
    case $shell in
    fish) hint "add before the line below: fish_add_path $quoted" ;;
    *) hint "add before the line below: export PATH=$quoted:\"\$PATH\"" ;;
    esac
  fi
  case $shell in
  bash)
    # A terminal on macOS starts login shells.
    case $(uname -s) in Darwin) found='~/.bash_profile' ;; *) found='~/.bashrc' ;; esac
    line "$found" 'eval "$(ambit hook bash)"'
    ;;
  zsh) line "${ZDOTDIR:-~}/.zshrc" 'eval "$(ambit hook zsh)"' ;;
  fish) line '~/.config/fish/config.fish' 'ambit hook fish | source' ;;
  *)
    line '~/.bashrc, for bash' 'eval "$(ambit hook bash)"'
    line '~/.zshrc, for zsh' 'eval "$(ambit hook zsh)"'
    line '~/.config/fish/config.fish, for fish' 'ambit hook fish | source'
    ;;
  esac
}

# on_path DIR: by whatever name.
on_path() {
  local IFS=: dir
  set -f
  for dir in ${PATH-}; do
    if [ "$dir" -ef "$1" ]; then
      set +f
      return 0
    fi
  done
  set +f
  return 1
}

line() {
  say "the last line of $1 is to be:"
  printf '\n  %s\n\n' "$2"
}

uninstall() {
  local bin=$1 name dir path found=''
  for name in ambit ambit-hook; do
    path=$bin/$name
    [ -e "$path" ] || [ -L "$path" ] || continue
    if [ -d "$path" ] || ! ours "$path" "$name"; then
      fail 1 "$(printable "$path") is not ours and stays" 'name the directory that was installed to with --prefix'
    fi
    found=x
  done
  if [ -z "$found" ]; then
    say "nothing of ambit is installed in $(printable "$bin")"
    return
  fi
  for name in ambit-hook ambit; do
    rm -f -- "$bin/$name" || fail 1 "cannot remove $(printable "$bin/$name")" 'see the line above'
  done
  say "removed ambit and ambit-hook from $(printable "$bin")"
  say 'the line "ambit hook" in your shell'"'"'s startup file is yours to remove; shells that are open keep what is loaded'
  # The rule of the programs: a base directory has to be absolute.
  found=''
  for dir in "$(base "${XDG_CONFIG_HOME-}" .config)" "$(base "${XDG_STATE_HOME-}" .local/state)" \
    "$(base "${XDG_CACHE_HOME-}" .cache)" "$(base "${XDG_RUNTIME_DIR-}" '')"; do
    if [ -n "$dir" ] && [ -e "$dir/ambit" ]; then
      [ -n "$found" ] || say 'left, for you to keep or delete (settings and environments, what was allowed, cached credentials):'
      found=x
      printf '  %s\n' "$(printable "$dir/ambit")"
    fi
  done
}

# base VALUE FALLBACK: the XDG directory, or nothing.
base() {
  case $1 in
  /*) printf '%s' "$1" ;;
  *) [ -z "$2" ] || [ -z "${HOME-}" ] || printf '%s' "$HOME/$2" ;;
  esac
}

demo() {
  need_go
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/ambit-demo.XXXXXX") || fail 1 'cannot make a temporary directory' 'set TMPDIR to one that you can write'
  scratch=$(cd -P -- "$scratch" && pwd)
  cd -- "$checkout"
  GOWORK=off go build -buildvcs=false -o "$scratch/demo" ./.ci/demo </dev/null ||
    fail 1 'the demo cannot be built' 'see the lines above'
  # It removes the directory itself, and signals reach it directly.
  exec "$scratch/demo" "$scratch"
}

main "$@"
