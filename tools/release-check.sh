#!/usr/bin/env bash
# Builds the wheel and the sdist, checks their metadata, lists what is in them, and runs each in an environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" -m venv "$work/build"
"$work/build/bin/pip" install --quiet --disable-pip-version-check build twine
"$work/build/bin/python" -m build --outdir "$work/dist" . >"$work/build.log" 2>&1 || { cat "$work/build.log"; exit 1; }
"$work/build/bin/twine" check --strict "$work"/dist/*

for artifact in "$work"/dist/*.whl "$work"/dist/*.tar.gz; do
  name=$(basename "$artifact")
  echo "== $name, $(du -h "$artifact" | cut -f1)"
  case $name in
  *.whl) "$python" -m zipfile -l "$artifact" | awk 'NR > 1 {print $1}' ;;
  *) tar tzf "$artifact" | cut -d/ -f2- ;;
  esac | sed '/^$/d' | awk -F/ '{print (NF > 2) ? $1 "/" $2 "/" $3 : $0}' | sort | uniq -c | sort -rn
  "$python" -m venv "$work/$name.venv"
  "$work/$name.venv/bin/pip" install --quiet --disable-pip-version-check "$artifact[server]"
  # Away from the sources, with the data of embedded:// in the temporary folder.
  cp examples/shop.py "$work/"
  (cd "$work" && XDG_DATA_HOME="$work/data" "$work/$name.venv/bin/python" shop.py)
  (cd "$work" && "$work/$name.venv/bin/stockyard" --version)
done
echo "release-check: the wheel and the sdist install and run"
