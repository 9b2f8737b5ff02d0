#!/usr/bin/perl

# Any POST of a session may be served by any worker of any node: nothing of a
# session is in a worker.  Proved with two nodes of two workers each on one
# Redis: two hundred devices at once, each POST on a connection of its own to
# the other node; then with the worker of each POST chosen by hand.  And what
# a session used is given back: a worker's memory after two thousand of them.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use POSIX ();
use Test::More;

use CWMP::Raw ':build';
use CWMP::Sockets qw(freeze);
use CWMP::Test qw(slurp);

my $DEVICES = 200;
my $AT_ONCE = 4;                    # processes that play CPEs
my $RULES = 'Device.NAT.PortMapping.';
my $JSON = JSON::PP->new->canonical;


# Five tasks of different kinds; every second device is told the types.
sub tasks {
    my ($n) = @_;
    my $interval = $n % 2 ? 1000 + $n
                   : { value => 1000 + $n, type => 'xsd:unsignedInt' };
    return (
        { id => "get-$n", method => 'GetParameterValues',
          ParameterNames => ['Device.DeviceInfo.'] },
        { id => "set-$n", method => 'SetParameterValues', ParameterList => {
          'Device.ManagementServer.PeriodicInformInterval' => $interval } },
        { id => "names-$n", method => 'GetParameterNames',
          ParameterPath => 'Device.Time.', NextLevel => JSON::PP::true },
        { id => "add-$n", method => 'AddObject', ObjectName => $RULES,
          values => { ExternalPort => 8000 + $n, InternalPort => 80 } },
        { id => "delete-$n", method => 'DeleteObject',
          ObjectName => "${RULES}1." },
    );
}


# Plays the devices of one process; what became of each goes into a file.
sub play {
    my ($t, $file, @devices) = @_;
    open(my $out, '>', $file) or die "$file: $!\n";

    for my $n (@devices) {
        my $cpe = $t->cpe(serial => sprintf('N%04d', $n), new_connection => 1);
        my $trace = $cpe->run_session('2 PERIODIC');
        my $model = $cpe->model;
        print $out $JSON->encode({
            n => $n, id => $cpe->id, ok => $trace->{ok},
            error => $trace->{error}, posts => $cpe->{posts},
            connections => $cpe->raw->{connections},
            complaints => $cpe->complaints,
            done => [map { told($_) } $cpe->done],
            interval => $cpe->value('Device.ManagementServer.'
                                    . 'PeriodicInformInterval'),
            rules => [map { [$_, 0 + $cpe->value("$RULES$_.ExternalPort")] }
                      grep { $model->has("$RULES$_.ExternalPort") } 1 .. 5],
        }), "\n";
    }
    close($out) or die "$file: $!\n";
}


# An RPC as the CPE saw it: reads of types are told from a task's own.
sub told {
    my ($rpc) = @_;
    my $args = $rpc->{args};
    my $what = $rpc->{fault} ? "fault $rpc->{fault}"
        : join(',', sort map { ref $_ ? $_->[0] : $_ }
               map { ref $_ ? @$_ : $_ } grep { defined }
               @$args{qw(ParameterNames ParameterList ParameterPath
                         ObjectName)});
    return "$rpc->{method} $what";
}


sub play_all {
    my ($t) = @_;
    my %file = map { my $k = $_; ($k => $t->dir . "/cpes.$k") } 1 .. $AT_ONCE;
    my %pid;

    for my $k (keys %file) {
        my @mine = grep { $_ % $AT_ONCE == $k - 1 } 1 .. $DEVICES;
        my $pid = fork() // die "fork: $!\n";
        if ($pid == 0) {
            my $ok = eval { play($t, $file{$k}, @mine); 1 };
            print STDERR $@ unless $ok;
            POSIX::_exit($ok ? 0 : 1);
        }
        $pid{$pid} = $k;
    }
    for my $pid (keys %pid) {
        waitpid($pid, 0);
        is $?, 0, "CPEs of process $pid{$pid}";
    }
    return map { $JSON->decode($_) }
           map { split(/\n/, slurp($_)) } values %file;
}


