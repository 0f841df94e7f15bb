# shellcheck shell=bash disable=SC2015,SC2016,SC2050,SC2154
# SC2015: A && B || C is meant. SC2016: text for later stays as it is. SC2050: a is A
# under nocasematch. SC2154: the rendered text assigns.
#
# ambit's hook for bash. A line above has set __ambit_bin, the list of words that
# is the command to run. Written for bash 3.2 and later: older parsers reject
# [[ -v ]], [[ -R ]] and ${ …; }, so these stand here only in quotes or not at all.
# Verified on bash 5.2.
#
# How it is sound under any option: \builtin evades aliases and functions;
# `set --` keeps values where `local name=…` would be lost to set -k; whatever may
# return non-zero stands before && or ||, for set -e and ERR traps.

case $- in
*i*)

# A command of ours, inherited from the shell around this one, proves nothing.
\builtin unset -v __ambit_pwd __ambit_held __ambit_dead __ambit_since __ambit_until __ambit_usual __ambit_seen __ambit_proof \
  __ambit_f1 __ambit_s1 __ambit_a1 __ambit_f2 __ambit_s2 __ambit_a2 __ambit_f3 __ambit_s3 __ambit_a3 \
  __ambit_f4 __ambit_s4 __ambit_a4 __ambit_top __ambit_debug __ambit_found __ambit_o __ambit_rc __ambit_typed

# The helpers of the rendered text. Unsetting first matters: export would evaluate
# the value of an integer, fill element 0 of an array, follow a nameref.
case ${BASH_VERSINFO[0]}.${BASH_VERSINFO[1]} in
[0-3].*|4.[0-3])
__ambit_unset() { \builtin unset -v "$1"; }
__ambit_stuck() { \builtin return 1; }
;;
*)
__ambit_stuck() { [[ ${AMBIT_STATE@a} == *r* ]]; }
__ambit_unset() {
  \builtin test -R "$1" && { \builtin unset -n "$1" || \builtin return; }
  if [[ ${!1@a} == *r* ]]; then
    \builtin printf 'ambit: warning: %s is read-only here\n' "$1" >&2
    \builtin return 1
  fi
  \builtin unset -v "$1"
}
;;
esac

__ambit_set() {
  __ambit_unset "$1" && \builtin export "$1=$2"
}

