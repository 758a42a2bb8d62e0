#!/usr/bin/env bash
# Runs the suites of unit, scripts and integration on every Python from 3.11 on of this machine, but for the one of
# .venv, which runs them all. Each gets an environment of its own, .venv-3.12 for example.
# Looks on the PATH and among the versions of pyenv; PYTHONS="/path/python3.14 …" names others.
# SUITES="tests/unit tests/scripts" runs these alone. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

minor() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

declare -A found
is_new() {
  [[ $1 =~ ^3\.([0-9]+)$ ]] && ((BASH_REMATCH[1] >= 11)) && [ "$1" != "$main" ] && [ -z "${found[$1]:-}" ]
}

main=$(minor .venv/bin/python || minor "${PYTHON:-python3}")
candidates=(${PYTHONS:-})
for number in $(seq 11 19); do
  candidates+=("python3.$number" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3."$number".*/bin/python)
done
for candidate in "${candidates[@]}"; do
  program=$(command -v "$candidate") || continue
  version=$(minor "$program") || continue
  if is_new "$version"; then found[$version]=$program; fi
done

if [ ${#found[@]} -eq 0 ]; then
  echo "test-pythons: this machine has no Python from 3.11 on beside $main; nothing to do"
  exit 0
fi
failed=()
for version in $(printf '%s\n' "${!found[@]}" | sort -V); do
  venv=.venv-$version
  echo "test-pythons: $version (${found[$version]})"
  began=$SECONDS
  if [ ! -e "$venv/.installed" ] || [ pyproject.toml -nt "$venv/.installed" ]; then
    "${found[$version]}" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -e '.[server,dev]'
    touch "$venv/.installed"
  fi
  "$venv/bin/pytest" -q -n "${WORKERS:-4}" --dist worksteal ${SUITES:-tests/unit tests/scripts tests/integration} "$@" || failed+=("$version")
  echo "test-pythons: $version took $((SECONDS - began)) s"
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "test-pythons: failed on ${failed[*]}"
  exit 1
fi
