#!/usr/bin/perl

# Devices are found by tag, OUI, class, software version, last and first contact,
# page by page; by what their records say, not by an index that is behind; and
# what a CPE says of itself finds nobody else.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time);

use CWMP::Envelope qw(default_params);
use CWMP::Script;
use CWMP::Test;

# Redis and its Lua, in a locale where "b" comes before "B" and after "a"
my $locales = File::Temp->newdir;
if (system("localedef -i en_US -f UTF-8 $locales/en_US.UTF-8 >/dev/null 2>&1") == 0) {
    delete $ENV{LC_ALL};
    @ENV{qw(LOCPATH LC_COLLATE)} = ("$locales", 'en_US.UTF-8');
}

my $t = CWMP::Test->new;
my $redis = $t->redis;

sub fcall { return $redis->cmd('FCALL_RO', 'cwmp_find', 1,
                               'cwmp:{0}:index:seen', @_) }
sub json { return JSON::PP->new->canonical->encode($_[0]) }


# Serial numbers of all that are found, in pages of so many.
sub find {
    my ($filter, $page) = @_;
    my ($at, @found) = ('');
    for (1 .. 1000) {
        my $r = fcall(json($filter), $page || 100, $at);
        $at = shift @$r;
        push @found, map { /-(\w+)$/ } @$r;
        return join ' ', sort @found if $at eq '';
    }
    return 'no end';
}


sub versioned {
    my ($version) = @_;
    my $params = default_params();
    $_->[2] = $version for grep { $_->[0] =~ /SoftwareVersion/ } @$params;
    return (params => $params);
}


sub seen {
    my ($serial, %o) = @_;
    my $d = CWMP::Script->new($t, $serial, %o);
    $d->session;
    return $d;
}


