#!/usr/bin/perl

# Sentinels or nodes of a Cluster that know no better: no command of ours goes
# to a Sentinel, and one that is wrong is not believed for ever.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

use CWMP::Raw ':build';
use CWMP::RedisCluster;
use CWMP::Test qw(wait_for);

my @DIRS;


sub folder {
    push @DIRS, File::Temp->newdir('cwmp-set-XXXXXX', TMPDIR => 1);
    return $DIRS[-1];
}


subtest 'what waits is not for the Sentinel' => sub {
    my $set = CWMP::RedisCluster->new(dir => folder(), sentinels => 1)->start;
    my $t = CWMP::Test->new(redis => 0, workers => 1,
                            cwmp_redis => $set->address . ' timeout=800ms');
    is $t->raw->post(inform(serial => 'S1'))->status, 200, 'a session';

    $set->master->kill9;
    my $begin = time();
    my @raw = map { my $raw = $t->raw;
                    $raw->post(inform(serial => "S$_"), no_read => 1);
                    sleep(0.05);
                    $raw } 1 .. 6;
    my %status = map { $_->read_response({})->status => 1 } @raw;

    is_deeply [keys %status], [503], 'the master is gone: 503';
    cmp_ok time() - $begin, '>', 0.7, 'once the time is up';
    unlike $t->error_log, qr/unknown command/, 'the Sentinel got nothing';
    $t->finish;
};


done_testing;
