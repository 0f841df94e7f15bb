# ambit's hook for fish. The line above has set __ambit_bin, the list of words that
# is the command to run. Verified on fish 3.6; an older one has no `path mtime` and
# no nanoseconds in test, and asks the command at every prompt.
#
# `builtin` evades functions that are called set, test, string, path or source.

if builtin status is-interactive

    # What was inherited from the shell around this one proves nothing.
    builtin set -eg __ambit_pwd __ambit_held __ambit_dead __ambit_life __ambit_generation \
        __ambit_watched __ambit_proof __ambit_absent __ambit_seen __ambit_later
    builtin set -gu __ambit_bin $__ambit_bin

    # Is surely nothing different? No fork, no value printed. __ambit_watched are
    # files and stamps, all of which have to exist, __ambit_absent are paths none of
    # which may, and __ambit_proof is true if a file is newer or older than its
    # stamp. `path is` costs a third of what test does for the same paths.
    if builtin path mtime -R -- / >/dev/null 2>&1
        function __ambit_same
            if builtin test . -ef "$PWD" -a "$PWD" = "$__ambit_pwd"
                builtin set -q AMBIT_STATE; and builtin set -l held x; or builtin set -l held
                builtin set -q AMBIT_STORES; and builtin set held $held"x$AMBIT_STORES"
                builtin test "$held" = "$__ambit_held"; or return
                builtin set -q __ambit_seen[1]; and begin
                    __ambit_unchanged $__ambit_seen; or return
                end
                builtin path is -v -- $__ambit_watched; and return 1
                builtin path is -- $__ambit_absent; and return 1
                builtin test $__ambit_proof; and return 1
                builtin test -z "$__ambit_life"; or __ambit_younger $__ambit_life
                return
            end
            builtin set -q AMBIT_STATE; and return 1
            builtin test . -ef "$PWD"; or return
            __ambit_outside
        end
    else
        function __ambit_same
            return 1
        end
    end

    # Nothing is loaded: is there nothing to load from here up to / either? Then the
    # check is armed without the command.
    function __ambit_outside
        # a directory's name with a newline would be split at it
        builtin string match -q '*'\n'*' -- "$PWD"; and return 1
        builtin set -l IFS \n
        builtin set -l files
        builtin set -l directory
        for part in (builtin string split / -- "$PWD")
            builtin set directory $directory$part/
            builtin set -a files $directory.envrc.yaml
        end
        builtin path is -- $files; and return 1
        builtin set -q AMBIT_STORES; and builtin set -g __ambit_held "x$AMBIT_STORES"; or builtin set -g __ambit_held ''
        builtin set -g __ambit_seen
        builtin set -g __ambit_watched
        builtin set -g __ambit_proof
        builtin set -g __ambit_life
        builtin set -g __ambit_absent $files
        builtin set -g __ambit_pwd $PWD
        return 0
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

    # Is the generation file younger than so many seconds? fish has no other clock. A
    # pipe into read is a little cheaper than a command substitution.
    function __ambit_younger
        builtin path mtime -R -- $__ambit_generation | builtin read -l age
        and builtin test "$age" -ge 0 -a "$age" -lt $argv[1]
    end

    # The check is off until an answer is applied whole.
    function __ambit_run
        builtin set -l IFS \n
        builtin set -g __ambit_pwd
        builtin set -g __ambit_dead
        builtin test -x "$__ambit_bin[1]"; or return 0
        builtin set -l __ambit_o (command $__ambit_bin fish </dev/null)
        and builtin test "$__ambit_o[-1]" = '#ambit:ok'
        and builtin printf '%s\n' $__ambit_o[1..-2] | builtin source
    end

    function __ambit_hook --on-event fish_prompt
        builtin set -l fish_trace
        __ambit_same; or __ambit_run
    end

    # $ambit_fish_mode says what a change of directory does before the next prompt:
    # eval_on_arrow (the default) applies it at once, eval_after_arrow before the
    # next command, disable_arrow not at all.
    function __ambit_chpwd --on-variable PWD
        builtin set -l fish_trace
        switch "$ambit_fish_mode"
            case disable_arrow
            case eval_after_arrow
                builtin set -g __ambit_later x
            case '*'
                __ambit_same; or __ambit_run
        end
    end

    # Before a typed command: has what is loaded died meanwhile? Then renew it first.
    function __ambit_preexec --on-event fish_preexec
        builtin set -l fish_trace
        if builtin set -q __ambit_later
            builtin set -eg __ambit_later
            __ambit_same; or __ambit_run
        else if builtin test -n "$__ambit_dead"
            __ambit_younger $__ambit_dead; or __ambit_run
        end
    end
end
