#!/usr/bin/perl

# What real CPEs get wrong and is taken all the same: each deviation is sent
# as it is met, and what Redis then holds is what the CPE meant.  What had to
# be repaired is said in the log, and in the task's result.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Encode ();
use JSON::PP ();
use Test::More;

use CWMP::Raw ':build';
use CWMP::Test;

my $t = CWMP::Test->new;
my $redis = $t->redis;
my $id = '00D09E-Box-Tol';
my $INFORM = inform(serial => 'Tol', class => 'Box');
my $count = 0;


# One GetParameterValues, whose answer has $list as its rows: the result.
sub answered {
    my ($list, %how) = @_;
    my $method = delete $how{method} || 'GetParameterValues';
    my $task = 't' . ++$count;
    my $wrap = delete $how{wrap} || sub { $_[0] };
    my $raw = $t->raw;

    $raw->post($INFORM);
    $redis->push_task($id, { method => $method, id => $task,
        $method eq 'GetParameterValues' ? (ParameterNames => ['Device.'])
                                        : (ParameterPath => 'Device.') });
    my $rpc = $raw->empty;
    my $body = envelope("<cwmp:${method}Response><ParameterList>@@"
                        . "</ParameterList></cwmp:${method}Response>",
                        id => $rpc->id);
    $body =~ s/\@\@/$list/;
    my $r = $raw->post($wrap->($body), %how);
    is $r->status, 204, "answer $task is taken" or diag($r->body);
    return $redis->result($id, $task)->{response}{ParameterList};
}


# An Inform that is taken, and whose task then comes; what Redis has of it.
sub informs {
    my ($name, $text, %how) = @_;
    my $raw = $t->raw;
    my $r = $raw->post($text, %how);
    is $r->method, 'InformResponse', "$name: an Inform" or diag($r->body);
    is $raw->empty->status, 204, "$name: its session";
    return $redis->params($id);
}


