#!/usr/bin/perl

# What real devices and other simulators sent (../shared/corpus), each message
# posted as it was recorded: every Inform opens a session and leaves the device
# and its parameters in Redis as a parser of our own (CWMP::Captured) reads
# them; every other message, without a session, is refused and harms nothing.
# What becomes of those within a session is in t/corpus_answers.t.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use CWMP::Redis;
use CWMP::Test;

plan skip_all => '../shared is absent'
    unless -f "$FindBin::Bin/../../shared/corpus/INDEX.tsv";
require CWMP::Captured;

# Informs that are refused, and what the log must say: both are templates that
# name no device, so there is nobody to whom a session could belong.
my %REFUSED = (
    'generic_dancejc_Inform.xml' => 'DeviceId.OUI is empty',
    'generic_jiuzhouv10_dancejc_Inform.xml' => 'DeviceId.SerialNumber is empty',
);

# Events that some spell in their own way, and what they are called in Redis.
my %SPELLED = ('4 VALUECHANGE' => '4 VALUE CHANGE');

my $t = CWMP::Test->new;
my $redis = $t->redis;

# simulators' URLs: no device is reached by them
my $NOWHERE = qr{^http://(?:127\.|localhost\b)};


# --- Informs ---------------------------------------------------------------

sub text { return CWMP::Redis::characters($_[0] // '') }


# The last of the parameters whose path ends so, at most as much as is kept.
sub fact {
    my ($params, $end) = @_;
    my ($path) = grep { /^[^.]+\.\Q$end\E$/ } sort keys %$params;
    return substr($path ? $params->{$path}{value} : '', 0, 1024);
}


# What is wrong with this one, in words; nothing when all is well.
sub try_inform {
    my ($m) = @_;
    my ($f, $params) = ($m->informed, $m->params);
    my $id = CWMP::Redis::device_id(uc $f->{OUI},
                                    @$f{'ProductClass', 'SerialNumber'});
    my $key = $redis->device_key($id);
    $redis->cmd('DEL', $key, "$key:params", "$key:session");

    my $r = $t->raw->post($m->bytes);
    return { refused => $r->status . ' ' . ($r->fault ? $r->fault_code
                                                      : $r->body) }
        if $r->status != 200 || $r->method ne 'InformResponse';

    my %d = %{ $redis->device($id) };
    my $url = fact($params, 'ManagementServer.ConnectionRequestURL');
    my %is = (
        namespace => [$r->ns, $f->{ns} // 'urn:dslforum-org:cwmp-1-0'],
        ID => [$r->id // '', $m->id // ''],
        OUI => [uc text($d{oui}), uc $f->{OUI}],
        ProductClass => [text($d{class}), $f->{ProductClass}],
        SerialNumber => [text($d{serial}), $f->{SerialNumber}],
        Manufacturer => [text($d{manufacturer}), $f->{Manufacturer}],
        events => [$d{events} // '',
                   join(',', map { $SPELLED{$_} // $_ } @{ $f->{events} })],
        version => [text($d{version}),
                    fact($params, 'DeviceInfo.SoftwareVersion')],
        hardware => [text($d{hardware}),
                     fact($params, 'DeviceInfo.HardwareVersion')],
        url => [text($d{url}), $url =~ $NOWHERE ? '' : $url],
        badurl => [text($d{badurl}), $url =~ $NOWHERE ? $url : ''],
        ParameterKey => [text($d{parameterkey}),
                         fact($params, 'ManagementServer.ParameterKey')],
    );
    my @bad = map { "$_ is '$is{$_}[0]', not '$is{$_}[1]'" }
              grep { $is{$_}[0] ne $is{$_}[1] } sort keys %is;
    return { bad => \@bad, params => $redis->params($id),
             expected => $params };
}


sub differences {
    my ($got, $want) = @_;
    my @bad;
    for my $path (sort keys %{ { %$got, %$want } }) {
        my ($g, $w) = map { $_ ? "$_->{type} '$_->{value}'" : 'nothing' }
                      $got->{$path}, $want->{$path};
        push @bad, "$path is $g, not $w" if $g ne $w;
    }
    return @bad;
}


my @corpus = CWMP::Captured->all;
my @informs = grep { $_->message eq 'Inform' } @corpus;
my @others = grep { $_->message ne 'Inform' } @corpus;
my $refused = 0;

cmp_ok scalar(@informs), '>=', 70, 'Informs to try: ' . @informs;

for my $inform (@informs) {
    my $file = $inform->file;
    my $got = try_inform($inform);
    my $why = $REFUSED{$file};

    if ($why || $got->{refused}) {
        $refused++;
        is $got->{refused}, $why && '200 8003', "SES-02 $file is refused";
        ok $t->wait_log(qr/Inform refused: \Q$why\E/, 1),
            "SES-02 $file: the log says why" if $why;
        next;
    }
    is_deeply $got->{bad}, [], "SES-02 $file opens a session";
    is_deeply [differences($got->{params}, $got->{expected})], [],
        "SES-02 $file: " . keys(%{ $got->{expected} }) . ' parameters';
}

cmp_ok $refused, '<=', 3, "SES-02 at most 3 Informs are refused: $refused";


# --- all others, without a session -----------------------------------------

# Everything in Redis, as one text, but what nodes do by themselves.
sub everything {
    return join("\n", map {
        $_ . '=' . unpack('H*', $redis->cmd('DUMP', $_) // '')
    } sort grep { !/:(?:due:lock|reconcile)$/ } $redis->list('KEYS', '*'));
}


# sessions end by themselves: nothing may change but by us
$redis->cmd('DEL', $_) for $redis->list('KEYS', '*:session');
my $before = everything();
my ($worker) = $t->workers;

for my $other (@others) {
    my $file = $other->file;
    my $r = eval { $t->raw->post($other->bytes) };
    my $got = $r ? $r->status : "no answer: $@";
    is $got, 400, "SES-01 $file without a session is refused" or next;
    like $r->body, qr/^\S.*\n\z/, "SES-01 $file: told why";
    is lc($r->header('Connection') // ''), 'close',
        "SES-01 $file: the connection ends";
}

cmp_ok scalar(@others), '>=', 100, 'others tried: ' . @others;
is everything(), $before, 'SES-01 nothing of it is in Redis';
is_deeply [$t->workers], [$worker], 'SES-01 the worker has survived it';
ok !try_inform($informs[0])->{refused}, 'SES-01 and serves a session';

done_testing;
