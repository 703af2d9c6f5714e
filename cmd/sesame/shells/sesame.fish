# Completion of sesame for fish. It asks the program. Nothing of the line is evaluated by the shell
# but ~ and a variable at the beginning of a word, and no name that the program knows.

# __sesame_plain prints words as fish would pass them on. They have lost their quotes, so a variable
# in single quotes is taken for one, too.
function __sesame_plain
    for word in $argv
        if set -l name (string match -r -g -- '^\$([A-Za-z_][A-Za-z0-9_]*)(?=/|$)' $word)
            set word "$$name"(string replace -r -- '^\$[A-Za-z0-9_]*' '' $word)
        else if set -l home (string match -r -- '^~[A-Za-z0-9_.-]*(?=/)' $word)
            eval set home $home # letters alone: nothing runs
            set word $home(string replace -r -- '^~[^/]*' '' $word)
        end
        printf '%s\n' $word
    end
end

function __sesame_complete
    set -l words (__sesame_plain (commandline -opc))
    set -l typed (commandline -ct)
    set -l plain (string unescape -- $typed)
    or set plain $typed
    command -q -- $words[1] # fish would say that it is missing
    or return
    set -l lines (command $words[1] __complete $words[2..-1] "$plain" 2>/dev/null)
    set -l directive (string match -r -g -- '^:([0-9]+)$' "$lines[-1]")
    or return
    set -e lines[-1]
    set -l before ''
    if string match -q -r -- '^-[^=]*=' "$typed"
        set before (string match -r -- '^-[^=]*=' "$typed")
    end
    set -l rest (string replace -r -- '^-[^=]*=' '' "$typed") # as typed: a path may have spaces

    if test (math "floor($directive / 16) % 2") -eq 1
        __fish_complete_directories "$rest" | string replace -r -- '^' "$before"
    else if test (math "floor($directive / 8) % 2") -eq 1
        for file in (complete -C "'' $rest")
            set -l name (string split -m 1 \t -- $file)[1]
            if string match -q -- '*/' $name; or contains -- (string replace -r -- '.*\.' '' $name) $lines
                printf '%s%s\n' "$before" $file
            end
        end
    else
        for line in $lines
            printf '%s%s\n' "$before" $line
        end
        if test (count $lines) -gt 0
            return
        else if test (math "floor($directive / 4) % 2") -eq 0
            complete -C "'' $rest" | string replace -r -- '^' "$before"
        end
    end
end

complete -c sesame -e
complete -c sesame -f -a '(__sesame_complete)'
