#!/usr/bin/perl

# What real devices and other simulators sent (../shared/corpus), each message
# posted as it was recorded: every Inform opens a session and leaves the device
# and its parameters in Redis as a parser of our own (a few regular
# expressions) reads them; every other message, without a session, is refused
# and harms nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode ();
use Test::More;

use CWMP::Envelope qw(xml_unescape);
use CWMP::Redis;
use CWMP::Test qw(slurp);

my $CORPUS = "$FindBin::Bin/../../shared/corpus";
plan skip_all => '../shared is absent' unless -f "$CORPUS/INDEX.tsv";

# Informs that are refused, and what the log must say: both are templates that
# name no device, so there is nobody to whom a session could belong.
my %REFUSED = (
    'generic_dancejc_Inform.xml' => 'DeviceId.OUI is empty',
    'generic_jiuzhouv10_dancejc_Inform.xml' => 'DeviceId.SerialNumber is empty',
);

# Types that a parameter may have in Redis; what else was said is a string.
my %TYPE = map { ($_ => 1) } qw(string boolean int long unsignedInt
    unsignedLong decimal dateTime base64Binary hexBinary);

# Events that some spell in their own way, and what they are called in Redis.
my %SPELLED = ('4 VALUECHANGE' => '4 VALUE CHANGE');

my $t = CWMP::Test->new;
my $redis = $t->redis;


# [file, message, text, oddities]
sub corpus {
    my (@rows) = split(/\n/, slurp("$CORPUS/INDEX.tsv"));
    my @names = split(/\t/, shift @rows);
    return map {
        my %row;
        @row{@names} = split(/\t/, $_, -1);
        [$row{file}, $row{message}, slurp("$CORPUS/$row{file}"),
         $row{oddities}];
    } @rows;
}


# --- a parser of our own ---------------------------------------------------