sub row {
    my ($value, $attributes) = @_;
    return '<P><Name>Device.X</Name><Value' . ($attributes // '') . '>'
           . $value . '</Value></P>';
}


sub value {
    my ($name, $sent, $want, %how) = @_;
    my $got = answered(row($sent), %how)->[0];
    is $got->{Value}, $want, $name;
    return $got;
}


sub repaired {
    my $got = value(@_);
    ok $got->{repaired}, "$_[0]: and flagged";
    return;
}


repaired('TOL-13 control characters', "a\x01\0b", "a\x{fffd}\x{fffd}b");
repaired('TOL-13 &#x2;', 'a&#x2;b', "a\x{fffd}b");
ok $t->wait_log(qr/1 values were repaired/, 5), 'TOL-13 the log says so';

repaired('TOL-14 Latin-1 in UTF-8', "caf\xe9", "caf\x{e9}");
value('TOL-14 the charset of HTTP', "\xc3\xa9", "\x{c3}\x{a9}",
      content_type => 'text/xml; charset="ISO-8859-1"');

repaired('TOL-15 a bare &', 'AT&T', 'AT&T');
repaired('TOL-15 a bare <', 'I <3 U', 'I <3 U');
repaired('TOL-15 what looks like a tag', 'a<b', 'a<b');
repaired('TOL-15 ]]>', 'if (a[b[0]]>1)', 'if (a[b[0]]>1)');
repaired('TOL-15 <!', 'a <!b', 'a <!b');
repaired('TOL-15 <? without an end', 'a <?b', 'a <?b');
repaired('TOL-15 elements in a value', 'x<b>y</b>z', 'xz');
repaired('TOL-15 an element before its text', '<b>y</b>z', 'z');
repaired('TOL-15 an element, and no text', '<b>y</b>', '');
ok !answered(row('a&amp;b'))->[0]{repaired}, 'TOL-15 nothing to repair';
like $t->raw->post($INFORM =~ s/4\.0\.2/a <b> c/r)->body, qr/not well-formed/,
    'TOL-15 what is markup is refused with the reason';

is_deeply answered('<P><Name>Device.X</Name></P>')->[0],
    { Name => 'Device.X', Value => '', Type => 'xsd:string' },
    'TOL-16 no Value, no type';
ok !answered('<P><Name>Device.X</Name></P>',
             method => 'GetParameterNames')->[0]{Writable},
    'TOL-16 no Writable is false';

value('TOL-17 an indented value', "\n   x\n  ", 'x');
value('TOL-17 a value of blanks', ' x ', ' x ');
for ([int => ' 5 ', '5'], [boolean => "\ttrue ", 'true'],
     [unsignedLong => '7 ', '7'], [base64 => ' AAEC ', 'AAEC'],
     [dateTime => ' 2026-01-02T03:04:05Z ', '2026-01-02T03:04:05Z'],
     [string => ' 5 ', ' 5 '])
{
    my ($type, $sent, $want) = @$_;
    my $got = answered(row($sent, qq( xsi:type="xsd:$type")))->[0];
    is $got->{Value}, $want, "TOL-17 blanks around a value of type $type";
}
is answered(row('x') =~ s{Device\.X}{ Device.X }r)->[0]{Name}, 'Device.X',
    'TOL-17 blanks around a name';
is answered(row('1', ' xsi:type=" xsd:int "'))->[0]{Type}, 'xsd:int',
    'TOL-17 blanks around a type';

for my $word ('True', 'TRUE', 'yes', ' 1 ') {
    my $got = answered("<P><Name>Device.X</Name><Writable>$word</Writable></P>",
                       method => 'GetParameterNames')->[0]{Writable};
    ok ref $got && $got, "TOL-18 '$word' is true";
}
value('TOL-18 (null) is kept', '(null)', '(null)');

value('TOL-38 two envelopes in one POST', 'first', 'first',
      wrap => sub { "$_[0]\n" . $_[0] =~ s/first/second/r });
ok $t->wait_log(qr/what follows the first envelope was ignored/, 5),
    'TOL-38 the log says so';
{
    my $raw = $t->raw;
    my $r = $raw->post($INFORM =~ s/<MaxEnvelopes>1/<MaxEnvelopes>4/r
                       =~ s{(</cwmp:ID>)}{$1<cwmp:NoMoreRequests
                       soap-env:mustUnderstand="1">1</cwmp:NoMoreRequests>}r);
    is $r->arg('MaxEnvelopes'), 1, 'TOL-38 MaxEnvelopes of 2004: ours is 1';
    is $raw->post(transfer_complete(key => 'x'))->method,
        'TransferCompleteResponse', 'TOL-38 NoMoreRequests is ignored';
}

is_deeply answered(row('', ' xsi:nil="true"')),
    [{ Name => 'Device.X', Value => '', Type => 'xsd:string' }],
    'TOL-40 xsi:nil is an empty value';


# --- D40: content that is elsewhere ------------------------------------------

# The rows of an answer, and what follows it in the Body.
sub referred {
    my ($rows, $after) = @_;
    return answered($rows, wrap => sub {
        $_[0] =~ s{(?=</soap-env:Body>)}{$after}r });
}


is_deeply referred(
    row('', ' href="#v1"') . row('b') . row('', ' href="#v2"')
    . '<P href="#p"/>',
    '<multiRef id="v2" xsi:type="xsd:int">7</multiRef><multiRef id="p">'
    . '<Name>Device.P</Name><Value>p</Value></multiRef>'
    . '<multiRef id="v1" xsi:type="xsd:string">a&b</multiRef>'),
    [{ Name => 'Device.X', Value => 'b', Type => 'xsd:string' },
     { Name => 'Device.P', Value => 'p', Type => 'xsd:string' },
     { Name => 'Device.X', Value => 'a&b', Type => 'xsd:string',
       repaired => JSON::PP::true },
     { Name => 'Device.X', Value => '7', Type => 'xsd:int' }],
    'TOL-40 values and a row that are elsewhere';

is_deeply referred(row('', ' href="#none"') . row('', ' href="#"')
                   . row('', ' href="http://acme.example/#v1"'),
                   '<multiRef id="v1">x</multiRef>'),
    [map { { Name => 'Device.X', Value => '', Type => 'xsd:string' } } 1 .. 3],
    'TOL-40 what is nowhere is empty';
ok $t->wait_log(qr/2 elements refer to what was not found \(href\)/, 5),
    'TOL-40 the log says so';

{
    # as Axis 1 writes it: nothing is where it belongs
    my $text = inform(serial => 'Tol', class => 'Box')
        =~ s{<DeviceId>.*(?=</cwmp:Inform>)}
            {<DeviceId href="#id0"/><Event href="#id1"/><MaxEnvelopes
             href="#id2"/><ParameterList href="#id3"/>}sr
        =~ s{(?=</soap-env:Body>)}{
        <multiRef id="id0" xsi:type="n:DeviceIdStruct"><OUI>00D09E</OUI>
          <ProductClass href="#id4"/><SerialNumber>Tol</SerialNumber></multiRef>
        <multiRef id="id3" soap-enc:arrayType="n:P[2]"><P href="#id5"/>
          <P href="#id6"/></multiRef>
        <multiRef id="id2" xsi:type="xsd:int">1</multiRef>
        <multiRef id="id1"><EventStruct href="#id7"/></multiRef>
        <multiRef id="id4">Box</multiRef>
        <multiRef id="id5"><Name>Device.DeviceInfo.SoftwareVersion</Name>
          <Value xsi:type="xsd:string">5.1</Value></multiRef>
        <multiRef id="id6"><Name>Device.Up</Name><Value href="#id8"/></multiRef>
        <multiRef id="id7"><EventCode>1 BOOT</EventCode></multiRef>
        <multiRef id="id8" xsi:type="xsd:unsignedInt">99</multiRef>}r;
    my $got = informs('TOL-40 a message of references', $text);
    is_deeply $got->{'Device.Up'}, { type => 'xsd:unsignedInt', value => 99 },
        'TOL-40 its values';
    my $device = $redis->device($id);
    is "$device->{events} $device->{version}", '1 BOOT 5.1',
        'TOL-40 its events and facts';
}

{
    # more than are looked for, and longer
    my $many = join('', map { row('', qq( href="#n$_")) } 1 .. 300);
    my $found = referred($many, join('', map {
        qq(<multiRef id="n$_">$_</multiRef>) } 1 .. 300));
    is scalar(@$found), 300, 'TOL-40 300 references: all rows';
    is scalar(grep { length $_->{Value} } @$found), 256,
        'TOL-40 of which 256 are resolved';
    ok $t->wait_log(qr/44 elements refer to what was not found/, 5),
        'TOL-40 and the others are told';
}

# --- D47, D1, D9 to D12, D44: how the same is said ---------------------------

is answered(row('1', ' xsi:type="xsd:int" xsi:type="xsd:string"'))
    ->[0]{Type}, 'xsd:int', 'TOL-47 of a double attribute the first counts';

# What one CPE or another makes of the usual envelope: a value still arrives,
# and an Inform still says who it is.
my @forms = (
    ['TOL-09 prefix SOAP-ENV' => sub { $_[0] =~ s/soap-env/SOAP-ENV/gr }],
    ['TOL-09 prefix soap_env' => sub { $_[0] =~ s/soap-env/soap_env/gr }],
    ['TOL-09 prefix s' => sub { $_[0] =~ s/soap-env/s/gr }],
    ['TOL-09 prefix cwmp1' => sub { $_[0] =~ s/cwmp:/cwmp1:/gr
                                             =~ s/xmlns:cwmp=/xmlns:cwmp1=/r }],
    ['TOL-09 SOAP in the default namespace' => sub {
        $_[0] =~ s/soap-env:(?!must)//gr =~ s/xmlns:soap-env=/xmlns=/r
              =~ s/soap-env://gr }],
    ['TOL-09 CWMP in the default namespace' => sub {
        $_[0] =~ s{<cwmp:(\w+(?:Response|Inform)|Inform)>}
                  {<$1 xmlns="urn:dslforum-org:cwmp-1-2">}r
              =~ s{</cwmp:(\w*Inform|\w+Response)>}{</$1>}r }],
    ['TOL-09 CWMP\'s prefix on everything' => sub {
        $_[0] =~ s{<(/?)(?=[A-Z])}{<$1cwmp:}gr }],
    ['TOL-09 no prefix at all' => sub { $_[0] =~ s{<(/?)[\w-]+:}{<$1}gr }],
    ['TOL-10 encoding without its slash' => sub {
        $_[0] =~ s{/soap/encoding/}{/soap/encoding}gr }],
    ['TOL-10 SOAP 1.2' => sub {
        $_[0] =~ s{http://schemas.xmlsoap.org/soap/envelope/}
                  {http://www.w3.org/2003/05/soap-envelope}r
              =~ s{http://schemas.xmlsoap.org/soap/encoding/}
                  {http://www.w3.org/2003/05/soap-encoding}r }],
    ['TOL-10 in the wrong case' => sub {
        $_[0] =~ s{(http://schemas[^"]+)}{\U$1}gr }],
    ['TOL-10 encodingStyle' => sub { $_[0] =~ s{<soap-env:Body}
        {<soap-env:Body soap-env:encodingStyle="urn:none"}r }],
    ['TOL-11 xsi is not declared' => sub { $_[0] =~ s/ xmlns:xsi="[^"]*"//r }],
    ['TOL-11 soap-enc is not declared' => sub {
        $_[0] =~ s/ xmlns:soap-enc="[^"]*"//r }],
    ['TOL-11 nothing is declared' => sub { $_[0] =~ s/ xmlns:\w[^ >]*//gr }],
    ['TOL-11 CWMP is declared twice' => sub {
        $_[0] =~ s/xmlns:cwmp="([^"]*)"/$& $&/r }],
    ['TOL-11 undeclared prefix in the names' => sub {
        $_[0] =~ s{<(/?)(Value|Name|OUI)\b}{<$1y:$2}gr }],
    ['TOL-12 no arrayType' => sub {
        $_[0] =~ s/ soap-enc:arrayType="[^"]*"//gr }],
    ['TOL-12 [0] with children' => sub { $_[0] =~ s/\[\d+\]/[0]/gr }],
    ['TOL-12 a higher count' => sub { $_[0] =~ s/\[\d+\]/[999999999999]/gr }],
    ['TOL-12 a negative count, or words' => sub { $_[0] =~ s/\[\d+\]/[-1]/r
                                                  =~ s/\[\d+\]/[some]/gr }],
    ['TOL-12 cwmp:string[]' => sub {
        $_[0] =~ s/arrayType="[^"]*"/arrayType="cwmp:string[]"/gr }],
    ['TOL-44 a padded count' => sub { $_[0] =~ s/\[\d+\]/[0008]/gr }],
    ['TOL-44 [0000]' => sub { $_[0] =~ s/\[\d+\]/[0000]/gr }],
    ['TOL-44 no event' => sub {
        $_[0] =~ s{<EventStruct>.*</EventStruct>}{}sr }],
    ['TOL-47 the schema of 1999' => sub {
        $_[0] =~ s{http://www.w3.org/2001/}{http://www.w3.org/1999/}gr }],
    ['TOL-47 apostrophes' => sub { $_[0] =~ s/"/'/gr }],
    ['TOL-47 a type on every element' => sub {
        $_[0] =~ s{<(\w+)>}{<$1 xsi:type="xsd:$1">}gr }],
    ['TOL-47 attributes twice' => sub {
        $_[0] =~ s/(soap-env:mustUnderstand="1")/$1 $1/r }],
    ['TOL-47 lines and blanks everywhere' => sub { $_[0] =~ s/></>\r\n\t</gr }],
);

for (@forms) {
    my ($name, $form) = @$_;
    die "$name: is no other form\n" if $form->($INFORM) eq $INFORM;
    value($name, 'x', 'x', wrap => $form);
    $redis->cmd('DEL', map { $redis->device_key($id, $_) } 'params', 'session');
    is informs($name, $form->($INFORM))
        ->{'Device.DeviceInfo.SoftwareVersion'}{value} // 'nothing', '4.0.2',
        "$name: its parameters";
}

{
    my $r = answered(row('x'), wrap => sub {
        $_[0] =~ s{<(cwmp:\w+Response)>.*</cwmp:\w+>}
            {<cwmp:GetParameterValuesResponse>
            <ParameterList>@{[ row('x') x 1031 ]}</ParameterList>
            </cwmp:GetParameterValuesResponse>}sr });
    is scalar(@$r), 1031, 'TOL-44 1,031 values of a list without a count';
}

{
    my $raw = $t->raw;
    $raw->post($INFORM);
    $redis->push_task($id, { method => 'GetParameterValues', id => 'fp',
                             ParameterNames => ['Device.A'] });
    my $rpc = $raw->empty;
    is $raw->post(fault($rpc->id, 9005, 'no')
        =~ s{(</?)soap-env:Fault}{$1soap:Fault}gr)->status, 204,
        'TOL-47 a Fault with a prefix that is not declared';
    is $redis->result($id, 'fp')->{fault}{FaultCode}, 9005, 'TOL-47 its code';
}


# --- D14, D15: characters of an Inform ---------------------------------------

{
    my $gbk = Encode::encode('GBK', "\x{8def}\x{7531}\x{5668}");

    # its first two bytes happen to be UTF-8
    my $got = value('TOL-14 GBK in UTF-8: byte by byte as Latin-1', $gbk,
                    "\x{b7}\x{d3}\x{c9}\x{c6}\x{f7}");
    ok $got->{repaired}, 'TOL-14 and flagged';
    value('TOL-14 GBK that says so', $gbk, "\x{8def}\x{7531}\x{5668}",
          wrap => sub { $_[0] =~ s/encoding="UTF-8"/encoding="GBK"/r },
          content_type => 'text/xml');
    value('TOL-14 GBK, by the charset of HTTP', $gbk,
          "\x{8def}\x{7531}\x{5668}", content_type => 'text/xml; charset=GBK');
    $got = value('TOL-14 GBK with a byte that is none', "\xc2\xb7\xff",
        "\x{8def}\x{ff}",
        wrap => sub { $_[0] =~ s/encoding="UTF-8"/encoding="GBK"/r },
        content_type => 'text/xml');
    ok $got->{repaired}, 'TOL-14 ... is Latin-1, and flagged';
    value('TOL-14 ISO-8859-1 that says so', "caf\xe9", "caf\x{e9}",
          wrap => sub { $_[0] =~ s/encoding="UTF-8"/encoding="ISO-8859-1"/r },
          content_type => 'text/xml');

    my $got_inform = informs('TOL-15 an SSID of anything',
        $INFORM =~ s{4\.0\.2}{AT&T <3 caf\xe9 \x02}r);
    is $got_inform->{'Device.DeviceInfo.SoftwareVersion'}{value},
        "AT&T <3 caf\x{e9} \x{fffd}", 'TOL-15 nothing of it is lost';
    ok $t->wait_log(qr/the first in Device\.DeviceInfo\.SoftwareVersion/),
        'TOL-15 the log says where';
    is [$redis->events]->[-1]{repaired}, 1, 'TOL-15 the event says that it was';
    my @long = map { row('x' x 70) } 1 .. 1000;
    answered(join('', @long, row("\xe9")));
    is $redis->result($id, "t$count")->{response}{repaired}, JSON::PP::true,
        'TOL-14 behind what is kept of a long list: all of it is flagged';
    informs('TOL-15 an instruction without an end, and a line break',
            $INFORM =~ s{4\.0\.2}{a <?b}r . "\r\n" . ' ' x 2000);
}


# --- D16 to D19, D21: values -------------------------------------------------

for ([int => '12 dBm'], [unsignedInt => '-1'], [unsignedInt => '9999999999'],
     [boolean => 'enabled'], [int => 'N/A'], [string => '(null)'],
     [boolean => 'TRUE'], [int => '+007'], [dateTime => '2026-01-02 03:04:05'],
     [dateTime => '2026-01-02T03:04:05'], [dateTime => '0000-00-00'],
     [dateTime => '1970-01-01T00:00:12'], [dateTime => '0001-01-01T00:00:00Z'],
     [dateTime => '2026-01-02T03:04:05+0800'], [dateTime => ''])
{
    my ($type, $text) = @$_;
    my $d = $type eq 'dateTime' ? 19 : 18;
    my $got = answered(row($text, qq( xsi:type="xsd:$type")))->[0];
    is_deeply $got, { Name => 'Device.X', Value => $text,
                      Type => "xsd:$type" }, "TOL-$d $type '$text' is kept";
    is_deeply $redis->params($id)->{'Device.X'},
        { type => "xsd:$type", value => $text }, '... in Redis, too';
}

# what it says, and what the device's clock is then
for (['2026-01-02 03:04:05', '2026-01-02T03:04:05Z'],
     ['2026-01-02T03:04:05', '2026-01-02T03:04:05Z'],
     ['0000-00-00', '0000-00-00'], ['now', 'now'],
     ['1970-01-01T00:00:00', '1970-01-01T00:00:00Z'],
     ['2026-01-02T03:04:05.123456789123+0800',
      '2026-01-01T19:04:05.123456789Z'])
{
    my ($time, $clock) = @$_;
    informs("TOL-19 CurrentTime '$time'",
            inform(serial => 'Tol', class => 'Box', time => $time));
    is $redis->device($id)->{clock}, $clock, "TOL-19 ... is $clock";
}

{
    my $got = informs('TOL-16 no Value, no type, no Name',
        $INFORM =~ s{(<ParameterList[^>]*>)}{$1<ParameterValueStruct><Name>
            Device.Bare</Name></ParameterValueStruct><ParameterValueStruct>
            <Value>x</Value></ParameterValueStruct><ParameterValueStruct/>}r);
    is_deeply $got->{'Device.Bare'}, { type => 'xsd:string', value => '' },
        'TOL-16 is an empty string';
}

for my $way ('an answer', 'an Inform') {
    my $before = length $t->error_log;
    my $between = join('', map {
        "<P><Name>Device.Z$_</Name><Value>z</Value></P>" } 1 .. 1200);
    my $twice = join($between, map {
        "<P><Name>Device.X</Name><Value>$_</Value></P>"
        . "<P><Name>Device.Y</Name><Value>y</Value></P>" } 'first', 'last');
    if ($way eq 'an answer') {
        answered($twice);
    } else {
        informs('TOL-21', $INFORM =~ s{(<ParameterList[^>]*>)}{$1$twice}r);
    }
    is $redis->params($id)->{'Device.X'}{value}, 'last',
        "TOL-21 the last of two in $way counts";
    like substr($t->error_log, $before),
        qr/2 parameters came again in one list: the last value counts/,
        'TOL-21 the log says so';
}

done_testing;
