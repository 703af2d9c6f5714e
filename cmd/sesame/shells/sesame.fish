# Completion of sesame for fish. It asks the program. Nothing of the line, and no name that the
# program knows, is evaluated by the shell.

function __sesame_complete
    set -l words (commandline -opc)
    set -l typed (commandline -ct)
    set -l plain (string unescape -- $typed)
    or set plain $typed
    set -l lines (command $words[1] __complete $words[2..-1] "$plain" 2>/dev/null)
    set -l directive (string match -r -g -- '^:([0-9]+)$' "$lines[-1]")
    or return
    set -e lines[-1]
    set -l before ''
    if string match -q -r -- '^-[^=]*=' "$typed"
        set before (string match -r -- '^-[^=]*=' "$typed")
    end
    set -l rest (string replace -r -- '^-[^=]*=' '' "$plain")

    if test (math "floor($directive / 16) % 2") -eq 1
        __fish_complete_directories "$rest" | string replace -r -- '^' "$before"
    else if test (math "floor($directive / 8) % 2") -eq 1
        for file in (__fish_complete_path "$rest")
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
            __fish_complete_path "$rest" | string replace -r -- '^' "$before"
        end
    end
end

complete -c sesame -e
complete -c sesame -f -a '(__sesame_complete)'
