#!/bin/bash
# make-certificates.sh FOLDER NAME: an authority of our own, and a server's certificate for NAME from it.
set -eu
folder=$1 name=$2
umask 077
key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
openssl req -x509 "${key[@]}" -days 365 -subj "/CN=pattern C authority" -keyout "$folder/ca.key" -out "$folder/ca.crt" 2>/dev/null
openssl req "${key[@]}" -subj "/CN=$name" -keyout "$folder/server.key" -out "$folder/server.csr" 2>/dev/null
openssl x509 -req -in "$folder/server.csr" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -CAcreateserial -days 90 \
  -extfile <(printf 'subjectAltName=DNS:%s\nextendedKeyUsage=serverAuth\n' "$name") -out "$folder/server.crt" 2>/dev/null
openssl x509 -in "$folder/server.crt" -noout -ext subjectAltName
