# ambit's hook for fish. The line above has set __ambit_bin, the list of words that
# is the command to run. Verified on fish 3.6; an older one has no `path mtime` and
# no nanoseconds in test, and asks the command at every prompt.
#
# `builtin` evades functions that are called set, test, string, path or source.

if builtin status is-interactive

    # What was inherited from the shell around this one proves nothing.
    builtin set -eg __ambit_pwd __ambit_held __ambit_dead __ambit_life __ambit_clock \
        __ambit_watched __ambit_proof __ambit_absent __ambit_seen __ambit_later __ambit_o
    builtin set -gu __ambit_bin $__ambit_bin

    # Is surely nothing different? No fork, no value printed. __ambit_held counts
    # which of AMBIT_STATE (2) and AMBIT_STORES (1) are unset, and goes on with the
    # value of the second. __ambit_watched are files that have to exist, __ambit_absent
    # paths that may not, and __ambit_proof is true if a file is newer or older than
    # its stamp: a file is newer than a stamp that is gone.
    if builtin path mtime -R -- / >/dev/null 2>&1
        function __ambit_hook --on-event fish_prompt
            builtin set -l fish_trace
            builtin set -q AMBIT_STATE AMBIT_STATE AMBIT_STORES
            builtin test "$status$AMBIT_STORES" = "$__ambit_held" -a "$PWD" = "$__ambit_pwd" -a . -ef "$PWD"
            and not builtin path is -v -- $__ambit_watched
            and not builtin path is -- $__ambit_absent
            and not builtin test $__ambit_proof
            or begin
                __ambit_outside; or __ambit_run $argv
                return
            end
            builtin set -q __ambit_seen[1]; and not __ambit_unchanged $__ambit_seen; and begin
                __ambit_run $argv
                return
            end
            builtin set -q __ambit_life[1]; or return
            # fish has no clock but the age of a file; a pipe into read is cheaper than
            # a command substitution
            builtin path mtime -R -- $__ambit_clock | builtin read -l age
            and builtin test "$age" -lt $__ambit_life
            or __ambit_run $argv
        end
    else
        function __ambit_hook --on-event fish_prompt
            builtin set -l fish_trace
            __ambit_run $argv
        end
    end

    # Nothing is loaded: is there nothing to load from here up to / either? Then the
    # check is armed without the command. A link here that leads nowhere is something:
    # the command says so.
    function __ambit_outside
        builtin set -q AMBIT_STATE; and return 1
        builtin test . -ef "$PWD"; or return
        # a directory's name with a newline would be split at it
        builtin string match -q '*'\n'*' -- "$PWD"; and return 1
        builtin set -l IFS \n
        builtin set -l files
        builtin set -l directory
        for part in (builtin string split / -- "$PWD")
            builtin set directory "$directory$part/"
            builtin set -a files "$directory.envrc.yaml"
        end
        builtin path is -- $files; or builtin test -L .envrc.yaml; and return 1
        builtin set -q AMBIT_STATE AMBIT_STATE AMBIT_STORES
        builtin set -g __ambit_held "$status$AMBIT_STORES"
        builtin set -g __ambit_watched
        builtin set -g __ambit_absent $files
        builtin set -g __ambit_proof
        builtin set -g __ambit_seen
        builtin set -g __ambit_life
        builtin set -g __ambit_pwd $PWD
        return 0
    end

    # The other variables that results usually depend on: fish tells when one is set
    # or erased, which is cheaper than to compare them.
    function __ambit_forget --on-variable AWS_CA_BUNDLE --on-variable AWS_CONFIG_FILE \
            --on-variable AWS_DEFAULT_PROFILE --on-variable AWS_DEFAULT_REGION \
            --on-variable AWS_ENDPOINT_URL --on-variable AWS_ENDPOINT_URL_STS \
            --on-variable AWS_IGNORE_CONFIGURED_ENDPOINT_URLS --on-variable AWS_PROFILE \
            --on-variable AWS_REGION --on-variable AWS_SHARED_CREDENTIALS_FILE \
            --on-variable AWS_USE_DUALSTACK_ENDPOINT --on-variable AWS_USE_FIPS_ENDPOINT
        builtin set -l fish_trace
        builtin set -g __ambit_pwd
    end

    # Pairs of a name and what it has to be: x and its value, or nothing if unset.
    function __ambit_unchanged
        while builtin set -q argv[1]
            builtin set -l name $argv[1]
            if builtin set -q $name
                builtin test x"$$name" = "$argv[2]"; or return
            else
                builtin test -z "$argv[2]"; or return
            end
            builtin set -e argv[1..2]
        end
    end

    # The helper of the rendered text for unsetting. A universal variable is exported
    # whatever stands before it, and to erase it would erase it for every shell.
    function __ambit_unset
        builtin set -eg $argv[1]
        builtin set -qUx $argv[1]
        and builtin echo "ambit: warning: $argv[1] is universal here and stays set; \"set -eU $argv[1]\" removes it" >&2
    end

    # The check is off until an answer is applied whole.
    function __ambit_run
        builtin set -l IFS \n
        builtin set -g __ambit_pwd
        builtin set -g __ambit_dead
        builtin test -x "$__ambit_bin[1]"; or return 0
        builtin set -l __ambit_o (command $__ambit_bin fish $argv </dev/null)
        and builtin test "$__ambit_o[-1]" = '#ambit:ok'
        and builtin printf '%s\n' $__ambit_o[1..-2] | builtin source
    end

    # $ambit_fish_mode says what a change of directory does before the next prompt:
    # eval_on_arrow (the default) applies it at once, eval_after_arrow before the
    # next command, disable_arrow not at all.
    function __ambit_chpwd --on-variable PWD
        switch "$ambit_fish_mode"
            case disable_arrow
            case eval_after_arrow
                builtin set -g __ambit_later x
            case '*'
                __ambit_hook
        end
    end

    # Before a typed command: has what is loaded died meanwhile, or was the clock set
    # back, so that it would seem to live for longer? Then renew it first. Where a
    # load has failed, ask as at a prompt.
    function __ambit_preexec --on-event fish_preexec
        builtin set -l fish_trace
        if builtin set -q __ambit_later
            builtin set -eg __ambit_later
            __ambit_hook
        else if builtin test "$__ambit_dead" = ask
            __ambit_hook typed
        else if builtin set -q __ambit_dead[1]
            builtin path mtime -R -- $__ambit_clock | builtin read -l age
            and builtin test "$age" -lt $__ambit_dead[1] -a "$age" -ge $__ambit_dead[2]
            or __ambit_run typed
        end
    end
end
