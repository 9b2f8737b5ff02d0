#!/usr/bin/perl

# Large messages: an Inform of the size that CPEs rely on, and an answer of 20
# MB that streams through a worker into Redis: in what memory, what follows
# when its session is replaced in the middle, and what is left, and said, when
# it breaks off.  PROVE=-v shows the figures that docs/performance.md has.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Time::HiRes qw(time);

use CWMP::Envelope ':all';
use CWMP::Raw ();
use CWMP::Script;
use CWMP::Test qw(wait_for patience slurp);

my $MB = 1024 * 1024;
my $PARAMETERS = 100_000;

# A busy machine is not what is tested: Redis may take its time.
my $t = CWMP::Test->new(redis_options => 'timeout=20s', server => <<'CONF');
    location /least { cwmp_acs; cwmp_max_envelope 32k; }
    location /brief {
        cwmp_acs;
        cwmp_session_timeout 1s outstanding=1s;
    }
    location /roomy { cwmp_acs; client_body_buffer_size 8m; }
    location /both { cwmp_acs; client_body_buffer_size 8m; mirror /copy; }
    location /watched { cwmp_acs; mirror /copy; }
    location /copy {
        internal;
        client_max_body_size 32m;
        proxy_pass http://127.0.0.1:%%PORT%%/plain;
    }
    location /plain { return 200 "plain\n"; }
CONF
my $redis = $t->redis;
my ($worker) = $t->workers;
my @ROW = map { ["Device.Big.$_.AParameterWithQuiteALongName", 'string',
                 "$_-" . 'v' x 70] } 1 .. $PARAMETERS;
my $n = 0;

sub device { return CWMP::Script->new($t, 'L' . ++$n, @_) }
sub kept { my ($d) = @_; return $redis->cmd('HLEN', $d->key('params')) }


# A read of everything is sent; returns its envelope.
sub reading {
    my ($d, %more) = @_;
    $d->give({ method => 'GetParameterValues', id => 'read',
               ParameterNames => ['Device.'], %more });
    my $r = $d->begin;
    is $r->method, 'GetParameterValues', 'a read is sent';
    return $r;
}


# How many of these there are, and how many of those have another value.
sub stored {
    my ($d) = @_;
    my $params = $redis->params($d->id, 'Device.Big.');
    my @wrong = grep { $params->{ $_->[0] }
                       && $params->{ $_->[0] }{value} ne $_->[2] } @ROW;
    return (scalar(keys %$params), scalar @wrong);
}


sub serves_others {
    is_deeply [$t->workers], [$worker], 'it is the same worker';
    is device()->begin->status, 204, '... which serves others';
}


subtest 'HTTP-07 an Inform of 32 KB' => sub {
    for my $uri ('/least', '/cwmp') {
        my $d = device(url => $t->url(0, $uri));
        my $text = $d->inform_text(params => [map {
            ["Device.Part.$_.Of", 'string', 'x' x 100] } 1 .. 120]);
        my $pad = 32_768 - length $text;
        $text =~ s/(?=<soap-env:Envelope)/' ' x $pad/e;

        is length $text, 32_768, "HTTP-07 to $uri, 32768 bytes:";
        is $d->post($text)->method, 'InformResponse', 'HTTP-07 is accepted';
        is $d->value('Device.Part.120.Of'), 'x' x 100, 'HTTP-07 ... whole';
        next if $uri ne '/least';
        is $d->post("$text ", new => 1)->status, 413,
            '(a byte more is not, where 32k is the bound)';
    }
};


sub high_water {
    return slurp("/proc/$worker/status") =~ /^VmHWM:\s+(\d+) kB/m
           ? $1 * 1024 : die "no VmHWM\n";
}


