#compdef tikti
# Completions of tikti for zsh: in a directory of fpath as `_tikti`, or `source <(tikti completions zsh)`
_tikti() {
    local line word
    local -a found
    for line in "${(@f)$(command tikti __complete -- "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}"; do
        word=${line%%$'\t'*}
        case $word in
            ('') ;;
            (:files) _files; return ;;
            (*) found+=("${word//:/\\:}:${line#*$'\t'}") ;;
        esac
    done
    (( $#found )) && _describe tikti found
}
if [[ $funcstack[1] == _tikti ]]; then
    _tikti "$@"
else
    compdef _tikti tikti
fi
