# ambit's hook for zsh. A line above has set __ambit_bin, the list of words that
# is the command to run. Verified on zsh 5.9.
#
# zsh parses this file, and expands aliases, under the user's options. \builtin
# evades aliases and functions; what runs at every prompt is written to mean the
# same under every option and emulation; the rest starts with emulate -L zsh.

if [[ -o interactive ]]; then

# What was inherited from the shell around this one proves nothing.
\builtin unset __ambit_pwd __ambit_held __ambit_dead __ambit_since __ambit_until __ambit_usual __ambit_seen __ambit_proof \
  __ambit_f1 __ambit_s1 __ambit_a1 __ambit_f2 __ambit_s2 __ambit_a2 __ambit_f3 __ambit_s3 __ambit_a3 \
  __ambit_f4 __ambit_s4 __ambit_a4 __ambit_o __ambit_typed

# The helpers of the rendered text. Anything but a plain scalar has its own idea of
# a value: an integer evaluates it, an array takes it as one element, typeset -u
# changes it. Special parameters lose their meaning when unset, so they stay.
__ambit_set() {
  case ${(Pt)1-} in
    (*readonly*) \builtin print -ru2 -- "ambit: warning: $1 is read-only here"; \builtin return 0 ;;
    (|scalar|scalar-export|scalar-tied*|scalar*special*) ;;
    (*) \builtin unset -- "$1" ;;
  esac
  \builtin export -- "$1=$2"
}

__ambit_unset() {
  case ${(Pt)1-} in
    (*readonly*) \builtin print -ru2 -- "ambit: warning: $1 is read-only here" ;;
    (*) \builtin unset -- "$1" ;;
  esac
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
  \builtin emulate -L zsh
  (( ! $#__ambit_proof )) || \builtin test "${__ambit_proof[@]}" || \builtin return
  \builtin set -- "${__ambit_seen[@]}"
  while (( $# )); do
    if [[ -n ${(Pt)1-} ]]; then
      [[ x${(P)1} == "$2" ]] || \builtin return
    else
      [[ -z $2 ]] || \builtin return
    fi
    \builtin shift 2
  done
}

# For precmd and chpwd. Not in $(cd /) nor in a completion that changes directory:
# what is set there is lost again, or seen by nobody.
#
# Is surely nothing different? Then no fork, and no value is printed: four files f
# that are as old as their stamps s, four paths a that do not exist. Where one of
# two files is missing -nt and -ot are both false, so -e asks for both. The clock is
# the prompt's: zsh/datetime would add names to the user's shell.
__ambit_hook() {
  [[ $ZSH_SUBSHELL -eq 0 && -z ${compstate+x} ]] || \builtin return 0
  [[ -o xtrace ]] && { \builtin setopt localoptions no_xtrace; } 2>/dev/null
  if [[ ${PWD-} == "${__ambit_pwd-}" ]]; then
    [[ . -ef $PWD && ${AMBIT_STATE:+x} == "$__ambit_held" &&
      $__ambit_usual == "${AMBIT_STORES--},${AWS_CA_BUNDLE--},${AWS_CONFIG_FILE--},\
${AWS_DEFAULT_PROFILE--},${AWS_DEFAULT_REGION--},${AWS_ENDPOINT_URL--},\
${AWS_ENDPOINT_URL_STS--},${AWS_IGNORE_CONFIGURED_ENDPOINT_URLS--},${AWS_PROFILE--},\
${AWS_REGION--},${AWS_SHARED_CREDENTIALS_FILE--},${AWS_USE_DUALSTACK_ENDPOINT--},\
${AWS_USE_FIPS_ENDPOINT--}" &&
      ( -z $__ambit_until || ${(%):-%D{%s}} -lt $__ambit_until ) &&
      -e $__ambit_f1 && -e $__ambit_s1 && ! $__ambit_f1 -nt $__ambit_s1 && ! $__ambit_f1 -ot $__ambit_s1 &&
      -e $__ambit_f2 && -e $__ambit_s2 && ! $__ambit_f2 -nt $__ambit_s2 && ! $__ambit_f2 -ot $__ambit_s2 &&
      -e $__ambit_f3 && -e $__ambit_s3 && ! $__ambit_f3 -nt $__ambit_s3 && ! $__ambit_f3 -ot $__ambit_s3 &&
      -e $__ambit_f4 && -e $__ambit_s4 && ! $__ambit_f4 -nt $__ambit_s4 && ! $__ambit_f4 -ot $__ambit_s4 &&
      ! -e $__ambit_a1 && ! -e $__ambit_a2 && ! -e $__ambit_a3 && ! -e $__ambit_a4 ]] &&
      { [[ -z "${__ambit_proof[*]}${__ambit_seen[*]}" ]] || __ambit_rest; } || __ambit_outside || __ambit_run
  else
    __ambit_outside || __ambit_run
  fi
  \builtin return 0
}

# Before a typed command: has what is loaded died meanwhile, or was the clock set
# back, so that it would seem to live for longer? Then renew it first. Where a load
# has failed, ask as at a prompt.
__ambit_preexec() {
  \builtin local __ambit_typed=typed
  if [[ ${__ambit_dead-} == ask ]]; then
    __ambit_hook
    \builtin return 0
  fi
  [[ -z ${__ambit_dead-} || ( ${(%):-%D{%s}} -lt $__ambit_dead && ${(%):-%D{%s}} -ge ${__ambit_since-} ) ]] && \builtin return 0
  [[ $ZSH_SUBSHELL -eq 0 ]] || \builtin return 0
  __ambit_run
}

# The check is off until an answer is applied whole.
__ambit_run() {
  { \builtin emulate -L zsh; \builtin setopt localtraps no_xtrace no_verbose no_aliases
    \builtin trap - DEBUG ZERR; } 2>/dev/null
  \builtin local __ambit_o
  __ambit_pwd='' __ambit_dead=''
  [[ -x ${__ambit_bin[1]-} ]] || \builtin return 0
  if [[ ${(t)AMBIT_STATE-} == *readonly* ]]; then
    # without a session nothing could be unloaded
    \builtin print -ru2 -- "ambit: warning: AMBIT_STATE is read-only here: nothing is loaded or unloaded in this shell"
    __ambit_bin=()
    \builtin return 0
  fi
  __ambit_o="$("${__ambit_bin[@]}" zsh ${__ambit_typed:+"$__ambit_typed"} </dev/null)" || __ambit_o=''
  [[ $__ambit_o == *$'\n#ambit:ok' ]] || \builtin return 0
  \builtin eval "${__ambit_o%$'\n#ambit:ok'}"
  \builtin return 0
}

# First in its list, so that the others see the new environment; a list in which it
# stands already is left alone.
__ambit_install() {
  \builtin emulate -L zsh
  \builtin local __ambit_o
  for __ambit_o in precmd_functions:__ambit_hook chpwd_functions:__ambit_hook preexec_functions:__ambit_preexec; do
    if [[ ${(Pt)${__ambit_o%:*}-} == *readonly* ]]; then
      \builtin print -ru2 -- "ambit: warning: ${__ambit_o%:*} is read-only here"
      continue
    fi
    \builtin set -- ${(P)${__ambit_o%:*}}
    (( ${@[(Ie)${__ambit_o#*:}]} )) || \builtin set -A ${__ambit_o%:*} ${__ambit_o#*:} "$@"
  done
}
__ambit_install
\builtin unset -f __ambit_install

fi
