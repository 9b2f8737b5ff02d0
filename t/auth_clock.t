#!/usr/bin/perl

# A node whose clock is wrong, and right again: who is let in meanwhile, and
# afterwards.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use CWMP::Auth qw(key_file);
use CWMP::Clock;
use CWMP::Raw ':build';
use CWMP::Test;

plan skip_all => 'the clock of a sanitized nginx cannot be moved'
    if $ENV{TEST_SANITIZED};

my $dir = tempdir(CLEANUP => 1);
key_file("$dir/key");
my $t = CWMP::Test->new(start => 0, nodes => 2,
    http => "cwmp_secret_key $dir/key;", server => 'cwmp_auth digest;');
my $clock = CWMP::Clock->new($t->dir . '/clock');
$t->node(0)->{env} = $clock->env;
$t->start_all;
my $auth = CWMP::Auth->new(user => '00D09E-Box-C1', password => 'pw');
$auth->store($t->redis);

sub informs {
    my ($node) = @_;
    my $raw = $t->raw($node);
    my $text = inform(serial => 'C1', retry => $main::n++);
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
done_testing;
