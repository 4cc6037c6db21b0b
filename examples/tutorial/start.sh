#!/bin/sh
# Starts an application where it is told. It holds its lock for as long as it lives, and writes its process id once it has it.
cd "$(dirname "$0")" || exit 1
one=$KAFKA_MIGRATE_APPLICATION-$KAFKA_MIGRATE_SIDE
flock -n "$one.lock" rm -f "$one.pid" || exit 0   # it runs
tutorial work "$KAFKA_MIGRATE_APPLICATION" --on "$KAFKA_MIGRATE_SIDE" --servers "$KAFKA_MIGRATE_BOOTSTRAP" >> "$one.log" 2>&1 &
until [ -s "$one.pid" ]; do sleep 0.05; done
