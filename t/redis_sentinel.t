#!/usr/bin/perl

# Redis watched by Sentinels: they are asked for the master, and a failover is
# followed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Raw ':build';
use CWMP::RedisCluster;
use CWMP::Test qw(patience wait_for);


my $dir = File::Temp->newdir('cwmp-sentinel-XXXXXX', TMPDIR => 1);
my $set = CWMP::RedisCluster->new(dir => $dir, sentinels => 3, replicas => 2,
                                  sentinel_password => 'eyes')->start;
my $t = CWMP::Test->new(redis => 0, cwmp_redis => $set->address
                        . ' timeout=1500ms sentinel_password=eyes');


subtest 'the master is asked for' => sub {
    is $t->bare_session('S1'), 204, 'a session';
    ok $set->master->client->cmd('EXISTS', 'cwmp:{0}:00D09E-Box-S1'),
        'the device is in the master';
    like $t->error_log, qr/the master is 127\.0\.0\.1/, 'the log says who';
};


subtest 'a failover that was ordered' => sub {
    my $old = $set->master;
    my %status;

    my ($s) = $set->sentinels;
    $set->sentinel_client($s)->cmd('SENTINEL', 'FAILOVER', 'acs');
    wait_for(sub { $set->master != $old }, 20);
    my ($begin, $until) = (time(), time() + 20);
    while (time() < $until) {
        $status{$t->bare_session('S1')}++;
        last if $set->master != $old && $t->bare_session('S2') == 204
                && $set->master->client->cmd('EXISTS',
                                             'cwmp:{0}:00D09E-Box-S2');
        sleep(0.05);
    }
    isnt $set->master, $old, 'another is the master';
    ok $set->master->client->cmd('EXISTS', 'cwmp:{0}:00D09E-Box-S2'),
        'and serves';
    cmp_ok time() - $begin, '<', patience(2),
        'soon, though the old one takes commands still';
    note join(', ', map { "$_: $status{$_}" } sort keys %status);
    cmp_ok $status{503} // 0, '<', 10, 'few POSTs were refused meanwhile';
};


subtest 'the master is killed' => sub {
    my $old = $set->master;
    wait_for(sub { $old->client->cmd('INFO', 'replication')
                   =~ /connected_slaves:2/ }, 20);
    is $t->bare_session('S3'), 204, 'a session';
    $old->client->cmd('WAIT', 1, 1000);
    $old->kill9;
    isnt $t->bare_session('S3'), 204, 'no service';
    my $begin = time();
    ok wait_for(sub { $t->bare_session('S3') == 204 }, 30), 'until there is another';
    note sprintf('after %.1f s', time() - $begin);
    ok $set->master->client->cmd('EXISTS', 'cwmp:{0}:00D09E-Box-S3'),
        'which has the device';
};


subtest 'a Sentinel is gone' => sub {
    my ($first, @others) = $set->sentinels;
    my $master = $set->master;
    wait_for(sub { !grep { $set->master($_)->port != $master->port } @others },
             20) or diag 'the others name another master';
    $first->kill9;
    $t->quit;
    $t->start;
    is $t->bare_session('S4'), 204, 'the next one is asked';
    $t->quit;

    my ($words) = $t->node->{redis};
    $t->node->{redis} =~ s/sentinel=acs/sentinel=other/;
    $t->start;
    is $t->bare_session('S4'), 503, 'another name';
    wait_for(sub { $t->error_log =~ /knows no master|refused SENTINEL/ });
    like $t->error_log, qr/knows no master "other"/, 'is not known';
};


subtest 'the Sentinels\' own password' => sub {
    for (['', qr/NOAUTH.*\(set sentinel_password= in cwmp_redis\)/],
         [' sentinel_password=none',
          qr/WRONGPASS.*\(check sentinel_password= of cwmp_redis\)/])
    {
        my $c = CWMP::Test->new(redis => 0, cwmp_redis => $set->address
                                . " timeout=500ms$_->[0]");
        is $c->raw->post(inform(serial => 'S5'))->status, 503,
            $_->[0] ? 'wrong' : 'missing';
        like $c->error_log, $_->[1], 'the log says which';
        $c->finish;
    }
};

$t->finish;
done_testing;
