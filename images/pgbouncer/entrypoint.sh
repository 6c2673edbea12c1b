#!/bin/sh
# Writes pgbouncer's configuration from the environment, then becomes it.
#   DB_HOST DB_PORT DB_NAME DB_USER DB_PASSWORD   the upstream server and the one user that may come in
#   LISTEN_ADDRESS (default 127.0.0.1)  POOL_MODE (transaction)  POOL_SIZE (10)  SERVER_TLS (require)
set -eu
: "${DB_HOST:?set DB_HOST to the name of the database Service}" "${DB_USER:?set DB_USER}" "${DB_PASSWORD:?set DB_PASSWORD}"
umask 077
printf '"%s" "%s"\n' "$DB_USER" "$DB_PASSWORD" >/tmp/userlist.txt
cat >/tmp/pgbouncer.ini <<CONFIG
[databases]
* = host=$DB_HOST port=${DB_PORT:-5432}
[pgbouncer]
listen_addr = ${LISTEN_ADDRESS:-127.0.0.1}
listen_port = 6432
unix_socket_dir =
auth_type = plain
auth_file = /tmp/userlist.txt
pool_mode = ${POOL_MODE:-transaction}
default_pool_size = ${POOL_SIZE:-10}
server_tls_sslmode = ${SERVER_TLS:-require}
server_connect_timeout = 5
server_login_retry = 1
dns_max_ttl = 5
ignore_startup_parameters = extra_float_digits
CONFIG
exec pgbouncer /tmp/pgbouncer.ini
