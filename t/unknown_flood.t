#!/usr/bin/perl

# ATK-FLOOD: made-up serial numbers, as many as fit: Redis does not grow, and the
# devices that are known go on.  In the environment: TEST_SOAK=1 for 100,000 of
# them, from 200 addresses.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use CWMP::Clock;
use CWMP::Envelope qw(inform);
use CWMP::Script;
use CWMP::Swarm;
use CWMP::Test qw(patience);

my $swarm = swarm_binary();
my $MANY = $ENV{TEST_SOAK} ? 100_000 : $ENV{TEST_SANITIZED} ? 4_000 : 10_000;
my $SOURCES = join ',', map { "127.0.1.$_" } 1 .. ($ENV{TEST_SOAK} ? 200 : 20);
my $EACH = 'source=$remote_addr$uri';
my ($RATE, $TOTAL, $STRANGERS, $KNOWN) = (50, 600, 200, 20);

my $t = CWMP::Test->new(start => 0, workers => 2, http => 'cwmp_overload off;',
                        server => qq{
    location = /metrics { cwmp_metrics; }
    location /quarantine { cwmp_acs; cwmp_unknown quarantine rate=$RATE/m total=$TOTAL/m $EACH; }
    location /accept { cwmp_acs; cwmp_unknown accept rate=$RATE/m total=$TOTAL/m $EACH; }
    location /minute { cwmp_acs; cwmp_unknown accept rate=2/m total=off $EACH; }
    location /refuse { cwmp_acs; cwmp_unknown refuse; }
});
my $clock = CWMP::Clock->new($t->dir . '/clock');
$t->node->{env} = $clock->env if !$ENV{TEST_SANITIZED};
$t->start_all;
my $redis = $t->redis;
my @known = map { CWMP::Script->new($t, "K$_") } 1 .. $KNOWN;
$_->session for @known;
$redis->cmd('FCALL', 'cwmp_setting', 1, 'cwmp:{0}:settings', @$_)
    for [strangers => $STRANGERS], [sessions => 1_000_000];

my %first = (quarantine => 1_000_000, accept => 2_000_000, refuse => 3_000_000);
my %before;


sub counted {
    my %now = $t->raw(0)->get('/metrics', new => 1)->body
              =~ /^cwmp_unknown_total\S*="(\w+)"\S* (\d+)$/mg;
    my %more = map { ($_ => $now{$_} - ($before{$_} // 0)) } keys %now;
    %before = %now;
    return \%more;
}

sub memory { return $redis->cmd('INFO', 'memory') =~ /used_memory:(\d+)/ && $1 }

# in the background, so many that each is new; true while it runs
sub flood {
    my ($where) = @_;
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        exec 'timeout', 600, $swarm, '--quiet', '--cpes', $MANY, '--sessions', $MANY,
             '--first', $first{$where}, '--serial', 'ATK{n8}', '--class', 'Box',
             '--closed', 32, '--tolerate', $MANY, '--source', $SOURCES,
             $t->url(0, "/$where");
        die "exec: $!\n";
    }
    return sub { return waitpid($pid, 1) == 0 };
}

# sessions of known devices while it goes on: how long each took, in ms
sub others {
    my ($where, $runs) = @_;
    my @took;
    do {
        for my $d (map { CWMP::Script->new($t, $_->{serial}, url => $t->url(0, $where)) } @known) {
            my $begin = time();
            $d->session;
            push @took, 1000 * (time() - $begin);
        }
    } while $runs->();
    return sort { $a <=> $b } @took;
}


for my $where (qw(quarantine accept refuse)) {
    subtest "ATK-FLOOD $where" => sub {
        counted();
        $redis->cmd('DEL', 'cwmp:{0}:unknown');         # a minute begins
        my ($memory, $keys, $begin) = (memory(), $redis->cmd('DBSIZE'), time());
        my @took = others("/$where", flood($where));
        my $minutes = 1 + int((time() - $begin + 59) / 60);
        my $is = counted();

        my $came = ($is->{accepted} // 0) + ($is->{quarantined} // 0);
        is $came + $is->{over_rate} + $is->{refused}, $MANY, "$MANY unknown ones";
        cmp_ok $came, '<=', $where eq 'refuse' ? 0 : $TOTAL * $minutes, "... $came came";
        cmp_ok $came, '>=', $where eq 'refuse' ? 0 : $TOTAL, '... at least those of a minute';
        my $new = $where eq 'accept' ? 3 * $came : $where eq 'refuse' ? 0 : $STRANGERS;
        my $more = $redis->cmd('DBSIZE') - $keys;
        cmp_ok $more, '<=', $new + 10 + 3 * $KNOWN, "$more keys more";
        my $grown = int((memory() - $memory) / 1024);
        cmp_ok $grown, '<=', 2048 + ($where eq 'accept' ? 6 : 2) * $came, "$grown KB more";
        ok @took >= $KNOWN, scalar(@took) . ' sessions of known devices all the while';
        my $late = $took[0.95 * $#took];
        cmp_ok $late, '<', 1000 * patience(0.5), "... 95 of 100 in $late ms";
        diag sprintf '%s: %d in %.1f s, %d came, %d keys and %d KB more; %d sessions of '
            . 'known devices, half in %.1f ms, 95 of 100 in %.1f ms, all in %.1f ms',
            $where, $MANY, time() - $begin, $came, $more, $grown, scalar(@took),
            $took[0.5 * $#took], $late, $took[-1];
    };
}

subtest 'RATE a minute is over' => sub {
    plan skip_all => 'the clock of a sanitized nginx cannot be moved'
        if $ENV{TEST_SANITIZED};
    my $n = 0;
    my $comes = sub {
        $t->raw(0, url => $t->url(0, '/minute'))->post(inform(serial => 'M' . ++$n))->status
    };
    is_deeply [map { $comes->() } 1 .. 3], [200, 200, 503], 'two in a minute';
    $clock->set(50);
    is $comes->(), 503, '... which is not over after 50 seconds';
    $clock->set(61);
    is_deeply [map { $comes->() } 1 .. 3], [200, 200, 503], '... and in the next one';
};


$t->expect_log(qr/devices that nobody announced came from here|is the last one that nobody announced/, [0, 1000]);
$t->expect_log(qr/informs without end/, [0, 100]);
done_testing;
