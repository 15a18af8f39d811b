#!/usr/bin/env bash
# Writes what a shell and `man` know of the program, as the program itself prints it: release/pages.sh PROGRAM FOLDER
set -euo pipefail
program=$1
folder=$2

rm -rf "$folder"
mkdir -p "$folder/man/man1" "$folder/completions"
"$program" man > "$folder/man/man1/mobilenet.1"
# The page of the whole names those of the commands.
sed -n 's/^mobilenet\\-\([a-z]*\)(1)$/\1/p' "$folder/man/man1/mobilenet.1" | grep -vx help | while read -r command; do
    "$program" man "$command" > "$folder/man/man1/mobilenet-$command.1"
done
[ -e "$folder/man/man1/mobilenet-classify.1" ]

"$program" completions bash > "$folder/completions/mobilenet.bash"
"$program" completions fish > "$folder/completions/mobilenet.fish"
"$program" completions powershell > "$folder/completions/_mobilenet.ps1"
"$program" completions zsh > "$folder/completions/_mobilenet"
