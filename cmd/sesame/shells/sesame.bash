# Completion of sesame for bash 4.3 and newer. It asks the program. Nothing of the line is evaluated
# by the shell but ~ and a variable at the beginning of a word, and no name that the program knows.

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
}

# _sesame_plain sets REPLY to a word as bash would pass it on, and quote as _sesame_unquote does.
_sesame_plain() {
	local word=$1 begin='' name
	local variable='^("?)\$([A-Za-z_][A-Za-z0-9_]*|\{[A-Za-z_][A-Za-z0-9_]*\})'
	if [[ $word =~ $variable ]]; then
		name=${BASH_REMATCH[2]#\{}
		name=${name%\}}
		begin=${!name-}
		word=${BASH_REMATCH[1]}${word#"${BASH_REMATCH[0]}"}
	elif [[ $word =~ ^~[A-Za-z0-9_.-]*/ ]]; then
		eval "begin=${BASH_REMATCH[0]}" # letters alone: nothing runs
		word=${word#"${BASH_REMATCH[0]}"}
	fi
	_sesame_unquote "$word"
	REPLY=$begin$REPLY
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
		_sesame_plain "$line"
		plain+=("$REPLY")
	done
	typed=${words[${#words[@]}-1]}
	# A function of this name may ask for a password, and that for missing commands takes its time.
	if ! type -P -- "${plain[0]}" >/dev/null; then return; fi
	while IFS= read -r line; do
		lines+=("$line")
	done < <(command -- "${plain[0]}" __complete "${plain[@]:1}" 2>/dev/null)
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

# Bash looks for what is behind the last slash, with a quote that ends there.
complete -F _sesame sesame "sesame'" 'sesame"'
# bash-completion, which reads this file at the first Tab, does not find it then behind a path.
if [[ ${COMP_WORDS[0]-} == */sesame ]]; then complete -F _sesame -- "${COMP_WORDS[0]}"; fi