sub expected_rpcs {
    return sort('GetParameterValues Device.DeviceInfo.',
        'SetParameterValues Device.ManagementServer.PeriodicInformInterval',
        'GetParameterNames Device.Time.', "AddObject $RULES",
        "SetParameterValues ${RULES}2.ExternalPort,${RULES}2.InternalPort",
        "DeleteObject ${RULES}1.");
}


# What is read for its types only, and may be.
sub reads_types {
    my ($told) = @_;
    return $told =~ /^GetParameterValues[ ]Device\.
                     (?:ManagementServer\.Periodic|NAT\.PortMapping\.\d)/x;
}


# The distinct workers of each session, from the nodes' access logs.
sub workers_of_sessions {
    my ($t) = @_;
    my %seen;
    for my $n (0 .. $t->node_count - 1) {
        for (split(/\n/, slurp($t->prefix($n) . '/logs/pids.log'))) {
            my ($pid, $session) = split(/ /);
            $seen{$session}{"$n $pid"}++;
        }
    }
    return \%seen;
}


my %TWO_NODES = (
    nodes => 2, workers => 2,
    http => 'log_format pids "$pid $cwmp_session $status $cwmp_method";',
    server => 'access_log logs/pids.log pids; add_header X-Worker $pid always;',
);

subtest 'ANY-NODE 200 sessions of five tasks over two nodes of two workers'
    => sub
{
    my $t = CWMP::Test->new(%TWO_NODES);
    my $r = $t->redis;

    # the first contact of a node makes the keys' schema
    $t->raw(0)->post(inform(serial => 'first'));
    for my $n (1 .. $DEVICES) {
        $r->push_task(CWMP::Redis::device_id('00D09E', 'HG1',
                      sprintf('N%04d', $n)), tasks($n));
    }

    my @devices = play_all($t);
    is scalar(@devices), $DEVICES, 'every device told its story';
    is_deeply [grep { !$_->{ok} } @devices], [], 'every session ended well';
    is_deeply [map { @{ $_->{complaints} } } @devices], [],
        'and a strict CPE has nothing to object to';
    is_deeply [map { $_->{id} } grep { $_->{connections} != $_->{posts} }
               @devices], [],
        'HTTP-10 each POST was on a TCP connection of its own';

    once_on_the_cpe(@devices);
    once_in_redis($r, @devices);

    my $sessions = workers_of_sessions($t);
    my ($both, $three) = (0, 0);
    for my $session (keys %$sessions) {
        my %node = map { (split / /)[0] => 1 } keys %{ $sessions->{$session} };
        $both++ if keys %node == 2;
        $three++ if keys %{ $sessions->{$session} } > 2;
    }
    is $both, $DEVICES, 'ANY-NODE each session was served by both nodes';
    cmp_ok $three, '>=', $DEVICES / 2, 'HTTP-11 sessions were served by three '
        . "or four workers ($three of them)";
    $t->finish;
};


sub once_on_the_cpe {
    my (@devices) = @_;
    my (@wrong, @state);

    for my $d (@devices) {
        my @did = sort grep { !reads_types($_) } @{ $d->{done} };
        push @wrong, [$d->{id}, @did] if "@did" ne "@{[expected_rpcs()]}";
        push @state, [$d->{id}, @$d{qw(interval rules)}]
            if $d->{interval} != 1000 + $d->{n}
               || $JSON->encode($d->{rules}) ne "[[2,@{[8000 + $d->{n}]}]]";
    }
    is_deeply \@wrong, [], 'ANY-NODE each CPE carried out each RPC once';
    is_deeply \@state, [], 'and is now what its tasks wanted it to be';
}


sub once_in_redis {
    my ($r, @devices) = @_;
    my ($done, @wrong, @left) = (0);

    for my $d (@devices) {
        my @results = $r->results($d->{id});
        $done += grep { $_->{status} eq 'done' } @results;
        my $got = join(' ', sort map { $_->{id} } @results);
        my $want = join(' ', sort map { $_->{id} } tasks($d->{n}));
        push @wrong, "$d->{id}: $got" if $got ne $want;
        push @left, map { $r->device_key($d->{id}, $_) } grep {
            $r->cmd('EXISTS', $r->device_key($d->{id}, $_))
        } qw(tasks queue live running waiting);
    }
    is $done, 5 * $DEVICES, 'ANY-NODE 1,000 results are done';
    is_deeply \@wrong, [], 'ANY-NODE one of each task, none twice';
    is_deeply \@left, [], 'and nothing of them is anywhere else';
}


