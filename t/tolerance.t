#!/usr/bin/perl

# What real CPEs get wrong and is taken all the same: each deviation is sent
# as it is met, and what Redis then holds is what the CPE meant.  What had to
# be repaired is said in the log, and in the task's result.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

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

for my $word ('True', 'TRUE', 'yes', ' 1 ') {
    my $got = answered("<P><Name>Device.X</Name><Writable>$word</Writable></P>",
                       method => 'GetParameterNames')->[0]{Writable};
    ok ref $got && $got, "TOL-18 '$word' is true";
}
value('TOL-18 (null) is kept', '(null)', '(null)');

value('TOL-38 two envelopes in one POST', 'first', 'first',
      wrap => sub { "$_[0]\n$_[0]" });
ok $t->wait_log(qr/what follows the first envelope was ignored/, 5),
    'TOL-38 the log says so';

is_deeply answered(row('', ' xsi:nil="true"')),
    [{ Name => 'Device.X', Value => '', Type => 'xsd:string' }],
    'TOL-40 xsi:nil is an empty value';

is answered(row('1', ' xsi:type="xsd:int" xsi:type="xsd:string"'))
    ->[0]{Type}, 'xsd:int', 'TOL-47 of a double attribute the first counts';
value('TOL-47 1999 schema', 'x', 'x', wrap => sub {
    $_[0] =~ s{http://www.w3.org/2001/}{http://www.w3.org/1999/}gr });

for (['TOL-01 application/soap+xml', content_type => 'application/soap+xml'],
     ['TOL-01 no Content-Type', content_type => undef],
     ['TOL-12 an array that miscounts', wrap => sub {
         $_[0] =~ s/<ParameterList/$& arrayType="x[0]"/r }],
     ['TOL-11 an undeclared prefix', wrap => sub {
         $_[0] =~ s/<Value/<y:Value/r =~ s{</Value}{</y:Value}r }],
     ['TOL-44 a padded count', wrap => sub {
         $_[0] =~ s/<ParameterList/$& arrayType="x[0008]"/r }])
{
    my ($name, @how) = @$_;
    value($name, 'x', 'x', @how);
}

done_testing;
