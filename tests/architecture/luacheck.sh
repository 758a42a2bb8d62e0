#!/bin/sh
# Installs luacheck where the machine has none, out of Debian's packages.
set -eu
if command -v luacheck >/dev/null; then exit 0; fi
if ! command -v apt-get >/dev/null; then
    echo "no luacheck found, and no apt-get to install it: put one on the PATH (luarocks install luacheck)" >&2
    exit 1
fi
root=""
if [ "$(id -u)" != 0 ]; then root="sudo"; fi
if ! $root apt-get install -y -qq lua-check >/dev/null 2>&1; then
    $root apt-get update -qq
    $root apt-get install -y -qq lua-check >/dev/null
fi
