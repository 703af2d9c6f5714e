# Completion of sesame for bash 4.3 and newer. It asks the program. Nothing of the line, and no name
# that the program knows, is evaluated by the shell.

# _sesame_unquote sets REPLY to a word without its quotes and backslashes, and quote to the quote
# that is still open.
_sesame_unquote() {
	local word=$1 c i
	REPLY='' quote=''
	for ((i = 0; i < ${#word}; i++)); do
		c=${word:i:1}
		if [[ $quote == "'" ]]; then
			if [[ $c == "'" ]]; then quote=''; else REPLY+=$c; fi
		elif [[ $c == \\ ]]; then
			((++i))
			if [[ $quote && ${word:i:1} != [\\\"\$\`] ]]; then REPLY+=\\; fi
			REPLY+=${word:i:1}
		elif [[ $quote && $c == "$quote" ]]; then
			quote=''
		elif [[ ! $quote && $c == [\'\"] ]]; then
			quote=$c
		else
			REPLY+=$c
		fi
	done
	if [[ $word == \~/* ]]; then REPLY=$HOME${REPLY:1}; fi
}

# _sesame_words sets words to the words of the line up to the cursor. Bash cuts them at ":" and "=",
# which stand in addresses and behind flags: what has no space before it belongs together.
_sesame_words() {
	local line=$COMP_LINE rest i n=-1
	words=()
	for ((i = 0; i <= COMP_CWORD; i++)); do
		rest=${line#"${line%%[![:space:]]*}"}
		if [[ $rest != "$line" || $i == 0 ]]; then
			((++n))
			words[n]=''
		fi
		words[n]+=${COMP_WORDS[i]}
		line=${rest#"${COMP_WORDS[i]}"}
	done
}

# _sesame_files offers directories, and files that end in one of the extensions in lines, or all.
_sesame_files() {
	local begin=$1 only=$2 file extension
	compopt -o filenames
	while IFS= read -r file; do
		if [[ -d $file ]]; then
			COMPREPLY+=("$file")
			continue
		fi
		if [[ $only == directories ]]; then continue; fi
		if ((${#lines[@]} == 0)); then COMPREPLY+=("$file"); fi
		for extension in "${lines[@]}"; do
			if [[ $file == *."$extension" ]]; then COMPREPLY+=("$file"); fi
		done
	done < <(compgen -f -- "$begin")
}

# _sesame_names offers those names in lines, which may have a description behind a tab, that begin
# with what was typed: as it was, and without its quotes.
_sesame_names() {
	local typed=$1 plain=$2 line name before=''
	if [[ $typed == *[:=]* && ! $quote ]]; then before=${typed%"${typed##*[:=]}"}; fi
	for line in "${lines[@]}"; do
		name=${line%%$'\t'*}
		if [[ $name != "$plain"* ]]; then continue; fi
		case $quote in
		'') printf -v name %q "$name" ;;
		*) if [[ $name == *[\'\"\$\`\\!]* ]]; then continue; fi ;;
		esac
		name=${name#"$before"}
		# What is only shown, as by a second Tab, can have its description.
		if [[ $COMP_TYPE == 63 && ${#lines[@]} -gt 1 && $line == *$'\t'* ]]; then
			name+="  (${line#*$'\t'})"
		fi
		COMPREPLY+=("$name")
	done
}

_sesame() {
	local words quote REPLY lines=() line directive=0 plain=() typed
	COMPREPLY=()
	_sesame_words
	for line in "${words[@]}"; do
		_sesame_unquote "$line"
		plain+=("$REPLY")
	done
	typed=${words[${#words[@]}-1]}
	while IFS= read -r line; do
		lines+=("$line")
	done < <("${plain[0]}" __complete "${plain[@]:1}" 2>/dev/null)
	if ((${#lines[@]} > 0)); then
		directive=${lines[${#lines[@]}-1]#:}
		unset "lines[${#lines[@]}-1]"
	fi
	if [[ $typed == -*=* ]]; then
		typed=${typed#*=}
		REPLY=${REPLY#*=}
	fi
	if [[ $directive != +([0-9]) ]]; then return; fi
	if ((directive & 2)); then compopt -o nospace; fi
	if ((directive & 16)); then
		_sesame_files "$REPLY" directories
	elif ((directive & 8)); then
		_sesame_files "$REPLY" files
	else
		_sesame_names "$typed" "$REPLY"
		if ((${#lines[@]} == 0 && !(directive & 4))); then _sesame_files "$REPLY" files; fi
	fi
}

complete -F _sesame sesame
