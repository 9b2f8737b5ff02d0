#!/bin/sh
#
# Installs what building and testing need and is not there yet (Debian 12 and
# its like).  When all is there it says nothing and asks no network.

set -eu

# the module
packages="gcc make pkg-config dpkg-dev nginx nginx-dev libpcre2-dev
          zlib1g-dev libssl-dev libxml2-dev libhiredis-dev libjansson-dev
          libxxhash-dev"

# the tests: xmllint, another XML parser, a second compiler, a module with a
# hiredis of its own
packages="$packages perl redis-server libxml2-utils libxml-parser-perl curl
          clang libnginx-mod-nchan"

if ! command -v dpkg-query > /dev/null; then
    echo "no Debian: not checking for" $packages >&2
    exit 0
fi

there=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages \
            2> /dev/null | sed -n 's/ installed$//p')
missing=

for package in $packages; do
    echo "$there" | grep -qx "$package" || missing="$missing $package"
done

[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null || {
        echo "run as root: apt-get install$missing" >&2
        exit 1
    }
    exec sudo sh "$0"
fi

# The tests start their own servers.  Debian's packages would start theirs as
# well, on the usual ports: not today, but what an admin has said stands.

policy=/usr/sbin/policy-rc.d

if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy
fi

export DEBIAN_FRONTEND=noninteractive

apt-get -qq update
apt-get -qq install -y --no-install-recommends $missing > /dev/null
