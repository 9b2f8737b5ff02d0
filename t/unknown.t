#!/usr/bin/perl

# Devices that nobody announced (cwmp_unknown): what is kept of them, who may
# come, in what numbers; credentials of first contact.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use File::Temp qw(tempdir);
use JSON::PP qw(encode_json);
use Test::More;

use CWMP::Auth qw(key_file);
use CWMP::Envelope ':all';
use CWMP::House qw($GET);
use CWMP::Script;
use CWMP::Test qw(wait_for);

my $REALM = 'acs.example';
my $OFF = 'rate=off total=off';
my $SOURCE = 'source=$http_x_source';
my $dir = tempdir(CLEANUP => 1);
key_file("$dir/key");

my $t = CWMP::Test->new(nodes => 2, workers => 2, http => "cwmp_secret_key $dir/key;",
                        acs => "cwmp_unknown accept $OFF;", server => qq{
    cwmp_unknown quarantine $OFF;
    location = /metrics { cwmp_metrics; }
    location /quarantine { cwmp_acs; }
    location /refuse { cwmp_unknown refuse; cwmp_acs; }
    location /few { cwmp_unknown quarantine rate=3/m total=off $SOURCE; cwmp_acs; }
    location /some { cwmp_unknown accept rate=3/m total=off $SOURCE; cwmp_acs; }
    location /address { cwmp_unknown accept rate=2/m total=off; cwmp_acs;
                        set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP; }
    location /in-all { cwmp_unknown accept rate=off total=4/m; cwmp_acs; }
    location /first/quarantine { cwmp_auth digest $REALM; cwmp_acs; }
    location /first/accept { cwmp_auth digest $REALM; cwmp_acs;
                             cwmp_unknown accept $OFF; }
    location /first/refuse { cwmp_auth digest $REALM; cwmp_acs;
                             cwmp_unknown refuse; }
});
my $redis = $t->redis;
my $n = 0;

# no pass but those that are asked for
$redis->cmd('HSET', 'cwmp:{0}:settings', 'reconcile', 1e16);
$redis->cmd('HSET', 'cwmp:{0}:reconcile', 'next', 1e15);

# a device that nobody has seen, which speaks to that location
sub device {
    my ($where, %o) = @_;
    return CWMP::Script->new($t, 'ATK-' . ++$n, url => $t->url(0, $where), %o);
}

# the same one, to another location
sub at {
    my ($d, $where) = @_;
    return CWMP::Script->new($t, $d->{serial}, url => $t->url(0, $where));
}

