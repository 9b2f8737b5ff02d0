#!/bin/sh
#
# matrix.sh [SUITE...]
#
# Runs all tests here (Debian 12, Redis 7) and in a Debian 13 of its own, with
# Redis 8 and with Valkey 8.  That Debian is made by debootstrap in MATRIX_DIR
# (build/trixie) once, and used again; the project is copied into it.

set -eu

DIR=${MATRIX_DIR:-$PWD/build/trixie}
ALL='bookworm-redis7 trixie-redis8 trixie-valkey8'

[ "$(id -u)" = 0 ] || {
    echo "make matrix: chroot and debootstrap need root: sudo make matrix" >&2
    exit 1
}

leave() {
    for what in dev/shm dev proc; do
        mountpoint -q "$DIR/$what" && umount -l "$DIR/$what" || :
    done
}

enter() {
    if [ ! -e "$DIR/etc/debian_version" ]; then
        command -v debootstrap > /dev/null || apt-get -qq install -y debootstrap
        debootstrap --variant=minbase trixie "$DIR" > "$DIR.log" 2>&1
    fi

    trap leave EXIT
    trap 'exit 1' HUP INT TERM
    mount -t proc proc "$DIR/proc"
    mount --bind /dev "$DIR/dev"
    mount --make-private "$DIR/dev"     # or what is mounted below is ours, too
    mount -t tmpfs shm "$DIR/dev/shm"
    cp /etc/resolv.conf "$DIR/etc/"
    echo '127.0.0.1 localhost' > "$DIR/etc/hosts"

    rm -rf "$DIR/src"
    mkdir "$DIR/src"
    git ls-files -z | xargs -0 cp -a --parents -t "$DIR/src"
    inside 'sh build-aux/deps.sh
            command -v valkey-server > /dev/null \
            || apt-get -qq install -y --no-install-recommends valkey-server'
}

inside() {
    env -u CWMP_SHARED chroot "$DIR" /bin/sh -ec "cd /src; $1"
}

suite() {
    case $1 in
        bookworm-redis7) make test ;;
        trixie-redis8)   inside 'make test' ;;
        trixie-valkey8)  inside 'TEST_REDIS_BINARY=/usr/bin/valkey-server make test' ;;
        *) echo "make matrix: $1 is none of: $ALL" >&2; return 1 ;;
    esac
}

[ $# -gt 0 ] || set -- $ALL
case "$*" in *trixie*) enter ;; esac

for name; do
    echo "--- $name"
    suite "$name"
done
