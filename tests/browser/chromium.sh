#!/bin/sh
# Installs Chromium by apt-get where there is none; a browser elsewhere is named by the variable CHROMIUM.
set -eu
for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if ! command -v apt-get >/dev/null; then
    echo "no Chromium found, and no apt-get to install one: install Chromium or Chrome and say where it is:" \
        "make test CHROMIUM=/path/to/chrome" >&2
    exit 1
fi
root=""
if [ "$(id -u)" != 0 ]; then root="sudo"; fi
$root apt-get update -qq
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium
