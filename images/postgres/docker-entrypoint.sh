#!/bin/bash
# Starts PostgreSQL as the official image does: makes the cluster on an empty PGDATA from POSTGRES_* variables, runs the
# scripts in /docker-entrypoint-initdb.d once, then becomes the server. Other commands run as they are.
set -Eeo pipefail

# NAME or NAME_FILE: a value, or the file that holds it.
from_env() {
  local name=$1 default=${2:-} file="${1}_FILE"
  if [ -n "${!name:-}" ] && [ -n "${!file:-}" ]; then
    echo "error: $name and $file are both set; give one" >&2
    exit 1
  fi
  if [ -n "${!file:-}" ]; then export "$name"="$(<"${!file}")"; else export "$name"="${!name:-$default}"; fi
  unset "$file" # this script runs a second time, as postgres
}

prepare_folders() {
  mkdir -p "$PGDATA" /var/run/postgresql
  chmod 0700 "$PGDATA" || true
  if [ "$(id -u)" = 0 ]; then
    find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
    chmod 2775 /var/run/postgresql
  fi
}

init_cluster() {
  if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
    cat >&2 <<'TEXT'
Error: Database is uninitialized and superuser password is not specified.
       Set POSTGRES_PASSWORD to a non-empty value, or POSTGRES_HOST_AUTH_METHOD=trust to allow every connection without one.
TEXT
    exit 1
  fi
  local passwords
  passwords=$(mktemp)
  printf '%s\n' "$POSTGRES_PASSWORD" >"$passwords"
  # shellcheck disable=SC2086
  # As the official image: inside the container everybody is trusted, on the socket and on localhost.
  initdb --username="$POSTGRES_USER" --pwfile="$passwords" --auth=trust $POSTGRES_INITDB_ARGS
  rm -f "$passwords"
  local method=$POSTGRES_HOST_AUTH_METHOD
  printf '\nhost all all all %s\n' "${method:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
}

run_init_scripts() {
  local script
  local -a sql=(psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER" --dbname "$POSTGRES_DB")
  for script in /docker-entrypoint-initdb.d/*; do
    case $script in
      *.sh) if [ -x "$script" ]; then "$script"; else . "$script"; fi ;;
      *.sql) "${sql[@]}" -f "$script" ;;
      *.sql.gz) gunzip -c "$script" | "${sql[@]}" ;;
    esac
  done
}

if [ "${1:0:1}" = - ]; then set -- postgres "$@"; fi

if [ "$1" = postgres ]; then
  from_env POSTGRES_PASSWORD
  from_env POSTGRES_USER postgres
  from_env POSTGRES_DB "$POSTGRES_USER"
  from_env POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
  prepare_folders
  if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=postgres --regid=postgres --init-groups "$BASH_SOURCE" "$@"; fi
  if [ ! -s "$PGDATA/PG_VERSION" ]; then
    init_cluster
    # Only on the socket: nobody from outside gets in before the scripts have run.
    pg_ctl -D "$PGDATA" -w start -o "-c listen_addresses='' -p 5432"
    if [ "$POSTGRES_DB" != postgres ]; then
      psql -v ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
    fi
    run_init_scripts
    pg_ctl -D "$PGDATA" -m fast -w stop
  fi
  # As the official image: reachable from other pods unless the configuration says otherwise.
  if ! grep -Eq "^[[:space:]]*listen_addresses" "$PGDATA/postgresql.conf" && [[ " $* " != *listen_addresses* ]]; then set -- "$@" -c "listen_addresses=*"; fi
fi

exec "$@"
