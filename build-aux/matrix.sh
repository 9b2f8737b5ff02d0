#!/bin/sh
#
# matrix.sh [SUITE...]
#
# Runs all tests here (Debian 12, Redis 7) and in a Debian 13 of its own, with
# Redis 8 and with Valkey 8.  That Debian is made by debootstrap in MATRIX_DIR
# (build/trixie) once, and used again; the project and ../shared, where that is,
# are copied into it.  As in CI, only tests of t/skips.txt may be skipped.

set -eu

DIR=${MATRIX_DIR:-$PWD/build/trixie}
ALL='bookworm-redis7 trixie-redis8 trixie-valkey8'

[ "$(id -u)" = 0 ] || {
    echo "make matrix: chroot and debootstrap need root: sudo make matrix" >&2
    exit 1
}

leave() {
    for what in dev/shm dev/pts dev proc .; do
        mountpoint -q "$DIR/$what" && umount -l "$DIR/$what" || :
    done
}

enter() {
    if [ ! -e "$DIR/etc/debian_version" ]; then
        command -v debootstrap > /dev/null || apt-get -qq install -y debootstrap
        rm -rf "$DIR.part"
        debootstrap --variant=minbase trixie "$DIR.part" > "$DIR.log" 2>&1 \
            || { tail -5 "$DIR.log" >&2; exit 1; }
        mv "$DIR.part" "$DIR"
    fi

    trap leave EXIT
    trap 'exit 1' HUP INT TERM
    mount --bind "$DIR" "$DIR"          # or unshare -m in there finds no root
    mount -t proc proc "$DIR/proc"
    mount --bind /dev "$DIR/dev"
    mount --make-private "$DIR/dev"     # or what is mounted below is ours, too
    mount -t devpts devpts "$DIR/dev/pts"
    mount -t tmpfs shm "$DIR/dev/shm"
    cp /etc/resolv.conf "$DIR/etc/"
    echo '127.0.0.1 localhost' > "$DIR/etc/hosts"

    rm -rf "$DIR/src" "$DIR/shared"
    mkdir "$DIR/src"
    git ls-files -z | xargs -0 cp -a --parents -t "$DIR/src"
    [ ! -d ../shared/ ] || cp -a ../shared/ "$DIR/shared"
    inside 'sh build-aux/deps.sh
            command -v valkey-server > /dev/null \
            || DEBIAN_FRONTEND=noninteractive apt-get -qq install -y \
                   --no-install-recommends valkey-server > /dev/null'
}

inside() {
    env -u CWMP_SHARED chroot "$DIR" /bin/sh -ec "cd /src; $1"
}

# of the make above only its variables: how many jobs is for each to know
unset MFLAGS MAKELEVEL
MAKEFLAGS=${MAKEFLAGS-}
export MAKEFLAGS="${MAKEFLAGS#"${MAKEFLAGS%%-- *}"}"
export CI=true

test='make deps
      nginx -v
      ${TEST_REDIS_BINARY:-redis-server} --version
      make test'

suite() {
    case $1 in
        bookworm-redis7) sh -ec "$test" ;;
        trixie-redis8)   inside "$test" ;;
        trixie-valkey8)  inside "export TEST_REDIS_BINARY=/usr/bin/valkey-server
                                 $test" ;;
        *) echo "make matrix: $1 is none of: $ALL" >&2; return 1 ;;
    esac
}

[ $# -gt 0 ] || set -- $ALL
case "$*" in *trixie*) enter ;; esac

failed=

for name; do
    echo "--- $name"
    suite "$name" || failed="$failed $name"
done

[ -z "$failed" ] || { echo "make matrix: failed:$failed" >&2; exit 1; }
