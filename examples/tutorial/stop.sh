#!/bin/sh
# Asks an application to stop where it is told, and waits until it is gone. It commits what it has done before it goes.
cd "$(dirname "$0")" || exit 1
one=$KAFKA_MIGRATE_APPLICATION-$KAFKA_MIGRATE_SIDE
[ -s "$one.pid" ] || exit 0   # it does not run
kill -TERM "$(cat "$one.pid")" 2> /dev/null
flock "$one.lock" rm -f "$one.pid"
