#!/usr/bin/perl

# A node whose clock is wrong, and right again, or that of Redis: who is let in
# meanwhile, and afterwards.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use CWMP::Auth qw(key_file nonce);
use CWMP::Clock;
use CWMP::Raw ':build';
use CWMP::Test;

plan skip_all => 'the clock of a sanitized nginx cannot be moved'
    if $ENV{TEST_SANITIZED};

my $dir = tempdir(CLEANUP => 1);
my $key = key_file("$dir/key");
my $t = CWMP::Test->new(start => 0, nodes => 2,
    http => "cwmp_secret_key $dir/key;", server => 'cwmp_auth digest;');
my $clock = CWMP::Clock->new($t->dir . '/clock');
my $of_redis = CWMP::Clock->new($t->dir . '/clock.redis');
$t->node(0)->{env} = $clock->env;
$t->redis_server->{env} = $of_redis->env;
$t->start_all;
my $n = 0;

sub device {
    my $auth = CWMP::Auth->new(user => "00D09E-Box-$_[0]", password => 'pw',
                               realm => 'cwmp');
    return $auth->store($t->redis);
}

my $auth = device('C1');

sub informs {
    my ($node) = @_;
    my $raw = $t->raw($node);
    my $text = inform(serial => 'C1', retry => $n++);
    return $raw->post($text, headers => [$auth->answer($raw->post($text))])
               ->status;
}


$clock->set(86_400);
is informs(0), 200, 'a node that is a day ahead';
$clock->set(86_400 + 700);
is informs(0), 200, '... 11 minutes later';
is informs(0), 200, '... more nonces than are remembered' for 1 .. 40;
$clock->set(0);
sleep 6;                        # so much ahead a clock may be
is informs($_), 200, "it is right again: node $_" for 0, 1;
$clock->set(-1800);
is informs(0), 401, 'one that is half an hour behind is none for this device';
is informs(1), 200, '... but the other is';
$clock->set(0);

my $other = device('C2');
my @old = map { nonce($key, 'cwmp', time() - $_) } reverse 0 .. 40;
my $says = sub {
    $t->raw(1)->post(inform(serial => 'C2'), headers =>
        [$other->header(nonce => $_[0], count => 1)])->status;
};
my $new = pop @old;
is $says->($_), 200, 'a nonce' for @old;
$of_redis->set(-86_400);
is $says->($new), 200, 'the clock of Redis was set back by a day';
is $says->($_), 401, 'what was used, and is known no more, is used still'
    for @old[0 .. 5];

# a node that is too far ahead takes what others refuse, and nothing twice
$of_redis->set(0);
$clock->set(20);
my $ahead = device('C3');
my $once = nonce($key, 'cwmp', time() + 20);
my $overheard = sub {
    $t->raw(0)->post(inform(serial => 'C3'), headers =>
        [$ahead->header(nonce => $once, count => 1)])->status;
};
is $overheard->(), 200, 'a nonce of a node that is ahead';
is $t->raw(1)->post(inform(serial => 'C3', events => ['1 BOOT']), headers =>
    [$ahead->header(nonce => nonce($key, 'cwmp', time()), count => 1)])->status,
    200, 'one of another node';
is $overheard->(), 401, 'the first one again';
done_testing;