# --- the worker of each POST chosen by hand --------------------------------

# All workers but this one are frozen: it takes the next connection.
sub only {
    my ($pid, @workers) = @_;
    kill('CONT', $pid);
    freeze(grep { $_ != $pid } @workers);
}


subtest 'HTTP-11 each POST of a session is served by another worker' => sub {
    my $t = CWMP::Test->new(%TWO_NODES);
    my @workers = ([$t->workers(0)], [$t->workers(1)]);
    my (@asked, @served);

    my $cpe = $t->cpe(serial => 'W1', new_connection => 1,
        before_post => sub {
            my ($cpe, $post) = @_;
            my ($n, $k) = ($post->{n} % 2, int($post->{n} / 2) % 2);
            only($workers[$n][$k], @{ $workers[$n] });
            push @asked, $workers[$n][$k];
            return;
        },
        after_post => sub { push @served, $_[2]->header('X-Worker') });
    $t->redis->push_task($cpe->id, tasks(1));

    my $trace = $cpe->run_session('2 PERIODIC');
    ok $trace->{ok}, 'HTTP-11 the session ends well' or diag $trace->{error};
    is_deeply \@served, \@asked, 'HTTP-11 by the workers that were chosen';
    cmp_ok scalar(@served), '>=', 8, 'all four of them, twice';
    is scalar(grep { $_->{status} eq 'done' } $t->redis->results($cpe->id)), 5,
        'HTTP-11 all five tasks are done';
    kill('CONT', map { @$_ } @workers);
    $t->finish;
};


subtest 'HTTP-10 with Connection: close after each response' => sub {
    my $t = CWMP::Test->new(server => 'keepalive_timeout 0;');
    my $cpe = $t->cpe(serial => 'C1');
    $t->redis->push_task($cpe->id, tasks(1));

    my $trace = $cpe->run_session('2 PERIODIC');
    ok $trace->{ok}, 'HTTP-10 the session ends well' or diag $trace->{error};
    is $cpe->raw->{connections}, $cpe->{posts}, 'HTTP-10 a connection a POST';
    is scalar(grep { $_->{status} eq 'done' } $t->redis->results($cpe->id)), 5,
        'HTTP-10 all five tasks are done';
    $t->finish;
};


# --- memory ----------------------------------------------------------------

# A session on a connection that stays: Inform, perhaps a read, the end.
sub short_session {
    my ($t, $raw, $n) = @_;
    my $serial = sprintf('M%03d', $n % 50);

    $t->redis->push_task("00D09E-Box-$serial", {
        method => 'GetParameterValues', ParameterNames => ['Device.Time.'] })
        if $n % 4 == 0;
    $raw->forget_cookies;
    my $answer = $raw->post(inform(serial => $serial, id => "i-$n"));
    $answer = $raw->empty;
    while ($answer->status == 200) {
        my @values = map { ["Device.Time.X$_", 'string', 'v' x 100] } 1 .. 20;
        $answer = $raw->post(gpv_response($answer->id, @values));
    }
    return $answer->status == 204;
}


subtest 'memory of a worker' => sub {
    plan skip_all => 'a sanitizer keeps what is freed'
        if $ENV{TEST_SANITIZED};
    my $t = CWMP::Test->new;
    my $raw = $t->raw;
    my ($worker) = $t->workers;

    my $ended = grep { short_session($t, $raw, $_) } 1 .. 500;
    my $before = $t->worker_rss($worker);
    $ended += grep { short_session($t, $raw, $_) } 501 .. 2500;
    my $grown = $t->worker_rss($worker) - $before;

    is $ended, 2500, 'every session ended with 204';
    cmp_ok $grown, '<', 1 << 20, 'MEMORY two thousand sessions more leave the '
        . "worker's memory within 1 MB ($grown bytes)";
    is_deeply [$t->workers], [$worker], 'it is the same worker';
    $t->finish;
};

done_testing;