sub tag { return $redis->cmd('FCALL', 'cwmp_tag', 1, $_[0]->key(undef),
                             @_[1 .. $#_]) }

my $start = time;
my $a1 = seen('A1', class => 'Alpha', versioned('7.57'));
my $a2 = seen('A2', class => 'Alpha', versioned('7.58'));
my $b1 = seen('B1', class => 'Beta', versioned('7.57'));
my $c1 = seen('C1', class => 'Alpha', oui => '00AABB', versioned('10.0'));
my $c2 = seen('C2', class => 'Alphabet', oui => '00AABB', versioned('10.0'));


subtest 'by each index' => sub {
    tag($a1, '+vip', '+pilot');
    tag($b1, '+vip2', '+pilot');
    for my $row (
        [{}, 'A1 A2 B1 C1 C2'],
        [{ oui => '00AABB' }, 'C1 C2'], [{ oui => '00aabb' }, 'C1 C2'],
        [{ oui => '00*' }, 'A1 A2 B1 C1 C2'], [{ oui => '00D09' }, ''],
        [{ class => 'Alpha' }, 'A1 A2 C1'],
        [{ class => 'Alpha*' }, 'A1 A2 C1 C2'],
        [{ class => 'B*' }, 'B1'], [{ class => 'Z' }, ''],
        [{ oui => '00AABB', class => 'Alpha' }, 'C1'],
        [{ version => '7.57' }, 'A1 B1'], [{ version => '7.*' }, 'A1 A2 B1'],
        [{ version => '7.57', class => 'Beta' }, 'B1'],
        [{ tag => 'vip' }, 'A1'], [{ tag => 'pilot' }, 'A1 B1'],
        [{ tag => 'pilot', version => '7.*', class => 'Alpha' }, 'A1'],
        [{ seenAfter => int $start }, 'A1 A2 B1 C1 C2'],
        [{ seenBefore => int $start - 10 }, ''],
        [{ firstAfter => int $start }, 'A1 A2 B1 C1 C2'],
        [{ firstBefore => int $start - 10 }, '']) {
        my ($filter, $want) = @$row;
        is find($filter), $want, json($filter);
        is find($filter, 1), $want, json($filter) . ', one on a page';
    }
};


subtest 'the record counts, not an index that is behind it' => sub {
    my $now = time;
    $redis->cmd('HSET', $a1->key(undef), 'seen', $now - 5000);
    $redis->cmd('ZADD', 'cwmp:{0}:index:seen', $now - 5000, $a1->id);
    is find({ seenBefore => $now - 4000 }), 'A1', 'silent';
    $redis->cmd('HSET', $a1->key(undef), 'seen', $now - 4200);
    is find({ seenBefore => $now - 4500 }), '', 'its record is newer';
    is find({ seenAfter => $now - 4500, seenBefore => $now - 4000 }), 'A1',
        'the index is up to a quarter of an hour behind';
    is find({ seenAfter => $now - 4500 }, 1), 'A1 A2 B1 C1 C2',
        '... those are found last';
    $redis->cmd('ZADD', 'cwmp:{0}:index:version', 0, "7.57\t00D09E-None-1");
    is find({ version => '7.57' }), 'A1 B1', 'an entry without a device';
};


subtest 'any version, also none' => sub {
    my $of_a = find({ class => 'Alpha' });
    $redis->cmd('HDEL', $a1->key(undef), 'version');
    is find({ class => 'Alpha', version => '*' }), $of_a, 'with a class';
    is find({ version => '*' }), find({}), 'alone';
    is find({ version => '' }), 'A1', 'who has told none';
    $redis->cmd('HSET', $a1->key(undef), 'version', '7.57');
};


subtest 'tags' => sub {
    is_deeply tag($a1), ['pilot', 'vip'], 'what it has';
    is_deeply tag($a1, '-vip', '+x.y:z-1'), ['pilot', 'x.y:z-1'], 'changed';
    is find({ tag => 'vip' }), '', 'found no more';
    is find({ tag => 'x.y:z-1' }), 'A1', 'found';
    is $redis->cmd('HGET', $a1->key(undef), 'tags'), 'pilot,x.y:z-1', 'its field';
    for my $bad ('vip', '+', "+a\tb", '+a,b', '+' . 'a' x 65) {
        my $e = $redis->try('FCALL', 'cwmp_tag', 1, $a1->key(undef), $bad);
        like "$e->{message}", qr/is neither \+TAG nor -TAG/, 'refused: ' . json([$bad]);
    }
    my $e = $redis->try('FCALL', 'cwmp_tag', 1, $a1->key(undef),
                        map { "+t$_" } 1 .. 33);
    like $e->{message}, qr/at most 32 tags/, 'too many';
};


# The others of an OUI are jumped over, in the order of bytes and no other.
subtest 'a class alone' => sub {
    seen("L$_->[0]", class => $_->[1])
        for [1, 'B1'], [2, 'a'], [3, 'b'], [4, 'BB'];
    is find({ class => 'B*' }), 'B1 L1 L4', 'in any locale';
    is find({ class => 'b' }), 'L3', 'a later one';

    my $index = 'cwmp:{0}:index:model';
    $redis->cmd('ZADD', $index, map { my $o = sprintf('F%05X', $_ % 1000);
                                      (0, "$o M\t$o-M-$_") } 1 .. 30000);
    my $cost = sub {                            # of 500 looks, at its best
        my ($filter) = @_;
        my $least = 1e9;
        for (1 .. 50) {
            $redis->cmd('CONFIG', 'RESETSTAT');
            fcall(json($filter));
            $redis->cmd('INFO', 'commandstats') =~ /cmdstat_fcall_ro:calls=1,usec=(\d+)/
                and $1 < $least and $least = $1;
        }
        return $least;
    };
    my $times = $cost->({ class => 'Z' }) / $cost->({ oui => 'F*', class => 'Z' });
    cmp_ok $times, '<', 2.5, 'a jump costs no more than a few looks';
    $redis->cmd('ZREMRANGEBYLEX', $index, '[F', '[G');
};


subtest 'a device that is no hash' => sub {
    $redis->cmd('RENAME', $b1->key(undef), 'away');
    $redis->cmd('SET', $b1->key(undef), 'x');
    is find({ version => '7.57' }), 'A1', 'the others are found';
    $redis->cmd('RENAME', 'away', $b1->key(undef));
};


subtest 'what a CPE says of itself' => sub {
    my $tab = seen('H1', class => "Alpha\tX", versioned("7.57\t00D09E-Alpha-A1"));
    my $long = seen('H2', class => 'L' x 64, versioned('v' x 1024));
    my $star = seen('H3', class => 'Al*', versioned('*'));
    is find({ class => 'Alpha' }), 'A1 A2 C1', 'a tab in a class';
    is find({ version => '7.57' }), 'A1 B1', 'a tab in a version';
    is find({ version => "7.57\t00D09E-Alpha-A1" }), 'H1', 'it is found by it';
    is find({ version => 'v' x 1024 }), 'H2', '1 KB';
    is find({ version => "7.57\0" }), '', 'NUL in a filter';
    is find({ version => "7.57\n" }), '', 'a line end in a filter';
};


subtest 'what is no filter' => sub {
    for my $row (['x', qr/is not JSON/], ['[]', qr/is not a JSON object/],
                 ['{"colour":1}', qr/"colour" is none of class/],
                 ['{"seenAfter":"x"}', qr/seenAfter is not a Unix time/],
                 ['{"tag":1}', qr/tag is not a text/],
                 ['{"tag":"' . 'a' x 1025 . '"}', qr/tag is not a text/],
                 ['{}', qr/LIMIT is not a whole number/, 1001],
                 ['{}', qr/CURSOR is not one/, 5, 'x'],
                 ['{"tag":"a"}', qr/CURSOR is not one/, 5, '-']) {
        my ($json, $like, @more) = @$row;
        my $e = $redis->try('FCALL_RO', 'cwmp_find', 1, 'cwmp:{0}:index:seen',
                            $json, @more);
        like "$e->{message}", $like, substr($json, 0, 40);
    }
};


# A bare session moves no entry of any index.
subtest 'what does not change is not written' => sub {
    my $d = seen('Q1');
    my $score = $redis->cmd('ZSCORE', 'cwmp:{0}:index:seen', $d->id);
    $redis->cmd('CONFIG', 'RESETSTAT');
    $d->session('2 PERIODIC');
    my $stat = $redis->cmd('INFO', 'commandstats');
    unlike $stat, qr/cmdstat_zadd/, 'no ZADD';
    is $redis->cmd('ZSCORE', 'cwmp:{0}:index:seen', $d->id), $score,
        'index:seen is as it was';
};

$t->finish;
done_testing;
