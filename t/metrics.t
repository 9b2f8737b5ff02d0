#!/usr/bin/perl

# What an operator counts: cwmp_metrics.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use Test::More;

use CWMP::Auth qw(key_file nonce);
use CWMP::Raw ':build';
use CWMP::Test;

my $REALM = 'acs.example';
my $dir = tempdir(CLEANUP => 1);
my $key = key_file("$dir/key");

my $t = CWMP::Test->new(workers => 2, http => "cwmp_secret_key $dir/key;",
    server => qq{cwmp_auth digest $REALM;
        location = /metrics { cwmp_metrics; }
        location = /named { cwmp_identity \$arg_is; cwmp_acs; }});
my $redis = $t->redis;
my $n = 0;

sub device {
    my $serial = 'S' . ++$n;
    my $auth = CWMP::Auth->new(user => "00D09E-Box-$serial", password => 'pw');
    $auth->store($redis, realm => $REALM);
    return ($auth, inform(serial => $serial), $t->raw(0));
}

sub scrape { return $t->raw(0)->get('/metrics', new => 1) }

# what has changed since the last time
my %before;
sub counted {
    my %now = scrape()->body =~ /^(\w+(?:\{[^}]*\})?) (\d+)$/mg;
    my %more = map { $now{$_} != ($before{$_} // 0)
                     ? (s/^cwmp_auth_|_total|reason=//gr
                        => $now{$_} - ($before{$_} // 0)) : () } keys %now;
    %before = %now;
    return \%more;
}


subtest 'METRICS what nginx -t refuses' => sub {
    for (['location /m { cwmp_metrics on; }', qr/invalid number of arguments/],
         ['location /m { cwmp_metrics; cwmp_metrics; }', qr/is duplicate/],
         ['location /m { cwmp_metrics; cwmp_acs; }', qr/in one location: use two/],
         ['cwmp_metrics;', qr/"cwmp_metrics" directive is not allowed here/])
    {
        my $t = CWMP::Test->new(start => 0, server => $_->[0]);
        like $t->check_conf, $_->[1], $_->[0];
        $t->expect_log(qr/\[emerg\]/, [0, 1]);
        $t->finish;
    }
};


subtest 'METRICS the text' => sub {
    my $r = scrape();
    is $r->status, 200, 'is there';
    is $r->header('Content-Type'), 'text/plain; version=0.0.4', "Prometheus'";
    my @lines = split /\n/, $r->body;
    my (%type, %seen);
    my $wrong = '';
    for (@lines) {
        if (/^# HELP (\w+) \S.*\.$/) { $wrong .= "twice: $_\n" if $seen{$1}++ }
        elsif (/^# TYPE (\w+) counter$/) { $type{$1} = 1 }
        elsif (!/^(\w+_total)(\{\w+="\w+"\})? 0$/ || !$type{$1}) {
            $wrong .= "$_\n";
        }
    }
    is $wrong, '', 'each line is of its form';
    is $t->raw->post('', url => $t->url(0, '/metrics'))->status, 405,
        'GET and HEAD only';
};


subtest 'METRICS what is refused, and why' => sub {
    my ($auth, $inform, $raw) = device();
    counted();

    $auth->challenge($raw->post($inform));
    is_deeply counted(), {}, 'a challenge is none';
    $raw->post($inform, headers => [$auth->header]);
    $raw->post('', headers => [$auth->header]);
    is_deeply counted(), { posts => 2 }, 'two POSTs that prove their user';

    $auth->challenge($t->raw->post($inform));
    my $old = $auth->header;
    $raw->post($inform, headers => [$old]);
    $raw->post($inform, headers => [$old]);
    is_deeply counted(), { posts => 2, 'refused{"replayed"}' => 1 },
        'the same twice';

    $raw->post($inform, headers => [$auth->header(
        nonce => nonce($key, $REALM, int(time()) - 100))]);
    is_deeply counted(), { 'refused{"stale"}' => 1 }, 'an old nonce';
    $raw->post($inform, headers => [$auth->header(nonce => '0' x 56)]);
    $raw->post($inform, headers => [$auth->header(realm => 'x')]);
    $raw->post($inform, headers => [['Authorization', 'Basic eDp5']]);
    is_deeply counted(), { 'refused{"header"}' => 3 }, 'what nobody could be';

    $raw->post($inform, headers => [$auth->header(password => 'px')]);
    $raw->post($inform, headers => [$auth->header(user => 'nobody')]);
    is_deeply counted(), { 'refused{"password"}' => 2 },
        'a wrong password, an unknown user';
    $raw->post($inform, headers => [$auth->header(password => 'px')]) for 1 .. 3;
    is_deeply counted(), { 'refused{"password"}' => 3, delayed => 1 },
        'again and again: the answer waits';

    $raw->post(inform(serial => 'Victim'), headers => [$auth->header]);
    is_deeply counted(), { posts => 1, 'refused{"device"}' => 1 },
        'another device';

    my ($thief) = device();
    my $cookie = $raw->post($inform, headers => [$auth->header])
                     ->header('Set-Cookie') =~ s/;.*//r;
    $t->raw(0)->post('', cookie => $cookie,
                     headers => [$thief->answer($raw->post($inform))]);
    is_deeply counted(), { posts => 2, 'refused{"session"}' => 1 },
        "another user's session";

    $auth->{uri} = '/named?is=00D09E-Box-Other';
    $raw = CWMP::Raw->new(url => $t->url(0, $auth->{uri}));
    $raw->post($inform, headers => [$auth->answer($raw->post($inform))]);
    is_deeply counted(), { posts => 1, 'refused{"identity"}' => 1 },
        'another by cwmp_identity';
    $t->expect_log(qr/\[warn\]/);
};


subtest 'METRICS of all workers, over a reload, without Redis' => sub {
    counted();
    for (1 .. 20) {
        my ($auth, $inform) = device();
        my $raw = $t->raw(0);
        $raw->post($inform, headers => [$auth->answer($raw->post($inform))]);
    }
    is_deeply counted(), { posts => 20 }, 'whichever worker had it';
    $t->reload;
    is_deeply counted(), {}, 'none is lost over a reload, none comes';
    $t->redis_stop;
    is scrape()->status, 200, 'while Redis is away, too';
};


subtest 'METRICS a node that has no ACS' => sub {
    my $t = CWMP::Test->new(redis => 0, acs => undef,
                            server => 'location /metrics { cwmp_metrics; }');
    like $t->raw(0)->get('/metrics', new => 1)->body,
        qr/^cwmp_auth_posts_total 0$/m, 'needs no cwmp_redis';
    $t->finish;
};

done_testing;
