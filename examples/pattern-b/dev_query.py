"""The newest orders, from wherever the database can be reached: by default through a port-forward on this machine.

DB_HOST, DB_PORT, DB_NAME and DB_USER have defaults for that; DB_PASS has none.
"""

import argparse
import os
import sys

import psycopg2


def connect():
    """A connection that is encrypted, or none."""
    password = os.environ.get("DB_PASS")
    if not password:
        sys.exit("DB_PASS is not set: give the password of the database user")
    return psycopg2.connect(
        host=os.environ.get("DB_HOST", "localhost"),
        port=int(os.environ.get("DB_PORT", "5432")),
        dbname=os.environ.get("DB_NAME", "production"),
        user=os.environ.get("DB_USER", "app"),
        password=password,
        sslmode="require",
        connect_timeout=5,
    )


def newest_orders(connection, limit):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, customer_id, total_cents, created_at FROM orders ORDER BY created_at DESC, id DESC LIMIT %s",
            (limit,),
        )
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--show-connection", action="store_true", help="say how the connection is protected")
    options = parser.parse_args()
    connection = connect()
    try:
        if options.show_connection:
            with connection.cursor() as cursor:
                cursor.execute("SELECT version, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
                version, cipher = cursor.fetchone()
                print(f"TLS: {version}, {cipher}")
        for order in newest_orders(connection, options.limit):
            print(order)
    finally:
        connection.close()


if __name__ == "__main__":
    main()
