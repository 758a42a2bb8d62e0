#!/bin/sh
# Installs PostgreSQL by apt-get where there is none; the tests start servers of their own, and need no running one.
# Programs elsewhere are named by the variable POSTGRESQL, the folder of initdb and postgres.
set -eu
if command -v initdb >/dev/null && command -v postgres >/dev/null; then exit 0; fi
for folder in "${POSTGRESQL:-/nowhere}" /usr/lib/postgresql/*/bin /usr/pgsql-*/bin; do
    if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then exit 0; fi
done
if ! command -v apt-get >/dev/null; then
    echo "no PostgreSQL found, and no apt-get to install one: install the server and say where its programs are:" \
        "make test POSTGRESQL=/path/to/bin" >&2
    exit 1
fi
root=""
if [ "$(id -u)" != 0 ]; then root="sudo"; fi
$root apt-get update -qq
# Without a cluster of its own, which the package would make and start.
setting=/etc/postgresql-common/createcluster.d/stockyard-tests.conf
$root mkdir -p "$(dirname "$setting")"
trap '$root rm -f "$setting"' EXIT
echo "create_main_cluster = false" | $root tee "$setting" >/dev/null
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql
