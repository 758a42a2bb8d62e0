#!/bin/sh
# Puts promtool and amtool into a folder where the machine has none: out of Debian's packages, no service installed.
set -eu
folder=$(cd "$1" && pwd)
missing=""
for each in prometheus/promtool prometheus-alertmanager/amtool; do
    if command -v "${each#*/}" >/dev/null || [ -x "$folder/${each#*/}" ]; then continue; fi
    missing="$missing ${each%/*}"
done
if [ -z "$missing" ]; then exit 0; fi
if ! command -v apt-get >/dev/null; then
    echo "no promtool and amtool found, and no apt-get to fetch them: put those of Prometheus and Alertmanager" \
        "on the PATH" >&2
    exit 1
fi
root=""
if [ "$(id -u)" != 0 ]; then root="sudo"; fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
# shellcheck disable=SC2086 # several packages
if ! apt-get download -qq $missing 2>/dev/null; then
    $root apt-get update -qq
    apt-get download -qq $missing
fi
for package in *.deb; do dpkg-deb -x "$package" .; done
for tool in promtool amtool; do
    if [ -x "usr/bin/$tool" ]; then cp "usr/bin/$tool" "$folder/"; fi
done
