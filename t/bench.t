#!/usr/bin/perl

# The benchmark runs and tells what it should, in its smallest form.  How fast
# anything is, is not tested.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp 'tempdir';
use JSON::PP ();
use Test::More;

use CWMP::Test qw(patience slurp);

my $bench = "$FindBin::Bin/bench/bench";
my $dir = tempdir(CLEANUP => 1);
my $limits = $ENV{TEST_LIMITS} || "$FindBin::Bin/../build/bench";

plan skip_all => 'CPU of a sanitized worker says nothing'
    if $ENV{TEST_SANITIZED};
plan skip_all => "no $limits/sax: make swarm limits"
    unless -x "$limits/sax" && -x "$limits/swarm";
plan skip_all => 'the benchmark needs two cores' if `nproc` < 2;


subtest 'options' => sub {
    my ($status, $said) = run('--help');
    is $status, 0, '--help';
    like $said, qr/^  --$_\b/m, "... tells --$_"
        for qw(only over rounds quick idle devices storm json help);

    for my $wrong (['--only', 'nothing'], ['--over', 'air'], ['--rounds', 0],
                   ['--nothing'], ['stray']) {
        ($status, $said) = run(@$wrong);
        is $status, 2, "an error: @$wrong";
        like $said, qr/^bench: /m, '... that is explained';
    }
    ($status, $said) = run_in('taskset', '-c', first_core());
    is $status, 1, 'one core';
    like $said, qr/^bench: two cores are needed/m, '... is too few';
};


my ($status, $said) = run(qw(--quick --rounds 3 --only), 'bare8,get10,limits',
                          '--over', 'kept,full', '--json', "$dir/result.json");
is $status, 0, 'it runs' or diag $said;


subtest 'tables' => sub {
    like $said, qr/^\S.*cores, .*Linux .*nginx .*Redis /m, 'the machine';
    for my $row ('bare, 8 in the Inform +plain, kept',
                 'bare, 8 in the Inform +TLS full',
                 'GetParameterValues of 10 +plain, kept') {
        like $said, qr/^$row(?: +[\d,.]+){9}$/m,
            "a row: $row";
    }
    for my $row ('nginx alone: bare, 8 in the Inform', 'libxml2 alone: Inform '
                 . 'of 8 ', 'hiredis alone', 'redis-benchmark',
                 'Redis alone: both calls') {
        like $said, qr/^\Q$row\E.* [\d,.]+/m, "a limit: $row";
    }
    like $said, qr/^worker, bare session of 8.* 60\.0 +us +(?:met|MISSED)$/m,
        'a target';
    unlike $said, qr/^flat:|^idle:|^Storm/m, 'nothing that was not measured';
};


subtest 'JSON' => sub {
    my $r = eval { JSON::PP::decode_json(slurp("$dir/result.json")) } || {};
    my %step = map { ($_->{name} => $_) } @{ $r->{steps} || [] };
    my $bare = $step{'bare8 kept'} || {};

    is_deeply [grep { !($bare->{$_} && $bare->{$_} > 0) } qw(worker_us redis_us
        rate p50_ms p99_ms rss_mb sessions)], [], 'all figures of a session'
        or diag explain $bare;
    my ($low, $high) = @{ $bare->{range}{worker_us} || [] };
    ok $low <= $bare->{worker_us} && $bare->{worker_us} <= $high,
        'a median is between the lowest and the highest';
    is $step{'get10 full'}{requests}, $step{'get10 full'}{sessions},
        'each session had its task';
    is $step{'get10 full'}{full}, $step{'get10 full'}{sessions},
        '... and a full handshake';
    is $step{'nginx bare8 kept'}{posts}, 2 * $bare->{sessions},
        'nginx alone has the same POSTs';
    ok $step{$_}{us} > 0, "$_ has a time"
        for 'sax answer1000', 'format answer1000', 'redis pairs',
            'redis-benchmark inform8';
    ok $r->{notes}{bytes_per_device} > 500, 'bytes a device';
    ok $r->{machine}{$_}, "the machine's $_"
        for qw(cpu cores kernel nginx redis);
    my ($target) = grep { $_->{text} =~ /GetParameterValues of 10/ }
                   @{ $r->{targets} };
    is $target->{met} ? 1 : 0, $target->{value} <= 100 ? 1 : 0,
        'a target is met or not';
};

done_testing;


sub run { return run_in($^X, $bench, @_) }


sub run_in {
    my @command = @_;
    push @command, $^X, $bench if $command[0] eq 'taskset';
    my $pid = open(my $out, '-|') // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT or die $!;
        exec 'timeout', patience(60), @command or die "$command[0]: $!\n";
    }
    local $/;
    my $text = <$out> // '';
    close $out;
    return ($? >> 8, $text);
}


sub first_core {
    my ($core) = `taskset -pc $$` =~ /: (\d+)/;
    return $core;
}
