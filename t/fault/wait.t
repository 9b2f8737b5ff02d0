#!/usr/bin/perl

# A failover, watched by Sentinels, to a replica that had not everything: what
# is lost and what happens twice, with wait=0 and with wait=1.  The replica is
# made to miss it: it is frozen, and its link is cut, before the primary is
# killed.  The figures are printed as the rows of docs/reliability.md.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Envelope qw(transfer_complete);
use CWMP::RedisCluster;
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $DEVICES = 10;                       # of each kind
my %TASK = (
    Reboot => {},
    AddObject => { ObjectName => 'Device.NAT.PortMapping.' },
    Download => { URL => 'http://a.test/f',
                  FileType => '3 Vendor Configuration File' },
);
my @KINDS = sort keys %TASK;
my @rows;


# The RPC that this device is to be sent, if it is; counted by the CPE.
sub told {
    my ($d, $r) = @_;
    $d->{times}++ if $r->status == 200 && $TASK{ $r->method // '' };
    return $r;
}


# All of them at once: one that is held holds no other.
sub sessions {
    my ($do, @devices) = @_;
    $_->inform for @devices;
    $_->post('', no_read => 1) for @devices;
    my @r = map { told($_, $_->raw->read_response) } @devices;
    for my $i (0 .. $#devices) {
        $do->($devices[$i], $r[$i]) if $r[$i]->status == 200;
    }
}


# What is told of what was done before: as the CPE does that has done it.
sub aftermath {
    my ($d) = @_;
    my @events = ('2 PERIODIC');
    @events = ('1 BOOT', ['M Reboot', 'once'])
        if $d->{times} && $d->{kind} eq 'Reboot';
    @events = ('7 TRANSFER COMPLETE', ['M Download', 'once'])
        if $d->{times} && $d->{kind} eq 'Download';

    $d->{key} = 'once' if $d->{times} && $d->{kind} eq 'AddObject';
    $d->inform(@events);
    $d->post(transfer_complete(key => 'once'))
        if $d->{times} && $d->{kind} eq 'Download';
    my $r = told($d, $d->empty);
    $r = told($d, $d->respond($r)) while $r->status == 200;
}



# The RPC of each device that must not happen twice, and a read after it.
sub push_once {
    my ($redis, @devices) = @_;
    $redis->fcall_push($_->id, { method => $_->{kind}, id => 'once',
                                 %{ $TASK{ $_->{kind} } } }) for @devices;
}


sub push_read {
    my ($redis, @devices) = @_;
    $redis->fcall_push($_->id, { method => 'GetParameterValues', id => 'read',
                                 ParameterNames => ['Device.A'] }) for @devices;
}


sub devices {
    my ($t, $letter) = @_;
    return map { my $kind = $_;
                 map { CWMP::Script->new($t, "$letter$kind$_", kind => $kind,
                                         times => 0) } 1 .. $DEVICES } @KINDS;
}


# A primary and a replica, and a node that asks Sentinels for them.
sub begin {
    my ($wait) = @_;
    my $dir = File::Temp->newdir('cwmp-wait-XXXXXX', TMPDIR => 1);
    my $set = CWMP::RedisCluster->new(dir => $dir, sentinels => 3,
                                      replicas => 1)->start;
    my $t = CWMP::Test->new(redis => 0, cwmp_redis => $set->address
                            . " timeout=2s wait=$wait",
                            acs => 'cwmp_session_timeout 2s outstanding=2s;');
    my $old = $set->master;
    my ($new) = grep { $_ != $old } $set->servers;
    ok wait_for(sub { $old->client->cmd('INFO', 'replication')
                      =~ /state=online/ }, 20), 'a replica';
    return { dir => $dir, set => $set, t => $t, old => $old, new => $new };
}


sub failover {
    my ($x) = @_;
    my ($old, $new, $t) = @$x{qw(old new t)};
    my $begun = time();

    $old->kill9;
    $new->cont;
    my $probe = CWMP::Script->new($t, 'P');
    ok wait_for(sub { eval { $probe->inform->status == 200
                             && $probe->empty->status == 204 } }, 60),
        'the replica takes over';
    $x->{took} = time() - $begun;
    return $new->client;
}


# The next primary has none yet, and with wait=1 nothing would be sent.
sub another_replica {
    my ($x) = @_;
    my ($old, $new) = @$x{qw(old new)};
    $old->start;
    $old->client->cmd('REPLICAOF', '127.0.0.1', $new->port);
    ok wait_for(sub { $new->client->cmd('INFO', 'replication')
                      =~ /state=online/ }, 20), 'there is a replica again';
}


# Each task has one result; how often each status is there.
sub ended {
    my ($redis, $id, @devices) = @_;
    my %n;
    for my $d (@devices) {
        my @r = grep { $_->{id} eq $id } $redis->results($d->id);
        $n{ @r == 1 ? $r[0]{status} : @r . ' results' }++;
    }
    return \%n;
}


sub experiment {
    my ($wait) = @_;
    my $x = begin($wait);
    my $redis = $x->{old}->client;
    my @known = devices($x->{t}, 'K');      # the replica knows of their RPCs
    my @missed = devices($x->{t}, 'M');     # and will not of theirs

    sessions(sub { }, @known, @missed);
    push_once($redis, @known, @missed);
    sessions(sub { $_[0]->raw->reset }, @known);
    is total(@known), @known, 'RPCs are sent, their answers do not come';
    is $redis->cmd('WAIT', 1, 5000), 1, 'the replica has all of this';

    $x->{new}->sigstop;
    $redis->cmd('CLIENT', 'KILL', 'TYPE', 'replica');
    sessions(sub { my ($d, $r) = @_; $d->obey($r) }, @missed);
    is total(@missed), $wait ? 0 : @missed,
        $wait ? 'RPCs are not sent' : 'RPCs are sent, and answered';
    push_read($redis, @missed);
    is $redis->cmd('WAIT', 1, 300), 0, 'who pushes a task can know that no '
        . 'replica has it';

    $redis = failover($x);
    my @lost = grep { !$redis->cmd('HEXISTS', $redis->device_key($_->id, 'live'),
                                   'read') } @missed;
    is @lost, @missed, 'what was pushed then is lost';
    if ($wait) {
        push_read($redis, @lost);
        another_replica($x);
    }
    for (1 .. 3) {
        aftermath($_) for @known, @missed;
        sleep(0.1);
    }
    report($x, $redis, $wait, \@known, \@missed, $wait ? [] : \@lost);
}


sub total { my $n = 0; $n += $_->{times} for @_; return $n }


sub report {
    my ($x, $redis, $wait, $known, $missed, $lost) = @_;
    my @twice = grep { $_->{times} > 1 } @$known, @$missed;

    is total(@$known), @$known, 'an RPC that the replica knew of is not '
        . 'sent again';
    is scalar @twice, $wait ? 0 : scalar @$missed,
        $wait ? 'none was carried out twice'
              : 'those that it did not know of are carried out twice';
    my %once = %{ ended($redis, 'once', @$known, @$missed) };
    is_deeply [sort keys %once], ['done', 'lost'], 'each has one result';
    is $once{lost}, $DEVICES, 'the outcome is unknown of an AddObject whose '
        . 'instance number was lost only';
    is_deeply ended($redis, 'read', @$missed),
        $wait ? { done => scalar @$missed }
              : { '0 results' => scalar @$missed },
        $wait ? 'and what the admin pushed again is done'
              : 'of what was lost nobody hears again';

    push @rows, sprintf('| `wait=%d` | %d | %d | %d | %d | %.1f s |', $wait,
                        @$known + @$missed, scalar @twice, scalar @$missed,
                        scalar @$lost, $x->{took});
    $x->{t}->finish;
    $x->{set}->stop;
}


subtest 'wait=0' => sub { experiment(0) };
subtest 'wait=1' => sub { experiment(1) };

note join("\n", '| setting | RPCs that must not be repeated | carried out twice '
          . '| tasks pushed | lost, unknown to who pushed | recovers in |',
          '|---|---|---|---|---|---|', @rows);
done_testing;
