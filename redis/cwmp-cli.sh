# What the tools of this directory have in common; to be read by them, which
# set $tool, $usage and $own, the options that not all have, first.  Options are
# taken off: the rest is in $1, $2...

fail() {
    echo "$tool: $*" >&2
    exit 1
}

options='  -s SOCKET      Redis'"'"' unix socket; else $REDIS_SOCKET, else run/redis.sock
                 where that exists
  -h HOST        Redis'"'"' host ($REDIS_HOST, 127.0.0.1)
  -p PORT        Redis'"'"' port ($REDIS_PORT, 6379)
  -a PASSWORD    better given as $REDISCLI_AUTH, which no process list shows
  --user NAME    Redis'"'"' ACL user
  -n DB          database number
  -c             Redis is a Cluster
  --tls          use TLS (redis-cli'"'"'s defaults)
  --prefix NAME  prefix of the keys (cwmp)
  --help         this text'

socket=${REDIS_SOCKET-} host=${REDIS_HOST-} port=${REDIS_PORT-}
user='' db='' cluster='' tls='' prefix=cwmp rest=''
dry='' forget='' wake='' new='' wait='' all='' secret_key=''
unset last                              # it may be in the environment
left=$#

while [ "$left" -gt 0 ]; do
    word=$1
    shift
    left=$((left - 1))
    if [ -n "$rest" ]; then
        set -- "$@" "$word"
        continue
    fi
    case $word in
    --forget|--dry-run|--wake|--new|--wait|--all|--key)
        case " ${own-} " in
        *" $word "*) ;;
        *) fail "unknown option $word; see --help" ;;
        esac ;;
    esac
    case $word in
    -s|-h|-p|-a|-n|--user|--prefix|--forget|--wait|--key)
        [ "$left" -gt 0 ] || fail "$word needs a value; see --help"
        value=$1
        [ -n "$value" ] || fail "$word has an empty value; see --help"
        shift
        left=$((left - 1)) ;;
    esac
    case $word in
    -s) socket=$value; host='' port='' ;;
    -h) host=$value; socket='' ;;
    -p) port=$value; socket='' ;;
    -a) REDISCLI_AUTH=$value; export REDISCLI_AUTH ;;
    -n) db=$value ;;
    --user) user=$value ;;
    --prefix) prefix=$value ;;
    --forget) forget=$value ;;
    --dry-run) dry=dry ;;
    --wake) wake=1 ;;
    --new) new=1 ;;
    --all) all=1 ;;
    --wait) wait=$value ;;
    --key) secret_key=$value ;;
    -c) cluster=1 ;;
    --tls) tls=1 ;;
    --help) printf '%s\n\n%s\n' "$usage" "$options"; exit 0 ;;
    -?*) fail "unknown option $word; see --help" ;;
    tags) rest=1; set -- "$@" "$word" ;;    # -TAG is no option
    *)  set -- "$@" "$word" ;;
    esac
done

command -v redis-cli >/dev/null || fail "redis-cli was not found: install it"

if [ -z "$socket$host$port" ]; then
    for file in run/redis.sock "$(dirname "$0")/../run/redis.sock"; do
        if [ -S "$file" ]; then socket=$file; break; fi
    done
fi

cli() {
    set -- ${db:+-n "$db"} ${user:+--user "$user"} ${cluster:+-c} \
           ${tls:+--tls} "$@"
    if [ -n "$socket" ]; then
        redis-cli --no-auth-warning -e -s "$socket" "$@"
    else
        redis-cli --no-auth-warning -e -h "${host:-127.0.0.1}" \
                  -p "${port:-6379}" "$@"
    fi
}

# A call of a function, its answer in $answer; ends here when it fails.  $last is
# its last argument, if set: it may be longer than a command line takes.  $fcall
# is FCALL_RO where it only reads.
fcall=FCALL
call() {
    answer=$(printf %s "${last-}" | cli ${last+-x} $fcall "$@" 2>&1) || {
        case $answer in
        *'Function not found'*)
            answer="Redis has no function $1: start nginx with cwmp_redis,"
            answer="$answer which loads it" ;;
        esac
        fail "$answer"
    }
}

is_id() {
    case $1 in
    '' | *[!A-Za-z0-9_%-]*) return 1 ;;
    *-*) ;;
    *) return 1 ;;
    esac
}

# CRC16/XMODEM, as Redis Cluster hashes keys.
crc16() {
    crc=0
    for byte in $(printf %s "$1" | od -An -v -tu1); do
        crc=$((crc ^ (byte << 8)))
        for bit in 1 2 3 4 5 6 7 8; do
            crc=$(((crc << 1) & 0x1FFFF))
            [ $crc -lt 65536 ] || crc=$(((crc ^ 0x1021) & 0xFFFF))
        done
    done
    echo $crc
}

# sets $partitions
count_partitions() {
    partitions=$(cli HGET "$prefix:meta" partitions 2>&1) || fail "$partitions"
    case $partitions in
    '') partitions=1 ;;
    0 | *[!0-9'>']*) fail "$partitions" ;;
    *'>'*) [ "$tool" = cwmp-partitions ] \
           || fail "devices are being moved between partitions ($partitions):" \
                   "run cwmp-partitions to its end" ;;
    esac
}

# the key of this device's hash
device_key() {
    is_id "$1" || fail "'$1' is not a device's id:" \
                       "OUI-ProductClass-SerialNumber, percent-encoded"
    partition=0
    [ "$partitions" -eq 1 ] || partition=$(($(crc16 "$1") % partitions))
    echo "$prefix:{$partition}:$1"
}
