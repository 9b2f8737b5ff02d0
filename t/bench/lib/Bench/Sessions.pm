package Bench::Sessions;

# What a session costs: the table of cases, each over each transport, and the
# nginx beside them that answers the same POSTs with a constant.  To add a
# case: a row in @CASES; a transport: a row in @WAYS.
#
# prepare() makes the devices known; steps() are what a round consists of.

use strict;
use warnings;

use Digest::MD5 'md5_hex';
use Exporter 'import';
use JSON::PP ();
use List::Util qw(max);

use Bench::Swarm qw(swarm measure device_id spread);
use CWMP::Redis;

our @EXPORT_OK = qw(push_all case_names way_names);

# ten that a device of the swarm lets be written
my @TEN = (map({ "Device.ManagementServer.$_" } qw(Username Password
    PeriodicInformInterval ConnectionRequestUsername
    ConnectionRequestPassword)), map({ "Device.Time.$_" } qw(NTPServer1
    NTPServer2)), 'Device.WiFi.Radio.1.Channel', 'Device.WiFi.SSID.1.SSID',
    'Device.NAT.PortMapping.1.Description');
my %VALUES = map { ($_ => /Interval|Channel/ ? 7 : 'of the benchmark') } @TEN;

my $GET_TEN = { method => 'GetParameterValues', ParameterNames => \@TEN };
my $GET_ALL = { method => 'GetParameterValues',
                ParameterNames => ['Device.'] };
my $SET_TEN = { method => 'SetParameterValues', ParameterList => \%VALUES };

# share: of the sessions that a transport has; first: a task beforehand;
# forget: what the last Inform said, as if its values had been others;
# path: where it goes instead of /cwmp; before: called of stand, class and
# number of devices, once
my @CASES = (
    { name => 'bare8', text => 'bare, 8 in the Inform', share => 1 },
    { name => 'changed8', text => 'the same, with other values than last time',
      share => 0.4, forget => 1 },
    { name => 'bare80', text => 'bare, 80 in the Inform', share => 0.6,
      options => [qw(--inform 80 --parameters 100)] },
    { name => 'get10', text => 'GetParameterValues of 10', share => 0.5,
      task => $GET_TEN },
    { name => 'get1000', text => 'GetParameterValues of 1,000',
      share => 0.06, options => [qw(--parameters 1000)], task => $GET_ALL },
    { name => 'set10', text => 'SetParameterValues of 10', share => 0.5,
      task => $SET_TEN, first => $GET_TEN },
    # three POSTs: the first is challenged
    { name => 'digest8', text => 'bare8 with HTTP digest', share => 0.5,
      path => '/digest', options => [qw(--user {id} --password secret)],
      before => \&credentials },
);

my @WAYS = (
    { name => 'kept', text => 'plain, kept', url => 'plain',
      sessions => 6000, options => [qw(--connection keep)] },
    { name => 'plain', text => 'plain', url => 'plain', sessions => 5000 },
    { name => 'resumed', text => 'TLS resumed', url => 'tls',
      sessions => 2000, options => ['--tls-resume'] },
    { name => 'full', text => 'TLS full', url => 'tls', sessions => 1200 },
);

sub case_names { return map { $_->{name} } @CASES }
sub way_names { return map { $_->{name} } @WAYS }


# quick: a hundredth, but enough for each to have some
sub sessions {
    my ($b, $case, $way) = @_;
    my $n = $case->{share} * $way->{sessions} / ($b->{quick} ? 40 : 1);
    return max(20, int $n);
}


# Devices of http and of https are not the same: they tell another URL.
sub class {
    my ($case, $way) = @_;
    return "\u$case->{name}" . ($way->{url} eq 'tls' ? 'S' : '');
}


sub chosen {
    my ($b) = @_;
    my @cases = grep { $b->wants($_->{name}) } @CASES;
    my @ways = grep { $b->wants_way($_->{name}) } @WAYS;
    return map { my $case = $_; map { [$case, $_] } @ways } @cases;
}


sub options {
    my ($case, $way, $n) = @_;
    return (@{ $case->{options} || [] }, @{ $way->{options} || [] },
            $way->{name} eq 'kept' ? () : spread(), '--class',
            class($case, $way), '--cpes', $n, '--sessions', $n);
}


# --- beforehand ------------------------------------------------------------