sub informs { my $d = shift; return $d->post($d->inform_text, @_)->status }
sub record { return $redis->device($_[0]->id) }
sub fcall { return $redis->try('FCALL', $_[0], 1, $_[1]->key, @_[2 .. $#_]) }

sub answer {
    my $got = fcall(@_);
    return ref $got ? $got->{message} // $got->[0] : $got;
}

sub found {
    my ($filter) = @_;
    my @found = $redis->list('FCALL_RO', 'cwmp_find', 1, 'cwmp:{0}:index:seen',
                             encode_json($filter), 1000);
    shift @found;
    return sort @found;
}

sub keys_of {
    my ($d) = @_;
    my $prefix = $d->key;
    return [sort map { s/^\Q$prefix\E//r } $redis->list('KEYS', "$prefix*")];
}

sub is_in {
    my ($d, $index) = @_;
    return defined $redis->cmd('ZSCORE', "cwmp:{0}:index:$index", $d->id);
}

sub events_of {
    my ($d) = @_;
    return [map { $_->{type} } grep { $_->{device} eq $d->id } $redis->events];
}

# whole minutes of Redis' clock are counted: so much of one is left
sub same_minute {
    my ($left) = @_;
    wait_for(sub { ${ $redis->cmd('TIME') }[0] % 60 < 60 - $left }, 60);
}

my %before;
sub counted {
    my %now = $t->raw(0)->get('/metrics', new => 1)->body
              =~ /^(cwmp_(?:unknown|auth_refused)\S+) (\d+)$/mg;
    my %more = map { my $more = $now{$_} - ($before{$_} // 0);
                     $more ? (/="(.*)"/ => $more) : () } keys %now;
    %before = %now;
    return \%more;
}


subtest 'CONFIG what nginx -t refuses' => sub {
    for (['cwmp_unknown open;', qr/invalid value "open" in "cwmp_unknown": use accept, quarantine or refuse/],
         ['cwmp_unknown;', qr/invalid number of arguments/],
         ['cwmp_unknown refuse rate=1/m;', qr/"rate=1\/m" in "cwmp_unknown refuse": it lets none come/],
         ['cwmp_unknown accept; cwmp_unknown refuse;', qr/is duplicate/],
         ['cwmp_unknown accept rate=3/m rate=4/m;', qr/duplicate parameter "rate=4\/m" in "cwmp_unknown": "rate=3\/m" stands there/],
         ['cwmp_unknown accept source=$nobody;', qr/unknown "nobody" variable/],
         map { ["cwmp_unknown accept $_;", qr/invalid parameter "\Q$_\E" in "cwmp_unknown": use rate=60\/m/] }
         'rate=10/s', 'rate=10', 'rate=0/m', 'rate=-1/m', 'rate=/m', 'rate=99999999999/m', 'total=x/m',
         'total=', 'source=', 'quarantine')
    {
        my $t = CWMP::Test->new(start => 0, server => $_->[0]);
        like $t->check_conf, $_->[1], $_->[0];
        $t->expect_log(qr/\[emerg\]/, [0, 1]);
        $t->finish;
    }
};


subtest 'QUAR what is kept of a device in quarantine' => sub {
    my $d = device('/quarantine');
    my $r = $d->post($d->inform_text);
    is $r->status, 200, 'its Inform is answered';
    is $r->method, 'InformResponse', '... as any';
    is $d->empty->status, 204, '... and then nothing';
    is $d->empty->status, 204, '... and nothing';

    my $is = record($d);
    is_deeply [sort keys %$is], [qw(address class last manufacturer oui since
                                    state version)], 'who, where, when';
    is_deeply [@$is{qw(state address oui class)}],
        [qw(quarantine 127.0.0.1 00D09E Box)], '... and so it is';
    is_deeply keys_of($d), [''], 'no parameters, no session, nothing else';
    is_deeply [grep { is_in($d, $_) } qw(seen first quarantine)], ['quarantine'],
        'in no index but one';
    is_deeply [found({ state => 'quarantine' })], [$d->id], 'which finds it';
    is_deeply [found({})], [], '... and no other look-up does';
    is_deeply events_of($d), ['quarantine'], 'told once';
    is_deeply counted(), { quarantined => 1 }, 'counted';
    $t->expect_log(qr/is new: in quarantine until an admin approves it.*device: 00D09E-Box-ATK%2D1,/);

    my $bytes = $redis->cmd('MEMORY', 'USAGE', $d->key);
    cmp_ok $bytes, '<', 400, "its record has $bytes bytes";
    $is->{last} -= 100;
    $redis->cmd('HSET', $d->key, 'last', $is->{last});
    is informs($d), 200, 'it comes again';
    cmp_ok record($d)->{last}, '>', $is->{last} + 50, '... which is its last contact';
    is record($d)->{since}, $is->{since}, '... and not its first';
    is_deeply events_of($d), ['quarantine'], 'that is no event';
    is_deeply counted(), {}, '... nor counted';
};


subtest 'QUAR what is long is cut' => sub {
    my $d = device('/quarantine', class => 'C' x 64, params => [
        ['Device.RootDataModelVersion', 'string', '2.11'],
        ['Device.DeviceInfo.SoftwareVersion', 'string', 'v' x 60_000],
        map { ["Device.X.$_", 'string', 'x' x 500] } 1 .. 100]);
    is informs($d), 200, 'a big one';
    is record($d)->{version}, 'v' x 64, 'its version';
    cmp_ok $redis->cmd('MEMORY', 'USAGE', $d->key), '<', 1000, 'all of it';
};


subtest 'QUAR what it asks for, and what waits for it' => sub {
    my $d = device('/quarantine');
    informs($d);
    my $events = () = $redis->events;
    my $other = $t->raw(1, url => $t->url(1, '/quarantine'));
    is $other->post(request('r1', 'GetRPCMethods'), cookie => $d->cookie)->method,
        'GetRPCMethodsResponse', 'a request is answered, by any node';
    is $d->post(request('r2', 'TransferComplete',
                        '<CommandKey>x</CommandKey><FaultStruct><FaultCode>0</FaultCode>'
                        . '<FaultString></FaultString></FaultStruct>'
                        . '<StartTime>2026-01-01T00:00:00Z</StartTime>'
                        . '<CompleteTime>2026-01-01T00:00:00Z</CompleteTime>'))->method,
        'TransferCompleteResponse', '... so that it need not ask again';
    is scalar(() = $redis->events), $events, 'and nothing comes of it';
    like answer('cwmp_push', $d, encode_json($GET)),
        qr/^ERR \S+ is in quarantine: approve it first/, 'no task is taken';
    my $id = answer('cwmp_push', $d, encode_json({ %$GET, new => \1 }));
    is informs($d), 200, 'one that is for a new device is,';
    is $d->empty->status, 204, '... and waits';

    is answer('cwmp_approve', $d), 'quarantine', 'it is approved';
    is_deeply [grep { is_in($d, $_) } qw(quarantine announced)], ['announced'],
        'then it is as one that was announced';
    is_deeply [sort keys %{ record($d) }], [qw(order since state)],
        'of which nothing else is kept';
    my $r = $d->begin;
    is $r->method, 'GetParameterValues', 'its next session carries out the task';
    $d->respond($r);
    is $d->status($id), 'done', '... to its end';
    my $is = record($d);
    is_deeply [grep { defined } @$is{qw(state since last)}], [], 'it is known';
    is_deeply [@$is{qw(oui class version address)}],
        [qw(00D09E Box 4.0.2 127.0.0.1)], '... and all of it is';
    is_deeply [grep { is_in($d, $_) } qw(quarantine announced first seen)],
        [qw(first seen)], '... and found as any';
    is_deeply events_of($d), [qw(quarantine approved new inform task)], 'its events';
};


subtest 'QUAR announced beforehand' => sub {
    for my $where ('/quarantine', '/refuse', '/some') {
        my $d = device($where);
        like answer('cwmp_approve', $d), qr/^ERR no device \S+ has informed; announce it/,
            'a device that nobody has heard of is not approved';
        is answer('cwmp_approve', $d, 'new'), 'announced', "$where: it is announced";
        is_deeply [found({ state => 'announced' })], [$d->id], '... found';
        is informs($d), 200, '... and comes';
        ok is_in($d, 'seen') && $d->has('session'), '... into a session';
        is_deeply [found({ state => 'announced' })], [], '... and is known';
        is answer('cwmp_approve', $d), 'known', '... also to who approves it';
    }
    is_deeply counted(), { quarantined => 2 }, 'none of them was unknown';
};


subtest 'REFUSE a device that nobody announced' => sub {
    my @d = map { device('/refuse') } 1 .. 30;
    my $keys = $redis->cmd('DBSIZE');
    my $r = $d[0]->post($d[0]->inform_text);
    is $r->status, 403, 'is refused';
    is $r->body, "refused\n", '... which reveals nothing';
    is informs($_), 403, 'another one' for @d[1 .. $#d];
    cmp_ok $redis->cmd('DBSIZE'), '<=', $keys + 1, 'nothing is kept of them';
    my @told = grep { $_->{type} eq 'refused' } $redis->events;
    is @told, 10, '10 at once are told';
    is $told[0]{state}, 'unknown', '... and why';
    is_deeply counted(), { refused => 30 }, 'all are counted';
    $t->expect_log(qr/it is unknown, and is refused/, [10, 11]);
};


subtest 'DENY what an admin denies' => sub {
    my $d = device('/quarantine');
    informs($d);
    answer('cwmp_push', $d, encode_json({ %$GET, new => \1 }));
    is answer('cwmp_deny', $d), 'quarantine', 'from quarantine';
    is_deeply keys_of($d), [''], 'its tasks are gone';
    is_deeply [found({ state => 'denied' })], [$d->id], 'it is found';
    is informs(at($d, $_)), 403, "it is refused by $_" for qw(/quarantine /cwmp);
    is_deeply [sort keys %{ record($d) }], [qw(since state)], 'and stays so';

    my $known = device('/cwmp');
    $known->session;
    answer('cwmp_push', $known, encode_json({ %$GET, id => 'g1' }));
    is answer('cwmp_deny', $known), 'known', 'one that was known';
    is_deeply keys_of($known), [''], '... of which nothing is left';
    is_deeply [grep { is_in($known, $_) } qw(seen first denied)], ['denied'], '... nor in an index';
    is $known->empty->status, 204, 'its session is over';
    is informs($known), 403, '... and it gets no other';

    is answer('cwmp_approve', $known), 'denied', 'until it is approved';
    is informs($known), 200, '... whatever it was';
    is answer('cwmp_deny', device('/cwmp')), 'new', 'one that nobody has seen';
    is answer('cwmp_delete', $d), 'OK', 'a denied one is deleted';
    is informs($d), 200, '... and comes as a new one';
    is record($d)->{state}, 'quarantine', '... into quarantine';
    counted();
};


subtest 'RATE of one source' => sub {
    for my $where ('/few', '/some') {
        my @from = (headers => [['X-Source', $where]]);
        my $known = device('/cwmp');
        $known->session;
        my @d = map { device($where) } 1 .. 5;
        is_deeply [map { informs($_, @from) } @d], [200, 200, 200, 503, 503],
            "$where: three of five come";
        is_deeply keys_of($d[4]), [], 'the others leave no trace';
        is informs(at($known, $where), @from), 200, 'one that is known comes';
        is informs($d[0], @from), 200, '... and one of the three';
        my $announced = device($where);
        answer('cwmp_approve', $announced, 'new');
        is informs($announced, @from), 200, '... and an announced one';
        is informs($d[4], headers => [['X-Source', "$where-2"]]), 200,
            'and from another source the fifth';
        is_deeply counted(), { accepted => $where eq '/few' ? 1 : 5, over_rate => 2,
                               $where eq '/few' ? (quarantined => 4) : () }, 'all are counted';
    }
    $t->expect_log(qr/3 devices that nobody announced came from here within a minute/, 2);
};


subtest 'RATE of an address' => sub {
    my $from = sub { informs(device('/address'), headers => [['X-Real-IP', $_[0]]]) };
    is_deeply [map { $from->($_) } ('192.0.2.1') x 3, '192.0.2.2'], [200, 200, 503, 200],
        'the one that realip left';
    is_deeply [map { $from->($_) } qw(2001:db8::1 2001:db8::2 2001:db8::3 2001:db8:0:1::1)],
        [200, 200, 503, 200], 'of IPv6 its network';
    counted();
    $t->expect_log(qr/2 devices that nobody announced came from here within a minute/, 2);
};


subtest 'RATE of all' => sub {
    same_minute(10);
    $redis->cmd('DEL', 'cwmp:{0}:unknown');
    my @d = map { device('/in-all') } 1 .. 6;
    is_deeply [map { informs($_) } @d], [200, 200, 200, 200, 503, 503],
        'four of six come';
    is_deeply keys_of($d[5]), [], 'the others leave no trace';
    is informs($d[0]), 200, 'one of the four comes again';
    is_deeply counted(), { accepted => 4, over_rate => 2 }, 'all are counted';
    $t->expect_log(qr/is the last one that nobody announced to come in this minute/, 1);
    $redis->cmd('HSET', 'cwmp:{0}:unknown', 'minute', 1);
    is informs($d[5]), 200, 'in another minute another one may';
    counted();
};


subtest 'QUAR a flood leaves other events where they are' => sub {
    my $refusals = 'cwmp:{0}:refusals';
    my ($now) = $redis->list('TIME');
    my $told = sub { grep { $_->{type} eq 'quarantine' } $redis->events };
    my $before = $told->();
    $redis->cmd('HSET', $refusals, 'full quarantine', $now + 6 * 997);
    $t->expect_log(qr/is new: in quarantine/, [0, 1000]);
    informs(device('/quarantine')) for 1 .. 40;
    my $more = $told->() - $before;
    cmp_ok $more, '<=', 3 + 5, 'after a thousand at once few are told';
    cmp_ok $more, '>=', 3, '... to the last of them';
    is $redis->cmd('HGET', $refusals, 'omitted quarantine'), 40 - $more,
        'the others are counted';
    my $lines = () = $t->error_log(0) =~ /is new: in quarantine/g;
    cmp_ok $lines, '<', 40, 'nor is the log told of them';
    $redis->cmd('HSET', $refusals, 'full quarantine', 0);
    informs(device('/quarantine'));
    is +($told->())[-1]{omitted}, 40 - $more, '... and told with the next one';
    is $redis->cmd('HGET', $refusals, 'omitted quarantine'), 0, '... once';
    for my $spoilt (qw(nan inf -inf x)) {
        $redis->cmd('HSET', $refusals, 'full quarantine', $spoilt);
        informs(device('/quarantine'));
        like $redis->cmd('HGET', $refusals, 'full quarantine'), qr/^\d+$/,
            "a spoilt bound, $spoilt, mends itself";
    }
    is_deeply counted(), { quarantined => 45 }, 'all have come';
};


subtest 'QUAR no more than so many' => sub {
    my @cmd = ('FCALL', 'cwmp_setting', 1, 'cwmp:{0}:settings', 'strangers');
    $redis->cmd('FCALL', 'cwmp_delete', 1, "cwmp:{0}:$_")
        for found({ state => 'quarantine' });
    is $redis->cmd(@cmd, 3), 3, 'three';
    my @d = map { device('/quarantine') } 1 .. 5;
    informs($_) for @d[0 .. 2];
    $redis->cmd('HINCRBYFLOAT', $_->key, 'last', -60),
        $redis->cmd('ZINCRBY', 'cwmp:{0}:index:quarantine', -60, $_->id) for @d[0 .. 2];
    informs($d[0]);
    informs($_) for @d[3, 4];
    is_deeply [found({ state => 'quarantine' })], [sort map { $_->id } @d[0, 3, 4]],
        'who has been silent for longest goes';
    is_deeply [map { scalar @{ keys_of($_) } } @d], [1, 0, 0, 1, 1], '... wholly';

    # whatever a hand has left in the index
    $redis->cmd('ZADD', 'cwmp:{0}:index:quarantine', 1, my $id = device('/cwmp')->id, 2, 'x');
    my $d = device('/cwmp');
    $d->session;
    $redis->cmd('ZADD', 'cwmp:{0}:index:quarantine', 0, $d->id);
    informs(device('/quarantine'));
    is record($d)->{oui}, '00D09E', 'a known one loses nothing';
    is $redis->cmd('ZCARD', 'cwmp:{0}:index:quarantine'), 3, '... and they are three';
    $redis->cmd(@cmd, '');
    counted();
};



# --- housekeeping -------------------------------------------------------------

sub reconcile {
    my ($at, @found) = (0);
    do {
        ($at, undef, my @more) = $redis->list('FCALL', 'cwmp_reconcile', 1, 'cwmp:{0}:due', $at);
        push @found, @more;
    } while $at;
    return [sort @found];
}

subtest 'HOUSE what a hand or a crash has left' => sub {
    my @d = map { device('/quarantine') } 1 .. 4;
    informs($_) for @d;
    answer('cwmp_deny', $d[2]);
    answer('cwmp_approve', $d[3]);
    my @id = map { $_->id } @d;
    is_deeply reconcile(), [], 'all is well';
    $redis->cmd('ZREM', "cwmp:{0}:index:$_->[0]", $id[ $_->[1] ])
        for [quarantine => 0], [denied => 2], [announced => 3];
    $redis->cmd('ZADD', 'cwmp:{0}:index:quarantine', 1, 'A-none', 2, $id[2]);
    is_deeply reconcile(), [sort
        "is missing in index:quarantine, device: $id[0]",
        "is missing in index:denied, device: $id[2]",
        "is missing in index:announced, device: $id[3]",
        'index:quarantine has "A-none", which the device has not, device: A-none',
        qq{index:quarantine has "$id[2]", which the device has not, device: $id[2]}],
        'entries that are missing, and that are too many';
    is_deeply reconcile(), [], '... once';

    my $ahead = device('/quarantine');
    informs($ahead);
    $redis->cmd('HSET', $ahead->key, 'last', time() + 86_400);
    informs($ahead);
    cmp_ok record($ahead)->{last}, '<', time() + 60,
        'a last contact that is still to come is none';
    answer('cwmp_delete', $ahead);

    $redis->cmd('HSET', (my $known = device('/cwmp'))->key, 'state', 'quarantine');
    is_deeply reconcile(), [], 'a state without a time is none';
    is informs($known), 200, '... and no harm';
    $redis->cmd('HSET', $known->key, 'state', 'quarantine', 'since', 5);
    is_deeply reconcile(), ["is known, and has the state \"quarantine\", device: " . $known->id],
        'a known one has no state';

    my @cmd = ('FCALL', 'cwmp_setting', 1, 'cwmp:{0}:settings', 'quarantine');
    is $redis->cmd(@cmd, 3600), 3600, 'an hour of silence';
    answer('cwmp_push', $d[1], encode_json({ %$GET, new => \1 }));
    $redis->cmd('HINCRBYFLOAT', $_->key, 'last', -3590) for $d[0];
    $redis->cmd('HINCRBYFLOAT', $_->key, 'last', -3610) for $d[1];
    like reconcile()->[0], qr/^is in quarantine, and silent for 361\d seconds: forgotten/,
        'ends quarantine';
    is_deeply keys_of($d[1]), ['', ':live', ':queue'], '... but not what an admin has pushed';
    is_deeply [grep { exists record($d[1])->{$_} } qw(state since last address)], [],
        '... and of the device nothing is kept';
    is record($d[0])->{state}, 'quarantine', 'who was silent for less stays';
    is_deeply [map { record($_)->{state} } @d[2, 3]], [qw(denied announced)],
        'as what an admin has said does';
    $redis->cmd(@cmd, '');
    counted();
};


subtest 'HOUSE a key that is something else' => sub {
    for my $name (qw(unknown refusals index:quarantine)) {
        my $key = "cwmp:{0}:$name";
        $redis->cmd('RENAME', $key, 'kept') if my $is = $redis->cmd('EXISTS', $key);
        $redis->cmd('SET', $key, 'x');
        is informs(device('/quarantine')), 503, "$key: is no answer";
        $redis->cmd('DEL', $key);
        $redis->cmd('RENAME', 'kept', $key) if $is;
        $t->expect_log(qr/\Q$key\E is a string, but must be a/, 1);
    }
    $redis->cmd('HSET', 'cwmp:{0}:unknown', 'minute', 'x', 'new', 'y');
    is informs(device('/quarantine')), 200, 'what is no number is none';
    counted();
};


subtest 'HOUSE an older node' => sub {
    my ($d, $e) = map { device('/quarantine') } 1, 2;
    informs($d);
    answer('cwmp_deny', $e);
    for ($d, $e) {
        is_deeply $redis->cmd('FCALL', 'cwmp_step_2', 1, $_->key, $_->id, 'T' x 22, 'n.1', 'd',
                              'inform', 30000, 300000, '256 100', '2 14', '127.0.0.1', '',
                              '', 'i', 0, '0 '), ['later', []],
            'which knows no quarantine is told to wait';
    }
    is_deeply keys_of($d), [''], '... and opens no session';
    counted();
};


subtest 'HOUSE another device in its place' => sub {
    my ($old, $new, $denied) = (device('/cwmp'), device('/quarantine'), device('/quarantine'));
    $old->session;
    answer('cwmp_push', $old, encode_json($GET));
    informs($_) for $new, $denied;
    answer('cwmp_deny', $denied);
    local $ENV{STDIN} = '';
    is((tool('replace', $old->id, $denied->id))[1], 1, 'one that is denied takes no place');
    is_deeply [tool('replace', $old->id, $new->id)],
        ['cwmp-device: ERR ' . $old->id . ' is being replaced by ' . $denied->id . ': end that first', 1],
        '... until that has ended';
    is answer('cwmp_approve', $denied), 'denied', '... by its approval';
    is_deeply [tool('replace', $old->id, $denied->id)], ['1 tasks moved', 0], '... it does';
    is_deeply [tool('replace', $denied->id, $new->id)], ['1 tasks moved', 0],
        'one that is in quarantine';
    is record($new)->{state}, 'announced', '... was named by that';
    is $new->begin->method, 'GetParameterValues', '... and carries out the tasks';
    counted();
};


# --- what an admin does -------------------------------------------------------

sub tool {
    my @args = map { s/'/'\\''/gr =~ s/(.*)/'$1'/sr } @_;
    my $socket = $redis->{path};
    my $out = `printf '%b' "\$STDIN" | $FindBin::Bin/../redis/cwmp-device -s $socket @args 2>&1`;
    chomp $out;
    return ($out, $? >> 8);
}

subtest 'ADMIN cwmp-device' => sub {
    local $ENV{STDIN} = '';
    $redis->cmd('FCALL', 'cwmp_delete', 1, "cwmp:{0}:$_")
        for map { found({ state => $_ }) } qw(quarantine announced denied);
    my @d = map { device('/quarantine', manufacturer => "Acme \xc2\x9b31m$_") } 1 .. 4;
    $_->post($_->inform_text) for @d;
    my $id = $d[0]->id;

    my ($list, $code) = tool('list', 'quarantine');
    is $code, 0, 'a list';
    is_deeply [sort map { /^(\S+)/ } split /\n/, $list], [sort map { $_->id } @d], '... of all';
    like $list, qr/^\Q$id\E\t\d+\.\d+\t\d+\.\d+\t127\.0\.0\.1\tAcme \?+31m1\t4\.0\.2$/m,
        '... and what is kept of them, without what a terminal obeys';

    my @kept = map { $redis->device_key($_->id) } @d[0, 1];
    $redis->cmd('HSET', $kept[0], 'manufacturer', "a\nb\tc\e[31m");
    $redis->cmd('RENAME', $kept[1], 'spoilt');
    $redis->cmd('SET', $kept[1], 'x');
    ($list) = tool('list', 'quarantine');
    is_deeply [sort map { join ' ', (split /\t/, $_, -1)[0, 3, 4] } split /\n/, $list],
        [sort "$id 127.0.0.1 a\\nb\\tc\\x1b[31m",
              map { $d[$_]->id . ' 127.0.0.1 Acme ????31m' . ($_ + 1) } 2, 3],
        'a device of which something was spoilt is one line still';
    $redis->cmd('RENAME', 'spoilt', $kept[1]);

    is_deeply [tool('approve', $id)], ["$id: quarantine", 0], 'one is approved';
    my ($said, $failed) = tool('approve', device('/cwmp')->id, $id);
    is $failed, 1, 'one that nobody knows is not';
    like $said, qr/^\Q$id\E: announced$/m, '... and the next one is';
    like $said, qr/^cwmp-device: \S+: ERR no device \S+ has informed; announce it/m, '... and it is said why';
    is_deeply [tool('deny', $d[1]->id)], [$d[1]->id . ': quarantine', 0], 'one is denied';
    is_deeply [tool('approve', '--all', '{"class":"Other"}')], ['', 0], 'all of a class: none';
    ($said, $code) = tool('approve', '--all', '{"class":"Box"}');
    is_deeply [sort split /\n/, $said], [sort map { $_->id . ': quarantine' } @d[2, 3]],
        'all of this class that are in quarantine';
    is_deeply [map { $_->begin->status } @d[0, 2, 3]], [204, 204, 204], '... they come';
    is informs($d[1]), 403, '... and the denied one does not';

    local $ENV{STDIN} = '00D09E-Box-N1\r\n\n00D09E-Box-N2\n';
    ($said, $code) = tool('announce', '-');
    is $said, "00D09E-Box-N1: announced\n00D09E-Box-N2: announced", 'announced by a list';
    is_deeply [map { /^(\S+)/ } split /\n/, (tool('list', 'announced'))[0]],
        [qw(00D09E-Box-N1 00D09E-Box-N2)], '... and listed';
    for ([qw(list known)], [qw(list quarantine Box)], ['announce', 'no id'],
         [qw(approve --all x)], [qw(list quarantine), '{"x":1}'], ['approve'])
    {
        is((tool(@$_))[1], 1, "wrong: @$_");
    }
    counted();
};


subtest 'ADMIN more than a page' => sub {
    local $ENV{STDIN} = '';
    my $many = 2500;
    for (1 .. $many) {
        $redis->cmd('HSET', "cwmp:{0}:00D09E-Page-$_", 'state', 'quarantine',
                    'since', 1, 'last', $_ % 7 + 1);
        $redis->cmd('ZADD', 'cwmp:{0}:index:quarantine', $_ % 7 + 1, "00D09E-Page-$_");
    }
    my ($said) = tool('list', 'quarantine');
    is scalar(split /\n/, $said), $many, 'listed';
    ($said) = tool('approve', '--all');
    is scalar(grep { /: quarantine$/ } split /\n/, $said), $many, 'approved';
    is_deeply [found({ state => 'quarantine' })], [], '... all of them';
    $redis->cmd('DEL', 'cwmp:{0}:index:announced', map { "cwmp:{0}:00D09E-Page-$_" } 1 .. $many);
    $redis->cmd('DEL', map { "cwmp:{0}:00D09E-Box-N$_" } 1, 2);
};


# --- credentials of first contact -------------------------------------------

my $shared = CWMP::Auth->new(user => 'factory', password => 'pw');
$shared->store($redis, realm => $REALM, device => '*', first => 1);

# an Inform with that user, and the empty POST after it
sub session_as {
    my ($auth, $d) = @_;
    my $uri = $d->raw->{url} =~ s{^http://[^/]+}{}r;
    $auth->challenge($d->post($d->inform_text));
    my $status = informs($d, headers => [$auth->header(uri => $uri)]);
    return $status if $status != 200;
    my $r = $d->post('', headers => [$auth->header(uri => $uri)]);
    return "$status " . ($r->method // $r->status);
}


subtest 'FIRST what the rule makes of it' => sub {
    my @d = map { device("/first/$_") } qw(quarantine accept refuse);
    answer('cwmp_push', $_, encode_json({ %$GET, new => \1 })) for @d;
    is session_as($shared, $d[0]), '200 204', 'quarantine: answered, and nothing';
    is record($d[0])->{state}, 'quarantine', '... it is in quarantine';
    like record($d[0])->{nonces}, qr/^\w{42}$/, '... and what its user has used is kept';
    is session_as($shared, $d[1]), '200 GetParameterValues', 'accept: its tasks are carried out';
    is session_as($shared, $d[2]), 403, 'refuse: refused';
    is_deeply keys_of($d[2]), ['', ':live', ':queue'], '... and it has the task only';
    ok !exists record($d[2])->{nonces}, '... and no nonces either';
    is answer('cwmp_approve', $d[0]), 'quarantine', 'it is approved';
    is session_as($shared, $d[0]), '200 GetParameterValues', '... and its task is carried out';
    is_deeply counted(), { quarantined => 1, accepted => 1, refused => 1 }, 'counted';
};


subtest 'FIRST what was overheard of a device in quarantine' => sub {
    my $d = device('/first/quarantine');
    $shared->challenge($d->post($d->inform_text));
    my $header = $shared->header(uri => $d->raw->{url} =~ s{^http://[^/]+}{}r);
    my $informs = sub { informs($d, headers => [$header]) };
    is $informs->(), 200, 'it informs';
    is $informs->(), 401, 'once with that';
    $header = $shared->header(uri => $d->raw->{url} =~ s{^http://[^/]+}{}r);
    is $informs->(), 200, 'it informs once more';
    is $informs->(), 401, '... once with that';

    my $stranger = CWMP::Auth->new(user => '00D09E-Other-1', password => 'pw');
    $stranger->store($redis, realm => $REALM);
    for my $id ($d->id, '00D09E-Box-Nobody') {
        my $raw = $t->raw(0, url => $t->url(0, '/first/quarantine'));
        my @said = (request('m', 'GetRPCMethods'), cookie => 'cwmp=' . ('A' x 22) . ".$id");
        my $asked = $raw->post(@said);
        is $raw->post(@said, headers => [$stranger->answer($asked)])->status, 403,
            "another user learns nothing of $id";
    }
    is answer('cwmp_approve', $d), 'quarantine', 'it is approved';
    is $informs->(), 401, '... for whoever proves it anew';
    is session_as($shared, $d), '200 204', '... which it does';
    is answer('cwmp_deny', $d), 'known', 'it is denied';
    is answer('cwmp_approve', $d), 'denied', '... and approved once more';
    is $informs->(), 401, '... for whoever proves it anew';
    counted();
};


subtest 'FIRST a pattern' => sub {
    my $boxes = CWMP::Auth->new(user => 'boxes', password => 'pw');
    $boxes->store($redis, realm => $REALM, device => '00D09E-Box-*', first => 1);
    is session_as($boxes, device('/first/accept')), '200 204', 'one that it is for';
    is session_as($boxes, device('/first/accept', class => 'Other')), 403, 'one that it is not for';
    $redis->cmd('HDEL', 'cwmp:user:{factory}', 'first');
    my $d = device('/first/accept', raw => $t->raw(0, url => $t->url(0, '/first/accept')));
    is session_as($shared, $d), 403, '* is for first contact only';
    $redis->cmd('HSET', 'cwmp:user:{factory}', 'first', 1);
    $redis->cmd('HDEL', 'cwmp:user:{boxes}', 'first');
    is session_as($boxes, device('/first/quarantine')), '200 204', 'of many, not of first contact';
    is_deeply counted(), { accepted => 1, quarantined => 1, device => 2 }, '... are no announcement';
    $t->expect_log(qr/user "\w+" informs as another device/, 2);
};


subtest 'FIRST a device with credentials of its own' => sub {
    my $d = device('/first/quarantine');
    my $own = CWMP::Auth->new(user => $d->id, password => 'own');
    $own->store($redis, realm => $REALM);
    is session_as($shared, $d), 403, 'ATK-FIRST that has never come: not by those of first contact';
    is_deeply keys_of($d), [], '... and nothing is kept';
    is session_as($own, $d), '200 204', 'by its own it does';
    ok is_in($d, 'seen'), '... and is known: they were its announcement';
    is session_as($shared, $d), 403, 'ATK-FIRST those of first contact are none of it';
    is_deeply counted(), { first => 2 }, '... which is counted';

    # whatever its user is called
    $d = device('/first/refuse');
    $own = CWMP::Auth->new(user => "customer-$n", password => 'own');
    $own->store($redis, realm => $REALM, device => $d->id);
    is session_as($own, $d), '200 204', 'by another name';
    is record($d)->{own}, "customer-$n", '... that is noted';
    my $r = $d->post($d->inform_text);
    is session_as($shared, $d), 403, 'ATK-FIRST and those of first contact are none of it';
    wait_for(sub { grep { ($_->{claims} // '') eq $d->id } $redis->events }, 5);
    my ($told) = grep { ($_->{claims} // '') eq $d->id } $redis->events;
    is_deeply [@$told{qw(type user reason)}], ['auth failure', 'factory', 'first'],
        '... which is told';
    is $redis->cmd('DEL', "cwmp:user:{$own->{user}}"), 1, 'its own are taken away,';
    is answer('cwmp_approve', $d), 'known', '... it is approved';
    is session_as($shared, $d), '200 204', '... and comes by those of first contact';
    counted();
    $t->expect_log(qr/user "factory" is for first contact, and the device has/, 3);
};


subtest 'FIRST a record of first contact for one device' => sub {
    my $d = device('/first/quarantine');
    my $own = CWMP::Auth->new(user => $d->id, password => 'pw');
    $own->store($redis, realm => $REALM, first => 1);
    is session_as($own, $d), '200 204', 'its own name';
    is record($d)->{state}, 'quarantine', 'is no announcement';
    is session_as($shared, $d), '200 204', 'nor does it keep out those of many';
    counted();
};



subtest 'HOUSE other partitions' => sub {
    $redis->cmd('FCALL', 'cwmp_delete', 1, "cwmp:{0}:$_")
        for map { found({ state => $_ }) } qw(quarantine announced denied);
    my @d = map { device('/quarantine') } 1 .. 12;
    informs($_) for @d;
    answer('cwmp_deny', $_) for @d[0 .. 3];
    answer('cwmp_approve', $_) for @d[4 .. 7];
    $t->stop($_) for 0, 1;
    wait_for(sub { !$redis->cmd('EXISTS', 'cwmp:{0}:due:lock') }, 20);
    for my $way ([1, 4], [4, 1]) {
        my ($from, $to) = @$way;
        $redis->cmd('HSET', "cwmp:{$_}:unknown", 'minute', 1) for 0 .. $from - 1;
        my $at = 0;
        do { ($at) = $redis->list('FCALL', 'cwmp_repartition', 1, 'cwmp:meta', $from, $to, $at) }
            while $at;
        my %in = map { my $p = $_; map { ($_ => $p) }
                       map { $redis->list('ZRANGE', "cwmp:{$p}:index:$_", 0, -1) }
                       qw(quarantine denied announced) } 0 .. 3;
        is_deeply \%in, { map { ($_->id => CWMP::Redis::crc16($_->id) % $to) } @d },
            "each is in the index of its partition of $to";
        is_deeply [map { ${ $redis->cmd('HMGET', "cwmp:{$in{$_->id}}:" . $_->id, 'state') }[0] } @d],
            [('denied') x 4, ('announced') x 4, ('quarantine') x 4], '... and its record as it was';
    }
    is $redis->cmd('EXISTS', map { "cwmp:{$_}:unknown" } 1 .. 3), 0, 'nothing is left';
};


done_testing;
