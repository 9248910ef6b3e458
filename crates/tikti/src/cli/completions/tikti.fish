# Completions of tikti for fish: in ~/.config/fish/completions, or `tikti completions fish | source`
function __tikti_complete
    set -l before (commandline -opc)
    set -l word (commandline -ct)
    for line in (command tikti __complete -- $before "$word" 2>/dev/null </dev/null)
        if string match -q ':files*' -- $line
            __fish_complete_path "$word"
        else
            printf '%s\n' $line
        end
    end
end
complete -c tikti -f -a '(__tikti_complete)'
