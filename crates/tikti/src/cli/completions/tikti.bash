# Completions of tikti for bash: `source <(tikti completions bash)`
_tikti() {
    local word about
    COMPREPLY=()
    while IFS=$'\t' read -r word about; do
        if [[ $word == :files ]]; then
            compopt -o default 2>/dev/null
        else
            COMPREPLY+=("$word")
        fi
    done < <(command tikti __complete --breaks="$COMP_WORDBREAKS" \
        --line="${COMP_LINE:0:$COMP_POINT}" 2>/dev/null </dev/null)
}
complete -F _tikti tikti
