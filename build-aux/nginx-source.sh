#!/bin/sh
#
# nginx-source.sh DIR: Debian's nginx source package, patched, into DIR
#
# Needs no root and touches no list of the system's: apt runs with lists of its
# own beside DIR, made from the system's with deb-src for deb.  The archive
# does not always have the sources of its newest packages, so that every
# version it lists is tried, the newest first.

set -eu

[ ! -f "$1/src/core/nginx.c" ] || exit 0

dir=$(realpath -m "$1")
apt=$dir.apt

rm -rf "$dir"
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
cd "$apt"
rm -rf nginx-*

key=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f $key ] && key="[signed-by=$key]" || key=

apt-get indextargets 'Created-By: Packages' 'Origin: Debian' \
    --format "deb-src $key \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
    | sort -u > sources.list

if [ ! -s sources.list ]; then
    . /etc/os-release
    deb=http://deb.debian.org
    cat > sources.list << END
deb-src $key $deb/debian $VERSION_CODENAME main
deb-src $key $deb/debian-security $VERSION_CODENAME-security main
END
fi

apt="-o Dir::Etc::sourcelist=$apt/sources.list -o Dir::Etc::sourceparts=-
     -o Dir::State::lists=$apt/lists -o Dir::Cache=$apt/cache
     -o APT::Sandbox::User=root -o Acquire::Retries=2
     -o Acquire::http::Timeout=20"

apt-get -qq $apt update

for version in $(apt-cache $apt showsrc nginx \
                     | sed -n 's/^Version: //p' | sort -ruV)
do
    if apt-get -qq $apt source "nginx=$version" > source.log 2>&1; then
        echo "nginx $version: source unpacked"
        mv nginx-*/ "$dir"
        exit 0
    fi

    echo "nginx $version: no source to be had:" \
         "$(grep -m 1 -E '^(E:|dpkg-source: error)' source.log)"
done

exit 1