# Outside: nothing is loaded, and from here up to / there is nothing to load. A
# link that leads nowhere is something, and the command says so; it is looked for here
# alone, for each further question costs.
__ambit_outside() {
  [[ -z ${AMBIT_STATE-} && ${PWD-} == /* && . -ef $PWD && ! -L .envrc.yaml ]] || \builtin return
  \builtin local __ambit_o
  __ambit_o=$PWD
  while [[ -n $__ambit_o && ! -e $__ambit_o/.envrc.yaml ]]; do __ambit_o=${__ambit_o%/*}; done
  [[ -z $__ambit_o && ! -e /.envrc.yaml ]]
}

# What few need: files and paths beyond four, as words for test; and pairs of a
# variable's name and what it has to be, x and its value, or nothing if unset.
__ambit_rest() {
  [[ -z ${__ambit_proof-} ]] || \builtin test "${__ambit_proof[@]}" || \builtin return
  [[ -n ${__ambit_seen-} ]] || \builtin return 0
  \builtin set -- "${__ambit_seen[@]}"
  while [[ $# -gt 0 ]]; do
    [[ ${!1+x}${!1-} == "$2" ]] || \builtin return
    \builtin shift 2
  done
}

# Is surely nothing different? Then no fork, and no value is printed: four files f
# that are as old as their stamps s, four paths a that do not exist. Variables by
# name, because a list costs half as much again. A file is newer than a stamp that
# is gone; -e decides where both are. A clock that is not there (bash before 5)
# means: run whenever there is a deadline. Under nocasematch, where a is A, two
# directories may look like one.
__ambit_hook() {
  \builtin set -- "$?"
  case $- in *x*)
    # bash before 4.4 has no local -
    { \builtin local - || \builtin set -- "$1" x; \builtin set +x; } 2>/dev/null ;;
  esac
  if [[ ${PWD-} == "${__ambit_pwd-}" && a != A ]]; then
    [[ . -ef $PWD && ${AMBIT_STATE:+x} == "$__ambit_held" &&
      $__ambit_usual == "${AMBIT_STORES--},${AWS_CA_BUNDLE--},${AWS_CONFIG_FILE--},\
${AWS_DEFAULT_PROFILE--},${AWS_DEFAULT_REGION--},${AWS_ENDPOINT_URL--},\
${AWS_ENDPOINT_URL_STS--},${AWS_IGNORE_CONFIGURED_ENDPOINT_URLS--},${AWS_PROFILE--},\
${AWS_REGION--},${AWS_SHARED_CREDENTIALS_FILE--},${AWS_USE_DUALSTACK_ENDPOINT--},\
${AWS_USE_FIPS_ENDPOINT--}" &&
      ( -z $__ambit_until || ( -n ${EPOCHSECONDS-} && $EPOCHSECONDS -lt $__ambit_until ) ) &&
      -e $__ambit_f1 && ! $__ambit_f1 -nt $__ambit_s1 && ! $__ambit_f1 -ot $__ambit_s1 &&
      -e $__ambit_f2 && ! $__ambit_f2 -nt $__ambit_s2 && ! $__ambit_f2 -ot $__ambit_s2 &&
      -e $__ambit_f3 && ! $__ambit_f3 -nt $__ambit_s3 && ! $__ambit_f3 -ot $__ambit_s3 &&
      -e $__ambit_f4 && ! $__ambit_f4 -nt $__ambit_s4 && ! $__ambit_f4 -ot $__ambit_s4 &&
      ! -e $__ambit_a1 && ! -e $__ambit_a2 && ! -e $__ambit_a3 && ! -e $__ambit_a4 ]] &&
      { [[ -z ${__ambit_proof-}${__ambit_seen-} ]] || __ambit_rest; } || __ambit_outside || __ambit_run
  else
    __ambit_outside || __ambit_run
  fi
  [[ -z ${2-} ]] || \builtin set -x
  # set -e would end the shell for the status of `! true`; # knows e from E always
  [[ ${-#*e} == "$-" ]] || \builtin return 0
  \builtin return "$1"
}

# Clears the options that would break or show what follows. +T also has to come
# before the next function starts: only there a DEBUG trap is left behind.
__ambit_run() {
  \builtin set -- "${-//[!xvkeuaET]/}"
  { \builtin local - && \builtin set --; \builtin set +xvkeuaET; } 2>/dev/null
  __ambit_apply
  [[ -z ${1-} ]] || \builtin set "-$1"
  \builtin return 0
}

# The check is off until an answer is applied whole.
__ambit_apply() {
  \builtin local __ambit_o
  __ambit_pwd='' __ambit_dead=''
  [[ -x ${__ambit_bin[0]-} ]] || \builtin return 0
  if __ambit_stuck; then
    # without a session nothing could be unloaded
    \builtin printf 'ambit: warning: AMBIT_STATE is read-only here: nothing is loaded or unloaded in this shell\n' >&2
    __ambit_bin=()
    \builtin return 0
  fi
  __ambit_o=$("${__ambit_bin[@]}" bash ${__ambit_typed:+"$__ambit_typed"} </dev/null) || __ambit_o=''
  [[ $__ambit_o == *$'\n#ambit:ok' ]] || \builtin return 0
  \builtin eval "${__ambit_o%$'\n#ambit:ok'}"
  __ambit_guard
}

# Before a typed command: has what is loaded died meanwhile, or was the clock set
# back, so that it would seem to live for longer? Then renew it first.
# Tried once: __ambit_apply clears __ambit_dead. Not in completion or a key binding.
# Where a load has failed, ask as at a prompt, but not without a clock: each command
# of a loop comes here. So does the prompt's own, which is not typed.
__ambit_before() {
  [[ -n ${__ambit_dead-} ]] || \builtin return 0
  [[ ${BASH_SUBSHELL-0} == 0 && -z ${COMP_LINE+x}${READLINE_LINE+x} ]] || \builtin return 0
  \builtin local __ambit_o __ambit_typed=typed
  case $__ambit_dead${BASH_COMMAND-} in ask__ambit_hook) \builtin return 0 ;; esac
  case $__ambit_dead${EPOCHSECONDS:+${PWD-}} in
  "ask${__ambit_pwd:-?}") __ambit_hook; \builtin return 0 ;;
  ask*) \builtin return 0 ;;
  esac
  __ambit_now
  [[ -n $__ambit_o && ( $__ambit_o -ge $__ambit_dead || $__ambit_o -lt ${__ambit_since-} ) ]] || \builtin return 0
  __ambit_run
}

case ${BASH_VERSINFO[0]}.${BASH_VERSINFO[1]} in
[0-3].*|4.[01]) __ambit_now() { __ambit_o=''; } ;;
4.*) __ambit_now() { \builtin printf -v __ambit_o '%(%s)T' -1; } ;;
*) __ambit_now() { __ambit_o=${EPOCHSECONDS-}; } ;;
esac

# How __ambit_before gets called: by bash-preexec if it is here, by PS0 from bash
# 5.3 on (set below), else by a DEBUG trap while there is something that can die.
# A function does not see the DEBUG trap of the shell around it, so the trap is
# changed at top level: PROMPT_COMMAND evaluates __ambit_top.
__ambit_guard() {
  __ambit_top=''
  if [[ -n $__ambit_dead ]]; then
    if \builtin declare -p preexec_functions >/dev/null 2>&1; then
      case " ${preexec_functions[*]-} " in
      *__ambit_before*) ;;
      *) preexec_functions+=(__ambit_before) ;;
      esac
      \builtin return 0
    fi
    [[ -z ${__ambit_debug-} && ${PS0-} != *__ambit_before* ]] || \builtin return 0
  else
    [[ -n ${__ambit_debug-} ]] || \builtin return 0
  fi
  __ambit_top='__ambit_retrap "$(\builtin trap -p DEBUG)" && \builtin trap -- "$__ambit_o" DEBUG'
}

# Takes what `trap -p DEBUG` printed, leaves the trap to set in __ambit_o. The trap
# that was found runs after ours with $? and $_ as it would have seen them; without
# one the status is 0, for under extdebug any other skips the command.
__ambit_retrap() {
  __ambit_top=''
  \builtin eval "\\builtin set -- $1"
  if [[ -n ${__ambit_dead-} ]]; then
    [[ ${3-} != *__ambit_trap* ]] || \builtin return
    __ambit_found=${3--}
    __ambit_debug='__ambit_trap 0 "$_"'
    [[ -z ${3-} ]] || __ambit_debug='__ambit_trap "$?" "$_"'$'\n'$3
    __ambit_o=$__ambit_debug
    # set -a would export them
    \builtin export -n __ambit_top __ambit_found __ambit_debug __ambit_o
  else
    __ambit_o=$__ambit_found
    [[ ${3-} == "$__ambit_debug" ]] || \builtin set --
    \builtin unset -v __ambit_debug __ambit_found
    [[ $# -gt 0 ]]
  fi
}

__ambit_trap() {
  case $- in *x*) { \builtin local - && \builtin set +x; } 2>/dev/null ;; esac
  __ambit_before
  [[ ${-#*e} == "$-" ]] || \builtin return 0
  \builtin return "$1"
}

# First, so that the others see the new environment. From bash 5.1 on PROMPT_COMMAND
# may be a list, and between its elements bash restores $? and PIPESTATUS. Ours is
# one of them: bash-preexec ends the first one with a mark, and takes what runs after
# that for a typed command. While it waits there for the first prompt, it has to stay
# in one string with all that it is to run after.
__ambit_install() {
  if ! ( \builtin unset -v PROMPT_COMMAND ) 2>/dev/null; then
    \builtin printf 'ambit: warning: PROMPT_COMMAND is read-only here\n' >&2
    \builtin return 0
  fi
  case " ${PROMPT_COMMAND[*]-} " in *__ambit_hook*) \builtin return 0 ;; esac
  case ${BASH_VERSINFO[0]}.${BASH_VERSINFO[1]}${PROMPT_COMMAND-} in
  [0-4].*|5.0*|*__bp_install*)
    PROMPT_COMMAND='__ambit_hook; __ambit_rc=$?; \builtin eval "${__ambit_top-}"; __ambit_status "$__ambit_rc"'${PROMPT_COMMAND:+$'\n'$PROMPT_COMMAND}
    ;;
  *)
    PROMPT_COMMAND=($'__ambit_hook\n\\builtin eval "${__ambit_top-}"' "${PROMPT_COMMAND[@]}")
    ;;
  esac
  case ${BASH_VERSINFO[0]}.${BASH_VERSINFO[1]} in
  [0-4].*|5.[0-2]) ;;
  *) case ${PS0-} in *__ambit_before*) ;; *) PS0='${ __ambit_before; }'${PS0-} ;; esac ;;
  esac
}
__ambit_status() {
  \builtin export -n __ambit_rc
  \builtin return "$1"
}

__ambit_install
\builtin unset -f __ambit_install
# set -a would have exported them all
\builtin export -nf __ambit_unset __ambit_stuck __ambit_set __ambit_outside __ambit_rest __ambit_hook __ambit_run \
  __ambit_apply __ambit_before __ambit_now __ambit_guard __ambit_retrap __ambit_trap __ambit_status

;;
esac
