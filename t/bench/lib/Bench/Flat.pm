package Bench::Flat;

# Whether a bare session costs the same however many parameters are stored for
# the device, and however many devices are in Redis.  prepare() brings these
# about; devices by copies inside of Redis, which takes seconds, of one that
# really came.

use strict;
use warnings;

use Bench::Machine qw(available);
use Bench::Sessions qw(push_all);
use Bench::Swarm qw(swarm measure device_id);
use Bench::Report qw(spelled);

my @PARAMETERS = (10, 1000, 10_000);
my $FEW = 1000;                         # devices
my %TIMES = (stored => 4, devices => 8);        # that a round has each row
my $STORED = 40;                        # devices with so many parameters
my $DEVICE_BYTES = 2600;                # in Redis, with room to spare

# ARGV: a device's ID, the beginning of all keys, numbers of the first and the
# last to make.  They were seen within the last hour, as if by chance.
my $COPY = <<'LUA';
local from, base = ARGV[1], ARGV[2]
local score = redis.call('ZSCORE', base .. 'index:seen', from)
local version = redis.call('HGET', base .. from, 'version') or ''
local model = redis.call('HGET', base .. from, 'oui') .. ' '
              .. redis.call('HGET', base .. from, 'class') .. '\t'
local class = string.match(from, '^(.*%-)')
for n = tonumber(ARGV[3]), tonumber(ARGV[4]) do
    local serial = string.format('%08d', n)
    local id = class .. serial
    redis.call('COPY', base .. from, base .. id)
    redis.call('COPY', base .. from .. ':params', base .. id .. ':params')
    redis.call('HSET', base .. id, 'serial', serial)
    redis.call('ZADD', base .. 'index:seen', score - n * 7919 % 3600, id)
    redis.call('ZADD', base .. 'index:model', 0, model .. id)
    redis.call('ZADD', base .. 'index:version', 0, version .. '\t' .. id)
end
return redis.call('ZCARD', base .. 'index:seen')
LUA


sub sizes { return ($FEW, $_[0]{devices}) }


# --- beforehand ------------------------------------------------------------

sub prepare {
    my ($b) = @_;

    store($b, $_) for @PARAMETERS;
    my $needed = $b->{devices} * $DEVICE_BYTES;
    available() > $needed + 500e6
        or die sprintf "%s devices take about %d MB, and %d MB are "
               . "available: --devices N\n", spelled($b->{devices}, 0),
               $needed / 1e6, available() / 1e6;
    fill($b, $_) for sizes($b);
}


sub class { return "Stored$_[0]" }


# Devices whose parameters were all read.
sub store {
    my ($b, $parameters) = @_;
    my $stand = $b->stand('main');
    my @run = ($b->{dir}, 120, qw(--connection keep --closed 4 --cpes),
               $STORED, '--sessions', $STORED, '--parameters', $parameters,
               '--class', class($parameters), $stand->url('plain'));

    swarm(@run);
    push_all($stand, class($parameters), 1, $STORED, {
        method => 'GetParameterValues', ParameterNames => ['Device.'] });
    swarm(@run);
    my $n = @{ $stand->redis->cmd('FCALL_RO', 'cwmp_params', 1, 'cwmp:{0}:'
        . device_id(class($parameters), 1) . ':params') } / 3;
    $n >= $parameters or die "$n parameters are stored, not $parameters\n";
}


sub fill {
    my ($b, $devices) = @_;
    my $stand = $b->stand("devices$devices");
    my ($redis, $first) = ($stand->redis, device_id('Many', 1));

    swarm($b->{dir}, 60, qw(--class Many --cpes 1 --sessions 1),
          $stand->url('plain'));
    $stand->drop_sessions;
    for (my $n = 2; $n <= $devices; $n += 5000) {
        my $last = $n + 4999 < $devices ? $n + 4999 : $devices;
        $redis->cmd('EVAL', $COPY, 0, $first, 'cwmp:{0}:', $n, $last);
    }
    my $count = $redis->cmd('ZCARD', 'cwmp:{0}:index:seen');
    $count == $devices or die "$count devices in Redis, not $devices\n";

    $b->note("bytes_of_$devices", $stand->redis_bytes);

    # from its second session on a device informs of what is known
    my $runs = $devices > $FEW ? $b->{rounds} * $TIMES{devices} : 1;
    for my $round (0 .. $runs - 1) {
        swarm($b->{dir}, 60, batch($b, $stand, $round));
    }
    $stand->drop_sessions;
}


# --- a round ---------------------------------------------------------------

sub steps {
    my ($b) = @_;
    return (map({ stored($b, $_) } @PARAMETERS),
            map({ devices($b, $_) } sizes($b)));
}


sub stored {
    my ($b, $parameters) = @_;
    my $stand = $b->stand('main');
    my $n = $b->{quick} ? $STORED : 2000;

    return { part => 'flat', name => "stored $parameters", how => '',
             what => spelled($parameters, 0) . ' parameters of the device',
             times => $TIMES{stored}, run => sub {
        $stand->drop_sessions;
        return measure($stand, 60, qw(--connection keep --cpes), $STORED,
            '--sessions', $n, '--class', class($parameters), '--parameters',
            $parameters, $stand->url('plain'));
    } };
}


# One session of each of a thousand CPEs: among many devices each time others,
# so that nothing of them is in the processor's caches.
sub devices {
    my ($b, $devices) = @_;
    my $stand = $b->stand("devices$devices");
    my $next = 0;

    return { part => 'flat', name => "devices $devices", how => '',
             what => spelled($devices, 0) . ' devices in Redis',
             times => $TIMES{devices}, run => sub {
        my @batch = batch($b, $stand, $next++);
        my $f = measure($stand, 60, @batch);
        drop($stand, first($b, $stand, $next - 1));
        return $f;
    } };
}


# Of a batch, as drop_sessions() does where it need not look at a million keys.
sub drop {
    my ($stand, $first) = @_;
    $stand->redis->cmd('DEL', map { 'cwmp:{0}:' . device_id('Many', $_)
                                    . ':session' } $first .. $first + $FEW - 1);
}


# Begins anew where there are no more.
sub batch {
    my ($b, $stand, $number) = @_;
    return (qw(--connection keep --class Many --first),
            first($b, $stand, $number), '--cpes', $FEW, '--sessions', $FEW,
            $stand->url('plain'));
}


sub first {
    my ($b, $stand, $number) = @_;
    return $stand->{name} eq "devices$FEW" ? 1
         : 1 + $number * $FEW % ($b->{devices} - $FEW + 1);
}

1;