# The first element of this name: its attributes and its text as bytes.
sub element {
    my ($text, $name) = @_;
    $text =~ m{<(?:[\w.-]+:)?$name(\s[^>]*?)?(?:/>|>(.*?)</(?:[\w.-]+:)?$name\s*>)}s
        or return;
    return ($2 // '', $1 // '');
}


sub plain {
    my ($charset, $bytes) = @_;
    return undef unless defined $bytes;
    my $text = Encode::decode($charset, $bytes);
    $text =~ s/\r\n?/\n/g;
    my $raw = '';
    while ($text =~ /\G(?:<!\[CDATA\[(.*?)\]\]>|<!--.*?-->|([^<]+))/gcs) {
        $raw .= defined $1 ? $1 : defined $2 ? xml_unescape($2) : '';
    }
    return $raw;
}


sub trimmed { return defined $_[0] ? $_[0] =~ s/^\s+|\s+$//gr : '' }


# Strings keep their blanks, unless it was indentation.
sub value {
    my ($text) = @_;
    return $text =~ /^[ \t]*\n|\n[ \t]*$/ ? trimmed($text) : $text;
}


sub facts {
    my ($text) = @_;
    my ($charset) = $text =~ /^\s*<\?xml[^>]*encoding=["']([^"']+)/;
    $charset ||= 'UTF-8';
    $text =~ s/<!--.*?-->//gs;
    my $leaf = sub { plain($charset, (element($_[0], $_[1]))[0]) };

    my ($header) = element($text, 'Header');
    my ($device) = element($text, 'DeviceId');
    my ($list) = element($text, 'ParameterList');
    my ($event) = element($text, 'Event');
    my %f = (
        id => $leaf->($header // '', 'ID'),
        who => [map { trimmed($leaf->($device, $_)) }
                qw(OUI ProductClass SerialNumber)],
        manufacturer => trimmed($leaf->($device, 'Manufacturer')),
        events => [map { $SPELLED{$_} // $_ }
                   map { trimmed(plain($charset, $_)) } ($event // '') =~
            m{<(?:[\w.-]+:)?EventCode[^>]*>([^<]*)</}g],
    );
    ($f{ns}) = $text =~ /(urn:dslforum-org:cwmp-1-\d)/;

    for my $struct (split(/<(?:[\w.-]+:)?ParameterValueStruct\b/, $list // '')) {
        my $name = trimmed($leaf->($struct, 'Name'));
        next if $name eq '' || $name =~ /\.$/;
        my ($value, $attributes) = element($struct, 'Value');
        my ($type) = ($attributes // '') =~ /\btype\s*=\s*["'](?:[\w.-]+:)?(\w+)/;
        $f{params}{$name} = {
            type => 'xsd:' . ($TYPE{ $type // '' } ? $type : 'string'),
            value => value(plain($charset, $value) // ''),
        };
    }
    return \%f;
}


# --- Informs ---------------------------------------------------------------

# What is wrong with this one, in words; nothing when all is well.
sub try_inform {
    my ($text) = @_;
    my $f = facts($text);
    my $id = CWMP::Redis::device_id(uc $f->{who}[0], @{ $f->{who} }[1, 2]);
    my $key = $redis->device_key($id);
    $redis->cmd('DEL', $key, "$key:params", "$key:session");

    my $r = $t->raw->post($text);
    return { refused => $r->status . ' ' . ($r->fault ? $r->fault_code
                                                      : $r->body) }
        if $r->status != 200 || $r->method ne 'InformResponse';

    my %d = %{ $redis->device($id) };
    my %is = (
        namespace => [$r->ns, $f->{ns} // 'urn:dslforum-org:cwmp-1-0'],
        ID => [$r->id // '', $f->{id} // ''],
        OUI => [uc CWMP::Redis::characters($d{oui} // ''), uc $f->{who}[0]],
        ProductClass => [CWMP::Redis::characters($d{class} // ''),
                         $f->{who}[1]],
        SerialNumber => [CWMP::Redis::characters($d{serial} // ''),
                         $f->{who}[2]],
        Manufacturer => [trimmed($d{manufacturer}), $f->{manufacturer}],
        events => [$d{events} // '', join(',', @{ $f->{events} })],
    );
    my @bad = map { "$_ is '$is{$_}[0]', not '$is{$_}[1]'" }
              grep { $is{$_}[0] ne $is{$_}[1] } sort keys %is;
    return { bad => \@bad, params => $redis->params($id),
             expected => $f->{params} || {} };
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


my @corpus = corpus();
my @informs = grep { $_->[1] eq 'Inform' } @corpus;
my @others = grep { $_->[1] ne 'Inform' } @corpus;
my $refused = 0;

cmp_ok scalar(@informs), '>=', 70, 'Informs to try: ' . @informs;

for my $inform (@informs) {
    my ($file, undef, $text) = @$inform;
    my $got = try_inform($text);
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

# Everything in Redis, as one text.
sub everything {
    return join("\n", map {
        $_ . '=' . unpack('H*', $redis->cmd('DUMP', $_) // '')
    } sort grep { !/:lock$/ } $redis->list('KEYS', '*'));
}


# sessions end by themselves: nothing may change but by us
$redis->cmd('DEL', $_) for $redis->list('KEYS', '*:session');
my $before = everything();
my ($worker) = $t->workers;

for my $other (@others) {
    my ($file, undef, $text, $oddities) = @$other;
    my $raw = $t->raw;
    my $r = eval { $raw->post($text) };
    my $got = $r ? $r->status : "no answer: $@";
    is $got, 400, "SES-01 $file without a session is refused" or next;
    like $r->body, qr/^\S.*\n\z/, "SES-01 $file: told why";
    is lc($r->header('Connection') // ''), 'close',
        "SES-01 $file: the connection ends";
}

cmp_ok scalar(@others), '>=', 100, 'others tried: ' . @others;
is everything(), $before, 'SES-01 nothing of it is in Redis';
is_deeply [$t->workers], [$worker], 'SES-01 the worker has survived it';
ok !try_inform($informs[0][2])->{refused}, 'SES-01 and serves a session';

done_testing;