subtest "HTTP-08 an answer of 20 MB" => sub {
    my $d = device();
    $d->give_reads('warm');
    $d->session;
    my $r = reading($d);
    my $body = gpv_response($r->id, @ROW);
    my ($before, $cpu, $began) = ($t->worker_rss($worker),
                                  $t->worker_cpu($worker), time());

    cmp_ok length $body, '>=', 20 * $MB, 'HTTP-08 20 MB, 100,000 parameters';
    is $d->post($body, timeout => patience(30))->status, 204,
        'HTTP-08 is taken';
    my $took = time() - $began;
    $cpu = $t->worker_cpu($worker) - $cpu;
    SKIP: {
        skip 'memory of a sanitized worker', 2 if $ENV{TEST_SANITIZED};
        my @more = map { $_ - $before } high_water(), $t->worker_rss($worker);
        note(sprintf('%d bytes in %.2f s, %.2f s of the worker; its memory '
            . 'grew by %d kB, and by %d kB afterwards', length $body, $took,
            $cpu, map { $_ / 1024 } @more));
        cmp_ok $more[0], '<', 3 * $MB,
            'HTTP-08 RULE-4 the memory of the worker grows little';
        cmp_ok $more[1], '<', 2 * $MB, 'HTTP-08 ... and less afterwards';
    }
    my $result = $d->result('read');
    is $result->{response}{count}, $PARAMETERS,
        'HTTP-08 the result says how many there were';
    ok $result->{response}{truncated}, '... and that it has not all of them';
    cmp_ok length $result->{raw}{response}, '<', 70_000, '... it is short';
    is_deeply [stored($d)], [$PARAMETERS, 0],
        'HTTP-08 RULE-4 :params has all of them, with their values';
    note(sprintf('in Redis: %.1f MB', $redis->cmd('MEMORY', 'USAGE',
        $d->key('params'), 'SAMPLES', 0) / $MB));
    serves_others();
};


# As a POST that stops after so many bytes; returns those that are missing.
sub begin_to_send {
    my ($d, $text, $stop) = @_;
    my $raw = $d->raw;
    my $whole = $raw->head(CWMP::Raw::parse_url($raw->{url}), $text, {})
                . $text;
    $raw->post($text, partial => $stop);
    return substr($whole, $stop);
}


# So much of an answer that chunks of it were stored, and what is missing.
sub half_sent {
    my ($d, $id) = @_;
    my $text = gpv_response(ref $id ? $id->id : $id, @ROW[0 .. 3999]);
    my $rest = begin_to_send($d, $text, int(length($text) / 2));
    ok wait_for(sub { kept($d) >= 1500 }), 'half of an answer is stored';
    return $rest;
}


# Of all calls to Redis since SLOWLOG RESET: arguments of the longest.
sub longest_call {
    my @lengths = map {
        my @words = @{ $_->[3] };
        @words + ($words[-1] =~ /\((\d+) more arguments\)/ ? $1 - 1 : 0)
    } $redis->list('SLOWLOG', 'GET', 1000);
    return (sort { $b <=> $a } @lengths)[0];
}


subtest 'chunks, where nginx reads all of an answer at once' => sub {
    $redis->cmd('CONFIG', 'SET', 'slowlog-max-len', 1000);
    $redis->cmd('CONFIG', 'SET', 'slowlog-log-slower-than', 0);
    for my $where (qw(/cwmp /roomy /both /watched)) {
        my $d = device(url => $t->url(0, $where));
        my $r = reading($d);
        $redis->cmd('SLOWLOG', 'RESET');
        is $d->post(gpv_response($r->id, @ROW[0 .. 9999]))->status, 204,
            "$where: an answer";
        my $most = longest_call();
        cmp_ok $most, '<', 4 * 700,         # each of an object of its own
            "RULE-4 $where: no call has over 700 parameters: $most arguments";
        is scalar(keys %{ $redis->params($d->id, 'Device.Big.') }), 10_000,
            "$where: all are there";
    }
    $redis->cmd('CONFIG', 'SET', 'slowlog-log-slower-than', -1);
};


subtest 'HTTP-08 a session is replaced in the middle of an answer' => sub {
    my $d = device();
    my $rest = half_sent($d, reading($d));
    my $again = CWMP::Script->new($t, $d->{serial});
    my $r = $again->begin('1 BOOT');
    is $r->method, 'GetParameterNames', 'the new session asks by level';
    my $stored = kept($d);

    $d->raw->send_raw($rest);
    is $d->raw->read_response({})->status, 400, 'the old session is over';
    is kept($d), $stored,
        'HTTP-08 RULE-2 what follows of its answer is not stored';
    is $d->status('read'), 'none', 'HTTP-08 RULE-2 ... and ends no task';
    $r = $again->respond($r) while $r->status == 200;
    is $r->status, 204, 'the new session answers it';
    is_deeply $d->ended, ['read done'], 'one result';
    is_deeply [keys %{ $redis->params($d->id, 'Device.Big.') }], [],
        '... and what it did not list is gone';
};