# Each device is known, and so are types of what is to be set.
sub prepare {
    my ($b) = @_;
    my $stand = $b->stand('main');
    my %most;

    # what is there once: functions, buffers
    swarm($stand->{dir}, 30, qw(--class First --cpes 50 --sessions 100),
          $stand->url('plain'));
    for my $pair (chosen($b)) {
        my ($case, $way) = @$pair;
        my ($class, $n) = (class(@$pair), sessions($b, @$pair));
        $most{$class} = [$n, @$pair] if $n > ($most{$class} || [0])->[0];
    }
    for my $class (sort keys %most) {
        my ($n, $case, $way) = @{ $most{$class} };
        my @run = ($stand->{dir}, 300, @{ $case->{options} || [] },
                   qw(--connection keep --class), $class, '--cpes', $n,
                   '--sessions', $n, $stand->url($way->{url}, $case->{path}));
        $case->{before}->($stand, $class, $n) if $case->{before};
        my $before = $stand->redis_bytes;
        swarm(@run);
        $b->note(bytes_per_device => ($stand->redis_bytes - $before) / $n)
            if $class eq 'Bare8';
        next if !$case->{first};
        push_all($stand, $class, 1, $n, $case->{first});
        swarm(@run);
    }
}


# The same task for each of these devices, in one go.
sub push_all {
    my ($stand, $class, $first, $n, $task) = @_;
    my $json = CWMP::Redis::task_json($task);

    all_of($stand, map { ['RPUSH', 'cwmp:{0}:' . device_id($class, $_)
                          . ':tasks', $json] } $first .. $first + $n - 1);
}


# as cwmp-user writes them
sub credentials {
    my ($stand, $class, $n) = @_;
    all_of($stand, map {
        my $id = device_id($class, $_);
        ['HSET', "cwmp:user:{$id}", 'md5', md5_hex("$id:cwmp:secret")]
    } 1 .. $n);
}


sub forget {
    my ($stand, $class, $n) = @_;
    all_of($stand, map { ['HDEL', 'cwmp:{0}:' . device_id($class, $_),
                          'informed'] } 1 .. $n);
}


sub all_of {
    my ($stand, @commands) = @_;

    while (my @some = splice(@commands, 0, 500)) {
        $stand->redis->pipeline(@some);
    }
}


# --- a round ---------------------------------------------------------------

sub steps {
    my ($b) = @_;
    my @steps = map { step($b, @$_) } chosen($b);

    push @steps, map { constant($b, $_) } grep { $_->[0]{name} =~ /^bare/ }
                 chosen($b);
    push @steps, map { (half($b, $_, '/cwmp'), half($b, $_, '/constant')) }
                 grep { $_->[0]{name} eq 'bare8' && $_->[1]{url} eq 'plain' }
                 chosen($b) if $b->wants('half');
    return @steps;
}


sub step {
    my ($b, $case, $way) = @_;
    my $n = sessions($b, $case, $way);
    my $stand = $b->stand('main');

    return { part => 'sessions', name => "$case->{name} $way->{name}",
             what => $case->{text}, how => $way->{text}, run => sub {
        $stand->drop_sessions;
        push_all($stand, class($case, $way), 1, $n, $case->{task})
            if $case->{task};
        forget($stand, class($case, $way), $n) if $case->{forget};
        my $f = measure($stand, 120, options($case, $way, $n),
                        $stand->url($way->{url}, $case->{path}));
        die "$f->{requests} of $n tasks were sent\n"
            if $case->{task} && $f->{requests} != $n;
        die "$f->{resumed} of $n TLS sessions were resumed\n"
            if $way->{name} eq 'resumed' && $f->{resumed} < $n - 16;
        return $f;
    } };
}


# The two POSTs of a bare session, answered by nginx alone.
sub constant {
    my ($b, $pair) = @_;
    my ($case, $way) = @$pair;
    my $n = sessions($b, $case, $way);
    my $stand = $b->stand('main');

    return { part => 'limits', name => "nginx $case->{name} $way->{name}",
             what => "nginx alone: $case->{text}", how => $way->{text},
             run => sub {
        my $f = measure($stand, 60, options($case, $way, $n),
                        $stand->url($way->{url}, '/constant'));
        delete $f->{redis_us};          # it is not asked
        return $f;
    } };
}


# An open loop at half of what this round's closed loop reached, and the same
# with the nginx that answers at once: so much of it is the swarm, the kernel,
# and who else uses the cores.
sub half {
    my ($b, $pair, $path) = @_;
    my ($case, $way) = @$pair;
    my $stand = $b->stand('main');
    my $name = "$case->{name} $way->{name}";
    my $alone = $path eq '/constant';

    return { part => 'half', name => ($alone ? 'nginx half ' : 'half ') . $name,
             what => $alone ? 'nginx alone, the same rate'
                            : 'half of capacity',
             how => $way->{text}, run => sub {
        my $rate = int($b->latest($name)->{rate} / 2) || 1;
        my $n = int($rate * ($b->{quick} ? 0.3 : 3)) || 1;
        my @options = options($case, $way, sessions($b, $case, $way));
        $stand->drop_sessions;
        my $f = measure($stand, 60, @options, '--sessions', $n, '--poisson',
                        $rate, $stand->url($way->{url}, $path));
        delete @$f{qw(redis_us redis_waited)} if $alone;
        return { %$f, asked => $rate };
    } };
}

1;
