# Completion of criodctl's words for bash: source it, or install it as
# /usr/share/bash-completion/completions/criodctl.
_criodctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} i=1
	COMPREPLY=()
	while [ "${COMP_WORDS[i]}" = -s ] && [ $i -lt "$COMP_CWORD" ]; do
		i=$((i + 2))
	done
	case $((COMP_CWORD - i)):${COMP_WORDS[i]} in
	0:*)
		mapfile -t COMPREPLY < <(compgen -W \
			"image pod privileges run status wipe -s -V" -- "$cur")
		;;
	1:image)
		mapfile -t COMPREPLY < <(compgen -W \
			"export import inspect list prune pull remove repair
			verify" -- "$cur")
		;;
	1:pod)
		mapfile -t COMPREPLY < <(compgen -W remove -- "$cur")
		;;
	*:image)
		case ${COMP_WORDS[i + 1]} in
		import | export) compopt -o default ;;
		esac
		;;
	esac
}
complete -F _criodctl criodctl