subtest 'HTTP-08 the same, of a CPE without IDs' => sub {
    my $d = device();
    reading($d, ParameterNames => [$ROW[0][0], $ROW[1][0]]);
    my $rest = half_sent($d, undef);
    my $again = CWMP::Script->new($t, $d->{serial});
    is $again->begin('1 BOOT')->method, 'GetParameterValues', 'the read again';
    my $stored = kept($d);
    $d->raw->send_raw($rest);
    is $d->raw->read_response({})->status, 400, 'the old session is over';
    is kept($d), $stored, 'HTTP-08 RULE-2 it writes nothing more';
};


subtest 'the SessionTimeout that a CPE asked for' => sub {
    my $d = device(url => $t->url(0, '/brief'), timeout => 600);
    my $rest = half_sent($d, reading($d));
    cmp_ok $d->lease, '>', 500_000,
        'RULE-3 is not cut short while a long answer arrives';
    $d->raw->send_raw($rest);
    is $d->raw->read_response({})->status, 204, 'the rest';
    is_deeply $d->ended, ['read done'], 'done';
};


# --- answers that break off ------------------------------------------------

# What the result says came last; of the time before there may be more.
sub says_how_many {
    my ($d, $least, $times) = @_;
    my ($said) = $d->reason('read') =~ /, (\d+) parameters of it are stored$/;
    my ($there, $wrong) = stored($d);
    note($d->reason('read'));

    cmp_ok $there, '>=', $least, 'HTTP-08 what came is stored';
    is $wrong, 0, 'HTTP-08 ... with its values';
    cmp_ok $said, $times == 1 ? '==' : '<=', $there,
        'HTTP-08 ... and the result says how much that is';
    cmp_ok $said, '>=', $least, '... which is most of it';
}


subtest 'HTTP-08 the connection drops after 10 MB' => sub {
    my $d = device();
    my $r = reading($d, attempts => 2, ParameterNames => ['Device.Big']);
    for my $time (1, 2) {
        begin_to_send($d, gpv_response($r->id, @ROW), 10 * $MB);
        ok wait_for(sub { kept($d) > 40_000 }, 20), 'most of 10 MB is stored';
        $d->raw->disconnect;
        ok wait_for(sub { $redis->cmd('HGET', $d->key('running'), 'broke') }),
            'it is seen that the answer broke off';
        is $d->status('read'), 'none', '... which ends no task yet';
        $r = $d->begin('2 PERIODIC');
        is $r->method, 'GetParameterValues', 'HTTP-08 it is read again'
            if $time == 1;
    }
    is $r->status, 204, '... as often as it may be sent';
    is_deeply $d->ended, ['read lost'], 'HTTP-08 then the task is lost';
    like $d->reason('read'), qr/^sent 2 times without an answer; its last /,
        'HTTP-08 ... as its result says';
    like $d->reason('read'), qr/broke off \(the connection ended before it\),/,
        'HTTP-08 ... with why';
    says_how_many($d, 40_000, 2);
    serves_others();
};


subtest 'HTTP-08 an answer that is malformed in its middle' => sub {
    my $d = device();
    my $r = reading($d, attempts => 1);
    my $text = gpv_response($r->id, @ROW[0 .. 19_999]);
    $text =~ s{(<Name>Device\.Big\.10000\.[^<]*)</Name>}{$1</Nome>};

    my $refused = $d->post($text, timeout => patience(30));
    is $refused->status, 400, 'is refused';
    like $refused->body, qr/not well-formed XML at line \d+/, '... with why';
    is $d->respond($r, '', new => 1)->status, 204,
        'HTTP-08 the session goes on: a good answer ends the task';
    is_deeply $d->ended, ['read done'], 'done';

    $d = device();
    my $first = $r->id;
    $r = reading($d, attempts => 1);
    $text =~ s/\Q$first\E/$r->id/e;
    is $d->post($text, timeout => patience(30))->status, 400, 'refused again';
    is $d->begin->status, 204, 'the CPE comes back';
    is_deeply $d->ended, ['read lost'], 'HTTP-08 the task is lost';
    like $d->reason('read'), qr/its last answer broke off \(not well-formed /,
        'HTTP-08 ... and the result says why';
    says_how_many($d, 9_000, 1);
    my ($event) = grep { $_->{type} eq 'session' && $_->{device} eq $d->id }
                  $redis->events;
    like $event->{reason}, qr/a new Inform; its last answer broke off \(not /,
        '... and so does the event';
};

done_testing;
